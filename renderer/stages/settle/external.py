"""The mode `external`: the object stays out of the tree, and an operator creates it (`records/secrets.md`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.errors import Finding
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Ruling
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.stages.settle.open_fields import open_fields_finding
from renderer.stages.settle.ways import Answer, Draft, Item, Place, Task
from renderer.structs import replace


def settled(task: Task) -> Answer:
    """Every Secret goes out of the tree, and what a rule names; placeholders show where an operator puts values."""
    return Answer(drafts=tuple(map(_settled, task.items)))


def _settled(item: Item) -> Draft:
    outside = any(_stays_out(value, ruling) for value, ruling in item.fields)
    return replace(item.draft, place=Place.EXTERNAL) if outside else item.draft


def _stays_out(value: GeneratedValue, ruling: Ruling) -> bool:
    """A Secret, unless the profile makes it public to the last field; and any object that a rule names."""
    return value.in_secret or ruling.direct


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]],
    groups: Mapping[str, GeneratedGroup],  # noqa: ARG001 - all ways are asked alike
    policy: GeneratedPolicy,  # noqa: ARG001 - all ways are asked alike
) -> tuple[Finding, ...]:
    """One finding (`generated-value`) for every object in the tree with fields that no operator can fill in.

    Says the lines of the profile that settle them, and never a value.
    """
    open_fields: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
    outside: set[tuple[str, ObjectId]] = set()
    for value, ruling in fields:
        if _stays_out(value, ruling):
            outside.add((value.component, value.object))
        else:
            open_fields.setdefault((value.component, value.object), []).append(value)
    return tuple(open_fields_finding(mine) for where, mine in sorted(open_fields.items()) if where not in outside)
