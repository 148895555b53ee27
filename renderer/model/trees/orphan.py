"""Objects that left the tree and stay in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from renderer.model.objects.manifest import ObjectId


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """One object that no agent manages any more, and why it was not deleted. `records/orphans.md` lists them."""

    id: ObjectId
    reason: str
