"""The images of a bundle: those that it names by digest, and those that it takes over from OCI layouts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    CARRIED,
    INDEX_TYPES,
    MANIFEST_TYPES,
    IndexEntry,
    parse_index,
    parse_manifest,
    platform_of_config,
)
from renderer.formats.bundle.source import BundleSourceDocument, DeclaredImage, SourceLayout, tagged_reference
from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import ImageReference, Platform
from renderer.ports import Blob, BundleSource, Files

_BESIDE_IMAGES: Final = re.compile(r"sha256-[0-9a-f]{64}(\.(sig|att|sbom))?\Z")
_FULL_NAME: Final = "io.containerd.image.name"


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image, the blobs that the bundle carries of it, and where the source speaks of it."""

    image: BundleImage
    blobs: tuple[Blob, ...]
    where: Where


def collect_images(source: BundleSourceDocument, files: Files) -> tuple[FoundImage, ...]:
    """Every image that the source names, by reference. Raises InputError with every fault found.

    The same reference may come up twice when it stands for the same content; what carries the image wins.
    """
    chosen: dict[ImageReference, FoundImage] = {}
    faults: list[Finding] = []
    for entry in source.images:
        try:
            for found in _entry_images(entry, source, files):
                before = chosen.setdefault(found.image.reference, found)
                if before.image.digest != found.image.digest:
                    faults.append(_conflict(before, found))
                elif len(found.blobs) > len(before.blobs):
                    chosen[found.image.reference] = found
        except (InputError, BundleRefusedError) as error:
            faults += error.findings
    for found in chosen.values():
        faults += _missing_platforms(found, source.platforms)
    if faults:
        raise InputError(*faults)
    return tuple(chosen[reference] for reference in sorted(chosen, key=str))


def _entry_images(
    entry: DeclaredImage | SourceLayout, source: BundleSourceDocument, files: Files
) -> Iterator[FoundImage]:
    if isinstance(entry, DeclaredImage):
        yield FoundImage(entry.image, (), source.document.where(entry.at))
        return
    where = source.document.where(entry.layout.at)
    try:
        layout = files.source(entry.layout.path)
        index = layout.index()
    except InputError as error:
        raise InputError(*(finding.at(where) for finding in error.findings)) from error
    reader = _LayoutImages(layout, source.platforms, where)
    for listed in parse_index(index, Where(file=layout.location, subject="index.json")):
        if listed.name is None or not _BESIDE_IMAGES.match(listed.name):
            yield reader.image(listed)


@dataclass(frozen=True, slots=True)
class _LayoutImages:
    """Reads the images of one layout for the platforms that the bundle is for."""

    layout: BundleSource
    platforms: tuple[Platform, ...]
    where: Where

    def image(self, entry: IndexEntry) -> FoundImage:
        """One entry of the layout's index. Raises InputError or BundleRefusedError."""
        reference = self._reference(entry)
        content = replace(entry.descriptor, annotations={CARRIED: "true"}, artifact_type=None)
        if content.media_type in INDEX_TYPES:
            chosen, omitted = self._chosen(content)
        elif content.media_type in MANIFEST_TYPES:
            chosen, omitted = {self._own_platform(content): _plain(content)}, ()
        else:
            raise InputError(
                Finding(
                    code="not-an-image",
                    message=f"`{reference}` is not an image",
                    where=self.where,
                    expected="an OCI or Docker image index or manifest",
                    got=f"`{content.media_type}`",
                )
            )
        blobs = [self._blob(_plain(content))]
        for manifest in chosen.values():
            parsed = parse_manifest(self.layout.blob(manifest), self._at(manifest))
            blobs += [self._blob(part) for part in (manifest, parsed.config, *parsed.layers)]
        image = BundleImage(reference=reference, content=content, platforms=chosen, omitted=omitted)
        return FoundImage(image, tuple(blobs), self.where)

    def _reference(self, entry: IndexEntry) -> ImageReference:
        name = entry.descriptor.annotations.get(_FULL_NAME) or entry.name or ""
        try:
            if "/" not in name or ":" not in name.rpartition("/")[2]:
                raise ValueError(f"`{name}` is not a full reference")
            return tagged_reference(name)
        except ValueError as error:
            raise InputError(
                Finding(
                    code="image-unnamed",
                    where=self.where,
                    message=f"an image of `{self.layout.location}` has no usable name: {error}",
                    expected="a full reference with a tag in `org.opencontainers.image.ref.name`",
                    got=f"`{name}`, {entry.descriptor.digest}",
                    hint="skopeo copy --all docker://REFERENCE oci:DIRECTORY:REFERENCE",
                )
            ) from error

    def _chosen(self, index: Descriptor) -> tuple[dict[Platform, Descriptor], tuple[Platform, ...]]:
        """The manifests for the platforms asked for, and the platforms left out; attestations are neither."""
        listed = [
            (entry.platform, _plain(entry.descriptor))
            for entry in parse_index(self.layout.blob(index), self._at(index))
            if entry.platform is not None and entry.platform.os != "unknown"
        ]
        chosen: dict[Platform, Descriptor] = {}
        for wanted in self.platforms:
            found = next(((platform, one) for platform, one in listed if platform.serves(wanted)), None)
            if found is not None:
                chosen[found[0]] = found[1]
        omitted = dict.fromkeys(platform for platform, _ in listed if platform not in chosen)
        return chosen, tuple(sorted(omitted))

    def _own_platform(self, manifest: Descriptor) -> Platform:
        config = parse_manifest(self.layout.blob(manifest), self._at(manifest)).config
        return platform_of_config(self.layout.blob(config), self._at(config))

    def _blob(self, descriptor: Descriptor) -> Blob:
        return Blob(descriptor=descriptor, open=lambda: self.layout.open_blob(descriptor))

    def _at(self, descriptor: Descriptor) -> Where:
        return Where(file=self.layout.location, subject=f"blob {descriptor.digest}")


def _plain(descriptor: Descriptor) -> Descriptor:
    return Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


def _conflict(before: FoundImage, found: FoundImage) -> Finding:
    return Finding(
        code="image-conflict",
        message=f"`{found.image.reference}` stands for two different images",
        where=found.where,
        expected=f"{before.image.digest}, as at {before.where}",
        got=str(found.image.digest),
        hint="name each reference once, with the content that sites shall get",
    )


def _missing_platforms(found: FoundImage, wanted: Iterable[Platform]) -> Iterator[Finding]:
    have = found.image.platforms
    missing = [platform for platform in wanted if not any(one.serves(platform) for one in have)]
    if missing:
        yield Finding(
            code="platform-missing",
            message=f"`{found.image.reference}` does not exist for {', '.join(map(str, missing))}",
            where=found.where,
            expected=f"an image for {', '.join(map(str, wanted))}, as `spec.platforms` demands",
            got=", ".join(str(platform) for platform in (*have, *found.image.omitted)) or "no platform at all",
            hint="skopeo copy --all docker://REFERENCE oci:DIRECTORY:REFERENCE",
        )
