"""Rendered trees as they were at some commit: what `sitewright diff --against REV` compares with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from renderer.adapters.git.command import Git, GitFailedError
from renderer.adapters.git.reading import read_tree
from renderer.errors import Finding, InputError, Where
from renderer.model.trees.tree import FileTree
from renderer.ports import Author, Published


def repository_around(path: Path) -> Path | None:
    """The top of the git repository that `path` lies in, or None."""
    path = path.absolute()
    return next((place for place in (path, *path.parents) if (place / ".git").exists()), None)


class GitRevision:
    """A `TreeStore` that can only be read: one commit of a repository of this machine.

    `revision` is anything that git can resolve to a commit: a branch, a tag, `HEAD~3`, an id. Raises InputError
    (`revision-not-found`).
    """

    def __init__(self, repository: Path, revision: str) -> None:
        self._git = Git(repository.absolute())
        self._shown = f"{repository} ({revision})"
        asked = f"{revision}^{{commit}}"
        try:
            self._commit = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", asked).text
        except GitFailedError as failure:
            raise InputError(_not_found(repository, revision, failure)) from failure

    @property
    def location(self) -> str:
        """The repository and the revision."""
        return self._shown

    def load(self, root: str) -> FileTree:
        """The tree below `root` in that commit; empty when there is none. Raises InputError."""
        return read_tree(self._git, self._commit, root, self._shown)

    def publish(self, trees: Mapping[str, FileTree], message: str, author: Author) -> Published:
        """Nothing can be published into the past."""
        raise NotImplementedError


def _not_found(repository: Path, revision: str, failure: GitFailedError) -> Finding:
    where = Where(subject="--against")
    if "not a git repository" in failure.errors:
        message = f"`{revision}` is no directory, and `{repository}` is no git repository that could have such a commit"
        hint = "name a directory, or the repository with --repo"
        return Finding(code="revision-not-found", message=message, where=where, hint=hint)
    message = f"`{revision}` is neither a directory nor a commit of `{repository}`"
    hint = f"git -C {repository} log --oneline"
    return Finding(code="revision-not-found", message=message, where=where, hint=hint)
