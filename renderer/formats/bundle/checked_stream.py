"""A blob that hashes itself while it is read, wherever its bytes come from."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.model.bundles.extension import Descriptor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PIECE: Final = 1024 * 1024
"""Bytes that are read at once where nobody asks for less."""


def blob_refused(
    location: str, descriptor: Descriptor, code: str, message: str, *, got: str, hint: str
) -> BundleRefusedError:
    """The error for a blob that is missing, or is not what its descriptor names; to be raised."""
    return BundleRefusedError(
        Finding(
            code=code,
            message=message,
            where=Where(file=location, subject=f"blob {descriptor.digest}"),
            expected=f"{descriptor.digest}, {descriptor.size} bytes",
            got=got,
            hint=hint,
        )
    )


class CheckedStream(io.RawIOBase):
    """The bytes behind a descriptor. Reading the last one raises BundleRefusedError when the digest is wrong.

    `refuse` makes that error of what was got instead. Who fetches the bytes overrides `_some`, and `_into` where bytes
    can be laid into a buffer.
    """

    def __init__(self, descriptor: Descriptor, refuse: Callable[[str], BundleRefusedError]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._refuse = refuse
        self._hash = hashlib.new(descriptor.digest.algorithm)
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, handed on as they came, for every copy costs; all that is left for -1."""
        if size < 0:
            return self.readall()
        wanted = min(size, self._descriptor.size - self._position)
        content = self._some(wanted) if wanted > 0 else b""
        self._take(content, wanted)
        return content

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Like `read`, into `buffer`; the number of bytes."""
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._descriptor.size - self._position)
        count = self._into(view[:wanted]) if wanted > 0 else 0
        self._take(view[:count], wanted)
        return count

    def readall(self) -> bytes:
        """Everything that is left."""
        parts = []
        while part := self.read(PIECE):
            parts.append(part)
        return b"".join(parts)

    def _take(self, content: bytes | memoryview, wanted: int) -> None:
        """Hash what came next."""
        self._hash.update(content)
        self._position += len(content)
        if not content and wanted > 0:
            raise self._refuse(f"{self._position} bytes")
        if content and self._position == self._descriptor.size:
            self._check()

    def _check(self) -> None:
        """Raise BundleRefusedError unless everything has been read and is what the digest names."""
        digest = self._descriptor.digest
        if self._hash.hexdigest() != digest.hex:
            raise self._refuse(f"{digest.algorithm}:{self._hash.hexdigest()}")

    def _some(self, wanted: int) -> bytes:
        """Up to `wanted` bytes from the position on; none at the end of what there is."""
        raise NotImplementedError

    def _into(self, view: memoryview) -> int:
        """Like `_some`, into a buffer."""
        content = self._some(len(view))
        view[: len(content)] = content
        return len(content)
