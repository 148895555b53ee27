"""Groups keep the names under which they were captured, also when a chart uses their values in one more place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from renderer.model.generated.discovered import Discovered
from renderer.model.generated.sealed import Captured, field_name
from renderer.structs import replace


def with_known_names(discovered: Discovered, before: Captured) -> Discovered:
    """What was discovered, with each group called like the captured one that it shares most fields with.

    Where that name belongs to another group by now, the new one stays, and the group has moved.
    """
    names = _names(discovered, before)
    if not names:
        return discovered
    renamed = {value: replace(value, group=names.get(value.group, value.group)) for value in discovered.values}
    return replace(
        discovered,
        values=tuple(sorted(renamed.values(), key=lambda value: value.order)),
        certificates=tuple(
            sorted(
                (replace(wish, group=names.get(wish.group, wish.group)) for wish in discovered.certificates),
                key=lambda wish: wish.order,
            )
        ),
        captured={renamed[value]: content for value, content in discovered.captured.items()},
    )


def _names(discovered: Discovered, before: Captured) -> Mapping[str, str]:
    """The names of today that give way to older ones."""
    owner = {where: group.name for group in before.groups.values() for where in group.fields}
    shared: Counter[tuple[str, str]] = Counter()
    for value in discovered.values:
        if value.group and (old := owner.get(field_name(value))):
            shared[value.group, old] += 1
    today = {value.group for value in discovered.values}
    names: dict[str, str] = {}
    for (new, old), _ in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        if new not in names and old not in names.values() and (old == new or old not in today):
            names[new] = old
    return {new: old for new, old in names.items() if new != old}
