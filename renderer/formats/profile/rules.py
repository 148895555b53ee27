"""The section `checks` of a profile."""

from __future__ import annotations

from renderer.errors import Severity
from renderer.formats.documents.calendar_days import parse_day
from renderer.formats.documents.document import Path
from renderer.formats.profile.fields import Reading
from renderer.model.fields import Fields
from renderer.model.site import CheckRules, IgnoreRule

__all__ = ["read_checks"]


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
