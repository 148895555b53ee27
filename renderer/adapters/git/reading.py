"""Reading trees out of commits."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.adapters.git.command import Git, GitFailedError
from renderer.errors import Finding, InputError, Where
from renderer.formats.git.objects import Entry, read_batch, read_listing
from renderer.model.trees.owned_root import separate_roots
from renderer.model.trees.tree import FileTree


def listing(git: Git, commit: str | None, roots: Sequence[str]) -> dict[str, Entry]:
    """All that `commit` has below `roots`, by path from the top; nothing when there is no commit."""
    if commit is None:
        return {}
    return read_listing(git.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *roots).output)


def read_tree(git: Git, commit: str, root: str, location: str) -> FileTree:
    """The files below `root`, which may be empty for the top. Raises InputError for links and submodules."""
    roots = separate_roots([root]) if root else ()
    try:
        entries = listing(git, commit, roots)
        names = sorted({entry.id for entry in entries.values() if entry.kind == "blob"})
        batch = git.run("cat-file", "--batch", data="".join(f"{name}\n" for name in names).encode()).output
    except GitFailedError as failure:
        raise failure.refusal(location) from failure
    odd = sorted(path for path, entry in entries.items() if entry.kind != "blob" or entry.mode == "120000")
    if odd:
        raise InputError(not_plain(location, odd[0]))
    contents = read_batch(batch)
    try:
        tree = FileTree.of((path, contents[entry.id]) for path, entry in entries.items())
    except ValueError as error:
        raise InputError(not_plain(location, str(error))) from error
    return tree.below(root) if root else tree


def not_plain(location: str, path: str) -> Finding:
    """A finding for what no rendered tree holds."""
    return Finding(
        code="link-in-output",
        message=f"`{path}` in `{location}` is not what a rendered tree has there",
        where=Where(file=path),
        expected="directories and regular files",
        hint="remove it from the branch in a commit of its own, then run the same command again",
    )
