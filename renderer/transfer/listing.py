"""Seeing to it that manifests which refer to another one can be found from that one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    IMAGE_INDEX,
    INDEX_TYPES,
    index_content,
    parse_index,
    parse_manifest,
)
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Registry
from renderer.structs import replace


def see_to_referrers(registry: Registry, repository: str, subject: Digest, referring: Sequence[Descriptor]) -> None:
    """See to it that `referring`, which lie in `repository`, can be found from `subject`. Raises RemoteError.

    A registry with a referrers API lists them by itself; elsewhere they are added to the tag schema's index
    (distribution-spec 1.1, "Referrers Tag Schema"). Raises BundleRefusedError when that index cannot be read.
    """
    known = {one.digest for one in registry.referrers(repository, subject)}
    missing = [one for one in referring if one.digest not in known]
    if missing:
        tag = f"{subject.algorithm}-{subject.hex}"
        there = _listed(registry, repository, tag, without={one.digest for one in missing})
        registry.push_manifest(repository, tag, index_content([*there, *missing]), IMAGE_INDEX)


def as_referrer(descriptor: Descriptor, content: bytes, location: str) -> Descriptor:
    """The descriptor that a list of referrers holds: with the artifact's type and the manifest's annotations."""
    parsed = parse_manifest(content, Where(file=location, subject=f"manifest {descriptor.digest}"))
    return replace(descriptor, annotations=parsed.annotations, artifact_type=parsed.type_of_referrer)


def _listed(registry: Registry, repository: str, tag: str, without: Collection[Digest]) -> list[Descriptor]:
    """What the tag schema's index lists now."""
    found = registry.manifest(repository, tag)
    if found is None or found.media_type not in INDEX_TYPES:
        return []
    entries = parse_index(found.content, Where(file=registry.location, subject=f"{repository}@{found.digest}"))
    return [entry.descriptor for entry in entries if entry.descriptor.digest not in without]
