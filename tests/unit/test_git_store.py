"""`render --repo`: real git, real repositories on disk. One commit, exact bytes, nothing half done."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from renderer.adapters.git.store import GitStore
from renderer.errors import Finding, InputError, RemoteError, RendererError
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree
from renderer.ports import Author

AUTHOR = Author(name="Site Owner", email="owner@site.example", when=datetime(2026, 11, 1, 8, 30, tzinfo=UTC))
DEMO = "sites/demo"
MESSAGE = "Render demo\n\n2 objects added\n\nSitewright-Lock: sha256:00\n"


@pytest.fixture(autouse=True)
def _a_machine_without_git_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(path: Path, *arguments: str) -> str:
    """Run git as a person would; its output without the line break at its end."""
    person = ["-c", "user.name=Person", "-c", "user.email=person@site.example"]
    done = subprocess.run(["git", *person, *arguments], cwd=path, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.rstrip("\n")


def tree(**files: str) -> FileTree:
    """A rendered tree: `manifests/<name>.yaml` for each keyword, and our record."""
    return FileTree.of([(PROOF, b"{}"), *((f"manifests/{name}.yaml", text.encode()) for name, text in files.items())])


def only_finding(kind: type[RendererError], act: Callable[[], object]) -> Finding:
    with pytest.raises(kind) as caught:
        act()
    (finding,) = caught.value.findings
    return finding


@pytest.fixture(params=["sha1", "sha256"])
def bare(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "site.git"
    path.mkdir()
    git(path, "init", "-q", "--bare", "-b", "main", f"--object-format={request.param}", ".")
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with a working tree and one commit."""
    path = tmp_path / "work"
    path.mkdir()
    git(path, "init", "-q", "-b", "main", ".")
    (path / "README.md").write_text("the repository of a site\n")
    git(path, "add", "README.md")
    git(path, "commit", "-q", "-m", "first")
    return path


# --- a repository on this machine -------------------------------------------------------------------------------


