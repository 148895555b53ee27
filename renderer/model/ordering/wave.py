"""Waves: what is healthy before what starts."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.structs import Struct


class Wave(Struct, frozen=True):
    """One wave: its number, a short name for people (`crds`, `extensions`), its objects in apply order."""

    number: int
    name: str
    manifests: tuple[Manifest, ...]

    @property
    def directory(self) -> str:
        """The directory of the wave below `manifests/`: `w005-crds`."""
        return f"w{self.number:03d}-{self.name}"


class WavePlan(Struct, frozen=True):
    """All waves of a site in ascending order, and for each object one line that says why it is where it is."""

    waves: tuple[Wave, ...]
    reasons: dict[ObjectId, str]

    def manifests(self) -> Iterator[Manifest]:
        """All objects, wave after wave."""
        return (manifest for wave in self.waves for manifest in wave.manifests)

    def wave_of(self) -> dict[ObjectId, Wave]:
        """The wave of every object."""
        return {manifest.id: wave for wave in self.waves for manifest in wave.manifests}
