"""Where `bundle build` reads images from: OCI layouts, and repositories of registries."""

from __future__ import annotations

import re
from typing import Final, Protocol

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    BUNDLE_TYPE,
    DELTA_TYPE,
    INDEX_TYPES,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    ImageManifest,
    IndexEntry,
    malformed,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.source import tagged_reference
from renderer.model.bundles.bundle import Referrer, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest, ImageReference
from renderer.ports import Blob, BundleSource
from renderer.structs import replace

_BESIDE: Final = re.compile(r"(?:.*[:/])?(sha256-[0-9a-f]{64})(?:\.([A-Za-z0-9]+))?\Z")
_FULL_NAME: Final = "io.containerd.image.name"
REFERRERS_LIMIT: Final = 1_000
"""What may speak of one image."""
_OURS: Final = frozenset({BUNDLE_TYPE, DELTA_TYPE})


class ImagePlace(Protocol):
    """Holds images: manifests and blobs by descriptor, and what else speaks of them."""

    @property
    def location(self) -> str:
        """The place as the user named it."""
        ...

    def manifest(self, descriptor: Descriptor) -> bytes | None:
        """The checked bytes of a manifest or an index; None when the place does not hold it."""
        ...

    def blob(self, descriptor: Descriptor) -> Blob:
        """A config or a layer; its bytes are checked when they are read."""
        ...

    def referrers(self, subject: Digest) -> tuple[Referrer, ...]:
        """The manifests that speak of the manifest `subject`, by tag and by their own field `subject`."""
        ...


def as_referrer(descriptor: Descriptor, manifest: ImageManifest) -> Descriptor:
    """The descriptor of a manifest that refers to another, with the type that it has (image-spec 1.1, manifest.md)."""
    return replace(descriptor.bare, artifact_type=manifest.type_of_referrer)


class LayoutPlace:
    """The images of one OCI layout, by the names in its `index.json`. Raises BundleRefusedError when it is damaged."""

    def __init__(self, layout: BundleSource) -> None:
        self._layout = layout
        self._images: list[IndexEntry] = []
        self._referrers: dict[Digest, dict[tuple[str | None, Digest], Referrer]] = {}
        for entry in parse_index(layout.index(), Where(file=layout.location, subject="index.json")):
            if entry.descriptor.artifact_type not in _OURS:
                self._sort(entry)

    @property
    def location(self) -> str:
        """The layout as the user named it."""
        return self._layout.location

    def images(self) -> tuple[IndexEntry, ...]:
        """The entries of `index.json` that are images of their own."""
        return tuple(self._images)

    def manifest(self, descriptor: Descriptor) -> bytes | None:
        """The bytes of a manifest, or None when the layout was made without it."""
        if descriptor.size > MANIFEST_LIMIT:
            where = Where(file=self.location, subject=f"manifest {descriptor.digest}")
            raise malformed(where, f"a manifest has at most {MANIFEST_LIMIT} bytes, this one has {descriptor.size}")
        try:
            return self._layout.blob(descriptor.bare)
        except BundleRefusedError as error:
            if error.findings[0].code == "blob-missing":
                return None
            raise

    def blob(self, descriptor: Descriptor) -> Blob:
        """A config or a layer."""
        bare = descriptor.bare
        return Blob(descriptor=bare, open=lambda: self._layout.open_blob(bare))

    def referrers(self, subject: Digest) -> tuple[Referrer, ...]:
        """What `index.json` lists that speaks of `subject`."""
        return tuple(self._referrers.get(subject, {}).values())

    def _sort(self, entry: IndexEntry) -> None:
        """An entry is an image, or it speaks of one."""
        beside = _BESIDE.match(entry.name or "")
        if beside is not None:
            subject = Digest.parse(beside[1].replace("-", ":"))
            self._beside(entry.descriptor, subject, f"{beside[1]}.{beside[2]}" if beside[2] else None)
        elif not self._refers(entry.descriptor):
            self._images.append(entry)

    def _beside(self, descriptor: Descriptor, subject: Digest, tag: str | None) -> None:
        """What cosign's tags name, or the list of referrers that stands in for the referrers API."""
        content = self.manifest(descriptor)
        if content is None:
            return
        where = Where(file=self.location, subject=f"manifest {descriptor.digest}")
        if tag is None:
            if descriptor.media_type in INDEX_TYPES:
                for entry in parse_index(content, where):
                    self._refers(entry.descriptor)
        elif descriptor.media_type in MANIFEST_TYPES:
            kind = as_referrer(descriptor, parse_manifest(content, where))
            self._add(Referrer(content=kind, subject=subject, form=ReferrerForm.TAG, tag=tag))
            self._refers(descriptor)

    def _refers(self, descriptor: Descriptor) -> bool:
        """Whether a manifest speaks of another one; it is remembered when it does."""
        content = self.manifest(descriptor) if descriptor.media_type in MANIFEST_TYPES else None
        if content is None:
            return False
        manifest = parse_manifest(content, Where(file=self.location, subject=f"manifest {descriptor.digest}"))
        if manifest.subject is None:
            return False
        kind = as_referrer(descriptor, manifest)
        self._add(Referrer(content=kind, subject=manifest.subject.digest, form=ReferrerForm.SUBJECT))
        return True

    def _add(self, referrer: Referrer) -> None:
        self._referrers.setdefault(referrer.subject, {})[referrer.tag, referrer.content.digest] = referrer


def name_in_layout(entry: IndexEntry, location: str, where: Where) -> ImageReference:
    """The reference that an image of a layout has. Raises InputError (`image-unnamed`)."""
    name = entry.descriptor.annotations.get(_FULL_NAME) or entry.name or ""
    try:
        if "/" not in name or ":" not in name.rpartition("/")[2]:
            raise ValueError(f"`{name}` is not a full reference")
        return tagged_reference(name)
    except ValueError as error:
        raise InputError(
            Finding(
                code="image-unnamed",
                where=where,
                message=f"an image of `{location}` has no usable name: {error}",
                expected="a full reference with a tag in `org.opencontainers.image.ref.name`",
                got=f"`{name}`, {entry.descriptor.digest}",
                hint="skopeo copy --all docker://REFERENCE oci:DIRECTORY:REFERENCE",
            )
        ) from error
