"""Findings and outcomes as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, cast

from renderer.cli.console import Console
from renderer.errors import Finding, Severity
from renderer.model.fields import Json
from renderer.model.outcome import Outcome

_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}
_LABELS: Final = ("  -->", "   expected:", "   got:", "   hint:")


def show(console: Console, outcome: Outcome, *, form: str, quiet: bool) -> int:
    """Print an outcome in the format `form`; the exit code that it stands for."""
    as_json = form == "json"
    console.result(json.dumps(outcome.document, indent=2, ensure_ascii=False) if as_json else outcome.text)
    code = outcome.exit_code if outcome.failed else 0
    findings = shown(outcome.findings, quiet=quiet)
    if findings:
        complain(console, findings, form=form, code=code)
    return code


def shown(findings: Sequence[Finding], *, quiet: bool) -> Sequence[Finding]:
    """The findings that somebody wants to see: with `--quiet` errors only."""
    return [one for one in findings if not quiet or one.severity is Severity.ERROR]


def complain(console: Console, findings: Sequence[Finding], *, form: str, code: int) -> None:
    """Print findings on standard error: one JSON object in the json format, paragraphs otherwise."""
    if form == "json":
        document: Json = {"exitCode": code, "findings": [_document(finding) for finding in findings]}
        console.remark(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console.remark("\n\n".join(_text(console, finding) for finding in findings))
    if len(findings) > 1:
        console.remark(f"\n{count(findings)}")


def count(findings: Sequence[Finding]) -> str:
    """`2 errors, 1 warning`."""
    numbers = ((severity, sum(finding.severity is severity for finding in findings)) for severity in Severity)
    return ", ".join(f"{number} {severity.value}{'' if number == 1 else 's'}" for severity, number in numbers if number)


def _text(console: Console, finding: Finding) -> str:
    """A finding as `Finding.__str__` spells it, with colour where colour is seen."""
    head, *rest = str(finding).split("\n")
    label, _, message = head.partition(": ")
    colour = _COLOURS[finding.severity]
    lines = [f"{console.styled(label, 'bold', colour)}: {console.styled(message, 'bold')}"]
    for line in rest:
        found = next((mark for mark in _LABELS if line.startswith(mark)), "")
        lines.append(f"{console.styled(found, 'cyan')}{line[len(found) :]}")
    return "\n".join(lines)


def _document(finding: Finding) -> Json:
    where = finding.where
    place = {
        "file": where.file,
        "line": where.line,
        "column": where.column,
        "path": where.path,
        "subject": where.subject,
    }
    known: dict[str, Json] = {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "where": {key: value for key, value in place.items() if value is not None},
        "expected": finding.expected,
        "got": finding.got,
        "hint": finding.hint,
        "explanation": list(finding.explanation),
        "details": cast("dict[str, Json]", dict(finding.details)),
    }
    return {key: value for key, value in known.items() if value not in (None, [], {})}
