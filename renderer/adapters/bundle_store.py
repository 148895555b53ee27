"""A directory of bundles on this machine: what a platform team keeps, and cleans up."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.ports import Layout, StoredLayout

_ENTRY_LIMIT: Final = 10_000


class DirectoryStore:
    """Satisfies `renderer.ports.BundleStore`. `open_layout` reads the layout at a path; links are left alone."""

    def __init__(self, root: Path, location: str, open_layout: Callable[[Path, str], Layout]) -> None:
        self._root = root
        self._location = location
        self._open_layout = open_layout

    @property
    def location(self) -> str:
        """The directory as the user named it."""
        return self._location

    def layouts(self) -> tuple[StoredLayout, ...]:
        """The tar files and OCI layouts of the directory, and unfinished ones beside them, by path."""
        try:
            entries = sorted(os.scandir(self._root), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(
                Finding(
                    code="no-store",
                    message=f"`{self._location}` cannot be listed: {error.strerror}",
                    where=Where(file=self._location),
                    expected="a directory that holds bundles",
                    hint="sitewright bundle list DIR",
                )
            ) from error
        found = [self._layout(entry) for entry in entries[:_ENTRY_LIMIT]]
        return tuple(layout for layout in found if layout is not None)

    def open(self, layout: StoredLayout) -> Layout:
        """Read a layout where it lies."""
        return self._open_layout(self._place(layout), layout.path)

    def remove(self, layout: StoredLayout) -> None:
        """Delete a layout. A directory is moved aside first: an interrupted removal leaves no half of a bundle."""
        place = self._place(layout)
        try:
            if place.is_dir():
                aside = place if layout.unfinished else place.with_name(f".{place.name}.removed")
                if aside != place:
                    place.rename(aside)
                shutil.rmtree(aside)
            else:
                place.unlink()
        except OSError as error:
            raise InputError(
                Finding(
                    code="cannot-remove",
                    message=f"`{layout.path}` cannot be removed: {error.strerror}",
                    where=Where(file=layout.path),
                    hint="see who may write there",
                )
            ) from error

    def _place(self, layout: StoredLayout) -> Path:
        return self._root / Path(layout.path).name

    def _layout(self, entry: os.DirEntry[str]) -> StoredLayout | None:
        """What a directory entry is, when it is a layout. What writers leave behind starts with a dot."""
        if entry.is_symlink():
            return None
        place, hidden = Path(entry.path), entry.name.startswith(".")
        if entry.is_file() and (entry.name.endswith(".tar") or (hidden and ".tar." in entry.name)):
            size = entry.stat().st_size
        elif entry.is_dir() and _is_layout(place, hidden=hidden):
            size = sum(file.lstat().st_size for file in place.rglob("*") if file.is_file() and not file.is_symlink())
        else:
            return None
        path = os.path.join(self._location, entry.name)  # noqa: PTH118 - as typed
        return StoredLayout(path=path, size=size, unfinished=hidden, busy=hidden and _is_held(place))


def _is_layout(place: Path, *, hidden: bool) -> bool:
    """Whether a directory is a layout, or (hidden) holds one that was being written or removed."""
    places = (place, place / "new", place / "old") if hidden else (place,)
    return any((one / "oci-layout").is_file() or (one / "blobs").is_dir() for one in places)


def _is_held(place: Path) -> bool:
    """Whether a process writes there: writers of layouts hold a lock until they end, however they end."""
    descriptor = os.open(place, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:  # some file systems know no locks
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return False
