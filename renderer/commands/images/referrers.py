"""What speaks of an image: signatures, attestations, SBOMs, beside it in the site registry."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import IMAGE_CONFIG, IMAGE_MANIFEST, MANIFEST_TYPES, describe, parse_manifest
from renderer.formats.bundle.signature_manifests import empty_config
from renderer.formats.trust.cosign import SIGNATURE_ANNOTATION
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import ImageTarget, Keeping, Shipment, StoredManifest, StoredReferrer
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Registry
from renderer.structs import replace
from renderer.transfer.listing import as_referrer, see_to_referrers

_Layer = tuple[Digest, str | None]


def look_for_referrers(
    shipment: Shipment, registry: Registry
) -> tuple[tuple[StoredReferrer, ...], tuple[StoredReferrer, ...]]:
    """Which referrers the registry lacks or does not list, and whose tags hold what ours lack.

    Raises RemoteError, BundleRefusedError.
    """
    repository = shipment.target.repository
    listed: dict[Digest, set[Digest]] = {}
    missing: list[StoredReferrer] = []
    disputed: list[StoredReferrer] = []
    for one in shipment.referrers:
        if one.keeping is Keeping.WITHIN or one.tag is None:
            if not _is_found(one, repository, registry, listed):
                missing.append(replace(one, tag=None))
            continue
        there = registry.manifest(repository, one.tag)
        if one.keeping is Keeping.MERGED:
            lacking, disputing = _to_merge(one, there)
        else:
            lacking, disputing = _under_its_tag(one, there, repository, registry)
        missing += lacking
        disputed += disputing
    return tuple(missing), tuple(disputed)


_Asked = tuple[list[StoredReferrer], list[StoredReferrer]]
"""What a registry lacks of one referrer, and what is disputed."""


def _is_found(one: StoredReferrer, repository: str, registry: Registry, listed: dict[Digest, set[Digest]]) -> bool:
    """Whether a manifest is there by its digest, and listed where that is how people find it."""
    digest = one.manifest.descriptor.digest
    if one.tag is None:
        if one.subject not in listed:
            listed[one.subject] = {found.digest for found in registry.referrers(repository, one.subject)}
        if digest not in listed[one.subject]:
            return False
    return registry.manifest(repository, str(digest)) is not None


def _under_its_tag(one: StoredReferrer, there: FoundManifest | None, repository: str, registry: Registry) -> _Asked:
    digest = one.manifest.descriptor.digest
    if there is None or (there.digest != digest and _holds_all_of(there, one.manifest.content)):
        return [one], []
    if there.digest == digest:
        return [], []
    if not is_part_of(one.manifest.content, there):
        return [], [one]
    if registry.manifest(repository, str(digest)) is None:
        return [replace(one, tag=None)], []  # somebody signed, too: ours stays beside, for `images verify`
    return [], []


def _to_merge(one: StoredReferrer, there: FoundManifest | None) -> _Asked:
    if there is None:
        return [one], []
    if there.media_type not in MANIFEST_TYPES:
        return [], [one]
    return ([], []) if is_part_of(one.manifest.content, there) else ([_merged(one, there)], [])


def push_referrers(referrers: Iterable[StoredReferrer], repository: str, registry: Registry) -> None:
    """Push what speaks of an image, and see to it that it can be found. Raises RemoteError, BundleRefusedError."""
    referring: defaultdict[Digest, list[Descriptor]] = defaultdict(list)
    for one in referrers:
        held = one.manifest
        if one.config is not None:
            config = one.config.content
            registry.push_blob(repository, one.config.descriptor, lambda config=config: io.BytesIO(config))  # type: ignore[misc]
        reference = one.tag or str(held.descriptor.digest)
        registry.push_manifest(repository, reference, held.content, held.descriptor.media_type)
        if speaks_by_itself(held.content):
            referring[one.subject].append(as_referrer(held.descriptor, held.content, "bundle"))
    for subject, descriptors in referring.items():
        see_to_referrers(registry, repository, subject, descriptors)


def disputes(disputed: Iterable[StoredReferrer], target: ImageTarget) -> tuple[Finding, ...]:
    """`signatures-differ` for tags that hold signatures which the bundle lacks: pushing ours would take them away."""
    return tuple(
        Finding(
            code="signatures-differ",
            message=f"`{target.repository}:{one.tag}` in the site registry holds signatures that the bundle lacks",
            where=Where(subject=f"image {target.reference}"),
            expected=f"{one.manifest.descriptor.digest}, or something that holds all of it",
            hint="add --retag to replace them by those of the bundle",
            explanation=("the image itself is there; who looks for the bundle's signatures finds others",),
        )
        for one in disputed
    )


def speaks_by_itself(content: bytes) -> bool:
    """Whether a manifest says itself what it speaks of, so that a registry can list it."""
    return parse_manifest(content, Where()).subject is not None


def is_part_of(content: bytes, there: FoundManifest) -> bool:
    """Whether a manifest that a registry has holds all layers of ours: cosign puts one signature in each."""
    ours, theirs = _layers(content), _layers_of(there)
    return ours is not None and theirs is not None and ours <= theirs


def _merged(one: StoredReferrer, there: FoundManifest) -> StoredReferrer:
    """Ours with the layers that lie under its tag now, which come first. Raises BundleRefusedError."""
    theirs = parse_manifest(there.content, Where(subject=f"manifest {there.digest}"))
    known = {_told_apart(layer) for layer in theirs.layers}
    ours = parse_manifest(one.manifest.content, Where()).layers
    layers = (*theirs.layers, *(layer for layer in ours if _told_apart(layer) not in known))
    config = empty_config(layers)
    described = describe(config, IMAGE_CONFIG)
    content = replace(theirs, config=described, layers=layers).content()
    return replace(
        one,
        manifest=StoredManifest(descriptor=describe(content, IMAGE_MANIFEST), content=content),
        config=StoredManifest(descriptor=described, content=config),
    )


def _holds_all_of(there: FoundManifest, content: bytes) -> bool:
    """Whether ours holds all layers of the manifest that the registry has, so that nothing is lost by pushing it."""
    ours, theirs = _layers(content), _layers_of(there)
    return ours is not None and theirs is not None and theirs <= ours


def _layers_of(found: FoundManifest) -> frozenset[_Layer] | None:
    return _layers(found.content) if found.media_type in MANIFEST_TYPES else None


def _layers(content: bytes) -> frozenset[_Layer] | None:
    try:
        return frozenset(map(_told_apart, parse_manifest(content, Where()).layers))
    except BundleRefusedError:
        return None


def _told_apart(layer: Descriptor) -> _Layer:
    """What tells one signature from another: two keys sign the same bytes."""
    return layer.digest, layer.annotations.get(SIGNATURE_ANNOTATION)
