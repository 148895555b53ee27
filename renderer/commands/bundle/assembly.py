"""A bundle as what a layout holds: its manifest, `index.json`, and every blob once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from renderer.commands.bundle.building.blobs import in_memory
from renderer.formats.bundle.artifact import (
    BUNDLE_CONFIG,
    BUNDLE_TYPE,
    IMAGE_MANIFEST,
    REF_NAME,
    bundle_manifest,
    describe,
    index_content,
)
from renderer.formats.bundle.document import encode_bundle, is_carried, spell_time
from renderer.model.bundles.bundle import Bundle, BundleImage, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.ports import Blob
from renderer.structs import replace

if TYPE_CHECKING:
    from renderer.commands.bundle.building.image_reader import FoundImage


def assembled(
    bundle: Bundle, contents: Iterable[Blob], images: Iterable[FoundImage]
) -> tuple[Descriptor, bytes, tuple[Blob, ...]]:
    """The manifest's descriptor, `index.json`, and all blobs: what a render needs first, images last."""
    config = encode_bundle(bundle)
    config_blob = in_memory(describe(config, BUNDLE_CONFIG), config)
    contents = tuple(contents)
    content = bundle_manifest(
        config_blob.descriptor,
        (blob.descriptor for blob in contents),
        name=bundle.name,
        version=str(bundle.version),
        created=spell_time(bundle.created),
    )
    manifest = replace(
        describe(content, IMAGE_MANIFEST),
        annotations={REF_NAME: f"{bundle.name}:{bundle.version}"},
        artifact_type=BUNDLE_TYPE,
    )
    image_blobs = (blob for found in images for blob in found.blobs)
    blobs = _each_once((in_memory(manifest, content), config_blob, *contents, *image_blobs))
    return manifest, index_content([manifest, *listed(bundle)]), blobs


def listed(bundle: Bundle) -> tuple[Descriptor, ...]:
    """The entries of `index.json`, beside the bundle's own, that the content of the bundle implies.

    Images and what cosign's tags name have full names. What a registry finds by the field `subject` has none: tools
    that look for referrers in a layout go through all entries.
    """
    unique: dict[str, Descriptor] = {}
    for image in bundle.images:
        if is_carried(image):
            for entry in _entries(image):
                unique.setdefault(entry_name(entry), entry)
    return tuple(unique.values())


def entry_name(entry: Descriptor) -> str:
    """What tells an entry of `index.json` from the others: its name, else its digest."""
    return entry.annotations.get(REF_NAME) or str(entry.digest)


def _entries(image: BundleImage) -> Iterator[Descriptor]:
    yield replace(image.content, annotations={REF_NAME: str(image.reference)})
    for referrer in image.referrers:
        if referrer.form is ReferrerForm.TAG:
            yield replace(referrer.content, annotations={REF_NAME: f"{image.reference.name}:{referrer.tag}"})
        elif referrer.form is ReferrerForm.SUBJECT:
            yield referrer.content


def _each_once(blobs: Iterable[Blob]) -> tuple[Blob, ...]:
    unique: dict[object, Blob] = {}
    for blob in blobs:
        unique.setdefault(blob.descriptor.digest, blob)
    return tuple(unique.values())
