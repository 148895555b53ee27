"""OCI image layouts, written: as a directory or as a reproducible tar file, all or nothing.

Everything is written beside its destination and moved into place at the end, so that an interrupted run leaves the
old layout or the new one. Big blobs are streamed, never held in memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO, Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.archives import LAYOUT_MEMBERS, header, members
from renderer.formats.bundle.artifact import LAYOUT_FILE
from renderer.model.reference import Digest
from renderer.ports import Blob

_CHUNK: Final = 1024 * 1024
_WRITERS: Final = 4


class FileLayoutWriter:
    """Satisfies `LayoutWriter` below `root`, the working tree that paths are relative to."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, path: str, index: bytes, blobs: Iterable[Blob]) -> None:
        """Write a layout; see `LayoutWriter.create`."""
        target = self._root / path
        self.check(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".tar":
            with _new_tar(target) as archive:
                _add_front(archive, index)
                _add_blobs(archive, blobs, set())
            return
        with _new_directory(target) as directory:
            (directory / "oci-layout").write_bytes(LAYOUT_FILE)
            _write_blobs(directory, blobs)
            (directory / "index.json").write_bytes(index)

    def extend(self, path: str, index: bytes, blobs: Iterable[Blob], drop: Collection[Digest] = ()) -> None:
        """Add blobs to a layout and replace its index; see `LayoutWriter.extend`."""
        target = self._root / path
        if target.is_dir():
            _write_blobs(target, blobs)
            _replace(target / "index.json", index)
            for digest in drop:
                (target / _blob_name(digest)).unlink(missing_ok=True)
            return
        with target.open("rb") as old, _new_tar(target) as archive:
            _add_front(archive, index)
            # What is added comes first: a reader finds signatures without looking through every image.
            written = _add_blobs(archive, blobs, set())
            _copy_members(old, archive, written | {_blob_name(digest) for digest in drop})

    def check(self, path: str) -> None:
        """Refuse to replace what is not an OCI layout."""
        target = self._root / path
        if target.is_symlink():
            got = "a link"
        elif target.is_dir() and target.suffix != ".tar" and not (target / "oci-layout").is_file():
            if not any(target.iterdir()):
                return
            got = "a directory with other files"
        elif target.is_dir() == (target.suffix == ".tar") and target.exists():
            got = "a directory" if target.is_dir() else "a file"
        else:
            return
        raise InputError(
            Finding(
                code="output-not-a-layout",
                message=f"`{path}` is not an OCI layout, so it is not replaced",
                where=Where(file=path),
                expected="a path where nothing is, or a bundle (`FILE.tar`, or a directory) that may be replaced",
                got=got,
                hint="choose another path with -o",
            )
        )


def _blob_name(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


# --- directories -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _new_directory(target: Path) -> Iterator[Path]:
    """A directory that takes the place of `target` when the block ends well."""
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    fresh, old = work / "new", work / "old"
    try:
        fresh.mkdir()
        with _held(work):
            yield fresh
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Tells others that somebody is writing there; the system lets go of it when the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _hold(descriptor)
        yield
    finally:
        os.close(descriptor)


def _hold(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # some file systems know no locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _write_blobs(directory: Path, blobs: Iterable[Blob]) -> None:
    """Write every blob that is not there, a few at a time: one is hashed while another is written or waited for.

    What is written is what its stream gave, and a stream refuses its last byte when the digest is wrong.
    """
    mode, stopped = 0o666 & ~_umask(), threading.Event()

    def write(blob: Blob) -> None:
        path = directory / _blob_name(blob.descriptor.digest)
        if path.is_file() and path.stat().st_size == blob.descriptor.size:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with blob.open() as source, _new_file(path, mode) as target:
            while content := source.read(_CHUNK):
                target.write(content)
                if stopped.is_set():
                    raise InterruptedError

    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="blobs") as pool:
        waiting = [pool.submit(write, blob) for blob in blobs]
        try:
            over, _ = wait(waiting, return_when=FIRST_EXCEPTION)
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
    for one in waiting:
        if one in over:
            one.result()


def _replace(path: Path, content: bytes) -> None:
    with _new_file(path, 0o666 & ~_umask()) as target:
        target.write(content)


@contextlib.contextmanager
def _new_file(target: Path, mode: int) -> Iterator[BinaryIO]:
    """A file that takes the place of `target` when the block ends well."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name[:16]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _hold(stream.fileno())
            yield stream
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException as error:
        Path(name).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(target)  # what could not be written; the system does not say
        raise


def _umask() -> int:
    """The process's umask; it can only be read by setting it, so threads must not ask for it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# --- tar files ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _new_tar(target: Path) -> Iterator[tarfile.TarFile]:
    with (
        _new_file(target, 0o666 & ~_umask()) as stream,
        # GNU's form says sizes above 8 GiB; all names are short, so that no extended headers are needed.
        tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, copybufsize=_CHUNK) as archive,
    ):
        yield archive


def _add_front(archive: tarfile.TarFile, index: bytes) -> None:
    for name, content in (("oci-layout", LAYOUT_FILE), ("index.json", index)):
        archive.addfile(header(name, len(content)), io.BytesIO(content))


def _add_blobs(archive: tarfile.TarFile, blobs: Iterable[Blob], written: set[str]) -> set[str]:
    """Write each blob that is not in `written`; returns the names of all."""
    for blob in blobs:
        name = _blob_name(blob.descriptor.digest)
        if name in written:
            continue
        written.add(name)
        with blob.open() as source:
            archive.addfile(header(name, blob.descriptor.size), cast("BinaryIO", _Filled(source)))
            source.read(1)  # lets a checked stream see its end
    return written


class _Filled:
    """Reads as much as it is asked for, which `tarfile` relies on; a registry's stream may give less at a time."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer at the end only."""
        content = self._source.read(size)
        while len(content) < size and (more := self._source.read(size - len(content))):
            content += more
        return content


def _copy_members(old: BinaryIO, archive: tarfile.TarFile, without: set[str]) -> None:
    """Copy the blobs of an old tar file that are not in `without`."""
    found = [(name, member.offset_data, member.size) for name, member in members(old, limit=LAYOUT_MEMBERS)]
    for name, offset, size in found:
        if name.startswith("blobs/") and name not in without:
            old.seek(offset)
            archive.addfile(header(name, size), old)
