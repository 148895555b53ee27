"""Where rendered objects name images, and which content a bundle vouches for under that name."""

from __future__ import annotations

from renderer.model.bundles.bundle import BundleImage
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import ImageReference
from renderer.structs import Struct


class ImageUse(Struct, frozen=True, kw_only=True):
    """One string of one object that names an image. `text` is what stood there, `path` the field."""

    object: ObjectId
    extension: str
    path: str
    text: str
    image: BundleImage

    @property
    def reference(self) -> ImageReference:
        """The dictionary's reference for this image."""
        return self.image.reference


class UnknownImage(Struct, frozen=True, kw_only=True):
    """One string of one object that names an image, or most likely does, and that no bundle vouches for.

    `text` is what stands there (of an image in parts what the parts spell), `code` the finding that it is, and
    `certain` says that there is no doubt that an image is meant.
    """

    object: ObjectId
    path: str
    text: str
    code: str
    certain: bool
