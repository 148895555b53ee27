"""Directories of bundles, and the locks that need them, as commands get them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.adapters.bundle_store import DirectoryStore
from renderer.adapters.layout import open_layout
from renderer.cli.spec import Options
from renderer.cli.usage import whole_number

if TYPE_CHECKING:
    from renderer.adapters.files import WorkingTree

PLACE: Final = "bundles"
"""Where bundles lie when nothing else is said."""
_EDITIONS: Final = range(1000)


def bundle_store(directory: str | None) -> DirectoryStore:
    """The store in a directory, `bundles` when none is named."""
    return DirectoryStore(Path(directory or PLACE), directory or PLACE, open_layout)


def editions(options: Options) -> int:
    """The number behind `--keep`. Raises UsageError."""
    return whole_number(options, "keep", _EDITIONS, "editions")


def locks(files: WorkingTree, options: Options) -> Mapping[str, bytes]:
    """The lock files that `--lock` names, else all below `profiles/`, by path."""
    named = options.texts("lock")
    if named:
        paths = [files.relative(path) for path in named]
    elif files.exists("profiles"):
        paths = [f"profiles/{path}" for path in files.list("profiles") if path.endswith(".lock.yaml")]
    else:
        paths = []
    return {path: files.read(path) for path in paths}