def test_the_first_publish_makes_the_branch(bare: Path) -> None:
    store = GitStore(str(bare), "main")
    assert len(store.load(DEMO)) == 0
    published = store.publish({DEMO: tree(a="1", b="2")}, MESSAGE, AUTHOR)
    assert (published.changed, published.pushed, published.location) == (3, False, f"{bare} (main)")
    assert git(bare, "rev-parse", "main") == published.revision
    assert git(bare, "ls-tree", "-r", "--name-only", "main").splitlines() == [
        "sites/demo/manifests/a.yaml",
        "sites/demo/manifests/b.yaml",
        "sites/demo/records/provenance.json",
    ]
    assert git(bare, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert store.load(DEMO) == tree(a="1", b="2")
    assert git(bare, "fsck", "--strict", "--no-dangling") == ""


def test_author_date_and_message_are_as_given(bare: Path) -> None:
    when = datetime(2026, 11, 1, 16, 30, tzinfo=timezone(timedelta(hours=8)))
    author = Author(name="李 <雷>", email="li@site.example", when=when)
    GitStore(str(bare), "main").publish({DEMO: tree(a="1")}, MESSAGE, author)
    shown = git(bare, "log", "-1", "--format=%an|%ae|%aI|%cn|%ce|%cI")
    assert shown == "|".join(["李 雷", "li@site.example", "2026-11-01T16:30:00+08:00"] * 2)
    assert git(bare, "log", "-1", "--format=%B") == MESSAGE.rstrip()
    assert git(bare, "log", "-1", "--format=%(trailers:key=Sitewright-Lock,valueonly)").strip() == "sha256:00"


def test_the_same_input_gives_the_same_commit(bare: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.git"
    shutil.copytree(bare, other)
    commits = {
        GitStore(str(path), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR).revision for path in (bare, other)
    }
    assert len(commits) == 1


def test_unchanged_input_makes_no_commit(bare: Path) -> None:
    store = GitStore(str(bare), "main")
    first = store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    again = store.publish({DEMO: tree(a="1")}, "Render once more", AUTHOR)
    assert (again.changed, again.revision) == (0, first.revision)
    assert git(bare, "rev-list", "--count", "main") == "1"


def test_only_what_changed_is_changed_and_neighbours_stay(bare: Path) -> None:
    store = GitStore(str(bare), "main")
    store.publish({DEMO: tree(a="1", gone="x"), "sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    second = store.publish({DEMO: tree(a="1", b="2")}, "Render demo", AUTHOR)
    assert second.changed == 2
    assert git(bare, "diff", "--name-status", "--no-renames", "main~1", "main").splitlines() == [
        "A\tsites/demo/manifests/b.yaml",
        "D\tsites/demo/manifests/gone.yaml",
    ]
    assert store.load("sites/other") == tree(o="1")
    store.publish({DEMO: FileTree({})}, "Retire demo", AUTHOR)
    assert git(bare, "ls-tree", "--name-only", "main:sites") == "other"


def test_a_content_of_many_sites_is_stored_once(bare: Path) -> None:
    shared = "".join(f"line {number}\n" for number in range(500))
    sites = {
        f"sites/s{number}": tree(**{f"m{index}": f"{index}{shared}" for index in range(5)}) for number in range(60)
    }
    GitStore(str(bare), "main").publish(sites, MESSAGE, AUTHOR)
    objects = git(bare, "rev-list", "--objects", "--all", "--filter=object:type=blob").splitlines()
    assert len([line for line in objects if " " in line]) == 6


def test_bytes_stay_as_they_are(bare: Path) -> None:
    odd = FileTree.of(
        [
            (PROOF, b"{}"),
            ("crlf.txt", b"a\r\nb\r\n"),
            ("binary", bytes(range(256))),
            ("empty", b""),
            ('"quoted".yaml', b"x: 1\n"),
            ("with space & ünïcode 站.yaml", b"y"),
            (".gitattributes", b"* text=auto eol=crlf\n*.txt ident export-ignore\n"),
        ]
    )
    git(bare, "config", "core.autocrlf", "true")
    store = GitStore(str(bare), "main")
    store.publish({DEMO: odd}, MESSAGE, AUTHOR)
    assert store.load(DEMO) == odd
    assert store.publish({DEMO: odd}, MESSAGE, AUTHOR).changed == 0


def test_a_file_may_become_a_directory_and_back(bare: Path) -> None:
    store = GitStore(str(bare), "main")
    file, directory = FileTree.of([(PROOF, b""), ("a", b"1")]), FileTree.of([(PROOF, b""), ("a/b", b"2")])
    for wanted in (file, directory, file):
        store.publish({DEMO: wanted}, MESSAGE, AUTHOR)
        assert store.load(DEMO) == wanted


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"])
def test_the_callers_git_variables_lead_nowhere(work: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """As in a git hook that runs Sitewright."""
    monkeypatch.setenv(variable, str(work / ".git" / "nowhere"))
    GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    monkeypatch.delenv(variable, raising=False)
    assert git(work, "status", "--porcelain") == ""
    assert not (work / ".git" / "nowhere").exists()


def test_hooks_do_not_run(work: Path) -> None:
    for name in ("pre-commit", "post-index-change", "reference-transaction", "post-checkout"):
        hook = work / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {work.parent}/ran-{name}\n")
        hook.chmod(0o755)
    GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert [path.name for path in work.parent.iterdir() if path.name.startswith("ran-")] == []


# --- a working tree ---------------------------------------------------------------------------------------------


def test_a_checked_out_branch_stays_in_step(work: Path) -> None:
    git(work, "config", "core.autocrlf", "true")
    store = GitStore(str(work), "main")
    store.publish({DEMO: tree(a="1\n", gone="x")}, MESSAGE, AUTHOR)
    assert git(work, "status", "--porcelain") == ""
    assert (work / DEMO / "manifests" / "a.yaml").read_bytes() == b"1\n"
    store.publish({DEMO: FileTree.of([(PROOF, b"{}"), ("nodes/x", b"1")])}, MESSAGE, AUTHOR)
    assert git(work, "status", "--porcelain") == ""
    assert sorted(path.name for path in (work / DEMO).iterdir()) == ["nodes", "records"]
    assert (work / "README.md").exists()


def test_an_unborn_branch_gets_its_files_too(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "fresh")
    GitStore(str(tmp_path / "fresh"), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(tmp_path / "fresh", "status", "--porcelain") == ""
    assert (tmp_path / "fresh" / DEMO / "manifests" / "a.yaml").read_text() == "1"


def test_a_branch_that_is_not_checked_out_leaves_the_working_tree_alone(work: Path) -> None:
    git(work, "branch", "rendered")
    GitStore(str(work), "rendered").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert not (work / DEMO).exists()
    assert git(work, "status", "--porcelain") == ""
    assert git(work, "rev-list", "--count", "main..rendered") == "1"


def test_work_elsewhere_in_the_repository_stays(work: Path) -> None:
    (work / "README.md").write_text("changed\n")
    (work / "staged.txt").write_text("staged\n")
    (work / "new.txt").write_text("new\n")
    git(work, "add", "staged.txt")
    GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(work, "status", "--porcelain").splitlines() == [" M README.md", "A  staged.txt", "?? new.txt"]
    assert git(work, "show", "--name-only", "--format=", "HEAD").splitlines() == [
        "sites/demo/manifests/a.yaml",
        "sites/demo/records/provenance.json",
    ]


@pytest.mark.parametrize("change", ["edit", "stage", "add"])
def test_uncommitted_changes_below_the_root_are_refused(work: Path, change: str) -> None:
    store = GitStore(str(work), "main")
    commit = store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR).revision
    name = f"{DEMO}/manifests/{'new' if change == 'add' else 'a'}.yaml"
    (work / name).write_text("edited")
    if change == "stage":
        git(work, "add", name)
    finding = only_finding(InputError, lambda: store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR))
    assert finding.code == "dirty-output"
    assert finding.message == f"`{work}` has changes that are not committed where the tree belongs"
    assert finding.got == f"1 file, the first is `{name}`"
    assert finding.hint == f"git -C {work} stash push --include-untracked -- {DEMO}"
    assert git(work, "rev-parse", "main") == commit
    assert (work / name).read_text() == "edited"


def test_a_branch_of_another_working_tree_is_refused(work: Path) -> None:
    git(work, "branch", "rendered")
    git(work, "worktree", "add", "-q", "../second", "rendered")
    finding = only_finding(InputError, lambda: GitStore(str(work), "rendered").load(DEMO))
    assert finding.code == "branch-checked-out"
    assert finding.hint == f"render into that working tree: --repo {work.parent / 'second'}"
    GitStore(str(work.parent / "second"), "rendered").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(work.parent / "second", "status", "--porcelain") == ""


KILLED = """
import os, signal, sys
from renderer.adapters.git import command
from tests.unit.test_git_store import AUTHOR, DEMO, MESSAGE, NEW, GitStore
run, left = command.Git.run, int(sys.argv[2])
def counted(self, verb, *arguments, **options):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return run(self, verb, *arguments, **options)
command.Git.run = counted
GitStore(sys.argv[1], "main").publish({DEMO: NEW}, MESSAGE, AUTHOR)
"""
NEW = tree(a="1", b="new", c="3")


@pytest.mark.parametrize("kind", ["bare", "work"])
def test_killed_before_any_call_of_git_the_branch_is_the_old_or_the_new(tmp_path: Path, kind: str) -> None:
    old, seen = tree(a="1", b="old", gone="x"), []
    for survived in range(40):
        path = tmp_path / str(survived)
        path.mkdir()
        git(path, "init", "-q", "-b", "main", *(["--bare"] if kind == "bare" else []), ".")
        GitStore(str(path), "main").publish({DEMO: old}, MESSAGE, AUTHOR)
        root = Path(__file__).parents[2]
        command = [sys.executable, "-c", KILLED, str(path), str(survived)]
        done = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=False)
        found = GitStore(str(path), "main").load(DEMO)
        assert found in (old, NEW)
        if kind == "work":
            assert git(path, "status", "--porcelain") == ""
        seen.append(found == NEW)
        GitStore(str(path), "main").publish({DEMO: NEW}, MESSAGE, AUTHOR)
        assert git(path, "rev-list", "--count", "main") == "2"
        assert git(path, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    assert done.returncode == 0
    assert seen == sorted(seen)
    assert seen.index(True) > 5


def test_a_killed_run_is_not_completed_over_somebodys_edit(work: Path) -> None:
    store = GitStore(str(work), "main")
    store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    commit = store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR).revision
    old = git(work, "rev-parse", "HEAD~1")
    name = f"{DEMO}/manifests/a.yaml"
    record: dict[str, object] = {
        "old": old,
        "new": commit,
        "put": {name: git(work, "rev-parse", f"HEAD:{name}")},
        "delete": [],
    }
    (work / ".git" / "sitewright-publish").write_text(json.dumps(record))
    (work / name).write_text("mine")
    finding = only_finding(InputError, lambda: store.load(DEMO))
    assert (finding.code, finding.got) == ("dirty-output", f"1 file, the first is `{name}`")
    assert (work / name).read_text() == "mine"
    (work / name).write_text("1")
    assert store.load(DEMO) == tree(a="2")
    assert (work / name).read_text() == "2"
    assert git(work, "status", "--porcelain") == ""


@pytest.mark.parametrize("written", ["", "the new con"])
def test_a_file_that_git_was_writing_when_it_was_killed_is_written_again(work: Path, written: str) -> None:
    store = GitStore(str(work), "main")
    store.publish({DEMO: tree(a="old")}, MESSAGE, AUTHOR)
    commit = store.publish({DEMO: tree(a="the new content")}, MESSAGE, AUTHOR).revision
    name = f"{DEMO}/manifests/a.yaml"
    record: dict[str, object] = {
        "old": git(work, "rev-parse", "HEAD~1"),
        "new": commit,
        "put": {name: git(work, "rev-parse", f"HEAD:{name}")},
        "delete": [],
    }
    (work / ".git" / "sitewright-publish").write_text(json.dumps(record))
    (work / name).write_text(written)
    assert store.load(DEMO) == tree(a="the new content")
    assert (work / name).read_text() == "the new content"
    assert git(work, "status", "--porcelain") == ""


def test_a_lock_that_a_killed_git_left_is_named(work: Path) -> None:
    store = GitStore(str(work), "main")
    store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    lock = work / ".git" / "index.lock"
    lock.touch()
    finding = only_finding(InputError, lambda: store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR))
    assert finding.code == "git-locked"
    assert finding.message == f"`{work}` is locked: another git works there, or one was killed and left its lock"
    assert finding.where.file == str(work)
    assert finding.explanation == (f"the lock is `{lock}`",)
    assert finding.hint == f"wait for the other git; if none runs there: rm {lock}"
    lock.unlink()
    store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR)
    assert store.load(DEMO) == tree(a="2")
    assert git(work, "status", "--porcelain") == ""


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        ("ext::sh -c evil", "`ext::` would let git run a program"),
        ("--upload-pack=evil", "'--upload-pack=evil' cannot name a repository"),
        ("http://host/x.git", "`http://` is not a way to reach a repository"),
        ("git://host/x.git", "`git://` is not a way to reach a repository"),
        ("ssh://-oProxyCommand=evil/x", "`ssh://-oProxyCommand=evil/x` does not name a host"),
        ("-oProxyCommand=evil:x", "'-oProxyCommand=evil:x' cannot name a repository"),
        ("git@-oProxyCommand=evil:x", "`git@-oProxyCommand=evil:x` does not name a host"),
        ("https://", "`https://` does not name a host"),
        ("a\nb", "'a\\nb' cannot name a repository"),
        ("", "'' cannot name a repository"),
    ],
)
def test_names_that_could_do_more_than_name_a_repository(repository: str, message: str) -> None:
    finding = only_finding(InputError, lambda: GitStore(repository, "main", push=True))
    assert finding.code == "repository-name"
    assert finding.message.startswith(message)
    assert finding.hint == "--repo ssh://git@host/group/site.git --branch main"


