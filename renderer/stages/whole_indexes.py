"""Images for a registry that takes an index only with all manifests that the index lists.

Harbor is one (`GetByDigest` for every child in src/controller/artifact/manifest/index.go, up to 2.16 at least, and
distribution 2.8 below it), docker-registry 2.x another, and distribution 3 until its settings say otherwise. Where a
bundle carries a part of an index, and the site needs one manifest of it, that manifest stands in for the index: its
digest is the pin, and the tag in the site registry stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from renderer.errors import Finding, Where
from renderer.formats.bundle.artifact import INDEX_TYPES
from renderer.formats.bundle.document import is_carried
from renderer.model.bundles.bundle import BundleImage, Catalog, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.referrers import PinnedReferrer, speaking_of
from renderer.model.reference import ImageReference, Platform
from renderer.model.site import IndexesMode, Site
from renderer.structs import replace


def for_registry(catalog: Catalog, site: Site) -> Catalog:
    """`catalog` with the images that the registry of `site` can hold. An image that it cannot is left as it is."""
    if site.registry.indexes is IndexesMode.SPARSE:
        return catalog
    chosen = {}
    for reference, image in catalog.images().items():
        needed = _needed(image, site.cluster.platforms)
        if _is_cut(image) and len(needed) == 1:
            chosen[reference] = _alone(image, needed[0])
    return replace(catalog, chosen=chosen)


def cut_indexes(catalog: Catalog, references: Iterable[ImageReference], site: Site) -> tuple[Finding, ...]:
    """`index-cut` for every one of `references` that the registry of `site` would refuse."""
    if site.registry.indexes is IndexesMode.SPARSE:
        return ()
    images = catalog.images()
    return tuple(
        _finding(images[reference], site)
        for reference in sorted(set(references), key=str)
        if reference in images and _is_cut(images[reference]) and _needed(images[reference], site.cluster.platforms)
    )


def _is_cut(image: BundleImage) -> bool:
    """Whether a bundle carries an index without all of its manifests. What is not carried comes whole, another way."""
    carried = is_carried(image)
    return carried and bool(image.omitted) and image.content.media_type in INDEX_TYPES


def _needed(image: BundleImage, platforms: Iterable[Platform]) -> list[tuple[Platform, Descriptor]]:
    """The manifests that nodes of `platforms` run, each once."""
    wanted = tuple(platforms)
    serving = {
        descriptor.digest: (platform, descriptor)
        for platform, descriptor in sorted(image.platforms.items(), reverse=True)
        if any(platform.serves(one) for one in wanted)
    }
    return [serving[digest] for digest in sorted(serving)]


def _alone(image: BundleImage, needed: tuple[Platform, Descriptor]) -> BundleImage:
    """One manifest of an index as an image of its own, with what speaks of it from outside of that index."""
    platform, descriptor = needed
    outside = {PinnedReferrer.of(one): one for one in image.referrers if one.form is not ReferrerForm.INDEX}
    return replace(
        image,
        content=replace(descriptor, annotations=image.content.annotations),
        platforms={platform: descriptor},
        referrers=tuple(outside[one] for one in speaking_of(outside, [descriptor.digest])),
        index=image.digest,
    )


def _finding(image: BundleImage, site: Site) -> Finding:
    have, lacking = ", ".join(map(str, sorted(image.platforms))), ", ".join(map(str, image.omitted))
    return Finding(
        code="index-cut",
        message=f"the site registry would refuse `{image.reference}`: the bundle carries a part of its index only",
        where=Where(file=site.profile, path="spec.registry.indexes"),
        expected=f"all platforms of its index, or a site with one platform; the bundle lacks {lacking}",
        got=f"{have}, and a site with {', '.join(map(str, site.cluster.platforms))}",
        explanation=("Harbor and docker-registry take an index only with all manifests that it lists",),
        hint="build the bundle for all platforms of its images; or say `indexes: sparse` when your registry takes "
        "such an index (distribution 3: `validation: {manifests: {indexes: {platforms: none}}}`)",
    )
