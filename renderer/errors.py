"""What can go wrong, as data.

A `Finding` is one fault of one thing at one place. A `RendererError` carries one or more findings and decides,
by its class, the exit code of the process. Nothing in here prints or exits; `renderer.cli` does.

Codes are stable kebab-case names: tests, ignore rules and users' scripts rely on them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import ClassVar

from renderer.structs import Struct, field, replace

__all__ = [
    "BundleRefusedError",
    "CheckFailedError",
    "Finding",
    "HopelessError",
    "InputError",
    "RemoteError",
    "RendererError",
    "ResolutionError",
    "Severity",
    "UsageError",
    "Where",
    "when_full",
]


class Severity(Enum):
    """How much a finding matters; the profile's `checks.fail` says which of them stop a run."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Where(Struct, frozen=True, kw_only=True):
    """The place of a finding: a position in a file, a path inside the document, or an object.

    `file` is written as the user named it (relative to the working directory when it lies below it).
    `line` and `column` count from 1. `path` is a field path such as `spec.bundles[0].source`.
    `subject` names what is not a file: `extension vector 1.0.4`, `Deployment shop/web`, `bundle demo 1.0.0`.
    """

    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str | None = None
    subject: str | None = None

    def __str__(self) -> str:
        """`file:line:column, subject, path`, leaving out what is not known."""
        position = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ", ".join(part for part in (position, self.subject, self.path) if part)

    def __bool__(self) -> bool:
        return bool(str(self))


class Finding(Struct, frozen=True, kw_only=True):
    """One fault: a stable code, one sentence, where it is, what was expected, what was found, what to do.

    `hint` is a command wherever a command mends it; `explanation` holds further lines that belong to the message
    (the derivation of a conflict, the output of a tool). `details` is for machines what a table in it is for people.
    """

    code: str
    message: str
    where: Where = Where()
    severity: Severity = Severity.ERROR
    expected: str | None = None
    got: str | None = None
    hint: str | None = None
    explanation: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.code, self.message, self.where, self.got, self.explanation))

    def at(self, where: Where) -> Finding:
        """The same finding at another place."""
        return replace(self, where=where)

    def __str__(self) -> str:
        """The finding as a person reads it, without colour; see DESIGN section 4."""
        lines = [f"{self.severity.value}[{self.code}]: {self.message}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        for label, text in (("expected", self.expected), ("got", self.got)):
            if text is not None:
                lines.append(f"   {label}: {text}")
        lines.extend(f"   {line}" for line in self.explanation)
        if self.hint is not None:
            lines.append(f"   hint: {self.hint}")
        return "\n".join(lines)


class RendererError(Exception):
    """The root of everything Sitewright raises on purpose. `exit_code` is what the process ends with."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings: tuple[Finding, ...] = findings

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> RendererError:
        """An error of this class that carries all of `findings`."""
        return cls(*findings)


class InputError(RendererError):
    """A file that a person wrote is wrong: missing, unreadable, not YAML, against the schema, inconsistent."""

    exit_code = 1


class CheckFailedError(RendererError):
    """The input could be read, but what came of it was judged unfit: a check failed, a lock has drifted."""

    exit_code = 1


class UsageError(RendererError):
    """The command line cannot be understood."""

    exit_code = 2


class BundleRefusedError(RendererError):
    """A bundle, a signature or a blob is not what a trusted key vouched for. Nothing of it has been used."""

    exit_code = 3


class ResolutionError(RendererError):
    """No set of extension versions satisfies the profile."""

    exit_code = 4


class RemoteError(RendererError):
    """A registry, a git remote or a cluster failed or refused."""

    exit_code = 5


class HopelessError(RemoteError):
    """What will be no better for the next thing that is asked: a wrong password, a full disk, a registry down."""


def when_full(error: OSError) -> str | None:
    """What helps when a file could not grow, or None when `error` says something else."""
    if error.errno == errno.EFBIG:
        return "no file may be that large there (FAT32: 4 GiB): write a directory, or to another file system"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room, then run the same command again"
    return None
