"""Rendered trees in a directory of this machine: `sitewright render --out DIR`.

How an interrupted run leaves the old state or the new one, and never a mixture:

1. Everything new is built in `DIR/.sitewright-publish/`; files that did not change are hard links, not copies.
2. `journal` is put beside it by one rename. Up to here, the next run throws the directory away: the old state stays.
3. Each root changes place with its successor by one system call (`renameat2` with RENAME_EXCHANGE on Linux; where
   that is missing, two renames). From the journal on, the next run finishes the exchange: the new state comes.
4. The journal goes, then the rest.

The journal knows the inode of each new root, so that finishing twice does nothing twice. A lock on DIR itself
(`flock`, which ends with the process) keeps two runs apart. This holds for a killed process; against a power cut it
holds as far as the file system keeps the order of renames and data.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.model.trees.owned_root import foreign_files, refuse, separate_roots
from renderer.model.trees.tree import FileTree
from renderer.ports import Author, Published
from renderer.structs import Struct

_STAGING: Final = ".sitewright-publish"
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100


class _Replacement(Struct, frozen=True):
    """One root that must change: the tree it gets, which of its files stay as they are, and how many do not."""

    root: str
    tree: FileTree
    kept: frozenset[str]
    changed: int


class DirectoryStore:
    """A `TreeStore` over a directory. It owns the roots that it is given, and `.sitewright-publish` while it works."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    @property
    def location(self) -> str:
        """The directory as the user named it."""
        return str(self._path)

    def load(self, root: str) -> FileTree:
        """The tree below `root`; empty when there is none. Raises InputError for links and unreadable files."""
        (root,) = separate_roots([root])
        if not self._path.is_dir():
            return FileTree({})
        with _reported(self.location), self._locked(shared=not (self._path / _STAGING).exists()):
            return _tree({path: file.read_bytes() for path, file in self._files(root).items()}, self._name(root))

    def publish(self, trees: Mapping[str, FileTree], message: str, author: Author) -> Published:  # noqa: ARG002
        """Replace each root by its tree; an empty tree removes it. Message and author mean nothing to a directory.

        Raises InputError: `dirty-output`, `link-in-output`, `output-locked`, `output-failed`.
        """
        roots = separate_roots(trees)
        with _reported(self.location):
            self._path.mkdir(parents=True, exist_ok=True)
            with self._locked(shared=False):
                before = {root: self._files(root) for root in roots}
                hint = "move these files away, or choose another directory with --out"
                refuse([f for root in roots for f in foreign_files(self._name(root), before[root].keys(), hint)])
                compared = [_compare(root, before[root], trees[root]) for root in roots]
                replacements = [replacement for replacement in compared if replacement.changed]
                if replacements:
                    self._replace(replacements)
        changed = sum(replacement.changed for replacement in replacements)
        return Published(location=self.location, revision=None, changed=changed)

    def _replace(self, replacements: list[_Replacement]) -> None:
        try:
            self._stage(replacements)
        finally:  # whatever happened: a journal is completed, a half-built state is dropped
            self._finish()

    def _stage(self, replacements: list[_Replacement]) -> None:
        """Build every new root aside, then write the journal: the moment from which the new state counts."""
        staging = self._path / _STAGING
        staging.mkdir()
        steps: list[tuple[str, int | None]] = []
        for number, replacement in enumerate(replacements):
            new = staging / str(number)
            if len(replacement.tree):
                _build(new, self._path / replacement.root, replacement)
            steps.append((replacement.root, new.stat().st_ino if new.exists() else None))
        draft = staging / "journal.draft"
        draft.write_text(json.dumps(steps), encoding="utf-8")
        draft.rename(staging / "journal")

    def _finish(self) -> None:
        """Complete what the journal says, or drop what has none. Does nothing when the last run ended well."""
        staging = self._path / _STAGING
        journal = staging / "journal"
        if journal.exists():
            for number, (root, inode) in enumerate(_steps(journal)):
                _swap(staging / str(number), self._top(root), inode)
            journal.unlink()
        if staging.exists():
            shutil.rmtree(staging)

    def _files(self, root: str) -> dict[str, Path]:
        """The regular files below `root` by relative path. Raises InputError (`link-in-output`) for anything else."""
        top = self._top(root)
        return dict(sorted(_walk(top, ""))) if top.exists() else {}

    def _top(self, root: str) -> Path:
        """Where `root` is or will be. Raises InputError (`link-in-output`) when the way there leads over a link."""
        top = self._path
        for part in root.split("/"):
            top /= part
            if top.is_symlink() or (top.exists() and not top.is_dir()):
                raise _not_plain(top)
        return top

    def _name(self, root: str) -> str:
        return str(self._path / root)

    @contextmanager
    def _locked(self, *, shared: bool) -> Iterator[None]:
        """Hold the directory against other runs, and finish or drop what a killed run left behind."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(_busy(self.location)) from error
            if not shared:
                self._finish()
            yield
        finally:
            os.close(descriptor)


def _steps(journal: Path) -> list[tuple[str, int | None]]:
    """What the journal says, read as carefully as anything else that lies about in a directory."""
    try:
        steps = [(str(root), None if inode is None else int(inode)) for root, inode in json.loads(journal.read_bytes())]
        separate_roots(root for root, _ in steps)
    except (TypeError, ValueError) as error:
        finding = Finding(
            code="output-failed",
            message=f"`{journal}` is not a journal of Sitewright",
            where=Where(file=str(journal)),
            hint=f"look at it, then remove it: rm -r {journal.parent}",
        )
        raise InputError(finding) from error
    return steps


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield f"{prefix}{entry.name}", Path(entry.path)
            else:
                raise _not_plain(Path(entry.path))


def _tree(files: Mapping[str, bytes], name: str) -> FileTree:
    try:
        return FileTree.of(files.items())
    except ValueError as error:
        finding = Finding(
            code="invalid-tree", message=f"`{name}` is not a rendered tree: {error}", where=Where(file=name)
        )
        raise InputError(finding) from error


def _compare(root: str, before: Mapping[str, Path], after: FileTree) -> _Replacement:
    kept = frozenset(path for path, content in after.items() if path in before and _equal(before[path], content))
    return _Replacement(root, after, kept, len(after.files.keys() | before.keys()) - len(kept))


def _equal(file: Path, content: bytes) -> bool:
    """True when the file holds exactly `content`: the size is asked first, reading is the second look."""
    return file.stat().st_size == len(content) and file.read_bytes() == content


def _build(new: Path, old: Path, replacement: _Replacement) -> None:
    """Write the whole new root at `new`; files that stay are hard links to those of `old`."""
    made: set[str] = set()
    for path, content in replacement.tree.items():
        directory = f"{new}/{path}".rpartition("/")[0]
        if directory not in made:
            Path(directory).mkdir(parents=True, exist_ok=True)
            made.add(directory)
        if path not in replacement.kept or not _link(old / path, new / path):
            (new / path).write_bytes(content)


def _link(old: Path, new: Path) -> bool:
    try:
        os.link(old, new, follow_symlinks=False)
    except OSError:  # some file systems have no hard links: write the bytes again
        return False
    return True


def _swap(new: Path, root: Path, inode: int | None) -> None:
    """Bring the directory `new` (known by its inode; None: nothing) to `root`; doing it again changes nothing."""
    present = root.stat().st_ino if root.exists() else None
    if present == inode:
        return
    if inode is None:
        root.rename(new)
    elif present is None:
        root.parent.mkdir(parents=True, exist_ok=True)
        new.rename(root)
    elif not _exchange(new, root):
        root.rename(new.with_suffix(".old"))
        new.rename(root)


def _exchange(one: Path, other: Path) -> bool:
    """Let two directories change places in one step. False when kernel, C library or file system cannot."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _busy(location: str) -> Finding:
    return Finding(
        code="output-locked",
        message=f"another run of Sitewright is writing to `{location}`",
        where=Where(file=location),
        hint="wait until it has ended, then run the same command again",
    )


