"""Where ports meet adapters: the one place that reads the clock and the environment and builds what commands need.

Nothing here is imported before a command runs, and nothing is built that the command does not ask for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer import __version__
from renderer.adapters.files import WorkingTree, root_around
from renderer.adapters.layout import open_images, open_layout
from renderer.cli import directories
from renderer.cli.spec import Options
from renderer.cli.usage import misused
from renderer.errors import Finding, InputError, RendererError, UsageError, Where
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.outcome import Outcome
from renderer.ports import Author, ChartEngine, Executor, TreeStore
from renderer.structs import replace

if TYPE_CHECKING:
    from renderer.commands.site.loading import Workspace

_EPOCH: Final = "SOURCE_DATE_EPOCH"
_MISSING: Final = frozenset({"file-not-found", "lock-missing"})
"""Findings whose file is one of the repository, though it is not there."""


def epoch() -> datetime | None:
    """The time in SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), or None."""
    text = os.environ.get(_EPOCH)
    if not text:
        return None
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            Finding(
                code="invalid-epoch",
                message=f"`{text}` is not a time",
                where=Where(subject=_EPOCH),
                expected="seconds since 1970, such as `1767225600`",
                hint=f"unset {_EPOCH}",
            )
        ) from error


def now() -> datetime:
    """The moment of this run in UTC, whole seconds. SOURCE_DATE_EPOCH has no say: keys expire by the clock."""
    return datetime.now(UTC).replace(microsecond=0)


class WithFile(WorkingTree):
    """A working tree, and one file that may lie anywhere, read under the name by which the person named it."""

    def __init__(self, tree: WorkingTree, name: str) -> None:
        super().__init__(tree.root, lambda place: open_layout(place, shown(place)))
        self._name = name
        self._beside = files_around(name)

    def read(self, path: str) -> bytes:
        """The content of a file of the tree, or of the one beside it."""
        if path != self._name:
            return super().read(path)
        with told_from_here(self._beside):
            return self._beside.read(self._beside.relative(path))


def files_around(path: str | Path) -> WorkingTree:
    """The working tree that `path` lies in."""
    return WorkingTree(root_around(Path(path)), lambda place: open_layout(place, shown(place)))


def files_with_images(path: str) -> WorkingTree:
    """The working tree that `path` lies in; its sources may be docker archives, too."""
    return WorkingTree(root_around(Path(path)), lambda place: open_images(place, shown(place)))


def files_over(paths: Sequence[str]) -> WorkingTree:
    """The working tree of the nearest directory that holds all of `paths`, images among them."""
    places = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - `resolve` would follow links
    root = Path(os.path.commonpath([place if place.is_dir() else place.parent for place in places]))
    return WorkingTree(root, lambda place: open_images(place, shown(place)))


def shown(path: Path) -> str:
    """A path as a person in the working directory writes it."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)


def workspace(files: WorkingTree, options: Options | None = None) -> Workspace:
    """What the verbs over sites work with, the chart engine of `--engine` and the logins of `--authfile` among it."""
    from renderer.adapters.package_data import Templates, schema
    from renderer.adapters.sealing import MachineSealing
    from renderer.cli.registries import repository
    from renderer.commands.site.loading import Workspace

    authfile = options.optional("authfile") if options and "authfile" in options else None
    return Workspace(
        files=files,
        schema=schema,
        templates=Templates(),
        engine=engine(options.text("engine") if options and "engine" in options else "embedded"),
        executor=executor(),
        sealing=MachineSealing(),
        version=__version__,
        now=now(),
        repository=partial(repository, authfile=authfile),
    )


def executor() -> Executor:
    """What runs several inflations at a time, where there is more than one processor."""
    from renderer.adapters.executors import SerialExecutor, ThreadExecutor

    return ThreadExecutor() if (os.cpu_count() or 1) > 1 else SerialExecutor()


def policy(path: str) -> TrustPolicy:
    """The trust policy in the file `path`. Raises InputError."""
    from renderer.commands.site.loading import Loader

    files = files_around(path)
    try:
        with told_from_here(files):
            return Loader(workspace(files)).policy(files.relative(path))
    except InputError as error:
        found = error.findings[0]
        if found.code != "file-not-found" or found.where.path or found.hint:
            raise  # with a path it is a key that the policy names
        hint = "name the trust policy with --trust FILE; `sitewright init` writes a first one"
        raise InputError(replace(found, hint=hint)) from error


