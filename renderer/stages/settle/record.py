"""`records/generated.json`: which groups of generated values a tree stands on, and what follows when one is renewed.

`renderer.stages.review.renewals` reads it: a diff says which certificate was renewed without seeing any value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.formats.bundle.document import spell_time
from renderer.formats.canonical_json import canonical_json
from renderer.model.fields import Json
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Mode
from renderer.model.generated.sealed import Captured
from renderer.model.generated.values import GeneratedValue
from renderer.model.lock import Lock
from renderer.model.objects.manifest import Manifest
from renderer.model.trees.tree import FileTree
from renderer.stages.settle.sealed.effects import effects

RECORD: Final = "records/generated.json"


def generated_record(
    lock: Lock, policy: GeneratedPolicy, captured: Captured, manifests: Sequence[Manifest]
) -> FileTree:
    """The file, or an empty tree for a site whose charts invent nothing. Nothing in it is secret."""
    groups, values = lock.groups, lock.generated
    if not groups:
        return FileTree({})
    modes = {value.group: ruling.mode for value, ruling in policy.rulings(values).items() if ruling.mode is not None}
    told = [_told(group, modes.get(group.name), captured, values, manifests) for group in groups]
    return FileTree.of([(RECORD, canonical_json({"groups": told}) + b"\n")])


def _told(
    group: GeneratedGroup,
    mode: Mode | None,
    captured: Captured,
    values: Sequence[GeneratedValue],
    manifests: Sequence[Manifest],
) -> Json:
    known, after = captured.groups.get(group.name), effects(group.name, values, manifests)
    return {
        "name": group.name,
        "mode": mode.value if mode else "value",
        "kinds": [kind.value for kind in group.kinds],
        "certificates": [wish.common_name or wish.name for wish in group.certificates],
        "revision": known.revision if known else None,
        "captured": known.captured.isoformat() if known else None,
        "ends": spell_time(known.ends) if known and known.ends else None,
        "restart": [str(one) for one in after.restart],
        "stay": [str(one) for one in after.stay],
    }
