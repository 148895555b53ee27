"""What is said of values that a mode cannot make: why, and the lines of the profile that settle them in another way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from renderer.errors import Finding, Where
from renderer.model.generated.policy import Mode
from renderer.model.generated.values import GeneratedValue
from renderer.stages.settle.open_fields import as_glob


def cannot_make(
    code: str, maker: tuple[str, str], faults: Sequence[tuple[GeneratedValue, str]], expected: str
) -> Finding:
    """The finding for one object: its fields that the maker (as subject, and as pronoun) cannot make, each with why."""
    value, why = faults[0]
    subject, pronoun = maker
    return Finding(
        code=code,
        message=f"{subject} cannot make `{value.path}` of `{value.object}`: {why}",
        where=Where(
            file=value.source,
            subject=f"extension {value.component.replace('/', ', ', 1)}, {value.object}",
            path=value.path or None,
        ),
        expected=expected,
        explanation=(
            *(f"`{one.path}`: {reason}" for one, reason in faults[1:6]),
            "settle its group in another way:",
            "  spec:",
            "    generated:",
            "      rules:",
            *(f"        {line}" for line in _rule(value)),
            f"          mode: {Mode.SEALED.value}  # or {Mode.EXTERNAL.value}",
            f"          reason: {pronoun} cannot make it",
        ),
        hint="add these lines to the profile, then `sitewright lock`",
    )


def _rule(value: GeneratedValue) -> Iterator[str]:
    """What selects the value. An object that is no Secret leaves the tree only when a rule names it."""
    if value.in_secret or value.kind.is_public:
        yield f'- group: "{value.group}"'
    else:
        yield f"- object: {json.dumps(as_glob(str(value.object)), ensure_ascii=False)}"
        yield f"  field: {json.dumps(as_glob(value.path), ensure_ascii=False)}"
