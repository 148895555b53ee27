"""The sections `checks` and `generated` of a profile."""

from __future__ import annotations

from typing import Final, cast

from renderer.errors import Severity
from renderer.formats.documents.calendar_days import parse_day
from renderer.formats.documents.document import Path
from renderer.formats.profile.fields import Reading
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.generated.values import Settlement
from renderer.model.reference import Digest
from renderer.model.site import CheckRules, IgnoreRule

__all__ = ["read_checks", "read_settlements"]

_VALUE_LIMIT: Final = 256 * 1024
_ANSWERS: Final = ("external", "value", "valueFrom")


def read_checks(reading: Reading, fields: Fields) -> CheckRules:
    """`spec.checks`."""
    fail = set()
    for index, text in enumerate(reading.texts(fields, "fail")):
        at: Path = (*fields.at("fail"), index)
        with reading.guard(at):
            fail.add(fields.parse(text, Severity, at))
    ignored = []
    for item in reading.children(fields, "ignore"):
        with reading.guard(item.path):
            ignored.append(_ignored(item))
    return CheckRules(
        fail=frozenset(fail) if "fail" in fields else frozenset({Severity.ERROR}),
        ignore=tuple(ignored),
    )


def _ignored(fields: Fields) -> IgnoreRule:
    return IgnoreRule(
        rule=fields.text("rule"),
        object=fields.text("object"),
        reason=fields.text("reason"),
        until=fields.optional("until", parse_day),
    )


def read_settlements(reading: Reading, spec: Fields) -> tuple[Settlement, ...]:
    """`spec.generated`, in the order of the profile: the first that matches decides."""
    found = []
    for item in reading.children(spec, "generated"):
        with reading.guard(item.path):
            found.append(_settlement(reading, item))
    return tuple(found)


def _settlement(reading: Reading, fields: Fields) -> Settlement:
    answers = [key for key in _ANSWERS if key in fields.content]
    if len(answers) != 1:
        raise FieldError(
            fields.path,
            "a generated value is settled in exactly one way",
            code="ambiguous-settlement",
            expected="one of `external: true`, `value` and `valueFrom`",
            got=" and ".join(f"`{answer}`" for answer in answers) or "none of them",
            hint="sitewright schema site",
        )
    return Settlement(
        object=fields.text("object"),
        field=fields.text("field"),
        external=fields.flag("external", default=False),
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
            expected="a public value, or `external: true`",
        )
    reading.contents[at] = str(Digest.of(text.encode()))
    return text
