"""An OCI layout as a directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from renderer.adapters.layout.checked import CheckedLayout, Extent, blob_at, is_stranger
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import COPY_AGAIN
from renderer.model.reference import Digest


class DirectoryLayout(CheckedLayout):
    """An OCI layout as a directory. Links are not followed, wherever they stand below it."""

    def __init__(self, root: Path, location: str) -> None:
        super().__init__(location)
        self._root = root

    def digests(self) -> tuple[Digest, ...]:
        """The names of all blobs, sorted."""
        return tuple(sorted(digest for digest in map(blob_at, self._paths()) if digest is not None))

    def strangers(self) -> tuple[str, ...]:
        """The files, links and devices that do not belong into a layout, sorted."""
        return tuple(sorted(filter(is_stranger, self._paths())))

    def _paths(self) -> tuple[str, ...]:
        """Everything below the root but directories, by path; links are not followed. Raises BundleRefusedError."""
        from renderer.formats.archives import LAYOUT_MEMBERS  # a bundle that is read needs no code for archives

        found: list[str] = []
        ahead = [""]
        while ahead:
            directory = ahead.pop()
            for entry in self._entries(directory):
                path = f"{directory}/{entry.name}" if directory else entry.name
                (ahead if entry.is_dir(follow_symlinks=False) else found).append(path)
                if len(found) + len(ahead) > LAYOUT_MEMBERS:
                    raise self._unreadable(".", f"more than {LAYOUT_MEMBERS} files")
        return tuple(found)

    def order(self) -> tuple[Digest, ...]:
        """Nothing: a directory keeps no order."""
        return ()

    def _entries(self, directory: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / directory) as entries:
                return list(entries)
        except OSError as error:
            raise self._unreadable(directory, error.strerror or str(error)) from error

    def _find(self, name: str) -> Extent | None:
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
        return Extent(descriptor, 0, status.st_size, lambda: os.close(descriptor))

    def _unreadable(self, name: str, why: str) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="blob-unreadable",
                message=f"`{name}` cannot be read: {why}",
                where=Where(file=self._location, subject=name),
                expected="a regular file that may be read; links are not followed",
                hint=COPY_AGAIN,
            )
        )
