"""What all readers of OCI image layouts share: no blob is given out that is not what its digest says."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import INDEX_LIMIT
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK: Final = 1024 * 1024
_MEMORY_LIMIT: Final = 256 * 2**20
COPY_AGAIN: Final = "copy the bundle again from where it was published"


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


class _CheckedStream(io.RawIOBase):
    """A blob that hashes itself while it is read, and refuses to give its last byte when the digest is wrong."""

    def __init__(self, extent: Extent, digest: Digest, refuse: Callable[[str], BundleRefusedError]) -> None:
        super().__init__()
        self._extent = extent
        self._digest = digest
        self._refuse = refuse
        self._hash = hashlib.new(digest.algorithm)
        self._position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, handed on as they were read: blobs are large, and every copy costs."""
        if size < 0:
            return self.readall()
        content = self._extent.read(self._position, size)
        self._hash.update(content)
        self._position += len(content)
        if not content and size and self._position < self._extent.size:
            raise self._refuse(f"the file ends after {self._position} bytes")
        if self._position == self._extent.size and self._hash.hexdigest() != self._digest.hex:
            raise self._refuse(f"{self._digest.algorithm}:{self._hash.hexdigest()}")
        return content

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        parts = []
        while part := self.read(_CHUNK):
            parts.append(part)
        return b"".join(parts)

    def close(self) -> None:
        if not self.closed:
            self._extent.close()
        super().close()


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
        return cast("BinaryIO", _CheckedStream(extent, digest, refuse))

    def _mismatch(self, descriptor: Descriptor) -> Callable[[str], BundleRefusedError]:
        message = f"the blob `{descriptor.digest}` does not hold what it is named after"
        return lambda got: self._refusal(descriptor, "blob-digest-mismatch", message, got)

    def _refusal(self, descriptor: Descriptor, code: str, message: str, got: str) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code=code,
                message=message,
                where=Where(file=self._location, subject=f"blob {descriptor.digest}"),
                expected=f"{descriptor.digest}, {descriptor.size} bytes",
                got=got,
                hint=COPY_AGAIN,
            )
        )


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


def digest_of(text: str) -> Digest | None:
    """The digest that `text` spells, or None."""
    try:
        return Digest.parse(text)
    except ValueError:
        return None
