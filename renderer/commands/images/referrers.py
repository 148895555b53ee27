"""What speaks of an image: signatures, attestations, SBOMs, beside it in the site registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import MANIFEST_TYPES, parse_manifest
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import ImageTarget, Shipment, StoredReferrer
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Registry
from renderer.transfer.listing import as_referrer, see_to_referrers


def look_for_referrers(
    shipment: Shipment, registry: Registry
) -> tuple[tuple[StoredReferrer, ...], tuple[StoredReferrer, ...]]:
    """Which referrers the registry lacks or does not list, and whose tags hold what ours lack. Raises RemoteError."""
    repository = shipment.target.repository
    listed: dict[Digest, set[Digest]] = {}
    missing, disputed = [], []
    for one in shipment.referrers:
        digest = one.manifest.descriptor.digest
        if one.tag is not None:
            there = registry.manifest(repository, one.tag)
            if there is None or (there.digest != digest and _holds_all_of(there, one.manifest.content)):
                missing.append(one)
            elif there.digest != digest and not is_part_of(one.manifest.content, there):
                disputed.append(one)
            elif there.digest != digest and registry.manifest(repository, str(digest)) is None:
                missing.append(replace(one, tag=None))  # somebody signed, too: ours stays beside, for `images verify`
            continue
        if one.subject not in listed:
            listed[one.subject] = {found.digest for found in registry.referrers(repository, one.subject)}
        if digest not in listed[one.subject] or registry.manifest(repository, str(digest)) is None:
            missing.append(one)
    return tuple(missing), tuple(disputed)


def push_referrers(referrers: Iterable[StoredReferrer], repository: str, registry: Registry) -> None:
    """Push what speaks of an image, and see to it that it can be found. Raises RemoteError, BundleRefusedError."""
    referring: defaultdict[Digest, list[Descriptor]] = defaultdict(list)
    for one in referrers:
        held = one.manifest
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


def _holds_all_of(there: FoundManifest, content: bytes) -> bool:
    """Whether ours holds all layers of the manifest that the registry has, so that nothing is lost by pushing it."""
    ours, theirs = _layers(content), _layers_of(there)
    return ours is not None and theirs is not None and theirs <= ours


def _layers_of(found: FoundManifest) -> frozenset[Digest] | None:
    return _layers(found.content) if found.media_type in MANIFEST_TYPES else None


def _layers(content: bytes) -> frozenset[Digest] | None:
    try:
        return frozenset(layer.digest for layer in parse_manifest(content, Where()).layers)
    except BundleRefusedError:
        return None