def engine(text: str) -> ChartEngine:
    """The chart engine that `--engine` names: `embedded`, `executable` or `executable:PATH`."""
    kind, colon, program = text.partition(":")
    if kind == "executable" and (program or not colon):
        from renderer.adapters.helm_executable import ExecutableHelm

        return ExecutableHelm(program or None)
    if text == "embedded":
        from renderer.adapters.helm_embedded import EmbeddedHelm

        return EmbeddedHelm()
    raise UsageError(
        Finding(
            code="unknown-engine",
            message=f"`{text}` is no chart engine",
            where=Where(subject="--engine"),
            expected="`embedded`, `executable` or `executable:/path/to/helm`",
            hint="sitewright doctor",
        )
    )


def store(options: Options) -> TreeStore | None:
    """The place that `--out` or `--repo` names, or None when neither was given."""
    out, repo = options.optional("out"), options.optional("repo")
    if out and repo:
        raise misused("--out and --repo name two places; a tree goes to one", "leave one of them out")
    if repo is None:
        _only_with_repo(options)
    if out:
        from renderer.adapters.directory import DirectoryStore

        return DirectoryStore(out)
    return _git_store(options, repo) if repo else None


def _git_store(options: Options, repo: str) -> TreeStore:
    from renderer.adapters.git.store import GitStore

    branch = options.optional("branch")
    if not branch:
        raise misused("--repo needs the branch that the commit goes to", "--branch main")
    given = {
        name.replace("-", "_"): options.flag(name) for name in ("push", "merge-request", "agit") if name in options
    }
    return GitStore(repo, branch, clones=directories.cache() / "git", read_only="push" not in options, **given)


def _only_with_repo(options: Options) -> None:
    for name in ("branch", "push", "merge-request", "agit"):
        if name in options and options.given(name):
            raise misused(f"--{name} belongs to --repo", "--repo URL --branch main")


def author(options: Options, moment: datetime) -> Author:
    """Who commits: `--author`, else GIT_AUTHOR_NAME and GIT_AUTHOR_EMAIL, else git's own configuration.

    The commit is dated by SOURCE_DATE_EPOCH, else by `moment`.
    """
    moment = epoch() or moment
    text = options.optional("author")
    if text is not None:
        name, bracket, rest = text.partition(" <")
        if not (name.strip() and bracket and rest.endswith(">") and rest[:-1]):
            raise misused(f"`{text}` is no author", "--author 'Site Owner <owner@site.example>'")
        return Author(name=name.strip(), email=rest[:-1], when=moment)
    name, email = (os.environ.get(f"GIT_AUTHOR_{part}", "") for part in ("NAME", "EMAIL"))
    if not (name and email) and options.optional("repo"):
        from renderer.adapters.git.command import configured_identity

        path = Path(options.text("repo"))
        name, email = configured_identity(path if path.is_dir() else Path.cwd()) or ("", "")
    return Author(name=name or "Sitewright", email=email or "sitewright@localhost", when=moment)


def relative(files: WorkingTree, paths: Sequence[str]) -> tuple[str, ...]:
    """Paths as typed, as paths from the root of the working tree."""
    return tuple(files.relative(path) for path in paths)


def passphrase_for(location: str) -> Callable[[], bytes]:
    """Asks for the passphrase of a private key: SITEWRIGHT_KEY_PASSPHRASE, or the person at the terminal."""

    def ask() -> bytes:
        given = os.environ.get("SITEWRIGHT_KEY_PASSPHRASE")
        if given is not None:
            return given.encode()
        if not sys.stdin.isatty():
            raise UsageError(
                Finding(
                    code="passphrase-needed",
                    message=f"the private key `{location}` is encrypted, and nobody can be asked for its passphrase",
                    where=Where(file=location),
                    hint="set SITEWRIGHT_KEY_PASSPHRASE",
                )
            )
        from getpass import getpass

        return getpass(f"passphrase of {location}: ").encode()

    return ask


@contextmanager
def told_from_here(files: WorkingTree) -> Iterator[Callable[[Outcome], Outcome]]:
    """Spell file names in errors and outcomes as a person in the working directory writes them.

    Commands speak of paths from the root of the repository, which is somewhere else when one works in a directory
    below it.
    """

    def place(finding: Finding) -> Finding:
        name = finding.where.file
        if name is None or files.root == Path.cwd():
            return finding
        file = files.root / name
        if not (file.exists() or (finding.code in _MISSING and file.parent.is_dir())):
            return finding  # a template in a chart, a file that was named on the command line
        return finding.at(replace(finding.where, file=files.shown(name)))

    try:
        yield lambda outcome: replace(outcome, findings=tuple(place(finding) for finding in outcome.findings))
    except RendererError as error:
        raise type(error)(*(place(finding) for finding in error.findings)) from error
