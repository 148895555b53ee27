"""Content by digest in a directory of this machine: what was fetched from registries, so that it is fetched once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from pathlib import Path
from typing import Final

from renderer.model.reference import Digest

LIMIT: Final = 1024**3
_SPARE: Final = 0.8


class ContentCache:
    """Satisfies `renderer.ports.Cache` below `directory`, with at most about `limit` bytes of content.

    What is read is hashed: a file that was changed counts as missing. Several processes may use one directory. When it
    cannot be written, nothing is kept.
    """

    def __init__(self, directory: Path, *, limit: int = LIMIT) -> None:
        self._blobs = directory / "blobs"
        self._indexes = directory / "indexes"
        self._limit = limit
        self._size: int | None = None
        self._lock = threading.Lock()

    def get(self, digest: Digest) -> bytes | None:
        """The content of this digest, or None; it counts as used now."""
        place = self._blobs / digest.algorithm / digest.hex
        try:
            content = place.read_bytes()
        except OSError:
            return None
        if hashlib.new(digest.algorithm, content).hexdigest() != digest.hex:
            with contextlib.suppress(OSError):
                place.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(place)
        return content

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep content under its digest."""
        place = self._blobs / digest.algorithm / digest.hex
        if len(content) > self._limit or place.exists() or not _written(place, content):
            return
        with self._lock:
            self._size = self._measured() if self._size is None else self._size + len(content)
            if self._size > self._limit:
                self._shrink()

    def recall(self, bundle: Digest) -> bytes | None:
        """The index that was noted of a bundle, or None."""
        try:
            return (self._indexes / f"{bundle.algorithm}-{bundle.hex}.json").read_bytes()
        except OSError:
            return None

    def note(self, bundle: Digest, index: bytes) -> None:
        """Note the index of a bundle in place of the one before."""
        _written(self._indexes / f"{bundle.algorithm}-{bundle.hex}.json", index)

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each content was used last, its size, its place."""
        found = []
        for place in self._blobs.glob("*/*"):
            with contextlib.suppress(OSError):
                status = place.stat()
                found.append((status.st_mtime, status.st_size, place))
        return found

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _shrink(self) -> None:
        """Remove what was not used for longest, until there is some room."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, place in files:
            if total <= self._limit * _SPARE:
                break
            with contextlib.suppress(OSError):
                place.unlink()
            total -= size
        self._size = total


def _written(place: Path, content: bytes) -> bool:
    """Write a file at once, whole, for its owner only; False when that is not possible."""
    beside = place.with_name(f".{place.name[:40]}.{os.urandom(6).hex()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        beside.replace(place)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        return False
    return True
