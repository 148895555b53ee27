"""Keeping a checked-out branch, its index and its working tree in step with a commit that was made behind their back.

Only the paths of our edit are touched, by plumbing (`update-index --index-info`, `checkout-index`): whatever else is
staged or changed stays as it is. A working tree cannot change in one step; so a journal is written before the branch
moves, and the next run completes what a killed one left half done. It asks of every file first whether it still has
the old or the new content (or the beginning of the new, when git was killed as it wrote), and refuses when somebody
changed it since.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from renderer.adapters.git.command import Git
from renderer.errors import Finding, InputError, Where
from renderer.formats.git.objects import Edit, index_lines, paths_z

_JOURNAL: Final = "sitewright-publish"


class Checkout:
    """The working tree of one branch. `git_dir` is its private git directory, `top` its topmost directory.

    `shown` is how the user named that directory.
    """

    def __init__(self, git: Git, top: Path, git_dir: Path, algorithm: str, shown: str) -> None:
        self._git = git
        self._top = top
        self._shown = shown
        self._journal = git_dir / _JOURNAL
        self._algorithm = algorithm

    def refuse_changes(self, roots: Sequence[str]) -> None:
        """Raise InputError (`dirty-output`) when files below `roots` differ from the commit that is checked out."""
        status = self._git.run("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *roots)
        changed = [line[3:] for line in status.output.decode("utf-8", "surrogateescape").split("\0") if line]
        if changed:
            raise InputError(_dirty(self._shown, roots, changed))

    def begin(self, old: str | None, new: str, edit: Edit) -> None:
        """Note what is about to happen, before the branch moves."""
        puts = {path: name for path, (name, _) in edit.put.items()}
        record = {"old": old, "new": new, "put": puts, "delete": list(edit.delete)}
        draft = self._journal.with_suffix(".draft")
        draft.write_text(json.dumps(record), encoding="utf-8")
        draft.rename(self._journal)

    def bring(self, edit: Edit) -> None:
        """Bring index and working tree to the new commit, and forget the journal."""
        self._git.run("update-index", "-z", "--index-info", data=index_lines(edit, self._algorithm))
        for path in edit.delete:
            self._remove(path)
        self._git.run("checkout-index", "--force", "-u", "-q", "-z", "--stdin", data=paths_z(edit.put))
        self._journal.unlink(missing_ok=True)

    def resume(self, tip: str | None) -> None:
        """Complete what a killed run began, if it had moved the branch to `tip`; otherwise forget it."""
        if not self._journal.exists():
            return
        record = json.loads(self._journal.read_bytes())
        if record["new"] != tip:
            self._journal.unlink()
            return
        put, old = record["put"], record["old"]
        edit = Edit({path: (name, b"") for path, name in put.items()}, tuple(record["delete"]), frozenset())
        before = self._ids(old, [*put, *edit.delete]) if old else {}
        self._refuse_edits({path: (put.get(path), before.get(path)) for path in (*put, *edit.delete)})
        self.bring(edit)

    def _ids(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        listing = self._git.run("ls-tree", "-r", "-z", "--full-tree", commit).output
        wanted = set(paths)
        lines = (line.decode("utf-8", "surrogateescape").partition("\t") for line in listing.split(b"\0") if line)
        return {path: head.split(" ")[2] for head, _, path in lines if path in wanted}

    def _refuse_edits(self, allowed: dict[str, tuple[str | None, str | None]]) -> None:
        """Raise InputError when a file has none of the contents, new or old, that the killed run could have left."""
        present = [path for path in allowed if (self._top / path).is_file() or (self._top / path).is_symlink()]
        data = "".join(f"{path}\n" for path in present).encode("utf-8", "surrogateescape")
        found = self._git.run("hash-object", "--stdin-paths", data=data).text.split()
        changed = [path for path, name in zip(present, found, strict=True) if name not in allowed[path]]
        foreign = [path for path in changed if not self._begins(path, allowed[path][0])]
        if foreign:
            raise InputError(_dirty(self._shown, sorted({path.rpartition("/")[0] for path in foreign}), foreign))

    def _begins(self, path: str, new: str | None) -> bool:
        """True when the file is the beginning of its new content: git was killed while it wrote."""
        file = self._top / path
        return (
            new is not None
            and not file.is_symlink()
            and self._git.run("cat-file", "blob", new).output.startswith(file.read_bytes())
        )

    def _remove(self, path: str) -> None:
        """Remove one file and the directories that it leaves empty; never through a link."""
        file = self._top / path
        parents = [parent for parent in file.parents if parent != self._top and self._top in parent.parents]
        if any(parent.is_symlink() for parent in parents):
            return
        file.unlink(missing_ok=True)
        for parent in parents:
            if not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()


def _dirty(location: str, roots: Sequence[str], changed: Sequence[str]) -> Finding:
    count = "1 file" if len(changed) == 1 else f"{len(changed)} files"
    return Finding(
        code="dirty-output",
        message=f"`{location}` has changes that are not committed where the tree belongs",
        where=Where(file=location, path=", ".join(roots)),
        expected="a working tree that equals its commit",
        got=f"{count}, the first is `{min(changed)}`",
        hint=f"git -C {location} stash push --include-untracked -- {' '.join(roots)}",
    )
