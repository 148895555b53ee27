"""Versions, ranges and names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.model.resolution import Cause
from renderer.model.version import Version

SHOWN_VERSIONS: Final = 3


def listed_versions(versions: Sequence[Version]) -> str:
    """Versions newest first; of a long list only how many and how far."""
    if len(versions) <= SHOWN_VERSIONS:
        return ", ".join(str(version) for version in versions)
    return f"{len(versions)} versions from {versions[-1]} to {versions[0]}"


def ends(names: Sequence[str]) -> str:
    """`a`, `b` and `c`; of a long list only the first, the last and how many."""
    return (
        listed(names)
        if len(names) <= SHOWN_VERSIONS
        else f"{names[0]}, {names[1]} … {names[-1]} ({len(names)} extensions)"
    )


def listed(names: Sequence[str], last: str = "and") -> str:
    """`a`, `b` and `c`; more than eight are cut."""
    if len(names) > 8:
        names = [*names[:7], f"{len(names) - 7} more"]
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def within(cause: Cause) -> str:
    """The range that a cause states, behind the name that it is for; nothing where it states none."""
    return f" {cause.range}" if cause.range not in {"", "*"} else ""
