"""The mirror plan: from which site registry path a node fetches what an image reference names."""

from __future__ import annotations

from renderer.model.reference import ImageReference
from renderer.model.site import Fallback
from renderer.structs import Struct


class Mirror(Struct, frozen=True, kw_only=True, order=True):
    """One source registry and the project of the site registry that stands in for it."""

    source: str
    project: str

    def path(self, reference: ImageReference) -> str:
        """The repository path of `reference` in the site registry."""
        return f"{self.project}/{reference.repository}"


class MirrorPlan(Struct, frozen=True, kw_only=True):
    """All mirrors of a site, sorted by source, and how the site registry is reached."""

    scheme: str
    host: str
    mirrors: tuple[Mirror, ...]
    fallback: Fallback
    ca: bytes | None
    images: tuple[ImageReference, ...]

    def location(self, reference: ImageReference) -> str | None:
        """`host/project/repository` of `reference` in the site registry, or None when no mirror covers it.

        Where the plan was made without this image, the project for all the rest (`*`) holds it.
        """
        sources = {mirror.source: mirror for mirror in self.mirrors}
        rest = sources.get("*") if reference.registry != self.host else None
        mirror = sources.get(reference.registry, rest)
        return None if mirror is None else f"{self.host}/{mirror.path(reference)}"
