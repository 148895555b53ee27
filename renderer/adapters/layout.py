"""OCI image layouts (image-layout.md), read as directories and as tar files.

Nothing is trusted: every blob is checked against its descriptor, links are refused, and a tar file is read where it
lies, without unpacking it. `layout_writer` writes them.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.archives import ArchiveError, members
from renderer.formats.bundle.artifact import INDEX_LIMIT
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Layout

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK: Final = 1024 * 1024
_MEMORY_LIMIT: Final = 256 * 2**20
_MEMBER_LIMIT: Final = 500_000
_COPY_AGAIN: Final = "copy the bundle again from where it was published"


def open_layout(path: Path, location: str) -> Layout:
    """The OCI layout at `path`, called `location` in messages.

    Raises InputError: `bundle-not-found` when nothing is there, `not-a-layout` when it is something else.
    """
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise InputError(_no_layout(location, "a directory without `index.json`"))
        return DirectoryLayout(path, location)
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(2) == b"\x1f\x8b":
                raise InputError(_no_layout(location, "a gzip file", hint=f"gunzip {location}"))
        return TarLayout(path, location)
    raise InputError(
        Finding(
            code="bundle-not-found",
            message=f"there is no bundle at `{location}`",
            where=Where(file=location),
            expected="a directory or a tar file that holds an OCI image layout",
            hint=f"sitewright bundle build bundle.yaml -o {location}",
        )
    )


def _no_layout(location: str, got: str, hint: str = "sitewright bundle build bundle.yaml -o DIR") -> Finding:
    return Finding(
        code="not-a-layout",
        message=f"`{location}` is not an OCI image layout",
        where=Where(file=location),
        expected="a directory or an uncompressed tar file with `oci-layout`, `index.json` and `blobs/`",
        got=got,
        hint=hint,
    )


class _Extent:
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

    def __init__(self, extent: _Extent, digest: Digest, refuse: Callable[[str], BundleRefusedError]) -> None:
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


class _CheckedLayout:
    """What directories and tar files have in common."""

    def __init__(self, location: str) -> None:
        self._location = location

    def _find(self, name: str) -> _Extent | None:
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
            raise InputError(_no_layout(self._location, "no `index.json`"))
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
                hint=_COPY_AGAIN,
            )
        )


class DirectoryLayout(_CheckedLayout):
    """An OCI layout as a directory. Links are not followed, wherever they stand below it."""

    def __init__(self, root: Path, location: str) -> None:
        super().__init__(location)
        self._root = root

    def digests(self) -> tuple[Digest, ...]:
        """The names of all blobs, sorted."""
        found = []
        for algorithm in ("sha256", "sha512"):
            directory = self._root / "blobs" / algorithm
            if directory.is_dir() and not directory.is_symlink():
                found += [_digest_of(f"{algorithm}:{entry.name}") for entry in os.scandir(directory)]
        return tuple(sorted(digest for digest in found if digest is not None))

    def order(self) -> tuple[Digest, ...]:
        """Nothing: a directory keeps no order."""
        return ()

    def _find(self, name: str) -> _Extent | None:
        *directories, last = name.split("/")
        opened = [os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)]
        try:
            for directory in directories:
                opened.append(os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1])
        except FileNotFoundError:
            return None
        except OSError as error:  # ELOOP and ENOTDIR: a link; EACCES and the like
            raise self._unreadable(name, error.strerror or str(error)) from error
        finally:
            for directory_descriptor in opened:
                os.close(directory_descriptor)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise self._unreadable(name, "not a regular file")
        return _Extent(descriptor, 0, status.st_size, lambda: os.close(descriptor))

    def _unreadable(self, name: str, why: str) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="blob-unreadable",
                message=f"`{name}` cannot be read: {why}",
                where=Where(file=self._location, subject=name),
                expected="a regular file that may be read; links are not followed",
                hint=_COPY_AGAIN,
            )
        )


class TarLayout(_CheckedLayout):
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
            (name, member.offset_data, member.size) for name, member in members(stream, limit=_MEMBER_LIMIT)
        )

    def digests(self) -> tuple[Digest, ...]:
        """The names of all blobs, sorted. Looks through the whole file, so that every hostile member is found."""
        return tuple(sorted(self.order()))

    def order(self) -> tuple[Digest, ...]:
        """The names of all blobs as they lie in the file."""
        self._find("")
        found = (_digest_of(name.removeprefix("blobs/").replace("/", ":", 1)) for name in self._known)
        return tuple(digest for digest in found if digest is not None)

    def _find(self, name: str) -> _Extent | None:
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
        return _Extent(self._descriptor, offset, size, lambda: None)

    def _hostile(self, error: ArchiveError) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="archive-refused",
                message=f"the tar file cannot be used: {error}",
                where=Where(file=self._location),
                expected="an uncompressed tar file of regular files below its root, each of them once",
                hint=_COPY_AGAIN,
            )
        )


def _digest_of(text: str) -> Digest | None:
    try:
        return Digest.parse(text)
    except ValueError:
        return None
