"""Rendered trees as people name them on the command line: a directory, or what lies below it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from renderer.adapters.directory import DirectoryStore
from renderer.errors import Finding, InputError, Where
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree
from renderer.ports import Author, Published

_DEPTH = 4


class NothingYet:
    """A `TreeStore` in which nothing has been rendered so far; for looking at a render without writing it."""

    location = "nowhere"

    def load(self, root: str) -> FileTree:  # noqa: ARG002
        """Always empty."""
        return FileTree({})

    def publish(self, trees: Mapping[str, FileTree], message: str, author: Author) -> Published:
        """Nothing is ever published here."""
        raise NotImplementedError


def trees_in(directory: Path) -> dict[str, FileTree]:
    """The rendered trees in `directory` by root: the directory itself (root `.`), or those below it.

    Raises InputError (`no-tree`) when there is none.
    """
    if _is_tree(directory):
        return {".": _load(directory)}
    places = [place for depth in range(1, _DEPTH) for place in directory.glob("/".join("*" * depth)) if _is_tree(place)]
    if not places:
        raise InputError(
            Finding(
                code="no-tree",
                message=f"`{directory}` holds no rendered tree",
                where=Where(file=str(directory)),
                expected=f"`{PROOF}` in it, or in `sites/<name>` below it",
                hint=f"sitewright render PROFILE --out {directory}",
            )
        )
    return {place.relative_to(directory).as_posix(): _load(place) for place in sorted(places)}


def named(trees: Mapping[str, FileTree], directory: Path) -> dict[str, FileTree]:
    """Trees by a name for messages: the path that a person would write."""
    return {str(directory if root == "." else directory / root): tree for root, tree in trees.items()}


def _is_tree(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink() and ((place / PROOF).is_file() or (place / "manifests").is_dir())


def _load(place: Path) -> FileTree:
    place = place.absolute()
    return DirectoryStore(place.parent).load(place.name)
