"""What `docker save`, `podman save` and `skopeo copy … docker-archive:` write, read as an OCI layout.

The format is Docker's (https://github.com/moby/docker-image-spec, "Combined Image JSON + Filesystem Changeset Format"):
`manifest.json` names the config, the layers and the tags of each image. Config and layers are kept byte for byte, so
the image ID stays what it was. Manifests, which such an archive does not have, are made here: the same archive gives
the same digests everywhere, but not those that a registry has for the image.
"""

from __future__ import annotations

import hashlib
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from renderer.adapters.layout.checked import CheckedLayout, Extent
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.archives import LAYOUT_MEMBERS, ArchiveError, members
from renderer.formats.bundle.artifact import (
    IMAGE_CONFIG,
    IMAGE_MANIFEST,
    MANIFEST_LIMIT,
    REF_NAME,
    ImageManifest,
    describe,
    index_content,
)
from renderer.formats.canonical_json import parse_json
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import FieldError, Fields, spell_path
from renderer.model.reference import Digest, ImageReference

_LINK_LIMIT: Final = 8
_CONFIG_LIMIT: Final = 8 * 2**20
_CHUNK: Final = 1024 * 1024
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_COMPRESSED: Final = {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}
_LIST: Final = "manifest.json"


class DockerArchive(CheckedLayout):
    """The images of a docker archive. It is looked through when something is first asked for.

    Layers lie uncompressed in most of these archives and stay so; the digests of such are those of their config. A
    compressed layer is hashed once more, to learn its name.
    """

    def __init__(self, path: Path, location: str) -> None:
        super().__init__(location)
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._lock = threading.Lock()
        self._index: bytes | None = None
        self._files: dict[str, Extent] = {}
        self._links: dict[str, str] = {}
        self._blobs: dict[str, Extent] = {}

    def index(self) -> bytes:
        """An `index.json` for the archive, with an entry for every tag. Raises BundleRefusedError."""
        with self._lock:
            if self._index is None:
                try:
                    self._look_through()
                    self._index = index_content(self._images())
                except FieldError as error:
                    raise self._refused(error.message, _LIST, spell_path(error.path)) from error
                except ValueError as error:
                    raise self._refused(str(error)) from error
            return self._index

    def _find(self, name: str) -> Extent | None:
        self.index()
        return self._blobs.get(name)

    def _look_through(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as stream:
            for name, member in members(stream, limit=LAYOUT_MEMBERS, links=self._links):
                self._files[name] = Extent(self._descriptor, member.offset_data, member.size, _stays_open)

    def _images(self) -> Iterator[Descriptor]:
        """The entries of the index. Raises ValueError with what is wrong."""
        listed = Fields.of({_LIST: parse_json(self._small(_LIST, MANIFEST_LIMIT), limit=MANIFEST_LIMIT)})
        for image in listed.children(_LIST):
            content = self._small(image.text("Config"), _CONFIG_LIMIT)
            config = self._made(content, IMAGE_CONFIG)
            diffs = Fields.of(parse_json(content, limit=_CONFIG_LIMIT)).child("rootfs").texts("diff_ids")
            paths = image.texts("Layers")
            if len(diffs) != len(paths):
                raise ValueError(f"`{config.digest}` speaks of {len(diffs)} layers, `{_LIST}` of {len(paths)}")
            layers = tuple(self._layer(path, Digest.parse(diff)) for path, diff in zip(paths, diffs, strict=True))
            manifest = self._made(ImageManifest(config=config, layers=layers).content(), IMAGE_MANIFEST)
            for name in image.texts("RepoTags") or ("",):
                yield Descriptor(
                    media_type=manifest.media_type,
                    digest=manifest.digest,
                    size=manifest.size,
                    annotations={REF_NAME: str(ImageReference.parse(name))} if name else {},
                )

    def _layer(self, path: str, uncompressed: Digest) -> Descriptor:
        """A layer; its bytes are checked when they are read."""
        extent = self._file(path)
        ending = _COMPRESSED.get(extent.read(0, 2), "")
        digest = _hashed(extent) if ending else uncompressed
        self._blobs[f"blobs/{digest.algorithm}/{digest.hex}"] = extent
        return Descriptor(media_type=_LAYER + ending, digest=digest, size=extent.size)

    def _made(self, content: bytes, media_type: str) -> Descriptor:
        """A blob that is held in memory."""
        descriptor = describe(content, media_type)
        self._blobs[f"blobs/sha256/{descriptor.digest.hex}"] = _Held(content)
        return descriptor

    def _small(self, path: str, limit: int) -> bytes:
        extent = self._file(path)
        if extent.size > limit:
            raise ValueError(f"`{path}` has {extent.size} bytes; {limit} are allowed")
        return extent.read(0, extent.size)

    def _file(self, path: str) -> Extent:
        """The file at `path`; older archives say with a link that a layer came up before."""
        step = path
        for _ in range(_LINK_LIMIT):
            if step in self._files:
                return self._files[step]
            step = self._links.get(step, "")
        raise ValueError(f"`{path}` is not in the archive")

    def _refused(self, message: str, subject: str | None = None, path: str | None = None) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="archive-refused",
                message=f"the docker archive cannot be used: {message}",
                where=Where(file=self.location, subject=subject, path=path or None),
                expected="an uncompressed tar file as `docker save` and `podman save` write it",
                hint="skopeo copy docker-archive:FILE oci:images:REFERENCE",
            )
        )


class _Held(Extent):
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        super().__init__(-1, 0, len(content), _stays_open)
        self._content = content

    def read(self, position: int, length: int) -> bytes:
        """Up to `length` bytes from `position`."""
        return self._content[position : position + length]

    def readinto(self, position: int, view: memoryview) -> int:
        """The same, into a buffer."""
        content = self.read(position, len(view))
        view[: len(content)] = content
        return len(content)


def is_docker_archive(stream: BinaryIO) -> bool:
    """True for a tar file with a `manifest.json` and no `index.json`; newer archives of Docker are OCI layouts, too."""
    try:
        names = {name for name, _ in members(stream, limit=LAYOUT_MEMBERS, links={}) if "/" not in name}
    except ArchiveError:
        return False
    return _LIST in names and "index.json" not in names


def _hashed(extent: Extent) -> Digest:
    found = hashlib.sha256()
    for position in range(0, extent.size, _CHUNK):
        found.update(extent.read(position, _CHUNK))
    return Digest("sha256", found.hexdigest())


def _stays_open() -> None:
    """The archive is closed with its last reader."""
