"""What one image reference means to a site, and what is written in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from renderer.model.bundles.bundle import BundleImage
from renderer.model.images.index import ImageIndex, vouches
from renderer.model.images.mirror import MirrorPlan
from renderer.model.images.slots import SplitImage
from renderer.model.images.text import Spotted, looks_like_image, spot_references
from renderer.model.reference import ImageReference
from renderer.structs import Struct, field

_IGNORE_HINT: Final = (
    "list the image in the bundle's sources and build the bundle again; if this is no image, add a rule "
    "`image-not-in-bundle` with a reason under `spec.checks.ignore`"
)


class PinFault(Struct, frozen=True, kw_only=True):
    """What is wrong with one reference. `certain`: there is no doubt that it is meant as an image."""

    code: str
    message: str
    certain: bool = True
    expected: str
    got: str
    hint: str


class Piece(Struct, frozen=True):
    """One reference in a text (`text[start:end]`): the image that it means, or what is wrong with it.

    `replacement` is what to write there; the same text when there is a fault.
    """

    start: int
    end: int
    text: str
    image: BundleImage | None
    fault: PinFault | None
    replacement: str


class Pins(Struct):
    """Judges references and spells pins. `rewrite` is the mirror plan when references move to the site registry.

    Without it a pin is the full upstream name, tag and digest; with it the place in the site registry and the
    digest. The pieces of each text are remembered, for texts repeat.
    """

    index: ImageIndex
    rewrite: MirrorPlan | None = None
    _texts: dict[str, tuple[Piece, ...]] = field(default_factory=dict)

    def in_text(self, text: str) -> tuple[Piece, ...]:
        """The references in free text that are images or most likely are, left to right."""
        known = self._texts.get(text)
        if known is None:
            known = self._texts[text] = tuple(self._pieces(text))
        return known

    def whole(self, text: str) -> Piece:
        """`text` as one reference, as a container runtime reads it."""
        stripped = text.strip()
        try:
            ImageReference.parse(stripped)
        except ValueError as error:
            return _faulty(0, len(text), text, _not_a_reference(text, str(error)))
        rest, _, digest = stripped.partition("@")
        head, slash, last = rest.rpartition("/")
        last, colon, tag = last.partition(":")
        spotted = Spotted(0, len(text), head + slash + last, tag if colon else None, digest or None)
        return self._judge(spotted, stripped, certain=True) or _faulty(0, len(text), text, _not_a_reference(text, ""))

    def split(self, split: SplitImage) -> tuple[Piece, dict[str, str]] | None:
        """What an image in parts means, and the fields to change; None when it most likely is no image."""
        text = f"{split.name}:{split.tag}{f'@{split.digest}' if split.digest else ''}"
        spotted = Spotted(0, len(text), split.name, split.tag, split.digest or None)
        names_a_host = "." in split.name.partition("/")[0] and split.path_key is not None
        piece = self._judge(spotted, text, certain=names_a_host)
        if piece is None or piece.image is None:
            return None if piece is None else (piece, {})
        digest = piece.replacement.rpartition("@")[2]
        if self.rewrite is None:
            return piece, split.pinned(digest)
        return piece, split.moved(piece.replacement.rpartition("@")[0], digest)

    def _pieces(self, text: str) -> Iterator[Piece]:
        for spotted in spot_references(text):
            piece = self._judge(spotted, text[spotted.start : spotted.end], certain=False)
            if piece is not None:
                yield piece

    def _judge(self, spotted: Spotted, text: str, *, certain: bool) -> Piece | None:
        """What a reference means; None when nothing says that it is an image."""
        image = self.index.find(spotted.name, spotted.tag, spotted.digest)
        if image is not None:
            digest = spotted.digest or str(image.digest)
            if image.index is not None and digest == str(image.index):
                digest = str(image.digest)  # the index itself cannot be in the site registry
            replacement = self._pinned(image, digest)
            if not vouches(image, digest):
                return _faulty(spotted.start, spotted.end, text, _mismatch(text, image, digest))
            if replacement is None:
                return _faulty(spotted.start, spotted.end, text, _unmirrored(text, image))
            return Piece(spotted.start, spotted.end, text, image, None, replacement)
        certain = certain or (spotted.name in self.index.names and not _may_be_a_port(spotted))
        if certain or looks_like_image(spotted.name, spotted.tag or spotted.digest):
            return _faulty(spotted.start, spotted.end, text, self._unknown(spotted, text, certain=certain))
        return None

    def _pinned(self, image: BundleImage, digest: str) -> str | None:
        """The pin of an image as text, or None when the site registry has no place for it."""
        if self.rewrite is None:
            named = image.reference
            return f"{named.name}{f':{named.tag}' if named.tag else ''}@{digest}"
        location = self.rewrite.location(image.reference)
        return None if location is None else f"{location}@{digest}"

    def _unknown(self, spotted: Spotted, text: str, *, certain: bool) -> PinFault:
        path = spotted.name.rpartition("/")[2]
        near = self.index.names.get(spotted.name) or [
            image for image in self.index.exact.values() if image.reference.repository.rpartition("/")[2] == path
        ]
        offers = " or ".join(f"`{reference}`" for reference in sorted({str(image.reference) for image in near})[:3])
        return PinFault(
            code="image-not-in-bundle",
            message=f"`{text}` is not vouched for by any bundle",
            certain=certain,
            expected="a reference that one of the site's bundles lists",
            got=f"`{text}`",
            hint=f"the bundles have {offers}; {_IGNORE_HINT}" if offers else _IGNORE_HINT,
        )


def _faulty(start: int, end: int, text: str, fault: PinFault) -> Piece:
    return Piece(start, end, text, None, fault, text)


def _may_be_a_port(spotted: Spotted) -> bool:
    """`redis:6379` in free text is a host and a port more often than an image and a tag."""
    return "/" not in spotted.name and spotted.tag is not None and spotted.tag.isdigit()


def _not_a_reference(text: str, reason: str) -> PinFault:
    return PinFault(
        code="image-not-in-bundle",
        message=f"`{text}` is no image reference, so no bundle can vouch for it",
        expected="`[host/]repository[:tag][@digest]`",
        got=reason or f"`{text}`",
        hint="set the image in the extension's `values` in the profile",
    )


def _mismatch(text: str, image: BundleImage, digest: str) -> PinFault:
    return PinFault(
        code="image-digest-mismatch",
        message=f"`{text}` names other content than the bundle vouches for",
        expected=f"`{image.digest}`",
        got=f"`{digest}`",
        hint=f"remove the digest from the values, or build the bundle with `{image.reference.name}@{digest}`",
    )


def _unmirrored(text: str, image: BundleImage) -> PinFault:
    registry = image.reference.registry
    return PinFault(
        code="image-not-mirrored",
        message=f"`{text}` has no place in the site registry",
        expected=f"a project for `{registry}`",
        got="none",
        hint=f'add `{registry}: <project>` or `"*": <project>` to `spec.registry.projects` in the profile',
    )
