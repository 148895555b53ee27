"""Manifests, when all blobs are there: children before the index, the index before its tag, every byte as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.commands.images.survey import Standing, subject
from renderer.errors import Finding, RemoteError
from renderer.formats.bundle.artifact import INDEX_TYPES
from renderer.model.images.transfer import Shipment
from renderer.ports import Registry

_CONTENT_REFUSED: Final = frozenset({"registry-refused", "registry-not-found"})


def push_manifests(standing: Standing, registry: Registry, *, retag: bool) -> Sequence[Finding]:
    """Push what an image lacks, and let its tag stand for it.

    A tag that stands for another digest is moved with `retag` only; the image is then there by its digest, and the
    finding `tag-differs` is returned. Raises RemoteError.
    """
    shipment, target = standing.shipment, standing.target
    if shipment is None:
        raise AssertionError("an image without shipment is settled or failed")
    root = shipment.root
    foreign = tag_causes(standing)
    reference = target.tag if target.tag is not None and (retag or not foreign) else str(target.digest)
    for manifest in standing.manifests:
        if manifest is not root:
            registry.push_manifest(
                target.repository,
                str(manifest.descriptor.digest),
                manifest.content,
                manifest.descriptor.media_type,
            )
    if root in standing.manifests or reference == target.tag:
        try:
            registry.push_manifest(target.repository, reference, root.content, root.descriptor.media_type)
        except RemoteError as error:
            raise _explained(error, shipment, registry) from error
    return () if retag else foreign


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
            hint="add --retag to move the tag; the old image stays reachable by its digest",
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
            hint="build the bundle for all platforms of its images, or let the registry take sparse indexes "
            "(distribution 3: `validation: {manifests: {indexes: {platforms: none}}}`)",
        )
    )
