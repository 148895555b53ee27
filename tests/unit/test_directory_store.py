"""`render --out DIR`: only what is ours is replaced, equal files stay, a killed run leaves the old state or the new."""

import fcntl
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from renderer.adapters import directory
from renderer.adapters.directory import DirectoryStore
from renderer.errors import Finding, InputError
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree
from renderer.ports import Author, Published

AUTHOR = Author(name="Site Owner", email="owner@site.example", when=datetime(2026, 11, 1, tzinfo=UTC))
DEMO = "sites/demo"


def tree(**files: str) -> FileTree:
    """A rendered tree: `manifests/<name>.yaml` for each keyword, and our record."""
    return FileTree.of([(PROOF, b"{}"), *((f"manifests/{name}.yaml", text.encode()) for name, text in files.items())])


def publish(store: DirectoryStore, trees: dict[str, FileTree]) -> Published:
    return store.publish(trees, "Render", AUTHOR)


def only_finding(act: Callable[[], object]) -> Finding:
    with pytest.raises(InputError) as caught:
        act()
    (finding,) = caught.value.findings
    return finding


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def inodes(path: Path) -> dict[str, int]:
    return {str(file.relative_to(path)): file.stat().st_ino for file in path.rglob("*") if file.is_file()}


def test_a_tree_comes_back_as_it_was_published(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "new" / "out")
    published = publish(store, {DEMO: tree(a="1", b="2")})
    assert published == Published(location=str(tmp_path / "new" / "out"), revision=None, changed=3)
    assert store.load(DEMO) == tree(a="1", b="2")
    assert names(tmp_path / "new" / "out") == ["sites"]


def test_a_root_that_is_not_there_is_an_empty_tree(tmp_path: Path) -> None:
    assert len(DirectoryStore(tmp_path / "nowhere").load(DEMO)) == 0
    assert len(DirectoryStore(tmp_path).load(DEMO)) == 0


def test_equal_files_keep_their_inode_and_time_and_nothing_is_touched_when_nothing_changed(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    publish(store, {DEMO: tree(a="1", b="2")})
    before, root = inodes(tmp_path), (tmp_path / DEMO).stat()
    assert publish(store, {DEMO: tree(a="1", b="2")}).changed == 0
    assert inodes(tmp_path) == before
    assert (tmp_path / DEMO).stat() == root
    assert publish(store, {DEMO: tree(a="1", b="3", c="4")}).changed == 2
    after = inodes(tmp_path)
    assert after[f"{DEMO}/manifests/a.yaml"] == before[f"{DEMO}/manifests/a.yaml"]
    assert after[f"{DEMO}/manifests/b.yaml"] != before[f"{DEMO}/manifests/b.yaml"]


def test_what_left_the_tree_leaves_the_directory_and_neighbours_stay(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    publish(store, {DEMO: tree(a="1"), "sites/other": tree(o="1")})
    (tmp_path / "README.md").write_text("mine")
    assert publish(store, {DEMO: tree(b="1")}).changed == 2
    assert store.load(DEMO) == tree(b="1")
    assert store.load("sites/other") == tree(o="1")
    assert (tmp_path / "README.md").read_text() == "mine"
    assert publish(store, {DEMO: FileTree({})}).changed == 2
    assert not (tmp_path / DEMO).exists()


def test_files_of_somebody_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / DEMO).mkdir(parents=True)
    (tmp_path / DEMO / "notes.txt").write_text("mine")
    finding = only_finding(lambda: publish(DirectoryStore(tmp_path), {DEMO: tree(a="1")}))
    assert finding.code == "dirty-output"
    assert finding.message == f"`{tmp_path / DEMO}` holds files that Sitewright did not write, so it is not replaced"
    assert finding.where.file == str(tmp_path / DEMO)
    assert finding.got == "1 file, the first is `notes.txt`"
    assert finding.hint == "move these files away, or choose another directory with --out"
    assert (tmp_path / DEMO / "notes.txt").read_text() == "mine"


def test_an_empty_directory_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / DEMO / "manifests").mkdir(parents=True)
    assert publish(DirectoryStore(tmp_path), {DEMO: tree(a="1")}).changed == 2


