"""Where commits are made: a repository of this machine, or a shallow clone that stands in for a remote one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from renderer.adapters.git.checkout import Checkout
from renderer.adapters.git.command import Git, GitFailedError
from renderer.adapters.git.remote_side import RemoteSide
from renderer.errors import Finding, InputError, Where
from renderer.formats.git.remote import Remote, read_remote
from renderer.structs import Struct

_AGAIN: Final = "run the same command again: it starts from what the branch holds now"


class Place(Struct, frozen=True, kw_only=True):
    """An opened repository: git in it, its object format, the tip of the branch (None: no commit yet).

    `checkout` is there when the branch is checked out; `clone_of` when this is the stand-in of a remote.
    """

    git: Git
    git_dir: Path
    algorithm: str
    branch: str
    tip: str | None
    checkout: Checkout | None = None
    clone_of: RemoteSide | None = None

    @property
    def ref(self) -> str:
        """The full name of the branch."""
        return f"refs/heads/{self.branch}"

    @property
    def kept_in(self) -> str:
        """The ref that keeps the newest commit here: the branch, or in a clone what stands for the remote's."""
        return self.ref if self.clone_of is None else f"refs/sitewright/remote/{self.branch}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other runs of Sitewright out of this repository. Raises InputError (`output-locked`)."""
        descriptor = os.open(self.git_dir, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            finding = Finding(
                code="output-locked",
                message=f"another run of Sitewright is writing to `{self.git.directory}`",
                where=Where(file=str(self.git.directory)),
                hint="wait until it has ended, then run the same command again",
            )
            raise InputError(finding) from error
        finally:
            os.close(descriptor)


def open_local(path: Path, branch: str) -> Place:
    """The repository at `path`, bare or with a working tree. Raises InputError."""
    git = Git(path.absolute())
    missing = _no_repository(path, branch)
    if not path.is_dir():
        raise InputError(missing)
    try:
        asked = git.run("rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-object-format").text
    except GitFailedError as failure:
        raise (
            InputError(missing) if "not a git repository" in failure.errors else failure.refusal(str(path))
        ) from failure
    private, common, algorithm = asked.splitlines()
    heads = _local_heads(git)
    tip = heads.get(f"refs/heads/{branch}")
    _refuse_unknown(str(path), branch, heads, f"git -C {path} branch {branch}")
    checkout = None
    for top in _checked_out(git, f"refs/heads/{branch}"):
        if top.resolve() != path.resolve():
            raise InputError(_elsewhere(path, branch, top))
        checkout = Checkout(git, top, Path(private), algorithm, str(path))
        checkout.resume(tip)
    return Place(
        git=git, git_dir=path.absolute() / common, algorithm=algorithm, branch=branch, tip=tip, checkout=checkout
    )


def open_clone(remote: Remote, branch: str, directory: Path) -> Place:
    """A bare clone in `directory`: the newest commit of the branch, no history. Raises RemoteError, InputError."""
    directory.mkdir(parents=True, exist_ok=True)
    side = RemoteSide(Git(directory), remote, _AGAIN)
    heads = side.heads()
    _refuse_unknown(side.shown, branch, heads, None)
    tip = heads.get(f"refs/heads/{branch}")
    algorithm = "sha256" if any(len(commit) == 64 for commit in heads.values()) else "sha1"
    clone = directory / f"{hashlib.sha256(remote.url.encode()).hexdigest()[:24]}.{algorithm}.git"
    git = Git(clone)
    if not (clone / "HEAD").is_file():
        shutil.rmtree(clone, ignore_errors=True)
        clone.mkdir()
        git.run("init", "--quiet", "--bare", f"--object-format={algorithm}", "--template=", ".")
    side = RemoteSide(git, remote, _AGAIN)
    place = Place(git=git, git_dir=clone, algorithm=algorithm, branch=branch, tip=tip, clone_of=side)
    kept = git.run("rev-parse", "--verify", "--quiet", place.kept_in, ok=(0, 1)).text
    if tip is not None and kept != tip:
        side.fetch(place.ref, place.kept_in, whole=False)
    elif tip is None and kept:
        git.run("update-ref", "-d", place.kept_in)
    return place


def push_target(place: Place, path: Path) -> RemoteSide:
    """Where the branch of a repository of this machine is pushed to: its upstream, else `origin`. Raises InputError."""
    name = place.git.run("config", "--get", f"branch.{place.branch}.remote", ok=(0, 1)).text or "origin"
    url = place.git.run("config", "--get", f"remote.{name}.pushurl", ok=(0, 1)).text
    url = url or place.git.run("config", "--get", f"remote.{name}.url", ok=(0, 1)).text
    if not url:
        finding = Finding(
            code="no-remote",
            message=f"`{path}` has no remote `{name}` to push to",
            where=Where(file=str(path)),
            hint=f"git -C {path} remote add {name} URL",
        )
        raise InputError(finding)
    remote = read_remote(url) or Remote(url)
    return RemoteSide(place.git, remote, f"git -C {path} pull --ff-only, then run the same command again")


def _local_heads(git: Git) -> dict[str, str]:
    listing = git.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads").text
    pairs = (line.split(" ", 1) for line in listing.splitlines())
    return {ref: commit for commit, ref in pairs}


def _checked_out(git: Git, ref: str) -> Iterator[Path]:
    """The working trees that have `ref` checked out, born or not."""
    listing = git.run("worktree", "list", "--porcelain").text
    for block in listing.split("\n\n"):
        lines = block.splitlines()
        if f"branch {ref}" in lines and "bare" not in lines:
            yield Path(lines[0].removeprefix("worktree "))


def _refuse_unknown(shown: str, branch: str, heads: dict[str, str], make: str | None) -> None:
    """A branch that is not there is a typing error, unless the repository has none at all.

    `make` is the command that makes it out of the branch whose name is put behind; None for a remote.
    """
    if not heads or f"refs/heads/{branch}" in heads:
        return
    names = sorted(ref.removeprefix("refs/heads/") for ref in heads)
    push = f"in a clone of the repository: git push origin {names[0]}:{branch}"
    finding = Finding(
        code="branch-not-found",
        message=f"`{shown}` has no branch `{branch}`",
        where=Where(subject=f"--branch {branch}"),
        expected=f"one of {', '.join(names[:10])}{', …' if len(names) > 10 else ''}",
        hint=f"name an existing branch, or make it first{f': {make} {names[0]}' if make else f', {push}'}",
    )
    raise InputError(finding)


def _no_repository(path: Path, branch: str) -> Finding:
    return Finding(
        code="repository-not-found",
        message=f"`{path}` is not a git repository",
        where=Where(file=str(path)),
        hint=f"git init --initial-branch={branch} {path}",
    )


def _elsewhere(path: Path, branch: str, top: Path) -> Finding:
    return Finding(
        code="branch-checked-out",
        message=f"`{branch}` is checked out in `{top}`, whose files would no longer match it",
        where=Where(file=str(path)),
        hint=f"render into that working tree: --repo {top}",
    )
