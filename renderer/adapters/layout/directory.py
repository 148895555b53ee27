"""An OCI layout as a directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from renderer.adapters.layout.checked import COPY_AGAIN, CheckedLayout, Extent, digest_of
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.model.reference import Digest


class DirectoryLayout(CheckedLayout):
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
                found += [digest_of(f"{algorithm}:{entry.name}") for entry in os.scandir(directory)]
        return tuple(sorted(digest for digest in found if digest is not None))

    def order(self) -> tuple[Digest, ...]:
        """Nothing: a directory keeps no order."""
        return ()

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
