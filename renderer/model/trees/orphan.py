"""Objects that left the tree and stay in the cluster."""

from __future__ import annotations

from renderer.model.objects.manifest import ObjectId
from renderer.structs import Struct


class Orphan(Struct, frozen=True, kw_only=True):
    """One object that no agent manages any more, and why it was not deleted. `records/orphans.md` lists them."""

    id: ObjectId
    reason: str
