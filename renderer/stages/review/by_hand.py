"""What a person has to create: `records/secrets.md` before and after.

These objects are in no manifest, and no agent brings them up to date. So a change of what they should look like is
something that a reviewer must see, or the site runs with an object of the version before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.formats.kubernetes.manifests import YamlError, load_values
from renderer.model.fields import FieldError, Json
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.trees.change import Risk
from renderer.model.trees.tree import FileTree

_PAGE: Final = "records/secrets.md"
_BLOCK: Final = re.compile(rb"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOWHERE: Final = Origin(extension="", component="", source="")


def risks_by_hand(before: FileTree, after: FileTree) -> Iterator[Risk]:
    """`external-new` and `external-changed` for objects of `records/secrets.md`, by identity."""
    if before.files.get(_PAGE) == after.files.get(_PAGE):
        return
    old, new = dict(_shown(before)), dict(_shown(after))
    for identity in sorted(new):
        if identity not in old:
            message = "must be created by hand before this change is applied (records/secrets.md)"
            yield Risk(code="external-new", id=identity, message=message)
        elif old[identity] != new[identity]:
            message = "was created by hand and should look different now: bring it up to date (records/secrets.md)"
            yield Risk(code="external-changed", id=identity, message=message)


def _shown(tree: FileTree) -> Iterator[tuple[ObjectId, Mapping[str, Json]]]:
    """The objects that the page of a tree shows; what a person added to the page is passed over."""
    for block in _BLOCK.findall(tree.files.get(_PAGE, b"")):
        try:
            body = load_values(block)
            if isinstance(body, dict):
                yield Manifest.of(body, _NOWHERE).id, body
        except (YamlError, FieldError):
            continue
