"""What is said where a profile asks for a mode that this version does not have. Goes with the last such mode."""

from __future__ import annotations

from collections.abc import Iterable

from renderer.errors import Finding, Where
from renderer.model.generated.policy import Mode, Ruling
from renderer.model.generated.values import GeneratedValue


def not_built(fields: Iterable[tuple[GeneratedValue, Ruling]], mode: Mode) -> tuple[Finding, ...]:
    """One finding for all that should be settled in `mode`, with the groups (or fields) that it is about."""
    names = sorted({value.group or f"{value.object}, {value.path}" for value, _ in fields})
    return (
        Finding(
            code="generated-mode-unsupported",
            message=f"this version cannot settle generated values in the mode `{mode.value}` yet",
            where=Where(path="spec.generated"),
            expected=f"`{Mode.EXTERNAL.value}`, or values that the profile gives",
            explanation=tuple(names),
            hint=f"set `default: {Mode.EXTERNAL.value}`, or give the rule `mode: {Mode.EXTERNAL.value}`",
        ),
    )
