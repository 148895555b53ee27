"""One image: the manifests for the platforms asked for, what they name, and what speaks of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from renderer.commands.bundle.building.blobs import in_memory
from renderer.commands.bundle.building.places import REFERRERS_LIMIT, ImagePlace, as_referrer
from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    CARRIED,
    IMAGE_CONFIG,
    INDEX_TYPES,
    MANIFEST_TYPES,
    ImageManifest,
    IndexEntry,
    malformed,
    parse_index,
    parse_manifest,
    platform_of_config,
)
from renderer.formats.bundle.remote_source import RemoteName
from renderer.model.bundles.bundle import BundleImage, Referrer, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.ports import Blob
from renderer.structs import Struct, replace

_ATTESTATION: Final = "vnd.docker.reference.type"
_ATTESTED: Final = "vnd.docker.reference.digest"
_CONFIGS: Final = frozenset({IMAGE_CONFIG, "application/vnd.docker.container.image.v1+json"})
_CONFIG_LIMIT: Final = 8 * 2**20


class FoundImage(Struct, frozen=True):
    """An image, the blobs that the bundle carries of it, and where the source speaks of it.

    `remote` is its name in the registry that it lies in; it is not `pinned` when only a tag led to it.
    """

    image: BundleImage
    blobs: tuple[Blob, ...]
    where: Where
    remote: RemoteName | None = None
    pinned: bool = True


def read_image(
    place: ImagePlace, reference: ImageReference, root: Descriptor, platforms: Iterable[Platform], where: Where
) -> FoundImage:
    """The image `root` of `place` with its manifests for `platforms`, as far as there are such.

    BuildKit describes its attestations in the image's own index (`vnd.docker.reference.digest`); they and all other
    referrers come along when what they speak of does. `where` is the field of the document that names the place.
    Raises InputError (`not-an-image`), BundleRefusedError, RemoteError.
    """
    content = replace(root.bare, annotations={CARRIED: "true"})
    taken = _Taken(place)
    omitted: tuple[Platform, ...] = ()
    attestations: tuple[Referrer, ...] = ()
    if content.media_type in INDEX_TYPES:
        entries = parse_index(taken.document(content), taken.at(content))
        chosen, omitted = _for_platforms(taken, entries, platforms)
        attestations = tuple(_attestations(taken, entries, {one.digest for one in chosen.values()}))
    else:
        chosen = {_only_platform(taken, reference, content, where): content.bare}
    for manifest in chosen.values():
        taken.manifest(manifest)
    referrers = _referrers(taken, (content.digest, *(one.digest for one in chosen.values())), attestations)
    image = BundleImage(reference=reference, content=content, platforms=chosen, omitted=omitted, referrers=referrers)
    return FoundImage(image, taken.blobs, where)


class _Taken:
    """What a bundle takes of one image out of a place, each blob once, in the order in which it is asked for."""

    def __init__(self, place: ImagePlace) -> None:
        self.place = place
        self._documents: dict[Digest, bytes | None] = {}
        self._blobs: dict[Digest, Blob] = {}

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return tuple(self._blobs.values())

    def at(self, descriptor: Descriptor) -> Where:
        return Where(file=self.place.location, subject=f"blob {descriptor.digest}")

    def peek(self, descriptor: Descriptor) -> bytes | None:
        """A manifest or index, which is not taken yet; None when the place does not hold it."""
        if descriptor.digest not in self._documents:
            self._documents[descriptor.digest] = self.place.manifest(descriptor.bare)
        return self._documents[descriptor.digest]

    def document(self, descriptor: Descriptor) -> bytes:
        """Take a manifest or an index."""
        content = self.peek(descriptor)
        if content is None:
            raise malformed(self.at(descriptor), f"`{descriptor.digest}` is named, but it is not there")
        self._blobs.setdefault(descriptor.digest, in_memory(descriptor.bare, content))
        return content

    def manifest(self, descriptor: Descriptor) -> ImageManifest:
        """Take a manifest, its config and its layers."""
        manifest = parse_manifest(self.document(descriptor), self.at(descriptor))
        for part in (manifest.config, *manifest.layers):
            if part.digest not in self._blobs:
                self._blobs[part.digest] = self.place.blob(part.bare)
        return manifest

    def platform(self, manifest: ImageManifest) -> Platform | None:
        """The platform that the config of an image names; None when the manifest is something else."""
        config = manifest.config
        if config.media_type not in _CONFIGS:
            return None
        if config.size > _CONFIG_LIMIT:
            raise malformed(self.at(config), f"a config of {config.size} bytes; {_CONFIG_LIMIT} are allowed")
        with self.place.blob(config).open() as stream:
            return platform_of_config(stream.read(), self.at(config))


def _for_platforms(
    taken: _Taken, entries: Iterable[IndexEntry], platforms: Iterable[Platform]
) -> tuple[dict[Platform, Descriptor], tuple[Platform, ...]]:
    """The first manifest of an index for each platform asked for, and the platforms that are left out."""
    listed = list(_listed_platforms(taken, entries))
    chosen: dict[Platform, Descriptor] = {}
    for wanted in platforms:
        for platform, descriptor in listed:
            if platform.serves(wanted) and taken.peek(descriptor) is not None:
                chosen[platform] = descriptor
                break
    return chosen, tuple(sorted({platform for platform, _ in listed} - set(chosen)))


def _listed_platforms(taken: _Taken, entries: Iterable[IndexEntry]) -> Iterator[tuple[Platform, Descriptor]]:
    """The images of an index. Where it does not say for which platform one is, the image itself does."""
    for entry in entries:
        descriptor = entry.descriptor
        if _ATTESTATION in descriptor.annotations or descriptor.media_type not in MANIFEST_TYPES:
            continue
        platform = entry.platform
        if platform is None:
            content = taken.peek(descriptor)
            platform = taken.platform(parse_manifest(content, taken.at(descriptor))) if content else None
        if platform is not None and platform.os != "unknown":
            yield platform, descriptor.bare


def _attestations(taken: _Taken, entries: Iterable[IndexEntry], subjects: set[Digest]) -> Iterator[Referrer]:
    """What BuildKit says, in the index itself, of the manifests that are taken."""
    spelled = {str(digest): digest for digest in subjects}
    for entry in entries:
        descriptor = entry.descriptor
        subject = spelled.get(descriptor.annotations.get(_ATTESTED, ""))
        if subject is not None and descriptor.media_type in MANIFEST_TYPES:
            content = taken.peek(descriptor)
            if content is not None:
                kind = as_referrer(descriptor, parse_manifest(content, taken.at(descriptor)))
                yield Referrer(content=kind, subject=subject, form=ReferrerForm.INDEX)


def _only_platform(taken: _Taken, reference: ImageReference, content: Descriptor, where: Where) -> Platform:
    """The platform of an image without index."""
    platform, got = None, content.media_type
    if content.media_type in MANIFEST_TYPES:
        manifest = parse_manifest(taken.document(content), taken.at(content))
        platform, got = taken.platform(manifest), manifest.config.media_type
    if platform is None:
        raise InputError(
            Finding(
                code="not-an-image",
                message=f"`{reference}` is not an image",
                where=where,
                expected="an OCI or Docker image index or manifest",
                got=f"`{got}`",
            )
        )
    return platform


def _referrers(taken: _Taken, subjects: Iterable[Digest], attestations: Iterable[Referrer]) -> tuple[Referrer, ...]:
    """Take everything that speaks of `subjects`, and of what speaks of them."""
    found: list[Referrer] = []
    waiting = deque(subjects)
    asked = set(waiting)
    fresh = list(attestations)
    while fresh or waiting:
        for referrer in fresh:
            taken.manifest(referrer.content)
            found.append(referrer)
            if len(found) > REFERRERS_LIMIT:
                raise malformed(taken.at(referrer.content), f"an image with more than {REFERRERS_LIMIT} referrers")
            if referrer.content.digest not in asked:
                asked.add(referrer.content.digest)
                waiting.append(referrer.content.digest)
        fresh = list(taken.place.referrers(waiting.popleft())) if waiting else []
    return tuple(sorted(found, key=lambda one: (str(one.subject), one.form.value, one.tag or "", one.content.digest)))
