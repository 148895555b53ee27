"""Where rendered objects name images, and which content a bundle vouches for under that name."""

from __future__ import annotations

from dataclasses import dataclass

from renderer.model.bundles.bundle import BundleImage
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUse:
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
