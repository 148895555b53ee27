"""The image dictionary of a site under every spelling that objects use for one image."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.model.bundles.bundle import BundleImage
from renderer.model.images.mirror import MirrorPlan
from renderer.model.reference import DEFAULT_REGISTRY, ImageReference
from renderer.structs import Struct


class ImageIndex(Struct, frozen=True):
    """Look-ups by text, without parsing.

    `exact` maps `name:tag` to an image; `names` maps every spelling of a name to the images that have it. Short
    names are completed as container runtimes do (`redis` is `docker.io/library/redis`). With a mirror plan the names
    inside the site registry are spellings too, also those that charts compose from a value such as
    `global.imageRegistry` by dropping the upstream host; a spelling that could mean two contents means none.
    """

    exact: Mapping[str, BundleImage]
    names: Mapping[str, tuple[BundleImage, ...]]

    @classmethod
    def of(cls, dictionary: Mapping[ImageReference, BundleImage], mirrors: MirrorPlan | None) -> ImageIndex:
        """The index of `dictionary`."""
        exact: dict[str, BundleImage] = {}
        names: dict[str, list[BundleImage]] = {}
        ambiguous: set[str] = set()
        for reference, image in sorted(dictionary.items(), key=lambda item: str(item[0])):
            certain = _spellings(reference)
            for place, name in enumerate((*certain, *_site_spellings(reference, mirrors))):
                names.setdefault(name, []).append(image)
                if reference.tag is None:
                    continue
                text = f"{name}:{reference.tag}"
                known = exact.setdefault(text, image)
                if known.digest != image.digest and place >= len(certain):
                    ambiguous.add(text)
        kept = {text: image for text, image in exact.items() if text not in ambiguous}
        return cls(kept, {name: tuple(images) for name, images in names.items()})

    def find(self, name: str, tag: str | None, digest: str | None) -> BundleImage | None:
        """The image that a reference in parts means; without tag and digest the tag is `latest`.

        A digest without a tag is looked for among the images of that name, and among their platforms.
        """
        if tag is None and digest is not None:
            return next((image for image in self.names.get(name, ()) if vouches(image, digest)), None)
        return self.exact.get(f"{name}:{tag or 'latest'}")


def vouches(image: BundleImage, digest: str) -> bool:
    """True when `digest` is the image's own, that of one of its platforms, or of the index that it stands in for."""
    own = {str(image.digest), str(image.index or image.digest)}
    return digest in own or any(digest == str(part.digest) for part in image.platforms.values())


def _spellings(reference: ImageReference) -> list[str]:
    names = [reference.name]
    if reference.registry == DEFAULT_REGISTRY:
        path = reference.repository
        names += [path, f"index.docker.io/{path}"]
        if path.startswith("library/") and path.count("/") == 1:
            short = path.removeprefix("library/")
            names += [short, f"{DEFAULT_REGISTRY}/{short}", f"index.docker.io/{short}"]
    return names


def _site_spellings(reference: ImageReference, mirrors: MirrorPlan | None) -> list[str]:
    if mirrors is None:
        return []
    location = mirrors.location(reference)
    dropped_host = f"{mirrors.host}/{reference.repository}"
    return list(dict.fromkeys([dropped_host] if location is None else [location, dropped_host]))
