"""`sitewright doctor`: what this machine has of what Sitewright uses."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable

from renderer import __version__
from renderer.errors import Finding, RendererError, Severity, Where
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.structs import Struct


class _Part(Struct, frozen=True, kw_only=True):
    """One thing that Sitewright uses: what for, how to find its version, what to do when it is not there."""

    name: str
    use: str
    version: Callable[[], str]
    hint: str
    needed: bool = True


def doctor() -> Outcome:
    """Ask every part for its version. A needed part that is missing fails the outcome, another is only noted."""
    rows, findings = list[tuple[str, str, str]](), list[Finding]()
    for part in _PARTS:
        try:
            found = part.version()
        except (RendererError, ImportError, OSError, ValueError) as error:
            found = ""
            findings.append(_missing(part, error))
        rows.append((part.name, found or "missing", part.use))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"{name:<{widths[0]}}  {found:<{widths[1]}}  {use}" for name, found, use in rows]
    parts: list[Json] = [{"name": name, "version": found, "use": use} for name, found, use in rows]
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return Outcome(text="\n".join(lines), document={"parts": parts}, findings=tuple(findings), failed=failed)


def _missing(part: _Part, error: Exception) -> Finding:
    reason = error.findings[0].message if isinstance(error, RendererError) and error.findings else str(error)
    return Finding(
        code="part-missing",
        message=f"{part.name} cannot be used: {reason.partition(chr(10))[0]}",
        where=Where(subject=part.use),
        severity=Severity.ERROR if part.needed else Severity.NOTE,
        hint=part.hint,
    )


def _git() -> str:
    from renderer.adapters.git.command import version

    return version()


def _embedded() -> str:
    from renderer.adapters.helm_embedded import EmbeddedHelm

    return EmbeddedHelm().helm_version


def _executable() -> str:
    from renderer.adapters.helm_executable import ExecutableHelm

    return ExecutableHelm().helm_version


_PARTS = (
    _Part(name="sitewright", use="this program", version=lambda: __version__, hint=""),
    _Part(name="python", use=sys.executable, version=platform.python_version, hint=""),
    _Part(name="git", use="render --repo", version=_git, hint="install git 2.30 or newer"),
    _Part(
        name="helm (embedded)",
        use="charts; the default engine",
        version=_embedded,
        hint="pip install helm-python-sdk==0.2.2, or render with --engine executable",
    ),
    _Part(
        name="helm (executable)",
        use="charts; --engine executable",
        version=_executable,
        hint="install helm 3.14 or newer if you want --engine executable",
        needed=False,
    ),
)
