"""How repositories and branches may be named, and what a remote says: text in, facts out.

Sources: git-check-ref-format, gitremote URLs (git-clone, "GIT URLS"), git-push (`--porcelain`). A name that git could
take for an option or for a program to run (`ext::`, `-u…`) never reaches it.
"""

from __future__ import annotations

import re
from typing import Final

from renderer.structs import Struct

SCHEMES: Final = ("ssh", "https", "file")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)\Z", re.DOTALL)
_SCP = re.compile(r"(?:([^@/:]+)@)?([^/:@]+):(?!/?/?\Z)(.+)\Z", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_BAD_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_PUSH_LINE = re.compile(r"(?P<flag>[ +\-*!=])\t(?P<refs>[^\t]*)\t(?P<summary>.*)\Z")
_LINK = re.compile(r"https?://[^\s]+")


class Remote(Struct, frozen=True):
    """A repository that is reached through one of git's transports. `url` goes to git, `shown` into messages."""

    url: str

    @property
    def shown(self) -> str:
        """The URL without user and password."""
        return without_credentials(self.url)


def read_remote(text: str) -> Remote | None:
    """`text` as a remote URL, or None when it is a path of this machine. Raises ValueError for what is refused."""
    if not text or text.startswith("-") or any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError(f"{text!r} cannot name a repository")
    scheme, double, _ = text.partition("::")
    if double and re.fullmatch(r"[A-Za-z0-9+.-]+", scheme):
        raise ValueError(f"`{scheme}::` would let git run a program; a repository is reached by {_spelled()}")
    url = _URL.match(text)
    if url is not None:
        if url[1].lower() not in SCHEMES:
            raise ValueError(f"`{url[1]}://` is not a way to reach a repository; use {_spelled()}")
        host = url[2].partition("/")[0].rpartition("@")[2]
        if host.startswith("-") or (not host and url[1].lower() != "file"):
            raise ValueError(f"`{without_credentials(text)}` does not name a host")
        return Remote(text)
    short = _SCP.match(text)
    if short is not None:
        if short[2].startswith("-") or (short[1] or "").startswith("-"):
            raise ValueError(f"`{text}` does not name a host")
        return Remote(text)
    return None


def check_branch(text: str) -> str:
    """`text` when it can name a branch (git-check-ref-format). Raises ValueError."""
    parts = text.split("/")
    bad = not text or text in {"@", "HEAD"} or text.startswith("-") or text.endswith(".") or _BAD_IN_REF.search(text)
    if bad or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts):
        raise ValueError(f"`{text}` cannot name a branch")
    return text


def without_credentials(text: str) -> str:
    """`text` with `user:password@` taken out of every URL in it."""
    return _CREDENTIALS.sub("", text)


class PushAnswer(Struct, frozen=True):
    """What `git push --porcelain` said of our ref. `reason` is empty when it was accepted."""

    accepted: bool
    moved: bool
    reason: str


def read_push(porcelain: str, ref: str) -> PushAnswer:
    """Find the line of `ref`. `moved` tells a remote branch that has moved on from one that may not be changed."""
    for line in porcelain.splitlines():
        found = _PUSH_LINE.match(line)
        if found is not None and found["refs"].endswith(f":{ref}"):
            if found["flag"] != "!":
                return PushAnswer(accepted=True, moved=False, reason="")
            reason = found["summary"].partition("(")[2].rpartition(")")[0] or found["summary"]
            here = found["summary"].startswith("[rejected]")
            return PushAnswer(accepted=False, moved=here or "stale info" in reason, reason=reason)
    return PushAnswer(accepted=False, moved=False, reason="")


def remote_lines(stderr: str) -> tuple[str, ...]:
    """What the server printed during a push (`remote: …`), without the decoration."""
    said = (line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:"))
    return tuple(without_credentials(line) for line in said if line)


def links(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The web addresses in what a server said: GitLab, GitHub and Gitea print where the merge request is."""
    return tuple(dict.fromkeys(match[0] for line in lines for match in _LINK.finditer(line)))


def _spelled() -> str:
    return "ssh://, git@host:path, https://, file:// or a path"
