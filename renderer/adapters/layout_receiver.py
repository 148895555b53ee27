"""A layout on its way to a path of this machine. What an interrupted run got is kept beside it and taken up.

Blobs arrive in the directory `.NAME.partial` next to the path, each as `<hex>.part` until its last byte has been
checked. At the end the directory takes the place of the path, or a tar file is written from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Self

from renderer.errors import BundleRefusedError, Finding, InputError, Where, when_full
from renderer.formats.bundle.artifact import LAYOUT_FILE
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Blob, BundleSource, LayoutWriter

_CHUNK: Final = 1024 * 1024
_SMALL: Final = 4 * 2**20
"""What is not larger starts over: manifests, and what costs little."""


class LayoutReceiver:
    """Satisfies `IncomingLayout` for `target`; use it as a context, for only one may work at a path.

    `location` is the target as the user named it, and what `writer` is told. `earlier` is an older layout,
    such as the one that stands there now: blobs that it holds are taken from it.
    """

    def __init__(self, target: Path, location: str, writer: LayoutWriter, earlier: BundleSource | None) -> None:
        self._target = target
        self._location = location
        self._writer = writer
        self._earlier = earlier
        self._partial = target.with_name(f".{target.name}.partial")
        self._whole: set[Digest] = set()
        self._lock = threading.Lock()
        self._held: int | None = None

    def __enter__(self) -> Self:
        with self._told():
            self._partial.mkdir(parents=True, exist_ok=True)
            self._held = os.open(self._partial, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._release()
                raise InputError(self._busy()) from None
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what has arrived stays
            self._partial.rmdir()
        self._release()

    def blob(self, descriptor: Descriptor) -> bytes:
        """The checked bytes of a blob that is here."""
        content = self._place(descriptor.digest).read_bytes()
        if hashlib.new(descriptor.digest.algorithm, content).hexdigest() != descriptor.digest.hex:
            raise self._damaged(descriptor)
        return content

    def holds(self, descriptor: Descriptor) -> bool:
        """Whether a blob is here whole; one of the earlier layout is copied, or linked at the target."""
        if descriptor.digest in self._whole:
            return True
        place = self._place(descriptor.digest)
        with self._told():
            found = place.is_file() and _is_whole(place, descriptor)
            if not found and self._earlier is not None:
                found = self._taken_over(descriptor, place)
        if found:
            with self._lock:
                self._whole.add(descriptor.digest)
        return found

    def receive(
        self, descriptor: Descriptor, fetch: Callable[[BinaryIO | None], BinaryIO], on_progress: Callable[[int], None]
    ) -> None:
        """Get a blob. A small one, or one of which damaged bytes were here, is fetched from the start."""
        place = self._place(descriptor.digest)
        part = place.with_suffix(".part")
        with self._told():
            place.parent.mkdir(parents=True, exist_ok=True)
            begun = descriptor.size > _SMALL and part.exists() and 0 < part.stat().st_size <= descriptor.size
            try:
                self._append(part, fetch, on_progress, begun=begun)
            except BundleRefusedError:
                part.unlink(missing_ok=True)
                if not begun:
                    raise
                self._append(part, fetch, on_progress, begun=False)
            part.replace(place)
        with self._lock:
            self._whole.add(descriptor.digest)

    def finish(self, index: bytes, blobs: Iterable[Descriptor]) -> None:
        """Let the layout take the place of what stands at the target."""
        wanted = {blob.digest: blob for blob in blobs}
        if self._target.suffix == ".tar":
            self._writer.create(
                self._location, index, [Blob(descriptor=one, open=self._opener(one)) for one in wanted.values()]
            )
            shutil.rmtree(self._partial, ignore_errors=True)
            return
        self._writer.check(self._location)
        with self._told():
            self._tidy(wanted.keys())
            (self._partial / "oci-layout").write_bytes(LAYOUT_FILE)
            (self._partial / "index.json").write_bytes(index)
            old = self._target.with_name(f".{self._target.name}.replaced")
            shutil.rmtree(old, ignore_errors=True)
            if self._target.exists():
                self._target.rename(old)
            self._partial.rename(self._target)
            shutil.rmtree(old, ignore_errors=True)

    def _append(
        self,
        part: Path,
        fetch: Callable[[BinaryIO | None], BinaryIO],
        on_progress: Callable[[int], None],
        *,
        begun: bool,
    ) -> None:
        with part.open("r+b" if begun else "wb") as file, fetch(file if begun else None) as stream:
            position = file.seek(0, os.SEEK_END)
            while piece := stream.read(_CHUNK):
                file.write(piece)
                position += len(piece)
                on_progress(position)

    def _taken_over(self, descriptor: Descriptor, place: Path) -> bool:
        """Whether the layout at the target has the blob; it is linked where it lies in a file of its own."""
        place.parent.mkdir(parents=True, exist_ok=True)
        standing = self._target / "blobs" / descriptor.digest.algorithm / descriptor.digest.hex
        if standing.is_file() and not standing.is_symlink():
            if not _is_whole(standing, descriptor):
                return False
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)
                place.hardlink_to(standing)
                return True
        if self._earlier is None:
            return False
        part = place.with_suffix(".copy")
        try:
            with self._earlier.open_blob(descriptor) as source, part.open("wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
        except BundleRefusedError:
            part.unlink(missing_ok=True)
            return False
        part.replace(place)
        return True

    def _tidy(self, wanted: Iterable[Digest]) -> None:
        """Remove what earlier runs got for another bundle."""
        kept = {(digest.algorithm, digest.hex) for digest in wanted}
        for file in self._partial.glob("blobs/*/*"):
            if (file.parent.name, file.name) not in kept:
                file.unlink()

    def _opener(self, descriptor: Descriptor) -> Callable[[], BinaryIO]:
        place = self._place(descriptor.digest)
        return lambda: place.open("rb")

    def _place(self, digest: Digest) -> Path:
        return self._partial / "blobs" / digest.algorithm / digest.hex

    def _release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the system refuses, told as a fault of the target."""
        try:
            yield
        except OSError as error:
            raise InputError(
                Finding(
                    code="cannot-write",
                    message=f"`{self._location}`: {error.strerror or error}",
                    where=Where(file=self._location),
                    hint=f"{helps}; what has arrived is kept" if (helps := when_full(error)) else None,
                )
            ) from error

    def _busy(self) -> Finding:
        return Finding(
            code="output-busy",
            message=f"another process is writing `{self._location}`",
            where=Where(file=self._location),
            expected="one process at a time",
            hint="wait for it to end, or choose another path with -o",
        )

    def _damaged(self, descriptor: Descriptor) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="blob-digest-mismatch",
                message=f"the blob `{descriptor.digest}` does not hold what it is named after",
                where=Where(file=self._location, subject=f"blob {descriptor.digest}"),
                hint="run the same command again",
            )
        )


def _is_whole(place: Path, descriptor: Descriptor) -> bool:
    if place.stat().st_size != descriptor.size:
        return False
    found = hashlib.new(descriptor.digest.algorithm)
    with place.open("rb") as file:
        while piece := file.read(_CHUNK):
            found.update(piece)
    return found.hexdigest() == descriptor.digest.hex
