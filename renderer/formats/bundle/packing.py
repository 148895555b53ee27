"""The packing list of a bundle in a registry: what lies there for `bundle pull`, and in what order it was packed.

A registry takes images apart: manifests in one place, blobs in another, and no `index.json` at all. Some take no index
whose manifests are not all there, and most delete what no tag leads to. So `bundle push` also puts every manifest there
as a plain blob, and tags one more manifest (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage") whose config
is the layout's `index.json` and whose layers are all blobs of the layout. It is not signed and nobody believes it: it
saves looking, and keeps everything from being deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    INDEX_LIMIT,
    MANIFEST_LIMIT,
    ImageManifest,
    describe,
    malformed,
    parse_manifest,
)
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.structs import Struct

PACKING_TYPE: Final = "application/vnd.sitewright.packing.v1+json"
PACKING_INDEX: Final = "application/vnd.sitewright.packing.index.v1+json"
_PACKED_BLOB: Final = "application/octet-stream"
"""Of every layer: a registry that knew what they are would look into them."""


class PackingList(Struct, frozen=True):
    """The layout's `index.json`, and every blob of the layout by digest and size; media types are not told."""

    index: Descriptor
    blobs: tuple[Descriptor, ...]


def packing_tag(manifest: Digest) -> str:
    """The tag of the packing list of the bundle with this manifest: `sha256-<hex>.packing`."""
    return f"{manifest.algorithm}-{manifest.hex}.packing"


def image_tag(manifest: Digest) -> str:
    """A tag that keeps the manifest of a carried image from being deleted: `sha256-<hex>.image`."""
    return f"{manifest.algorithm}-{manifest.hex}.image"


def make_packing_list(index: bytes, blobs: Iterable[Descriptor]) -> tuple[Descriptor, bytes]:
    """The bytes of the packing list of a layout, and the descriptor of its config, the layout's `index.json`.

    Equal layouts give equal bytes. Raises BundleRefusedError (`bundle-malformed`) when it would be too long.
    """
    config = describe(index, PACKING_INDEX)
    layers = tuple(Descriptor(media_type=_PACKED_BLOB, digest=one.digest, size=one.size) for one in blobs)
    content = ImageManifest(config=config, layers=layers, artifact_type=PACKING_TYPE).content()
    if len(content) > MANIFEST_LIMIT:
        message = f"its {len(layers)} blobs do not fit into one manifest of {MANIFEST_LIMIT} bytes"
        raise malformed(Where(subject="packing list"), message)
    return config, content


def read_packing_list(content: bytes, where: Where) -> PackingList:
    """A packing list as a registry gave it. Raises BundleRefusedError (`bundle-malformed`)."""
    manifest = parse_manifest(content, where)
    if manifest.artifact_type != PACKING_TYPE or manifest.config.media_type != PACKING_INDEX:
        raise malformed(where, f"this is no packing list: its artifactType is `{manifest.artifact_type}`")
    if manifest.config.size > INDEX_LIMIT:
        raise malformed(where, f"`index.json` has {manifest.config.size} bytes; {INDEX_LIMIT} are allowed")
    return PackingList(manifest.config, manifest.layers)
