"""One object is settled in one mode: a Secret cannot be sealed in git and be created by an operator as well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from renderer.errors import Finding, Where
from renderer.model.generated.policy import Ruling
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import ObjectId


def disagreements(rulings: Mapping[GeneratedValue, Ruling]) -> tuple[Finding, ...]:
    """One finding (`generated-modes-differ`) for each object whose secrets are to be settled in several modes."""
    objects: dict[ObjectId, list[GeneratedValue]] = {}
    for value, ruling in rulings.items():
        if not value.kind.follows and ruling.mode is not None and (value.in_secret or not value.kind.is_public):
            objects.setdefault(value.object, []).append(value)
    return tuple(
        _finding(identity, mine, rulings)
        for identity, mine in sorted(objects.items())
        if len({rulings[value].mode for value in mine}) > 1
    )


def _finding(identity: ObjectId, values: Iterable[GeneratedValue], rulings: Mapping[GeneratedValue, Ruling]) -> Finding:
    modes = {value.group: mode.value for value in values if (mode := rulings[value].mode) is not None}
    return Finding(
        code="generated-modes-differ",
        message=f"`{identity}` holds secrets that the profile settles in different modes",
        where=Where(subject=str(identity), path="spec.generated.rules"),
        expected="one mode for everything in the object",
        got=", ".join(f"`{mode}` for {group}" for group, mode in sorted(modes.items())),
        explanation=(
            "settle the whole object, above the rules that speak of its groups:",
            f"  - {{object: {json.dumps(str(identity), ensure_ascii=False)}, mode: {min(modes.values())}, reason: …}}",
        ),
        hint="add such a rule to `spec.generated.rules` of the profile, then `sitewright lock`",
    )
