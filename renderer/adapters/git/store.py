"""`GitStore`: rendered trees as commits of one branch.

One publish is one commit, made by `git fast-import` from memory: no working tree, no index, each new content once.
The order makes a killed run harmless: objects first (nobody refers to them), then the push with a lease, then the
branch in one `update-ref` that names the old value, last index and working tree where the branch is checked out.
See docs/decisions/0007-git-fast-import.md.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from renderer.adapters.git.command import GitFailedError
from renderer.adapters.git.places import Place, open_clone, open_local, push_target
from renderer.adapters.git.reading import listing, not_plain, read_tree
from renderer.adapters.git.remote_side import RemoteSide, advice, takes_no_options
from renderer.errors import Finding, InputError, RemoteError, Where
from renderer.formats.git.objects import Edit, Signature, compare, import_stream, read_listing
from renderer.formats.git.remote import check_branch, read_remote
from renderer.model.trees.owned_root import foreign_files, refuse, separate_roots
from renderer.model.trees.tree import FileTree
from renderer.ports import Author, Published

_PENDING: Final = "refs/sitewright/pending"
_TOPIC: Final = "refs/sitewright/topic"


class GitStore:
    """A `TreeStore` over one branch of a repository: a path of this machine, or a URL (ssh, https, file, `git@`).

    `push` brings the commit to the remote (for a path: the branch's upstream or `origin`). `merge_request` pushes it
    to `sitewright/<site>` instead and asks the server for a merge request; `agit` asks in the way of Gitea, Forgejo
    and Gerrit (`refs/for/<branch>`). `read_only` is for looking: a URL needs no push then. `clones` is the directory
    for clones of remotes; None: one that goes away.

    Raises InputError for a repository or branch that cannot be named, or a URL without any kind of push.
    """

    def __init__(
        self,
        repository: str,
        branch: str,
        *,
        push: bool = False,
        merge_request: bool = False,
        agit: bool = False,
        read_only: bool = False,
        clones: Path | None = None,
    ) -> None:
        try:
            self._remote = read_remote(repository)
            self._branch = check_branch(branch)
        except ValueError as error:
            raise InputError(_bad_name(str(error))) from error
        self._path = Path(repository)
        self._merge_request = merge_request or agit
        self._agit = agit
        self._push = push or self._merge_request
        if self._remote is not None and not self._push and not read_only:
            raise InputError(_push_needed(self.location))
        self._clones = clones
        self._opened: Place | None = None

    @property
    def location(self) -> str:
        """The repository as the user named it, without credentials, and the branch."""
        return f"{self._shown} ({self._branch})"

    @property
    def _shown(self) -> str:
        return self._remote.shown if self._remote else str(self._path)

    def load(self, root: str) -> FileTree:
        """The tree below `root` in the newest commit of the branch. Raises InputError, RemoteError."""
        (root,) = separate_roots([root])
        place = self._place()
        return FileTree({}) if place.tip is None else read_tree(place.git, place.tip, root, self.location)

    def publish(self, trees: Mapping[str, FileTree], message: str, author: Author) -> Published:
        """Replace each root by its tree in one commit, or none when nothing differs. Raises InputError, RemoteError."""
        roots = separate_roots(trees)
        place = self._place()
        try:
            with place.held():
                edit = self._edit(place, roots, trees)
                if not edit:
                    return self._deliver(place, roots, place.tip, message, 0)
                if place.checkout is not None and not self._merge_request:
                    place.checkout.refuse_changes(roots)
                return self._change(place, roots, edit, message, author)
        except GitFailedError as failure:
            raise failure.refusal(self._shown) from failure
        finally:
            self._opened = None

    def _change(self, place: Place, roots: Sequence[str], edit: Edit, message: str, author: Author) -> Published:
        """Commit, deliver, move the branch: in this order, so that a refused push changes nothing here."""
        moved = False
        try:
            commit = _commit(place, edit, message, author)
            published = self._deliver(place, roots, commit, message, len(edit))
            if not self._merge_request:
                _move(place, edit, commit, message, author)
                moved = True
            return published
        finally:
            if not moved:
                forgotten = f"delete {_PENDING}\0\0delete {_TOPIC}\0\0"
                place.git.run("update-ref", "-z", "--stdin", data=forgotten.encode())

    def _place(self) -> Place:
        """The repository, opened once: what was loaded is what is replaced."""
        if self._opened is None:
            try:
                if self._remote is None:
                    self._opened = open_local(self._path, self._branch)
                else:
                    self._opened = open_clone(self._remote, self._branch, self._clone_directory())
            except GitFailedError as failure:
                raise failure.refusal(self._shown) from failure
        return self._opened

    def _clone_directory(self) -> Path:
        if self._clones is None:
            self._clones = Path(tempfile.mkdtemp(prefix="sitewright-"))
            weakref.finalize(self, shutil.rmtree, self._clones, ignore_errors=True)
        return self._clones

    def _edit(self, place: Place, roots: Sequence[str], trees: Mapping[str, FileTree]) -> Edit:
        entries = listing(place.git, place.tip, roots)
        _refuse_blocked(place, [root for root in roots if not _below(entries, root)], self.location)
        hint = "move these files away, or give the site another directory with spec.gitops.path"
        refuse([finding for root in roots for finding in foreign_files(root, _below(entries, root), hint)])
        return compare(entries, trees, place.algorithm)

    def _deliver(self, place: Place, roots: Sequence[str], commit: str | None, message: str, changed: int) -> Published:
        """Push what was committed, if that was asked for."""
        if not self._push or commit is None:
            return Published(location=self.location, revision=commit, changed=changed)
        side = place.clone_of or push_target(place, self._path)
        pushed, notes = False, tuple[str, ...]()
        if not self._merge_request:
            pushed = self._push_branch(place, side, commit)
        elif changed:
            pushed, notes = self._propose(place, side, roots, commit, message)
        return Published(location=self.location, revision=commit, changed=changed, pushed=pushed, notes=notes)

    def _push_branch(self, place: Place, side: RemoteSide, commit: str) -> bool:
        present = place.tip if place.clone_of else side.heads().get(place.ref)
        if present == commit:
            return False
        side.push(commit, place.ref, lease=(place.tip or "") if place.clone_of else None)
        return True

    def _propose(
        self, place: Place, side: RemoteSide, roots: Sequence[str], commit: str, message: str
    ) -> tuple[bool, tuple[str, ...]]:
        topic = f"sitewright/{roots[0].rpartition('/')[2]}" if len(roots) == 1 else "sitewright/fleet"
        title = message.partition("\n")[0]
        if self._agit:
            options = [f"topic={topic}", f"title={title}", "force-push=true"]
            said = side.push(commit, f"refs/for/{self._branch}", lease=None, options=options)
            return True, advice(said, topic, self._branch, opened=True)
        ref = f"refs/heads/{topic}"
        present = side.heads().get(ref, "")
        if present and _same_proposal(place, side, ref, commit):
            return False, (f"`{topic}` proposes the same change already",)
        options = ["merge_request.create", f"merge_request.target={self._branch}", f"merge_request.title={title}"]
        try:
            said, opened = side.push(commit, ref, lease=present, options=options), True
        except RemoteError as error:
            if not takes_no_options(error):
                raise
            said, opened = side.push(commit, ref, lease=present), False
        return True, advice(said, topic, self._branch, opened=opened)


def _below(entries: Iterable[str], root: str) -> list[str]:
    """The paths below `root`, relative to it; a file in the place of the root itself counts as `.`."""
    return [path[len(root) + 1 :] or "." for path in entries if path == root or path.startswith(f"{root}/")]


def _refuse_blocked(place: Place, roots: Sequence[str], location: str) -> None:
    """Raise InputError when a file, a link or a submodule stands where one of these new roots must pass."""
    if place.tip is None:
        return
    above = sorted({root[:index] for root in roots for index, char in enumerate(root) if char == "/"})
    if not above:
        return
    entries = read_listing(place.git.run("ls-tree", "-z", "--full-tree", place.tip, "--", *above).output)
    blocking = [path for path, entry in entries.items() if entry.kind != "tree"]
    if blocking:
        raise InputError(not_plain(location, blocking[0]))


def _signature(author: Author) -> Signature:
    """Author and committer: name and address without the signs that git reads as their ends."""
    name, email = (
        "".join(char for char in text if char not in "<>\n\0").strip() for text in (author.name, author.email)
    )
    return Signature(f"{name} <{email}>", int(author.when.timestamp()), f"{author.when:%z}" or "+0000")


def _commit(place: Place, edit: Edit, message: str, author: Author) -> str:
    """Make the commit and return its id. Nothing refers to it afterwards but `refs/sitewright/pending`."""
    text = message.rstrip("\n") + "\n"
    signature = _signature(author)
    stream = import_stream(edit, ref=_PENDING, parent=place.tip, signature=signature, message=text)
    commit = place.git.run("fast-import", "--quiet", "--done", "--force", data=stream).text  # one pack, never loose
    if place.git.run("config", "--type=bool", "--get", "commit.gpgSign", ok=(0, 1)).text != "true":
        return commit
    parent = ["-p", place.tip] if place.tip else []
    # fast-import cannot sign: the same commit is written again by a command that can
    try:
        signed = place.git.run(
            "commit-tree", "-S", *parent, f"{commit}^{{tree}}", data=text.encode(), environment=_people(signature)
        )
    except GitFailedError as failure:
        raise InputError(_unsigned(place, failure)) from failure
    return signed.text


def _people(signature: Signature) -> dict[str, str]:
    name, _, email = signature.who.removesuffix(">").rpartition(" <")
    date = f"@{signature.seconds} {signature.offset}"
    both = {"NAME": name, "EMAIL": email, "DATE": date}
    return {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in both.items()}


def _move(place: Place, edit: Edit, commit: str, message: str, author: Author) -> None:
    """Let the branch point at the commit, and only then bring the working tree along."""
    if place.checkout is not None:
        place.checkout.begin(place.tip, commit, edit)
    nothing = "0" * len(commit)
    lines = f"update {place.kept_in}\0{commit}\0{place.tip or nothing}\0delete {_PENDING}\0\0"
    log = f"sitewright: {message.partition(chr(10))[0]}"
    people = _people(_signature(author))
    place.git.run("update-ref", "-m", log, "-z", "--stdin", data=lines.encode(), environment=people)
    if place.checkout is not None:
        place.checkout.bring(edit)


def _same_proposal(place: Place, side: RemoteSide, ref: str, commit: str) -> bool:
    """True when the branch of the merge request holds the same tree on the same parent."""
    side.fetch(ref, _TOPIC, whole=place.clone_of is None)
    trees = place.git.run("rev-parse", f"{_TOPIC}^{{tree}}", f"{commit}^{{tree}}").text.split()
    body = place.git.run("cat-file", "commit", _TOPIC).text.partition("\n\n")[0]
    parents = [line.removeprefix("parent ") for line in body.splitlines() if line.startswith("parent ")]
    return trees[0] == trees[1] and parents == ([place.tip] if place.tip else [])


def _bad_name(message: str) -> Finding:
    return Finding(
        code="repository-name",
        message=message,
        where=Where(subject="--repo, --branch"),
        hint="--repo ssh://git@host/group/site.git --branch main",
    )


def _push_needed(location: str) -> Finding:
    return Finding(
        code="push-needed",
        message=f"a commit for `{location}` has no place to stay unless it is pushed",
        where=Where(subject="--repo"),
        hint="add --push or --merge-request, or name a clone on this machine",
    )


def _unsigned(place: Place, failure: GitFailedError) -> Finding:
    return Finding(
        code="signing-failed",
        message="git is configured to sign commits (`commit.gpgSign`) and could not",
        where=Where(file=str(place.git.directory)),
        explanation=tuple(line for line in failure.errors.splitlines() if line.strip())[:20],
        hint=f"git -C {place.git.directory} config --get-regexp 'gpg|user.signingkey'",
    )
