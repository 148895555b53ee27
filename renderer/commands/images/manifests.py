"""Manifests, when all blobs are there: children before the index, what speaks of it next, its tag last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.commands.images.referrers import disputes, push_referrers
from renderer.commands.images.survey import Standing, subject
from renderer.errors import Finding, RemoteError
from renderer.formats.bundle.artifact import INDEX_TYPES
from renderer.model.images.transfer import ImageTarget, Shipment, StoredManifest
from renderer.ports import Registry

_CONTENT_REFUSED: Final = frozenset({"registry-refused", "registry-not-found"})


def push_manifests(standing: Standing, registry: Registry, *, retag: bool) -> Sequence[Finding]:
    """Push what an image lacks, and let its tag stand for it.

    A tag that stands for another digest is moved with `retag` only; the image is then there by its digest, and the
    finding `tag-differs` is returned; the same with tags of signatures (`signatures-differ`). Raises RemoteError,
    BundleRefusedError.
    """
    shipment, target = standing.shipment, standing.target
    if shipment is None:
        raise AssertionError("an image without shipment is settled or failed")
    root = shipment.root
    foreign = tag_causes(standing)
    for manifest in standing.manifests:
        if manifest is not root:
            _push(manifest, str(manifest.descriptor.digest), target, registry)
    referrers = (*standing.referrers, *(standing.disputed if retag else ()))
    tagged = target.tag is not None and (retag or not foreign)
    # what speaks of an image is there before its tag: who asks for the tag may ask for signatures at once
    if root in standing.manifests and (referrers or not tagged):
        _push_root(shipment, str(target.digest), registry)
    push_referrers(referrers, target.repository, registry)
    if target.tag is not None and tagged and (root in standing.manifests or not standing.well_tagged):
        _push_root(shipment, target.tag, registry)
    return () if retag else (*foreign, *disputes(standing.disputed, target))


def _push(manifest: StoredManifest, reference: str, target: ImageTarget, registry: Registry) -> None:
    registry.push_manifest(target.repository, reference, manifest.content, manifest.descriptor.media_type)


def _push_root(shipment: Shipment, reference: str, registry: Registry) -> None:
    try:
        _push(shipment.root, reference, shipment.target, registry)
    except RemoteError as error:
        raise _explained(error, shipment, registry) from error


def tag_causes(standing: Standing) -> tuple[Finding, ...]:
    """`tag-differs` when the tag of an image stands for another digest."""
    target = standing.target
    if standing.tagged is None or standing.tagged == target.digest:
        return ()
    return (
        Finding(
            code="tag-differs",
            message=f"`{target.repository}:{target.tag}` in the site registry is another image",
            where=subject(target),
            expected=f"{target.digest}, as the lock says",
            got=str(standing.tagged),
            hint="add --retag to move the tag; the old image stays under its digest until the registry cleans up",
            explanation=("the image itself is brought by digest, which is what manifests name",),
        ),
    )


def _explained(error: RemoteError, shipment: Shipment, registry: Registry) -> RemoteError:
    """A registry that checks indexes refuses one whose other platforms it does not hold: said in these words.

    docker-registry 2.x does so always; distribution 3 as `validation.manifests.indexes.platforms` says
    (https://github.com/distribution/distribution/pull/3536).
    """
    cut = shipment.root.descriptor.media_type in INDEX_TYPES and shipment.absent
    if not cut or not all(finding.code in _CONTENT_REFUSED for finding in error.findings):
        return error
    return RemoteError(
        Finding(
            code="sparse-index-refused",
            message=f"{registry.location} takes an index only when it holds all manifests that the index lists, and "
            "the bundle carries a part of them",
            expected="all platforms of the image, attestations included: the digest of the index is the pin, so the "
            "index cannot be cut",
            explanation=(f"it answered: {error.findings[0].message}",),
            hint="sync with the profile of a site that says `registry.indexes: whole`, or build the bundle for all "
            "platforms of its images",
        )
    )
