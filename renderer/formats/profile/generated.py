"""The section `generated` of a profile: how values that charts invent are settled."""

from __future__ import annotations

import re
from typing import Final, cast

from renderer.formats.documents.document import Path
from renderer.formats.profile.fields import Reading
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.generated.policy import EXPIRING_DAYS, GeneratedPolicy, GeneratedRule, Mode
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.reference import Digest, ImageReference

__all__ = ["read_generated"]

_VALUE_LIMIT: Final = 256 * 1024
_ANSWERS: Final = ("mode", "value", "valueFrom")
_SELECTORS: Final = ("extension", "group", "object", "field")
_DAYS: Final = re.compile(r"([1-9][0-9]{0,4})d\Z")


def read_generated(reading: Reading, fields: Fields) -> GeneratedPolicy:
    """`spec.generated`; the rules in the order of the profile."""
    image = reading.optional(reading.child(fields, "inCluster"), "image", ImageReference.parse)
    return GeneratedPolicy(
        default=reading.noun(fields, "default", Mode, Mode.SEALED),
        recipients=_recipients(reading, fields),
        expiring=reading.noun(fields, "expiring", _days, EXPIRING_DAYS),
        image=str(image) if image else None,
        rules=_rules(reading, fields),
    )


def _days(text: str) -> int:
    found = _DAYS.match(text)
    if found is None:
        raise ValueError("a time is written in days, such as `30d`")
    return int(found[1])


def _recipients(reading: Reading, fields: Fields) -> tuple[AgeRecipient, ...]:
    found = []
    for index, text in enumerate(reading.texts(fields, "recipients")):
        at: Path = (*fields.at("recipients"), index)
        with reading.guard(at):
            found.append(_recipient(text, at))
    return tuple(found)


def _recipient(text: str, at: Path) -> AgeRecipient:
    """A public key; the finding about any other text does not repeat it, because it may be the private one."""
    private = text.upper().startswith("AGE-SECRET-KEY-")
    try:
        return AgeRecipient.parse(text)
    except ValueError as error:
        raise FieldError(
            at,
            str(error),
            code="secret-in-profile" if private else "invalid-field",
            expected="the public key of age: `age1` and 58 more characters",
            hint="age-keygen -y KEYFILE" if private else "age-keygen -o KEYFILE",
        ) from error


def _rules(reading: Reading, fields: Fields) -> tuple[GeneratedRule, ...]:
    found = []
    for item in reading.children(fields, "rules"):
        with reading.guard(item.path):
            found.append(_rule(reading, item))
    return tuple(found)


def _rule(reading: Reading, fields: Fields) -> GeneratedRule:
    answers = [key for key in _ANSWERS if key in fields.content]
    if len(answers) != 1:
        raise FieldError(
            fields.path,
            "a generated value is settled in exactly one way",
            code="ambiguous-settlement",
            expected="one of `mode`, `value` and `valueFrom`",
            got=" and ".join(f"`{answer}`" for answer in answers) or "none of them",
            hint="sitewright schema site",
        )
    lacking = [key for key in ("object", "field") if key not in fields]
    if answers != ["mode"] and lacking:
        raise FieldError(
            fields.path,
            "a value is given to one field of one kind of object",
            code="missing-field",
            expected=" and ".join(f"`{key}`" for key in lacking),
            hint="sitewright schema site",
        )
    mode = fields.optional("mode", Mode)
    return GeneratedRule(
        **{key: fields.optional_text(key) for key in _SELECTORS},
        mode=mode,
        value=_value(reading, fields) if "valueFrom" in fields else cast("Json", fields.content.get("value")),
        reason=fields.text("reason"),
    )


def _value(reading: Reading, fields: Fields) -> str:
    """The text of the file `valueFrom`, without line breaks at its end."""
    at = fields.at("valueFrom")
    path = fields.text("valueFrom")
    text = reading.files.text(path, at, _VALUE_LIMIT).rstrip("\r\n")
    if "PRIVATE KEY-----" in text:
        raise FieldError(
            at,
            f"`{path}` holds a private key; it does not belong into a repository",
            code="secret-in-profile",
            expected="a public value, or `mode: sealed`",
        )
    reading.contents[at] = str(Digest.of(text.encode()))
    return text
