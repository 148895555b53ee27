"""The working tree that a profile lies in, confined to its root.

The root is the top of the git repository around the profile. Without git it is the directory that holds
`profiles/`, and for a profile outside of any `profiles/` the profile's own directory. Links may point to other
places below the root; a link that leads out is refused.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.documents.named_files import inside_repository
from renderer.model.trees.tree import RelativePath
from renderer.ports import BundleSource

__all__ = ["WorkingTree", "root_around"]

SIZE_LIMIT: Final = 16 * 2**20
_FILES_LIMIT: Final = 10_000
_DEPTH_LIMIT: Final = 32


def root_around(start: Path) -> Path:
    """The root of the working tree that the file or directory `start` lies in; see the module's docstring."""
    start = start.absolute()
    directory = start if start.is_dir() else start.parent
    directory = directory.resolve()
    around = (directory, *directory.parents)
    top = next((place for place in around if (place / ".git").exists()), None)
    if top is not None:
        return top
    return next((place.parent for place in around if place.name == "profiles"), directory)


class WorkingTree:
    """Satisfies `renderer.ports.Files`. `open_source` opens the bundle in a directory or tar file."""

    def __init__(self, root: Path, open_source: Callable[[Path], BundleSource]) -> None:
        self.root = root.resolve()
        self._open_source = open_source

    def relative(self, path: str) -> str:
        """A path as somebody typed it (relative to the working directory, or absolute), as a path from the root.

        Raises InputError (`path-escape`) when it does not lie below the root.
        """
        typed = Path(os.path.abspath(path))  # noqa: PTH100 - `resolve` would follow links, and names would change
        for place in (typed, typed.parent.resolve() / typed.name):
            if place.is_relative_to(self.root):
                below = place.relative_to(self.root).as_posix()
                return "" if below == "." else below
        raise InputError(
            Finding(
                code="path-escape",
                message=f"`{path}` does not lie in the repository",
                where=Where(file=path),
                expected=f"a path below `{self.root}`",
            )
        )

    def shown(self, path: str) -> str:
        """A path from the root as a person in the working directory writes it."""
        place = self.root / path
        here = Path.cwd()
        return place.relative_to(here).as_posix() if place.is_relative_to(here) else str(place)

    # --- renderer.ports.Files ---

    def read(self, path: str) -> bytes:
        """The content of a regular file of at most 16 MiB. Raises InputError.

        Codes: `file-not-found`, `not-a-file`, `file-too-large`, `path-escape`, `file-unreadable`.
        """
        place = self._existing(path)
        with _told(path):
            if place.is_dir():
                raise _fault("not-a-file", f"`{path or '.'}` is a directory", path or ".", expected="a file")
            # Not blocking: opening a pipe without a writer would wait for ever.
            descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise _fault("not-a-file", f"`{path}` is no regular file", path, expected="a file")
                content = file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            message = f"`{path}` has more than {SIZE_LIMIT // 2**20} MiB"
            raise _fault("file-too-large", message, path, expected=f"at most {SIZE_LIMIT} bytes")
        return content

    def exists(self, path: str) -> bool:
        """True when `path` is a file or directory below the root."""
        try:
            self._existing(path)
        except InputError:
            return False
        return True

    def list(self, path: str) -> tuple[str, ...]:
        """The files below the directory `path`, recursively, sorted, relative to it. Links are refused.

        Codes: `file-not-found`, `not-a-directory`, `link-refused`, `too-many-files`, `path-escape`.
        """
        place = self._existing(path)
        if not place.is_dir():
            raise _fault("not-a-directory", f"`{path}` is no directory", path, expected="a directory")
        with _told(path):
            return tuple(sorted(_files_below(place, path)))

    def write(self, path: str, content: bytes) -> None:
        """Replace one file atomically, making the directories above it; an equal file is left alone.

        Raises InputError: `path-escape`, `cannot-write`.
        """
        target = self._target(path)
        with _told(path, "cannot-write"):
            if target.is_file() and target.read_bytes() == content:
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name[:200]}.{os.urandom(6).hex()}")
            try:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def source(self, path: str) -> BundleSource:
        """The bundle in the directory or tar file `path`. Raises InputError (`bundle-not-found`, `path-escape`).

        An absolute path comes from the command line (profiles cannot name one) and may lie anywhere.
        """
        place = Path(path) if Path(path).is_absolute() else self._inside(path)
        if not place.exists():
            raise _fault(
                "bundle-not-found",
                f"there is no bundle at `{path}`",
                path,
                expected="a directory or tar file that holds an OCI image layout",
                hint=f"sitewright bundle build bundle.yaml -o {path}",
            )
        return self._open_source(place)

    # --- confinement ---

    def _existing(self, path: str) -> Path:
        """The real place of `path`, which exists below the root."""
        place = self._inside(path)
        if not place.exists():
            message = f"`{path}` does not exist"
            raise _fault(
                "file-not-found", message, path, expected="a file of the repository", hint=_nearest(place, path)
            )
        return place

    def _inside(self, path: str) -> Path:
        """The real place of `path`, which lies below the root when every link is followed."""
        with _told(path):
            try:
                place = (self.root / inside_repository(path)).resolve()
            except (ValueError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
                raise _fault("path-escape", str(error), path, expected="a path inside the repository") from error
        if not place.is_relative_to(self.root):
            raise _fault(
                "path-escape",
                f"`{path}` is a link that leads out of the repository",
                path,
                expected="a path inside the repository",
            )
        return place

    def _target(self, path: str) -> Path:
        """The real place of a file to write."""
        place = self._inside(path)
        try:
            RelativePath(place.relative_to(self.root).as_posix())
        except ValueError as error:
            raise _fault("path-escape", str(error), path, expected="a file inside the repository") from error
        return place


def _nearest(place: Path, path: str) -> str | None:
    """A hint at the file beside the missing `place` whose name is most like its name."""
    from renderer.formats.documents.nearest import did_you_mean

    try:
        names = [entry.name for entry in os.scandir(place.parent)]
    except OSError:
        return None
    return did_you_mean(path, names)


def _files_below(directory: Path, shown: str) -> Iterator[str]:
    """The files below `directory`, relative to it."""
    waiting = [("", directory)]
    count = 0
    while waiting:
        prefix, place = waiting.pop()
        if prefix.count("/") > _DEPTH_LIMIT:
            raise _fault("too-many-files", f"`{shown}` is nested deeper than {_DEPTH_LIMIT} directories", shown)
        with os.scandir(place) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.is_symlink():
                    hint = "remove it, or put the file itself there"
                    message, expected = f"`{shown}/{name}` is a link", "files and directories"
                    raise _fault("link-refused", message, shown, expected=expected, hint=hint)
                if entry.is_dir():
                    waiting.append((f"{name}/", Path(entry.path)))
                    continue
                count += 1
                if count > _FILES_LIMIT:
                    raise _fault("too-many-files", f"`{shown}` holds more than {_FILES_LIMIT} files", shown)
                yield name


def _fault(code: str, message: str, path: str, *, expected: str | None = None, hint: str | None = None) -> InputError:
    return InputError(Finding(code=code, message=message, where=Where(file=path), expected=expected, hint=hint))


@contextmanager
def _told(path: str, code: str = "file-unreadable") -> Iterator[None]:
    """What the system refuses, told as a fault of `path`."""
    try:
        yield
    except OSError as error:
        raise _fault(code, f"`{path}`: {error.strerror or error}", path) from error
