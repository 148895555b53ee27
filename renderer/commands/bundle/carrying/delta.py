"""`sitewright bundle diff`: what a newer bundle has and its base lacks, in a layout of its own."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.commands.bundle.building.blobs import in_memory
from renderer.commands.bundle.carrying.bases import Held, blobs_of
from renderer.commands.bundle.unverified import read_unverified
from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    DELTA_CONFIG,
    DELTA_TYPE,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    INDEX_TYPES,
    MANIFEST_TYPES,
    REF_NAME,
    describe,
    index_content,
    parse_manifest,
)
from renderer.formats.bundle.delta import base_json, delta_manifest, encode_delta
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.formats.documents.wording import count, size
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.delta import BaseKind, Delta, DeltaBase, DeltaBlob
from renderer.model.bundles.extension import Descriptor
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Blob, Layout, LayoutWriter
from renderer.structs import replace


def diff(new: Layout, held: Held, writer: LayoutWriter, output: str) -> Outcome:
    """Write to `output` what the bundle in `new` has beyond what is `held`. Sign it like a bundle.

    Raises BundleRefusedError for a bundle that is damaged, InputError (`delta-not-newer`) when the base is the same
    bundle or a later one.
    """
    index = new.index()
    parts = read_parts(index, new.blob, new.location)
    bundle = read_unverified(parts, new.location)
    if held.base.digest == parts.manifest.digest:
        raise InputError(_not_newer(bundle, held.base, new.location))
    everything = _as_it_lies(blobs_of(new, index), new)
    stays = _stays(everything, held, parts, new.location)
    carried = [descriptor for digest, descriptor in everything.items() if digest not in stays]
    delta = Delta(
        name=bundle.name,
        version=bundle.version,
        sequence=bundle.sequence,
        created=bundle.created,
        target=parts.manifest.digest,
        index=describe(index, IMAGE_INDEX),
        base=held.base,
        blobs=tuple(
            DeltaBlob(
                digest=one.digest,
                size=one.size,
                held=one.digest in stays,
                repository=held.repositories.get(one.digest) if one.digest in stays else None,
            )
            for one in everything.values()
        ),
    )
    manifest = _write(delta, carried, new, writer, output)
    return _outcome(delta, manifest, carried, everything, output)


def _as_it_lies(everything: Mapping[Digest, Descriptor], new: Layout) -> dict[Digest, Descriptor]:
    """The blobs in the order of the tar file that they lie in, so that what comes out is that file byte for byte."""
    places = {digest: place for place, digest in enumerate(new.order())}
    return dict(sorted(everything.items(), key=lambda one: places.get(one[0], len(places))))


def _stays(everything: Mapping[Digest, Descriptor], held: Held, parts: BundleParts, location: str) -> frozenset[Digest]:
    """The blobs that need not travel. What the new bundle is judged by always does.

    A registry keeps manifests apart from blobs and may not give them out as such: they are small, and travel.
    """
    judged = {parts.manifest.digest, parse_manifest(parts.manifest_bytes, Where(file=location)).config.digest}
    judged |= {signature.held_by for signature in parts.signatures if signature.held_by}
    if held.base.kind is BaseKind.RECEIPT:
        judged |= {digest for digest, one in everything.items() if one.media_type in INDEX_TYPES | MANIFEST_TYPES}
    return frozenset(
        digest for digest, one in everything.items() if held.blobs.get(digest) == one.size and digest not in judged
    )


def _write(delta: Delta, carried: list[Descriptor], new: Layout, writer: LayoutWriter, output: str) -> Descriptor:
    config = encode_delta(delta)
    config_blob = in_memory(describe(config, DELTA_CONFIG), config)
    content = delta_manifest(config_blob.descriptor, delta, carried)
    manifest = replace(
        describe(content, IMAGE_MANIFEST),
        annotations={REF_NAME: f"{delta.name}:{delta.version}-delta"},
        artifact_type=DELTA_TYPE,
    )
    blobs = [in_memory(manifest, content), config_blob, in_memory(delta.index, new.index())]
    blobs += [Blob(descriptor=one, open=lambda one=one: new.open_blob(one)) for one in carried]  # type: ignore[misc]
    writer.create(output, index_content([manifest]), blobs)
    return manifest


def _not_newer(bundle: Bundle, base: DeltaBase, location: str) -> Finding:
    return Finding(
        code="delta-not-newer",
        message=f"the base is `{bundle.name}` {bundle.version} itself: nothing would have to travel",
        where=Where(file=location),
        expected="another edition of the bundle as the base",
        got=str(base.digest),
        hint="sitewright bundle list",
    )


def _outcome(
    delta: Delta, manifest: Descriptor, carried: list[Descriptor], everything: Mapping[Digest, Descriptor], output: str
) -> Outcome:
    travels, whole = sum(one.size for one in carried), sum(one.size for one in everything.values())
    stays = sum(blob.size for blob in delta.needed)
    lines = [
        f"delta to bundle {delta.name} {delta.version}, from {delta.base}",
        f"  carries {count(len(carried), 'blob')}, {size(travels)}: {travels / whole:.1%} of the bundle",
        f"  {count(len(delta.needed), 'blob')}, {size(stays)} are there already",
        f"  written to {output}",
        f"  {manifest.digest} (not signed yet)",
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            "bundle": delta.name,
            "version": str(delta.version),
            "sequence": delta.sequence,
            "target": str(delta.target),
            "base": base_json(delta.base),
            "manifest": str(manifest.digest),
            "output": output,
            "carriedBlobs": len(carried),
            "carriedBytes": travels,
            "neededBlobs": len(delta.needed),
            "neededBytes": stays,
        },
    )
