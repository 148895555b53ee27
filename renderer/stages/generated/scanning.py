"""Templates that call functions whose result is not decided by their arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.structs import Struct


class UseKind(Enum):
    """Why a function makes a template's output depend on more than its input."""

    RANDOM = "random"
    CLOCK = "clock"
    ORDER = "order"
    LOOKUP = "lookup"
    HELM_VERSION = "helm-version"


class TemplateUse(Struct, frozen=True, kw_only=True):
    """One call in one template, on which line (from 1)."""

    path: str
    line: int
    function: str
    kind: UseKind


_FUNCTIONS: Final = {
    **dict.fromkeys(
        (
            *("randAlphaNum", "randAlpha", "randAscii", "randNumeric", "randBytes", "randInt", "shuffle", "uuidv4"),
            *("genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey"),
            *("genSignedCert", "genSignedCertWithKey", "bcrypt", "htpasswd", "encryptAES"),
        ),
        UseKind.RANDOM,
    ),
    **dict.fromkeys(
        ("now", "ago", "date", "dateInZone", "date_in_zone", "dateModify", "date_modify", "htmlDate", "htmlDateInZone"),
        UseKind.CLOCK,
    ),
    **dict.fromkeys(("keys", "values"), UseKind.ORDER),
    "lookup": UseKind.LOOKUP,
    "getHostByName": UseKind.LOOKUP,
}
_ANY = re.compile(rf"\b(?:{'|'.join(sorted(_FUNCTIONS))})\b|\.Capabilities\b")
_COMMENT = re.compile(r"\{\{-?\s*/\*")
TEXT: Final = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`')
"""A string in the code of an action."""
_WORD = re.compile(r"(?<![.$\w])[A-Za-z_]\w*")
_HELM_VERSION = re.compile(r"\.Capabilities(?:\.HelmVersion\b|(?![.\w]))")


def scan_templates(files: Mapping[str, str]) -> tuple[TemplateUse, ...]:
    """Every call in `files` (path -> template source) that makes output depend on more than values.

    Both ways round it is a guess: what is called may never reach the output, and `tpl` can run text that comes from
    values. So it decides only where to look closer, and the two renders decide.
    """
    uses: dict[TemplateUse, None] = {}
    for path, source in sorted(files.items()):
        if not _ANY.search(source):
            continue
        for action, start in actions(source):
            for function, kind in _calls(action) if _ANY.search(action) else ():
                line = source.count("\n", 0, start) + 1
                uses[TemplateUse(path=path, line=line, function=function, kind=kind)] = None
    return tuple(uses)


def actions(source: str) -> Iterator[tuple[str, int]]:
    """What stands between `{{` and `}}`, comments left out, and where each begins."""
    start = source.find("{{")
    while start >= 0:
        comment = _COMMENT.match(source, start)
        end = source.find("*/" if comment else "}}", start + 2)
        if end < 0:
            return
        if not comment:
            yield source[start + 2 : end], start
        start = source.find("{{", end)


def _calls(action: str) -> Iterator[tuple[str, UseKind]]:
    code = TEXT.sub('""', action)
    if _HELM_VERSION.search(code):
        yield ".Capabilities.HelmVersion", UseKind.HELM_VERSION
    sorted_after = "sortAlpha" in code
    for word in _WORD.findall(code):
        kind = _FUNCTIONS.get(word)
        if kind is not None and not (kind is UseKind.ORDER and sorted_after):
            yield word, kind


def may_invent(uses: Iterable[TemplateUse]) -> bool:
    """True when a chart with these calls must be rendered twice before its output is believed."""
    return any(use.kind in {UseKind.RANDOM, UseKind.CLOCK, UseKind.ORDER} for use in uses)


def reads_clock(uses: Iterable[TemplateUse]) -> bool:
    """True when a chart with these calls may print what time it is."""
    return any(use.kind is UseKind.CLOCK for use in uses)


def makes_keys(uses: Iterable[TemplateUse]) -> bool:
    """True when a chart with these calls may make keys and certificates."""
    return any(use.function.startswith("gen") for use in uses)


def template_findings(uses: Iterable[TemplateUse], extension: str, component: str) -> tuple[Finding, ...]:
    """What a reviewer should know of a chart's templates, one finding for all places of a kind in the chart.

    `chart-uses-lookup` (note), `chart-prints-helm-version` (warning).
    """
    everything = tuple(uses)
    subject = f"extension {extension}, {component}"
    told = (
        _told(everything, UseKind.LOOKUP, "chart-uses-lookup", Severity.NOTE, _LOOKUP, subject),
        _told(everything, UseKind.HELM_VERSION, "chart-prints-helm-version", Severity.WARNING, _VERSION, subject),
    )
    return tuple(finding for finding in told if finding is not None)


_LOOKUP: Final = (
    "the chart asks the cluster or the network with {functions}; here both are silent, so it takes its fallback"
)
_VERSION: Final = "the chart reads the version of Helm: its output may change with the chart engine"


def _told(
    uses: tuple[TemplateUse, ...], kind: UseKind, code: str, severity: Severity, message: str, subject: str
) -> Finding | None:
    """One finding at the first place of this kind, which lists them all; None when there is none."""
    mine = [use for use in uses if use.kind is kind]
    if not mine:
        return None
    functions = ", ".join(sorted({f"`{use.function}`" for use in mine}))
    lines: dict[str, list[int]] = {}
    for use in mine:
        lines.setdefault(use.path, []).append(use.line)
    places = (f"{path}:{', '.join(map(str, sorted(set(where))))}" for path, where in sorted(lines.items()))
    return Finding(
        code=code,
        message=message.format(functions=functions),
        where=Where(file=mine[0].path, line=mine[0].line, subject=subject),
        severity=severity,
        explanation=tuple(places) if len(mine) > 1 else (),
        hint="where the fallback is not what you want, set the values of the chart in the profile"
        if kind is UseKind.LOOKUP
        else None,
    )
