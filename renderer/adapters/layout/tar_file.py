"""An OCI layout as a tar file, read where it lies."""

from __future__ import annotations

import io
import os
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

from renderer.adapters.layout.checked import CheckedLayout, Extent, blob_at, is_stranger
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.archives import LAYOUT_MEMBERS, ArchiveError, members
from renderer.formats.bundle.artifact import COPY_AGAIN
from renderer.model.reference import Digest


class TarLayout(CheckedLayout):
    """An OCI layout as an uncompressed tar file.

    Its members are looked through once and only as far as needed; bundles put what a render needs first. Finding one
    of 3,000 members costs about 60 ms when it is the last, and nothing the second time.
    """

    def __init__(self, path: Path, location: str) -> None:
        super().__init__(location)
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._known: dict[str, tuple[int, int]] = {}
        self._damage: ArchiveError | None = None
        self._lock = threading.Lock()
        stream = io.BufferedReader(io.FileIO(self._descriptor, closefd=False), 64 * 1024)
        self._unread: Iterator[tuple[str, int, int]] | None = (
            (name, member.offset_data, member.size)
            for name, member in members(stream, limit=LAYOUT_MEMBERS, strict=True)
        )

    def digests(self) -> tuple[Digest, ...]:
        """The names of all blobs, sorted. Looks through the whole file, so that every hostile member is found."""
        return tuple(sorted(self.order()))

    def order(self) -> tuple[Digest, ...]:
        """The names of all blobs as they lie in the file."""
        self._find("")
        return tuple(digest for digest in map(blob_at, self._known) if digest is not None)

    def strangers(self) -> tuple[str, ...]:
        """The members that are no files of a layout, sorted."""
        self._find("")
        return tuple(sorted(filter(is_stranger, self._known)))

    def _find(self, name: str) -> Extent | None:
        with self._lock:
            while name not in self._known:
                following = None
                try:
                    following = next(self._unread, None) if self._unread is not None else None
                except ArchiveError as error:
                    self._damage = error
                if self._damage is not None:
                    raise self._hostile(self._damage)
                if following is None:
                    self._unread = None
                    return None
                self._known[following[0]] = following[1:]
            offset, size = self._known[name]
        return Extent(self._descriptor, offset, size, lambda: None)

    def _hostile(self, error: ArchiveError) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="archive-refused",
                message=f"the tar file cannot be used: {error}",
                where=Where(file=self._location),
                expected="an uncompressed tar file of regular files below its root, each of them once",
                hint=COPY_AGAIN,
            )
        )
