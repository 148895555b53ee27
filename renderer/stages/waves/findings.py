"""What is wrong with the order that a profile, or a circle of requirements, asks for."""

from __future__ import annotations

from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.objects.manifest import HookPhase

LOWEST_OVERRIDE: Final = 11
"""Waves below are for namespaces and definitions."""


def too_early(name: str, wave: int, first: int, required: str, done: int) -> Finding:
    """An override that puts an extension before the end of what it requires (`wave-before-requirement`)."""
    least = wave + done - first + 1
    return Finding(
        code="wave-before-requirement",
        message=f"`{name}` is put into wave {wave}, before `{required}`, which it requires, is complete",
        where=Where(subject=f"extension {name}"),
        expected=f"a wave from {least} on, since the last wave of `{required}` is {done}",
        got=str(wave),
        hint=f"set `wave: {least}` for `{name}` in the profile, or an earlier one for `{required}`",
    )


def cycle(circle: tuple[str, ...], knot: frozenset[str]) -> Finding:
    """Extensions that can only start together (`requirement-cycle`)."""
    return Finding(
        code="requirement-cycle",
        message=f"extensions require each other in a circle: {' -> '.join(circle)}",
        severity=Severity.WARNING,
        where=Where(subject=f"extension {circle[0]}"),
        explanation=(f"they start together: {', '.join(sorted(knot))}",),
        hint="report it to the authors; `wave` and `reason` in the profile put one of them first",
    )


def reserved(name: str, wave: int) -> Finding:
    """An override among the waves of namespaces and definitions (`wave-reserved`)."""
    return Finding(
        code="wave-reserved",
        message=f"`{name}` cannot be in wave {wave}: the first waves are for namespaces and definitions",
        where=Where(subject=f"extension {name}"),
        expected=f"a wave from {LOWEST_OVERRIDE} to 900",
        got=str(wave),
        hint=f"set `wave: {LOWEST_OVERRIDE}` or a higher one for `{name}` in the profile",
    )


def compressed(name: str, phase: HookPhase, places: int) -> Finding:
    """Hooks of more weights than there are places for (`hooks-compressed`)."""
    return Finding(
        code="hooks-compressed",
        message=f"`{name}` has hooks of more than {places} weights {phase.value} it; the last ones run"
        " at the same time",
        severity=Severity.WARNING,
        where=Where(subject=f"extension {name}"),
        hint="look at the hooks in records/plan.md; Jobs that wait for each other by themselves are fine",
    )
