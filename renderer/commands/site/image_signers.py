"""Who has signed the images of a site for container runtimes, as its bundles carry the signatures."""

from __future__ import annotations

from collections.abc import Iterable

from renderer.commands.site.loading import Loader
from renderer.errors import BundleRefusedError, RemoteError
from renderer.model.bundles.bundle import Catalog, VerifiedBundle
from renderer.model.lock import Lock, LockedSignatures
from renderer.model.reference import ImageReference
from renderer.model.site import Site
from renderer.stages.verify.images import ImageVerdict, image_verdict, signatures_over_images


def image_signatures(
    loader: Loader, site: Site, catalog: Catalog, images: Iterable[ImageReference], known: Lock | None = None
) -> dict[ImageReference, LockedSignatures]:
    """For each of `images` that keys of the trust policy have signed: which ones, and the bundle that brings them.

    As everywhere, the bundle that the profile names first speaks for an image. Where a repository does not answer, the
    lock `known` is believed. Raises BundleRefusedError when what lies there as a signature is none, and, without
    `known`, RemoteError.
    """
    wanted = set(images)
    found: dict[ImageReference, LockedSignatures] = {}
    for bundle in catalog.bundles:
        ours = {image.reference for image in bundle.bundle.images} & wanted
        wanted -= ours
        if ours:
            try:
                verdict = _verdict(loader, site, bundle)
            except RemoteError:
                if known is None:
                    raise
                found |= {
                    one.reference: one.signatures for one in known.images if one.signatures and one.reference in ours
                }
                continue
            for image in ours:
                keys = verdict.signers_of(image)
                if keys:
                    found[image] = LockedSignatures(bundle=bundle.bundle.name, keys=keys)
    return found


def _verdict(loader: Loader, site: Site, bundle: VerifiedBundle) -> ImageVerdict:
    """What the trust policy says of the signatures over a bundle's images; sites that share a bundle share it."""
    source, policy = loader.source_of(bundle), loader.policy(site.trust)

    def judge() -> ImageVerdict:
        signatures, faults = signatures_over_images(source.full_index(), bundle.bundle, source.blob, source.location)
        if faults:
            raise BundleRefusedError(*faults)
        return image_verdict(bundle.bundle, signatures, policy, now=loader.workspace.now)

    return loader.memo.get(("image signers", id(bundle), site.trust), judge)