@pytest.mark.parametrize("place", ["sites", DEMO, f"{DEMO}/manifests", f"{DEMO}/manifests/b.yaml"])
def test_links_are_refused(tmp_path: Path, place: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    (out / place).parent.mkdir(parents=True)
    (out / place).symlink_to(elsewhere, target_is_directory=True)
    store = DirectoryStore(out)
    finding = only_finding(lambda: publish(store, {DEMO: tree(a="1")}))
    assert (finding.code, finding.got) == ("link-in-output", "a symbolic link")
    assert finding.where.file == str(out / place)
    assert finding.hint == f"remove it: rm {out / place}"
    assert only_finding(lambda: store.load(DEMO)).code == "link-in-output"
    assert names(elsewhere) == ["kept"]


def test_a_file_where_a_directory_must_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sites").write_text("a file")
    finding = only_finding(lambda: publish(DirectoryStore(tmp_path), {DEMO: tree(a="1")}))
    assert (finding.code, finding.got) == ("link-in-output", "a file")


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    finding = only_finding(lambda: publish(DirectoryStore(tmp_path / "out"), {DEMO: tree(a="1")}))
    assert finding.code == "output-failed"
    assert finding.message == f"`{tmp_path / 'out'}` is a file, so no tree can be written there"


@pytest.mark.parametrize("root", ["../out", "/etc", "sites/../..", "", "sites/.git"])
def test_a_root_cannot_leave_the_directory(tmp_path: Path, root: str) -> None:
    with pytest.raises(ValueError, match="is not a path below its root"):
        publish(DirectoryStore(tmp_path), {root: tree(a="1")})


def test_roots_cannot_lie_in_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two trees cannot own the same directory"):
        publish(DirectoryStore(tmp_path), {"sites": tree(a="1"), DEMO: tree(a="1")})


def test_two_runs_cannot_write_at_once(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    held = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        finding = only_finding(lambda: publish(store, {DEMO: tree(a="1")}))
    finally:
        os.close(held)
    assert finding.code == "output-locked"
    assert finding.message == f"another run of Sitewright is writing to `{tmp_path}`"
    assert finding.hint == "wait until it has ended, then run the same command again"
    assert publish(store, {DEMO: tree(a="1")}).changed == 2


def test_without_hard_links_and_exchange_the_result_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_link", lambda _old, _new: False)
    monkeypatch.setattr(directory, "_exchange", lambda _one, _other: False)
    store = DirectoryStore(tmp_path)
    publish(store, {DEMO: tree(a="1", b="2")})
    publish(store, {DEMO: tree(a="1", c="2")})
    assert store.load(DEMO) == tree(a="1", c="2")
    assert names(tmp_path) == ["sites"]


def test_a_journal_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out" / ".sitewright-publish").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "out" / ".sitewright-publish" / "journal").write_text('[["../precious", null]]')
    finding = only_finding(lambda: DirectoryStore(tmp_path / "out").load(DEMO))
    assert finding.code == "output-failed"
    assert finding.hint is not None
    assert finding.hint.startswith("look at it, then remove it: rm -r ")
    assert (tmp_path / "precious").is_dir()


OLD = {DEMO: tree(a="1", b="old", gone="x"), "sites/other": tree(o="1"), "sites/left": tree(l="1")}
NEW = {
    DEMO: tree(a="1", b="new", c="3"),
    "sites/other": tree(o="2"),
    "sites/left": FileTree({}),
    "sites/in": tree(i=""),
}


def state(path: Path) -> dict[str, FileTree]:
    return {root: DirectoryStore(path).load(root) for root in NEW}


def in_child(act: Callable[[], object]) -> int:
    """Run `act` in a forked process; what it ends with (9: killed)."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_killed_before_any_change_on_disk_the_state_is_the_old_or_the_new(tmp_path: Path, exchange: bool) -> None:
    """Every call that changes the disk is once the last one that the process makes."""
    seen = []
    for survived in range(200):
        out = tmp_path / str(survived)
        publish(DirectoryStore(out), OLD)

        def act(out: Path = out, survived: int = survived) -> None:
            kill_after(survived)
            if not exchange:
                directory._exchange = lambda _one, _other: False  # type: ignore[assignment]
            publish(DirectoryStore(out), NEW)

        ended = in_child(act)
        found = state(out)
        assert found in (OLD | {"sites/in": FileTree({})}, NEW), f"after {survived} changes"
        assert not (out / ".sitewright-publish").exists()
        seen.append(found == NEW)
        if ended == 0:
            break
    assert ended == 0
    assert seen == sorted(seen)
    assert 10 < seen.index(True) < len(seen) - 3  # both sides of the turning point were tried


def kill_after(survived: int) -> None:
    """From here on, this process kills itself when it is about to make change number `survived + 1` on disk."""
    left = survived

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in {"os.mkdir", "os.rename", "os.link", "os.remove", "os.rmdir", "ctypes.dlsym"}:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    import sys

    sys.addaudithook(hook)


def test_killed_at_any_time_the_state_is_the_old_or_the_new(tmp_path: Path) -> None:
    """A process that publishes two states in turn is killed at moments that nobody chose."""
    many = {f"f{number}": str(number) for number in range(60)}
    first = {DEMO: tree(**many), "sites/other": tree(o="1")}
    second = {DEMO: tree(**many, new="x"), "sites/other": tree(o="2")}
    publish(DirectoryStore(tmp_path), first)

    def alternate() -> None:
        while True:
            publish(DirectoryStore(tmp_path), second)
            publish(DirectoryStore(tmp_path), first)

    for round_ in range(12):
        child = os.fork()
        if child == 0:
            alternate()
        time.sleep(0.02 + 0.0137 * round_)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = {root: DirectoryStore(tmp_path).load(root) for root in first}
        assert found in (first, second)