def _not_plain(path: Path) -> InputError:
    mode = path.lstat().st_mode
    kind = "a symbolic link" if stat.S_ISLNK(mode) else "a file" if stat.S_ISREG(mode) else "a special file"
    finding = Finding(
        code="link-in-output",
        message=f"`{path}` is {kind}; a rendered tree has only directories and regular files",
        where=Where(file=str(path)),
        expected="a directory or a regular file",
        got=kind,
        hint=f"remove it: rm {path}",
    )
    return InputError(finding)


def _no_directory(location: str) -> Finding:
    return Finding(
        code="output-failed",
        message=f"`{location}` is a file, so no tree can be written there",
        where=Where(file=location),
        expected="a directory",
        got="a file",
        hint="choose another directory with --out",
    )


@contextmanager
def _reported(location: str) -> Iterator[None]:
    """Turn a refusal of the operating system into a finding."""
    try:
        yield
    except OSError as error:
        path = Path(location)
        way = (*reversed(path.parents), path)
        blocking = next((one for one in way if os.path.isfile(one)), None)  # noqa: PTH113 - Path.is_file may raise
        if blocking is not None:
            raise InputError(_no_directory(str(blocking))) from error
        place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else location
        finding = Finding(
            code="output-failed",
            message=f"`{location}` cannot be written: {(error.strerror or str(error)).lower()}",
            where=Where(file=place),
            hint="check the owner and the free space of the directory, then run the same command again",
        )
        raise InputError(finding) from error
