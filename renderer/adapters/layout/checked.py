"""What all readers of OCI image layouts share: no blob is given out that is not what its digest says."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import COPY_AGAIN, INDEX_LIMIT
from renderer.formats.bundle.checked_stream import CheckedStream, blob_refused
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest

_MEMORY_LIMIT: Final = 256 * 2**20
_MARKER_LIMIT: Final = 1024


class Extent:
    """A run of bytes in an open file; `close` is called when it is done with."""

    __slots__ = ("close", "descriptor", "offset", "size")

    def __init__(self, descriptor: int, offset: int, size: int, close: Callable[[], None]) -> None:
        self.descriptor = descriptor
        self.offset = offset
        self.size = size
        self.close = close

    def read(self, position: int, length: int) -> bytes:
        """Up to `length` bytes from `position`; safe in several threads at once."""
        return os.pread(self.descriptor, min(length, self.size - position), self.offset + position)

    def readinto(self, position: int, view: memoryview) -> int:
        """Like `read`, into a buffer, which must not be longer than what is left."""
        return os.preadv(self.descriptor, [view], self.offset + position)


class _FileStream(CheckedStream):
    """A blob out of a file."""

    def __init__(self, extent: Extent, descriptor: Descriptor, refuse: Callable[[str], BundleRefusedError]) -> None:
        super().__init__(descriptor, refuse)
        self._extent = extent

    def close(self) -> None:
        """Give the file back."""
        if not self.closed:
            self._extent.close()
        super().close()

    def _some(self, wanted: int) -> bytes:
        return self._extent.read(self._position, wanted)

    def _into(self, view: memoryview) -> int:
        return self._extent.readinto(self._position, view)


class CheckedLayout:
    """What directories and tar files have in common."""

    def __init__(self, location: str) -> None:
        self._location = location

    def _find(self, name: str) -> Extent | None:
        """The file of the layout at `name` (`blobs/sha256/…`), or None. Raises BundleRefusedError."""
        raise NotImplementedError

    @property
    def location(self) -> str:
        """The layout as the user named it."""
        return self._location

    def index(self) -> bytes:
        """The bytes of `index.json`, at most 4 MiB, not trusted. Raises BundleRefusedError, InputError."""
        extent = self._find("index.json")
        if extent is None:
            raise InputError(no_layout(self._location, "no `index.json`"))
        try:
            if extent.size > INDEX_LIMIT:
                message = f"`index.json` has {extent.size} bytes; {INDEX_LIMIT} are allowed"
                raise BundleRefusedError(
                    Finding(code="bundle-malformed", message=message, where=Where(file=self._location))
                )
            return extent.read(0, extent.size)
        finally:
            extent.close()

    def full_index(self, *, fresh: bool = False) -> bytes:  # noqa: ARG002 - a layout remembers no answers
        """The same: a layout lists everything."""
        return self.index()

    def marker(self) -> bytes:
        """The bytes of `oci-layout`, at most 1 KiB, not trusted; none when it is not there."""
        extent = self._find("oci-layout")
        if extent is None:
            return b""
        try:
            return extent.read(0, min(extent.size, _MARKER_LIMIT))
        finally:
            extent.close()

    def blob(self, descriptor: Descriptor) -> bytes:
        """The checked bytes behind a descriptor, at most 256 MiB. Raises BundleRefusedError."""
        if descriptor.size > _MEMORY_LIMIT:
            raise self._refusal(
                descriptor, "blob-too-large", "a blob that must be held in memory is too large", str(descriptor.size)
            )
        with self.open_blob(descriptor) as stream:
            return stream.read()

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes as a stream; reading the last one raises BundleRefusedError when the digest is wrong."""
        digest = descriptor.digest
        extent = self._find(f"blobs/{digest.algorithm}/{digest.hex}")
        if extent is None:
            raise self._refusal(descriptor, "blob-missing", f"the blob `{digest}` is not in the bundle", "nothing")
        refuse = self._mismatch(descriptor)
        if extent.size != descriptor.size:
            extent.close()
            raise refuse(f"{extent.size} bytes")
        if descriptor.size == 0 and hashlib.new(digest.algorithm).hexdigest() != digest.hex:
            extent.close()
            raise refuse("0 bytes")
        return cast("BinaryIO", _FileStream(extent, descriptor, refuse))

    def _mismatch(self, descriptor: Descriptor) -> Callable[[str], BundleRefusedError]:
        message = f"the blob `{descriptor.digest}` does not hold what it is named after"
        return lambda got: self._refusal(descriptor, "blob-digest-mismatch", message, got)

    def _refusal(self, descriptor: Descriptor, code: str, message: str, got: str) -> BundleRefusedError:
        return blob_refused(self._location, descriptor, code, message, got=got, hint=COPY_AGAIN)


def no_layout(location: str, got: str, hint: str = "sitewright bundle build bundle.yaml -o DIR") -> Finding:
    """What to say of a place that is no OCI layout."""
    return Finding(
        code="not-a-layout",
        message=f"`{location}` is not an OCI image layout",
        where=Where(file=location),
        expected="a directory or an uncompressed tar file with `oci-layout`, `index.json` and `blobs/`",
        got=got,
        hint=hint,
    )


def blob_at(path: str) -> Digest | None:
    """The digest of the blob that lies at `path` in a layout (`blobs/sha256/…`), or None."""
    if not path.startswith("blobs/"):
        return None
    try:
        return Digest.parse(path.removeprefix("blobs/").replace("/", ":", 1))
    except ValueError:
        return None


def is_stranger(path: str) -> bool:
    """True for a file that does not belong into a layout."""
    return path not in {"oci-layout", "index.json"} and blob_at(path) is None
