"""What has to be in a repository so that a bundle can be pulled from it again, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from renderer.commands.bundle.assembly import listed
from renderer.commands.bundle.carrying.bases import blobs_of
from renderer.commands.bundle.unverified import read_unverified
from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    BUNDLE_TYPE,
    INDEX_TYPES,
    MANIFEST_TYPES,
    describe,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.closure import closure
from renderer.formats.bundle.image_signatures import find_image_signatures, subjects_of
from renderer.formats.bundle.packing import make_packing_list, packing_tag
from renderer.formats.bundle.parts import read_parts
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Layout
from renderer.structs import Struct

_BESIDE: Final = re.compile(r"(?:.*[:/])?(sha256-[0-9a-f]{64}\.[A-Za-z0-9]+)\Z")


class Stowed(Struct, frozen=True, kw_only=True):
    """One manifest of a cargo. `tag` is the name that it has beside another one, as cosign's signatures have.

    `below` are the manifests of an index that travel with it; `sparse` is true when it lists others. `subject` is the
    manifest that it refers to.
    """

    descriptor: Descriptor
    tag: str | None
    below: tuple[Digest, ...] = ()
    sparse: bool = False
    subject: Digest | None = None

    @property
    def is_index(self) -> bool:
        """True for an index."""
        return self.descriptor.media_type in INDEX_TYPES


class Cargo(Struct, frozen=True, kw_only=True):
    """Everything that the `index.json` of a layout leads to, and the packing list of it.

    `blobs` holds all of it, manifests included, in the order of the layout; `manifests` what a registry takes as
    manifests, without the bundle's own. `over_images` are those of them that hold signatures over the bundle's images.
    """

    bundle: Bundle
    manifest: Descriptor
    index: bytes
    blobs: tuple[Descriptor, ...]
    manifests: Mapping[Digest, Stowed]
    packing: bytes
    packed_index: Descriptor
    over_images: frozenset[Digest] = frozenset()

    @property
    def packing_digest(self) -> Digest:
        """The digest of the packing list."""
        return describe(self.packing, "").digest

    @property
    def packing_tag(self) -> str:
        """The tag of the packing list."""
        return packing_tag(self.manifest.digest)


def cargo_of(source: Layout) -> Cargo:
    """The cargo that the bundle in `source` makes. Raises BundleRefusedError when the layout is damaged."""
    index = source.index()
    parts = read_parts(index, source.blob, source.location)
    bundle = read_unverified(parts, source.location)
    found = blobs_of(source, index)
    order = source.order() or _order(index, bundle, found, source)
    blobs = [found[digest] for digest in dict.fromkeys((*order, *found)) if digest in found]
    over_images = find_image_signatures(index, subjects_of(bundle), source.location)
    config, packing = make_packing_list(index, blobs)
    names = _names(index, source.location)
    types = INDEX_TYPES | MANIFEST_TYPES
    stowed = (_stowed(one, names, found, source) for one in found.values() if one.media_type in types)
    return Cargo(
        bundle=bundle,
        manifest=parts.manifest,
        index=index,
        blobs=tuple(blobs),
        manifests={one.descriptor.digest: one for one in stowed if one.descriptor.digest != parts.manifest.digest},
        packing=packing,
        packed_index=config,
        over_images=frozenset(one.digest for one in over_images.values()),
    )


def _order(index: bytes, bundle: Bundle, found: Mapping[Digest, Descriptor], source: Layout) -> Iterable[Digest]:
    """What comes first in a tar file that `bundle build` and `bundle sign` make: the signatures."""
    implied = {entry.digest for entry in listed(bundle)}
    entries = parse_index(index, Where(file=source.location, subject="index.json"))
    beside = [one.descriptor for one in entries if one.descriptor.digest not in implied]
    beside = [one for one in beside if one.artifact_type != BUNDLE_TYPE]
    return closure(beside, source.blob, found.__contains__, source.location)


def _names(index: bytes, location: str) -> dict[Digest, str]:
    """The manifests that `index.json` lists beside others: `sha256-<hex>.sig`. A tag stands for one of them only.

    One image under two names may have signatures in both places; in one repository, the first keeps the tag.
    """
    names: dict[str, Digest] = {}
    for entry in parse_index(index, Where(file=location, subject="index.json")):
        beside = _BESIDE.match(entry.name or "")
        if beside is not None:
            names.setdefault(beside[1], entry.descriptor.digest)
    return {digest: name for name, digest in names.items()}


def _stowed(
    descriptor: Descriptor, names: Mapping[Digest, str], carried: Mapping[Digest, Descriptor], source: Layout
) -> Stowed:
    content, tag = source.blob(descriptor), names.get(descriptor.digest)
    where = Where(file=source.location, subject=f"manifest {descriptor.digest}")
    if descriptor.media_type in MANIFEST_TYPES:
        subject = parse_manifest(content, where).subject
        return Stowed(descriptor=descriptor, tag=tag, subject=subject.digest if subject else None)
    entries = [entry.descriptor.digest for entry in parse_index(content, where)]
    below = tuple(digest for digest in entries if digest in carried)
    return Stowed(descriptor=descriptor, tag=tag, below=below, sparse=len(below) < len(entries))


def levels(manifests: Mapping[Digest, Stowed]) -> tuple[tuple[Stowed, ...], ...]:
    """The manifests in the order in which a registry takes them: what an index lists comes before it."""
    depths: dict[Digest, int] = {}

    def depth(digest: Digest) -> int:
        if digest not in depths:
            depths[digest] = 1 + max((depth(one) for one in manifests[digest].below if one in manifests), default=-1)
        return depths[digest]

    found: dict[int, list[Stowed]] = {}
    for digest, stowed in manifests.items():
        found.setdefault(depth(digest), []).append(stowed)
    return tuple(tuple(found[level]) for level in sorted(found))
