"""The section `generated` of a profile: how values that charts invent are settled."""

from __future__ import annotations

import re
from typing import Final, cast

from renderer.formats.documents.document import Path
from renderer.formats.profile.fields import Reading
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.generated.policy import EXPIRING_DAYS, GeneratedPolicy, GeneratedRule, Mode
from renderer.model.reference import Digest, ImageReference

__all__ = ["read_generated"]

_VALUE_LIMIT: Final = 256 * 1024
_ANSWERS: Final = ("mode", "value", "valueFrom")
_SELECTORS: Final = ("extension", "group", "object", "field")
_DAYS: Final = re.compile(r"([1-9][0-9]{0,4})d\Z")
# The human-readable part and the characters of a native age recipient (age-encryption.org/v1, X25519 recipient type).
_RECIPIENT: Final = re.compile(r"age1[02-9ac-hj-np-z]{58}\Z")


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


def _recipients(reading: Reading, fields: Fields) -> tuple[str, ...]:
    texts = reading.texts(fields, "recipients")
    for index, text in enumerate(texts):
        at: Path = (*fields.at("recipients"), index)
        with reading.guard(at):
            _check_recipient(text, at)
    return texts


def _check_recipient(text: str, at: Path) -> None:
    if text.startswith("AGE-SECRET-KEY-"):
        raise FieldError(
            at,
            "this is a private key; it does not belong into a repository",
            code="secret-in-profile",
            expected="the public key of it: `age1…`",
            hint="age-keygen -y KEYFILE",
        )
    if _RECIPIENT.match(text) is None:
        raise FieldError(
            at, "this is no public key of age", expected="`age1` and 58 characters", hint="age-keygen -o site.agekey"
        )


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
