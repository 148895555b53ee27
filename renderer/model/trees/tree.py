"""Rendered files: an immutable mapping of relative paths to bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from renderer.model.reference import Digest
from renderer.structs import Struct

_PATH_LIMIT: Final = 1024
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f\\]")
_FORBIDDEN: Final = frozenset({"", ".", "..", ".git"})


class RelativePath(Struct, frozen=True, order=True):
    """A path below some root: `/` between parts, no `.`, `..`, `.git`, backslash, NUL or leading slash."""

    text: str

    def __post_init__(self) -> None:
        parts = self.text.split("/")
        if any(part.lower() in _FORBIDDEN for part in parts):
            raise ValueError(f"`{self.text}` is not a path below its root")
        if _UNFIT.search(self.text):
            raise ValueError(f"{self.text!r} has a character that a path may not have")
        if len(self.text.encode()) > _PATH_LIMIT:
            raise ValueError(f"a path has at most {_PATH_LIMIT} bytes")

    def __truediv__(self, below: str) -> RelativePath:
        return RelativePath(f"{self.text}/{below}")

    def __str__(self) -> str:
        return self.text


class FileTree(Struct, frozen=True):
    """An immutable mapping of `RelativePath` text to bytes, kept in path order."""

    files: Mapping[str, bytes]

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes]]) -> FileTree:
        """Build a tree. Raises ValueError on a bad path, a path given twice, or a file that is also a directory."""
        seen: dict[str, bytes] = {}
        for path, content in files:
            if RelativePath(path).text in seen:
                raise ValueError(f"`{path}` is written twice")
            seen[path] = content
        ordered = dict(sorted(seen.items()))
        both = _directories(ordered) & ordered.keys()
        if both:
            raise ValueError(f"`{min(both)}` is a file and a directory")
        return cls(ordered)

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def items(self) -> Iterable[tuple[str, bytes]]:
        """Paths and contents, in path order."""
        return self.files.items()

    def below(self, prefix: str) -> FileTree:
        """The files below the directory `prefix`, with paths relative to it."""
        start = f"{prefix}/"
        return FileTree({path[len(start) :]: content for path, content in self.files.items() if path.startswith(start)})

    def under(self, prefix: str) -> FileTree:
        """The same files moved below the directory `prefix`; an empty prefix changes nothing."""
        return FileTree.of((f"{prefix}/{path}", content) for path, content in self.files.items()) if prefix else self

    def joined(self, *others: FileTree) -> FileTree:
        """All files of this tree and of `others`. Raises ValueError when a path is in two of them."""
        return FileTree.of(item for tree in (self, *others) for item in tree.items())

    def digest(self) -> Digest:
        """SHA-256 over the sorted lines `<sha256 of content>  <path>`, as `sha256sum` prints them."""
        whole = hashlib.sha256()
        for path, content in self.files.items():
            whole.update(f"{hashlib.sha256(content).hexdigest()}  {path}\n".encode())
        return Digest("sha256", whole.hexdigest())


def _directories(paths: Iterable[str]) -> set[str]:
    """Every directory that one of `paths` lies in, however deep."""
    directories: set[str] = set()
    for parent in {path.rpartition("/")[0] for path in paths}:
        while parent and parent not in directories:
            directories.add(parent)
            parent = parent.rpartition("/")[0]  # noqa: PLW2901 - upwards
    return directories
