"""Pin every string that names an image by the digest that a bundle vouches for.

Pod specs, custom resources, arguments, environment, annotations, and the text inside ConfigMaps and Secrets: an
object may name an image anywhere, and a node pulls whatever it says. See docs/images-and-pins.md for what is written
where, and docs/decisions/0005-pin-every-string.md for why.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Final, cast

from renderer.errors import Finding, Severity, Where
from renderer.model.bundles.bundle import BundleImage
from renderer.model.fields import Json, spell_path
from renderer.model.images.index import ImageIndex
from renderer.model.images.mirror import MirrorPlan
from renderer.model.images.pins import Piece, Pins
from renderer.model.images.slots import (
    CONTAINER_LISTS,
    SPLIT_KEYS,
    is_image_argument,
    is_image_key,
    is_image_variable,
    split_blocks,
    split_image,
)
from renderer.model.images.use import ImageUse, UnknownImage
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference
from renderer.model.site import ImagesMode
from renderer.structs import Struct

_SCHEMA_KINDS: Final = frozenset({"CustomResourceDefinition"})
_BARE_KEYS: Final = frozenset({"reference", "value"})
"""Keys beside `image` whose text may be an image without a tag: of an image volume, of an environment variable."""
_ENCODED: Final = {"Secret": "data", "ConfigMap": "binaryData"}

_Path = tuple["_Path", str | int] | None
_Edit = tuple[int, int, str]
"""Replace `text[start:end]`."""


class Pinned(Struct, frozen=True, kw_only=True):
    """The manifests by digest, every use of an image, and what no bundle vouches for: as findings, and as data."""

    manifests: tuple[Manifest, ...]
    uses: tuple[ImageUse, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[UnknownImage, ...] = ()


def pin(
    manifests: Iterable[Manifest],
    dictionary: Mapping[ImageReference, BundleImage],
    *,
    mode: ImagesMode,
    mirrors: MirrorPlan | None = None,
) -> Pinned:
    """Replace every image reference in `manifests` by one with the digest of `dictionary`.

    MIRROR writes the full upstream name, tag and digest; REWRITE the place in the site registry and the digest, and
    needs `mirrors`. CustomResourceDefinitions, `status` and metadata other than annotations are left alone.
    """
    if mode is ImagesMode.REWRITE and mirrors is None:
        raise ValueError("rewriting images needs a mirror plan")
    pins = Pins(ImageIndex.of(dictionary, mirrors), mirrors if mode is ImagesMode.REWRITE else None)
    pinned: list[Manifest] = []
    uses: list[ImageUse] = []
    findings: list[Finding] = []
    unknown: list[UnknownImage] = []
    for manifest in manifests:
        if manifest.id.kind in _SCHEMA_KINDS:
            pinned.append(manifest)
            continue
        walk = _Walk(manifest, pins)
        body = walk.object()
        pinned.append(manifest if body is manifest.body else manifest.with_body(body))
        uses.extend(walk.uses.values())
        findings.extend(walk.findings.values())
        unknown.extend(walk.unknown.values())
    return Pinned(manifests=tuple(pinned), uses=tuple(uses), findings=tuple(findings), unknown=tuple(unknown))


class _Walk:
    """One object: every string is looked at once, and only what changes is copied.

    A path is the way to a value, innermost step first; it is spelled only when something is found there.
    """

    def __init__(self, manifest: Manifest, pins: Pins) -> None:
        self.manifest = manifest
        self.pins = pins
        self.uses: dict[tuple[str, str], ImageUse] = {}
        self.findings: dict[tuple[str, str, str], Finding] = {}
        self.unknown: dict[tuple[str, str, str], UnknownImage] = {}

    def object(self) -> Mapping[str, Json]:
        """The body with every image pinned; the same object when nothing changes."""
        body = self.manifest.body
        encoded = "" if self.manifest.id.group else _ENCODED.get(self.manifest.id.kind, "")
        changes: dict[str, Json] = {}
        for key, value in body.items():
            new: Json = value
            if key == "metadata":
                new = self._metadata(cast("dict[str, Json]", value))
            elif key == encoded and isinstance(value, dict):
                new = self._encoded(value, (None, key))
            elif key != "status" and isinstance(value, dict | list):
                new = self._inner(value, (None, key))
            if new is not value:
                changes[key] = new
        return {**body, **changes} if changes else body

    def _metadata(self, metadata: dict[str, Json]) -> Json:
        annotations = metadata.get("annotations")
        if not isinstance(annotations, dict):
            return metadata
        new = self._mapping(annotations, ((None, "metadata"), "annotations"))
        return metadata if new is annotations else {**metadata, "annotations": new}

    def _inner(self, value: dict[str, Json] | list[Json], path: _Path) -> Json:
        return self._mapping(value, path) if isinstance(value, dict) else self._list(value, path)

    def _mapping(self, content: dict[str, Json], path: _Path) -> dict[str, Json]:
        changes: dict[str, Json] = {}
        split = None if SPLIT_KEYS.isdisjoint(content) else self._split(content, path)
        if split is not None:
            changes |= split
        for key, value in content.items():
            new: Json = value
            if isinstance(value, str):
                if split is not None and key in SPLIT_KEYS:
                    continue
                if ":" in value or key in _BARE_KEYS or key.endswith(("mage", "MAGE")):
                    new = self._field(content, key, value, path)
            elif isinstance(value, dict):
                new = self._mapping(value, (path, key))
            elif isinstance(value, list):
                new = self._list(value, (path, key))
            if new is not value:
                changes[key] = new
        return {**content, **changes} if changes else content

    def _list(self, items: list[Json], path: _Path) -> list[Json]:
        result = items
        for index, value in enumerate(items):
            new: Json = value
            if isinstance(value, str):
                if ":" in value:
                    new = self._text(value, (path, index), certain=is_image_argument(value))
            elif isinstance(value, dict | list):
                new = self._inner(value, (path, index))
            if new is not value:
                result = list(items) if result is items else result
                result[index] = new
        return result

    def _field(self, content: Mapping[str, Json], key: str, value: str, path: _Path) -> str:
        """A string in a mapping: nothing but an image, or text that may hold some."""
        if value and _names_a_container_image(key, path):
            piece = self.pins.whole(value)
            self._note(piece, (path, key), certain=True)
            return piece.replacement
        name = content.get("name")
        certain = is_image_variable(name) if key == "value" and isinstance(name, str) else is_image_key(key)
        if certain and ("@" in value or ":" not in value):
            piece = self.pins.whole(value)
            head, slash, _ = value.partition("/")
            if piece.image is not None or (slash and "." in head.strip(".")):
                self._note(piece, (path, key), certain=True)
                return piece.replacement
        return self._text(value, (path, key), certain=certain) if ":" in value else value

    def _text(self, text: str, path: _Path, *, certain: bool) -> str:
        """Free text with every image in it pinned in place."""
        edits: list[_Edit] = []
        for piece in self.pins.in_text(text):
            self._note(piece, path, certain=certain)
            edits.append((piece.start, piece.end, piece.replacement))
        if "\n" in text or "{" in text:
            edits.extend(self._split_lines(text, path))
        return _edited(text, edits)

    def _split(self, content: Mapping[str, Json], path: _Path) -> dict[str, str] | None:
        """The changes to a mapping that holds an image in parts; None when it holds none."""
        split = split_image(content)
        found = None if split is None else self.pins.split(split)
        if split is None or found is None:
            return None
        piece, changes = found
        self._note(piece, (path, split.tag_key), certain=False)
        return changes

    def _split_lines(self, text: str, path: _Path) -> Iterable[_Edit]:
        """The edits to a text that holds an image in parts, as sibling lines of YAML or JSON."""
        for block in split_blocks(text):
            split = split_image({key: line.value for key, line in block.items()})
            found = None if split is None else self.pins.split(split)
            if found is not None:
                piece, changes = found
                self._note(piece, path, certain=False)
                yield from ((block[key].start, block[key].end, value) for key, value in changes.items())

    def _encoded(self, content: dict[str, Json], path: _Path) -> dict[str, Json]:
        """Base64 values that decode to text."""
        changes: dict[str, Json] = {}
        for key, value in content.items():
            if not isinstance(value, str) or not value:
                continue
            try:
                text = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                continue
            if ":" in text and (new := self._text(text, (path, key), certain=False)) != text:
                changes[key] = base64.b64encode(new.encode()).decode()
        return {**content, **changes} if changes else content

    def _note(self, piece: Piece, path: _Path, *, certain: bool) -> None:
        """Record a use or a finding, once for each field and text."""
        place = spell_path(_steps(path))
        if piece.image is not None:
            self.uses.setdefault((place, piece.text), self._use(piece.text, piece.image, place))
        elif piece.fault is not None:
            fault = piece.fault
            certain = certain or fault.certain
            key = (fault.code, place, piece.text)
            self.unknown.setdefault(
                key,
                UnknownImage(
                    object=self.manifest.id, path=place, text=piece.text.strip(), code=fault.code, certain=certain
                ),
            )
            self.findings.setdefault(
                key,
                Finding(
                    code=fault.code,
                    message=fault.message,
                    severity=Severity.ERROR if certain else Severity.WARNING,
                    where=Where(subject=str(self.manifest.id), path=place),
                    expected=fault.expected,
                    got=fault.got,
                    explanation=(f"from {self.manifest.origin}",),
                    hint=fault.hint,
                ),
            )

    def _use(self, text: str, image: BundleImage, place: str) -> ImageUse:
        origin = self.manifest.origin
        return ImageUse(object=self.manifest.id, extension=origin.extension, path=place, text=text, image=image)


def _names_a_container_image(key: str, path: _Path) -> bool:
    """True for `containers[n].image` and for the `reference` of an image volume."""
    if path is None:
        return False
    if key == "image":
        return path[0] is not None and path[0][1] in CONTAINER_LISTS
    return key == "reference" and path[1] == "image"


def _steps(path: _Path) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    while path is not None:
        path, step = path
        steps.append(step)
    return tuple(reversed(steps))


def _edited(text: str, edits: list[_Edit]) -> str:
    """`text` with spans replaced; of two that overlap the first wins."""
    parts: list[str] = []
    done = 0
    for start, end, new in sorted(edits):
        if start >= done and text[start:end] != new:
            parts += (text[done:start], new)
            done = end
    return "".join([*parts, text[done:]]) if parts else text