@pytest.mark.parametrize(
    "branch", ["", "-d", "a..b", "a b", "x.lock", "/a", "a/", "a//b", "HEAD", "@", "a@{1}", "a:b", ".a"]
)
def test_names_that_cannot_be_a_branch(bare: Path, branch: str) -> None:
    finding = only_finding(InputError, lambda: GitStore(str(bare), branch))
    assert (finding.code, finding.message) == ("repository-name", f"`{branch}` cannot name a branch")


@pytest.mark.parametrize("repository", ["git@host:group/site.git", "host:site", "ssh://git@host:2222/x", "file:///x"])
def test_a_url_without_push_is_refused_before_anything_is_asked_of_it(repository: str) -> None:
    finding = only_finding(InputError, lambda: GitStore(repository, "main"))
    assert finding.code == "push-needed"
    assert finding.hint == "add --push or --merge-request, or name a clone on this machine"


def test_a_url_can_be_looked_at_without_push(bare: Path) -> None:
    GitStore(str(bare), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert GitStore(bare.as_uri(), "main", read_only=True).load(DEMO) == tree(a="1")


def test_a_path_that_is_no_repository_does_not_find_one_further_up(work: Path) -> None:
    (work / "build").mkdir()
    for path in (work / "build", work / "nowhere"):
        finding = only_finding(InputError, lambda path=path: GitStore(str(path), "main").load(DEMO))  # type: ignore[misc]
        assert finding.code == "repository-not-found"
        assert finding.message == f"`{path}` is not a git repository"
        assert finding.hint == f"git init --initial-branch=main {path}"


def test_an_unknown_branch_is_a_typing_error(work: Path) -> None:
    finding = only_finding(InputError, lambda: GitStore(str(work), "mian").load(DEMO))
    assert finding.code == "branch-not-found"
    assert finding.message == f"`{work}` has no branch `mian`"
    assert finding.expected == "one of main"


def test_files_of_somebody_else_are_refused(work: Path) -> None:
    (work / DEMO).mkdir(parents=True)
    (work / DEMO / "notes.txt").write_text("mine")
    git(work, "add", DEMO)
    git(work, "commit", "-q", "-m", "notes")
    finding = only_finding(
        InputError, lambda: GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    )
    assert finding.code == "dirty-output"
    assert finding.got == "1 file, the first is `notes.txt`"


@pytest.mark.parametrize("place", ["sites", DEMO, f"{DEMO}/manifests"])
def test_links_in_the_repository_are_refused(work: Path, place: str) -> None:
    GitStore(str(work), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    shutil.rmtree(work / place, ignore_errors=True)
    (work / place).parent.mkdir(parents=True, exist_ok=True)
    (work / place).symlink_to("/tmp")
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "link")
    finding = only_finding(
        InputError, lambda: GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    )
    assert finding.code in {"link-in-output", "dirty-output"}


def test_two_runs_cannot_write_at_once(bare: Path) -> None:
    import fcntl

    held = os.open(bare, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        finding = only_finding(InputError, lambda: GitStore(str(bare), "main").publish({DEMO: tree()}, MESSAGE, AUTHOR))
    finally:
        os.close(held)
    assert finding.code == "output-locked"


def test_a_repository_that_git_refuses_says_what_git_says(work: Path) -> None:
    (work / ".git" / "config").write_text("[core]\n\tnonsense = [\n[broken\n")
    finding = only_finding(InputError, lambda: GitStore(str(work), "main").load(DEMO))
    assert finding.code == "git-refused"
    assert any("bad config" in line for line in finding.explanation)


# --- signed commits ---------------------------------------------------------------------------------------------


@pytest.mark.real
def test_a_commit_is_signed_when_git_is_configured_so(work: Path, tmp_path: Path, real: Callable[[str], Path]) -> None:
    key = tmp_path / "key"
    subprocess.run([str(real("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (tmp_path / "signers").write_text(f"owner@site.example {key.with_suffix('.pub').read_text()}")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingKey": str(key),
        "gpg.ssh.allowedSignersFile": str(tmp_path / "signers"),
        "commit.gpgSign": "true",
    }.items():
        git(work, "config", name, value)
    published = GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    git(work, "verify-commit", str(published.revision))
    assert (
        git(work, "log", "-1", "--format=%an|%aI|%cn|%cI|%B")
        == f"{AUTHOR.name}|2026-11-01T08:30:00+00:00|" * 2 + MESSAGE.rstrip()
    )
    assert git(work, "status", "--porcelain") == ""
    assert git(work, "rev-list", "--count", "main") == "2"


def test_a_commit_that_cannot_be_signed_is_not_made(work: Path) -> None:
    git(work, "config", "commit.gpgSign", "true")
    git(work, "config", "gpg.format", "ssh")
    git(work, "config", "user.signingKey", "/nowhere/key")
    before = git(work, "rev-parse", "main")
    finding = only_finding(
        InputError, lambda: GitStore(str(work), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    )
    assert finding.code == "signing-failed"
    assert finding.explanation
    assert git(work, "rev-parse", "main") == before


# --- remotes ----------------------------------------------------------------------------------------------------


def url(path: Path) -> str:
    return path.as_uri()


@pytest.fixture
def started(bare: Path) -> Path:
    """A bare repository that has a site already."""
    GitStore(str(bare), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    return bare


def test_an_empty_remote_gets_its_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "empty.git")
    published = GitStore(url(tmp_path / "empty.git"), "main", push=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(tmp_path / "empty.git", "rev-parse", "main") == published.revision


def test_an_empty_remote_of_the_other_object_format_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", "empty.git")
    store = GitStore(url(tmp_path / "empty.git"), "main", push=True)
    finding = only_finding(RemoteError, lambda: store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR))
    assert finding.code == "remote-format"
    assert finding.hint == f"push a first commit to it from a clone: git clone {url(tmp_path / 'empty.git')}"


def test_a_remote_gets_the_commit(started: Path, tmp_path: Path) -> None:
    bare = started
    for clones in (None, tmp_path / "clones", tmp_path / "clones"):
        store = GitStore(url(bare), "main", push=True, clones=clones)
        before = len(store.load(DEMO))
        published = store.publish({DEMO: tree(a="1", b=str(before), c=str(clones))}, MESSAGE, AUTHOR)
        assert published.pushed == (published.changed > 0)
        assert git(bare, "rev-parse", "main") == published.revision
    assert git(bare, "rev-list", "--count", "main") == "3"
    assert git(bare, "fsck", "--strict", "--no-dangling") == ""


def test_a_remote_that_is_up_to_date_gets_nothing(started: Path) -> None:
    bare = started
    first = GitStore(url(bare), "main", push=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    again = GitStore(url(bare), "main", push=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert (again.changed, again.pushed, again.revision) == (0, False, first.revision)


def test_a_remote_that_moved_on_is_not_overwritten(started: Path) -> None:
    bare = started
    store = GitStore(url(bare), "main", push=True)
    store.load(DEMO)
    moved = GitStore(str(bare), "main").publish({"sites/other": tree(o="2")}, MESSAGE, AUTHOR).revision
    finding = only_finding(RemoteError, lambda: store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR))
    assert finding.code == "push-rejected"
    assert finding.message == "`main` has moved on since it was read, so nothing was pushed"
    assert finding.where.subject == f"branch main of {url(bare)}"
    assert finding.hint == "run the same command again: it starts from what the branch holds now"
    assert git(bare, "rev-parse", "main") == moved
    assert store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR).pushed
    assert git(bare, "rev-parse", "main~1") == moved
    assert store.load(DEMO) == tree(a="2")


def test_a_clone_is_pushed_to_its_upstream_and_a_refused_push_changes_nothing_here(bare: Path, tmp_path: Path) -> None:
    GitStore(str(bare), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(bare), "clone")
    store = GitStore(str(clone), "main", push=True)
    published = store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert published.pushed
    assert git(bare, "rev-parse", "main") == published.revision == git(clone, "rev-parse", "HEAD")
    assert git(clone, "status", "--porcelain") == ""
    GitStore(str(bare), "main").publish({"sites/other": tree(o="2")}, MESSAGE, AUTHOR)
    finding = only_finding(RemoteError, lambda: store.publish({DEMO: tree(a="2")}, MESSAGE, AUTHOR))
    assert finding.code == "push-rejected"
    assert finding.hint == f"git -C {clone} pull --ff-only, then run the same command again"
    assert git(clone, "rev-parse", "HEAD") == published.revision
    assert git(clone, "status", "--porcelain") == ""


def test_a_commit_that_was_not_pushed_is_pushed_later(bare: Path, tmp_path: Path) -> None:
    GitStore(str(bare), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    git(tmp_path, "clone", "-q", str(bare), "clone")
    kept = GitStore(str(tmp_path / "clone"), "main").publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    later = GitStore(str(tmp_path / "clone"), "main", push=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert (later.changed, later.pushed, later.revision) == (0, True, kept.revision)
    assert git(bare, "rev-parse", "main") == kept.revision


def test_a_push_without_a_remote_is_refused(work: Path) -> None:
    finding = only_finding(
        InputError, lambda: GitStore(str(work), "main", push=True).publish({DEMO: tree()}, MESSAGE, AUTHOR)
    )
    assert finding.code == "no-remote"
    assert finding.hint == f"git -C {work} remote add origin URL"


def hook(bare: Path, name: str, script: str) -> None:
    (bare / "hooks").mkdir(exist_ok=True)
    (bare / "hooks" / name).write_text(f"#!/bin/sh\n{script}\n")
    (bare / "hooks" / name).chmod(0o755)


def test_a_protected_branch_says_so(started: Path) -> None:
    bare = started
    hook(bare, "pre-receive", "echo 'main is protected'; exit 1")
    finding = only_finding(
        RemoteError, lambda: GitStore(url(bare), "main", push=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    )
    assert finding.code == "push-refused"
    assert finding.got == "pre-receive hook declined"
    assert finding.explanation == ("main is protected",)
    assert finding.hint == "propose the change instead: add --merge-request"


def test_a_remote_that_is_not_there_says_so_without_the_password(tmp_path: Path) -> None:
    store = GitStore(url(tmp_path / "nowhere.git"), "main", push=True)
    finding = only_finding(RemoteError, lambda: store.load(DEMO))
    assert finding.code == "remote-unreachable"
    assert finding.hint == f"try the same access alone: git ls-remote {url(tmp_path / 'nowhere.git')}"
    secret = GitStore("https://user:secret@127.0.0.1:1/x.git", "main", push=True)
    finding = only_finding(RemoteError, lambda: secret.load(DEMO))
    assert finding.message == "`https://127.0.0.1:1/x.git` cannot be reached"
    assert "secret" not in str(finding)
    assert "secret" not in secret.location


# --- merge requests ---------------------------------------------------------------------------------------------


@pytest.fixture
def forge(bare: Path) -> Path:
    """A server that takes push options and prints where the merge request is."""
    git(bare, "config", "receive.advertisePushOptions", "true")
    options = "i=0; while [ $i -lt $GIT_PUSH_OPTION_COUNT ]; do eval echo \\$GIT_PUSH_OPTION_$i; i=$((i+1)); done"
    hook(bare, "pre-receive", f"({options}) > {bare}/options")
    hook(bare, "post-receive", "echo; echo 'View merge request:'; echo '  https://forge.example/mr/7'")
    GitStore(str(bare), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    return bare


def test_a_merge_request_is_a_branch_and_push_options(forge: Path) -> None:
    main = git(forge, "rev-parse", "main")
    store = GitStore(url(forge), "main", merge_request=True)
    published = store.publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert published.pushed
    assert published.notes == ("merge request from `sitewright/demo` to `main`: https://forge.example/mr/7",)
    assert git(forge, "rev-parse", "sitewright/demo") == published.revision
    assert git(forge, "rev-parse", "main", "sitewright/demo~1").split() == [main, main]
    assert (forge / "options").read_text().splitlines() == [
        "merge_request.create",
        "merge_request.target=main",
        "merge_request.title=Render demo",
    ]


def test_a_merge_request_is_renewed_when_the_change_is_another(forge: Path) -> None:
    later = Author(name=AUTHOR.name, email=AUTHOR.email, when=AUTHOR.when + timedelta(days=1))
    first = GitStore(url(forge), "main", merge_request=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    same = GitStore(url(forge), "main", merge_request=True).publish({DEMO: tree(a="1")}, MESSAGE, later)
    assert (same.pushed, same.notes) == (False, ("`sitewright/demo` proposes the same change already",))
    assert git(forge, "rev-parse", "sitewright/demo") == first.revision
    other = GitStore(url(forge), "main", merge_request=True).publish({DEMO: tree(a="2")}, MESSAGE, later)
    assert other.pushed
    assert git(forge, "rev-parse", "sitewright/demo") == other.revision
    both = {DEMO: tree(a="1"), "sites/third": tree(t="1")}
    fleet = GitStore(url(forge), "main", merge_request=True).publish(both, MESSAGE, later)
    assert git(forge, "rev-parse", "sitewright/fleet") == fleet.revision


def test_a_merge_request_of_nothing_is_none(forge: Path) -> None:
    published = GitStore(url(forge), "main", merge_request=True).publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    assert (published.changed, published.pushed, published.notes) == (0, False, ())


def test_a_server_without_push_options_leaves_the_rest_to_a_person(bare: Path) -> None:
    GitStore(str(bare), "main").publish({"sites/other": tree(o="1")}, MESSAGE, AUTHOR)
    published = GitStore(url(bare), "main", merge_request=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert published.pushed
    assert published.notes == (
        "the server takes no push options: open a merge request from `sitewright/demo` to `main` by hand",
    )
    assert git(bare, "rev-parse", "sitewright/demo") == published.revision


def test_agit_pushes_to_refs_for(forge: Path) -> None:
    published = GitStore(url(forge), "main", agit=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(forge, "rev-parse", "refs/for/main") == published.revision
    assert (forge / "options").read_text().splitlines() == [
        "topic=sitewright/demo",
        "title=Render demo",
        "force-push=true",
    ]


def test_a_merge_request_from_a_clone_leaves_the_clone_as_it_is(forge: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(forge), "clone")
    clone = tmp_path / "clone"
    before = git(clone, "rev-parse", "HEAD")
    published = GitStore(str(clone), "main", merge_request=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(forge, "rev-parse", "sitewright/demo") == published.revision
    GitStore(str(clone), "main", merge_request=True).publish({DEMO: tree(a="1")}, MESSAGE, AUTHOR)
    assert git(clone, "rev-parse", "HEAD") == before
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "rev-parse", "--is-shallow-repository") == "false"
    assert git(clone, "for-each-ref", "--format=%(refname)", "refs/sitewright") == ""
