"""Everything that manifests lead to: indexes to manifests, manifests to configs and layers.

Image specification 1.1, image-index.md and manifest.md; schema 2 of the Docker registry has the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    INDEX_TYPES,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    ReadBlob,
    malformed,
    parse_index,
    parse_manifest,
)
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest

_BLOB_LIMIT: Final = 500_000
_DEPTH_LIMIT: Final = 5


def closure(
    roots: Iterable[Descriptor], read: ReadBlob, holds: Callable[[Digest], bool], location: str
) -> dict[Digest, Descriptor]:
    """The descriptors of all content that `roots` lead to, themselves included, each digest once, parents first.

    `read` gives the checked bytes of manifests. An entry of an index that the source does not hold (`holds`) is left
    out, as the index was cut to some platforms; a config or layer that is missing is listed all the same. Raises
    BundleRefusedError (`bundle-malformed`) for a manifest that cannot be read, or for too many or too deep ones.
    """
    found: dict[Digest, Descriptor] = {}

    def visit(descriptor: Descriptor, depth: int) -> None:
        if descriptor.digest in found:
            return
        if len(found) >= _BLOB_LIMIT:
            raise malformed(Where(file=location), f"there are more than {_BLOB_LIMIT} blobs")
        found[descriptor.digest] = descriptor
        where = Where(file=location, subject=f"manifest {descriptor.digest}")
        if depth > _DEPTH_LIMIT:
            raise malformed(where, f"indexes are nested more than {_DEPTH_LIMIT} deep")
        for below in _below(descriptor, read, holds, where):
            visit(below, depth + 1)

    for root in roots:
        visit(root, 0)
    return found


def _below(
    descriptor: Descriptor, read: ReadBlob, holds: Callable[[Digest], bool], where: Where
) -> tuple[Descriptor, ...]:
    """What a descriptor leads to directly: nothing, unless it is that of an index or a manifest."""
    is_index = descriptor.media_type in INDEX_TYPES
    if not is_index and descriptor.media_type not in MANIFEST_TYPES:
        return ()
    if descriptor.size > MANIFEST_LIMIT:
        raise malformed(where, f"a manifest has at most {MANIFEST_LIMIT} bytes, this one has {descriptor.size}")
    content = read(descriptor)
    if is_index:
        entries = (entry.descriptor for entry in parse_index(content, where))
        return tuple(entry for entry in entries if holds(entry.digest))
    manifest = parse_manifest(content, where)
    return (manifest.config, *manifest.layers)
