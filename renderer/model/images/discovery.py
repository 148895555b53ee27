"""What is known of the images of a bundle before it is built: who declares them, and where objects name them."""

from __future__ import annotations

from enum import Enum

from renderer.model.reference import Digest, ImageReference
from renderer.structs import Struct


class Sighting(Struct, frozen=True, kw_only=True, order=True):
    """One string of one object that names an image.

    `extension` is `name version`, `values` the value sets under which the object says so. `certain` is False for
    free text that reads like an image; `dropped` is True for an object that no render keeps (a Helm test).
    """

    extension: str
    component: str
    object: str
    path: str
    values: tuple[str, ...]
    certain: bool
    dropped: bool


class Declaration(Struct, frozen=True, kw_only=True):
    """Who says that an image is needed: the bundle source itself, or the extension `extension` (`name version`).

    `how` is the field or the annotation that says so.
    """

    how: str
    extension: str | None = None

    def __str__(self) -> str:
        return f"{self.extension}, {self.how}" if self.extension else self.how


class Standing(Enum):
    """What becomes of an image in the bundle."""

    VOUCHED = "vouched"
    """The bundle has its digest."""
    ACCEPTED = "accepted"
    """The bundle lacks it, and somebody wrote down why that is all right."""
    MISSING = "missing"
    """Objects name it, and the bundle lacks it."""
    UNTAKEN = "untaken"
    """Somebody declares it, no object names it, and the bundle lacks it."""
    DROPPED = "dropped"
    """Only objects that no render keeps name it."""


class ImageRecord(Struct, frozen=True, kw_only=True):
    """One image: who declares it, where it was seen, and what the bundle has of it.

    `digest` is the bundle's, and `carried` says that the layout holds the content too. `declared` names who declares
    it, `accepted` is the reason why it may be missing. `other` is the digest that an object asks for when it is not
    the bundle's.
    """

    reference: ImageReference
    digest: Digest | None = None
    carried: bool = False
    declared: tuple[Declaration, ...] = ()
    seen: tuple[Sighting, ...] = ()
    accepted: str | None = None
    other: Digest | None = None

    @property
    def needed(self) -> bool:
        """True when an object that is rendered names it."""
        return any(not sighting.dropped for sighting in self.seen)

    @property
    def standing(self) -> Standing:
        """What becomes of it."""
        if self.digest is not None and self.other is None:
            return Standing.VOUCHED
        if self.accepted is not None:
            return Standing.ACCEPTED
        if self.needed:
            return Standing.MISSING
        return Standing.UNTAKEN if self.declared else Standing.DROPPED
