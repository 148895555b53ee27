"""Generated values that were renewed between two trees, from what each tree records of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from renderer.formats.canonical_json import parse_json
from renderer.model.fields import FieldError, Fields
from renderer.model.trees.change import Renewal
from renderer.model.trees.tree import FileTree

_RECORD: Final = "records/generated.json"
_LIMIT: Final = 16 * 2**20


def renewals(before: FileTree, after: FileTree) -> Iterator[Renewal]:
    """Every group of generated values whose revision has grown. A record that cannot be read tells nothing."""
    old, new = _groups(before), _groups(after)
    for name in sorted(old.keys() & new.keys()):
        was, now = (groups[name].content.get("revision") for groups in (old, new))
        if isinstance(was, int) and isinstance(now, int) and now > was:
            group = new[name]
            yield Renewal(
                group=name,
                kinds=group.texts("kinds"),
                certificates=group.texts("certificates"),
                ends=group.optional_text("ends"),
                restart=group.texts("restart"),
                stay=group.texts("stay"),
            )


def _groups(tree: FileTree) -> dict[str, Fields]:
    content = tree.files.get(_RECORD)
    if content is None:
        return {}
    try:
        groups = Fields.of(parse_json(content, limit=_LIMIT)).children("groups")
        return {group.text("name"): group for group in groups}
    except (FieldError, ValueError):
        return {}
