"""The other side: what a remote has, and bringing a commit there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.adapters.git.command import Git, GitFailedError
from renderer.errors import Finding, RemoteError, Where
from renderer.formats.git.remote import Remote, links, read_push, remote_lines

_NO_ACCESS: Final = (
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "Permission denied",
    "terminal prompts disabled",
    "access denied",
    "HTTP Basic: Access denied",
    "returned error: 401",
    "returned error: 403",
)


class RemoteSide:
    """One remote repository, spoken to by git in some local directory.

    `again` is what a person does when the remote branch has moved on since it was read.
    """

    def __init__(self, git: Git, remote: Remote, again: str) -> None:
        self._git = git
        self._remote = remote
        self._again = again

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        return self._remote.shown

    def heads(self) -> dict[str, str]:
        """The commit of every branch by full ref name. Raises RemoteError."""
        try:
            listing = self._git.run("ls-remote", "--heads", "--", self._remote.url).text
        except GitFailedError as failure:
            raise self._failed(failure) from failure
        pairs = (line.split("\t") for line in listing.splitlines())
        return {ref: commit for commit, ref in pairs}

    def fetch(self, ref: str, local: str, *, whole: bool) -> None:
        """Bring the newest commit of `ref` to the local ref `local`; with its history or not. Raises RemoteError."""
        depth = () if whole else ("--depth=1",)
        options = (*depth, "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--force", "--quiet")
        try:
            self._git.run("fetch", *options, "--", self._remote.url, f"{ref}:{local}")
        except GitFailedError as failure:
            raise self._failed(failure) from failure

    def push(self, commit: str, ref: str, *, lease: str | None, options: Sequence[str] = ()) -> tuple[str, ...]:
        """Bring `commit` to `ref`; what the server said. Raises RemoteError.

        With a lease (`""`: the ref must not exist yet) the push holds only while the remote ref is still that; with
        None git's own rule holds, that a push adds and never replaces.
        """
        leased = [] if lease is None else [f"--force-with-lease={ref}:{lease}"]
        given = [part for option in options for part in ("-o", option)]
        fixed = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no")
        arguments = (*fixed, *leased, *given, "--", self._remote.url, f"{commit}:{ref}")
        answer = self._git.run("push", *arguments, ok=(0, 1, 128))
        said = remote_lines(answer.errors)
        push = read_push(answer.output.decode("utf-8", "replace"), ref)
        if push.accepted and answer.status == 0:
            return said
        if push.reason:
            raise RemoteError(self._rejected(ref, push.moved, push.reason, said))
        raise self._failed(GitFailedError("push", answer))

    def _rejected(self, ref: str, moved: bool, reason: str, said: tuple[str, ...]) -> Finding:  # noqa: FBT001
        branch = ref.removeprefix("refs/heads/")
        place = Where(subject=f"branch {branch} of {self.shown}")
        if moved:
            return Finding(
                code="push-rejected",
                message=f"`{branch}` has moved on since it was read, so nothing was pushed",
                where=place,
                got=reason,
                explanation=said,
                hint=self._again,
            )
        return Finding(
            code="push-refused",
            message=f"the remote does not accept a push to `{branch}`",
            where=place,
            got=reason,
            explanation=said,
            hint="propose the change instead: add --merge-request",
        )

    def _failed(self, failure: GitFailedError) -> RemoteError:
        """A transport that failed: no access, or no answer."""
        if "hash algorithm" in failure.errors:
            return RemoteError(_other_format(self.shown))
        denied = any(sign.lower() in failure.errors.lower() for sign in _NO_ACCESS)
        said = tuple(line for line in failure.errors.splitlines() if line.strip())
        finding = Finding(
            code="remote-access" if denied else "remote-unreachable",
            message=f"`{self.shown}` {'denies access' if denied else 'cannot be reached'}",
            where=Where(subject=f"git {failure.verb}"),
            explanation=said[:20],
            hint=f"try the same access alone: git ls-remote {self.shown}",
        )
        return RemoteError(finding)


def _other_format(shown: str) -> Finding:
    return Finding(
        code="remote-format",
        message=f"`{shown}` is empty and does not tell that its objects are named by SHA-256",
        where=Where(subject="git push"),
        hint=f"push a first commit to it from a clone: git clone {shown}",
    )


def takes_no_options(error: RemoteError) -> bool:
    """True when a push failed only because the server does not know push options."""
    said = (line for finding in error.findings for line in finding.explanation)
    return any("does not support push options" in line for line in said)


def advice(said: tuple[str, ...], topic: str, target: str, *, opened: bool) -> tuple[str, ...]:
    """What a person still has to do for a merge request: follow the server's link, or open it by hand."""
    found = links(said)
    if found:
        return tuple(f"merge request from `{topic}` to `{target}`: {link}" for link in found)
    if opened:
        return (f"merge request from `{topic}` to `{target}` was asked for; the server printed no address",)
    return (f"the server takes no push options: open a merge request from `{topic}` to `{target}` by hand",)
