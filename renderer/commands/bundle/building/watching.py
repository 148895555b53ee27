"""Blobs that tell a person how far they are on their way into a bundle."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from renderer.ports import Blob, Progress

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@contextmanager
def watched(blobs: Iterable[Blob], progress: Progress) -> Iterator[tuple[Blob, ...]]:
    """The same blobs; what is read of them within the block is told to `progress`."""
    blobs = tuple(blobs)
    progress.begin(len(blobs), sum(blob.descriptor.size for blob in blobs))
    try:
        yield tuple(_watched(blob, progress) for blob in blobs)
    finally:
        progress.end()


def _watched(blob: Blob, progress: Progress) -> Blob:
    def open_content() -> BinaryIO:
        progress.sending(str(blob.descriptor.digest), blob.descriptor.size)
        return cast("BinaryIO", _Watched(blob.open(), str(blob.descriptor.digest), progress))

    return Blob(descriptor=blob.descriptor, open=open_content)


class _Watched(io.RawIOBase):
    """A stream that counts what is read of it."""

    def __init__(self, source: BinaryIO, name: str, progress: Progress) -> None:
        super().__init__()
        self._source = source
        self._name = name
        self._progress = progress
        self._position = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        content = self._source.read(size)
        self._position += len(content)
        self._progress.sent(self._name, self._position)
        return content

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._source.close()
            self._progress.done(self._name)
        super().close()
