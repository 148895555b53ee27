"""The working tree: where its root is, what is read and written, what is refused."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from renderer.adapters.files import SIZE_LIMIT, WorkingTree, root_around
from renderer.errors import Finding, InputError


def no_bundles(_: Path) -> NoReturn:
    raise AssertionError("no bundle is opened here")


@pytest.fixture
def tree(tmp_path: Path) -> WorkingTree:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "a.yaml").write_bytes(b"a: 1\n")
    return WorkingTree(tmp_path, no_bundles)


def refusal(act: Callable[[], object]) -> Finding:
    with pytest.raises(InputError) as caught:
        act()
    (finding,) = caught.value.findings
    return finding


# --- the root ------------------------------------------------------------------------------------------------------


def test_the_root_is_the_top_of_the_git_repository(tmp_path: Path) -> None:
    profile = tmp_path / "sites" / "profiles" / "east" / "a.yaml"
    profile.parent.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    assert root_around(profile) == tmp_path.resolve()
    assert root_around(profile.parent) == tmp_path.resolve()


def test_without_git_the_root_holds_profiles(tmp_path: Path) -> None:
    profile = tmp_path / "profiles" / "east" / "a.yaml"
    profile.parent.mkdir(parents=True)
    assert root_around(profile) == tmp_path.resolve()


def test_without_git_and_profiles_the_root_is_the_directory_of_the_profile(tmp_path: Path) -> None:
    assert root_around(tmp_path / "a.yaml") == tmp_path.resolve()


def test_paths_as_they_are_typed(tree: WorkingTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.root / "profiles")
    assert tree.relative("a.yaml") == "profiles/a.yaml"
    assert tree.relative("../.hidden") == ".hidden"
    assert tree.relative("..") == ""
    assert tree.relative(str(tree.root / "profiles" / "a.yaml")) == "profiles/a.yaml"
    assert tree.shown("profiles/a.yaml") == "a.yaml"
    assert tree.shown("trust.yaml") == str(tree.root / "trust.yaml")
    finding = refusal(lambda: tree.relative("/etc/hostname"))
    assert (finding.code, finding.message) == ("path-escape", "`/etc/hostname` does not lie in the repository")
    assert finding.expected == f"a path below `{tree.root}`"


# --- reading -------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tree: WorkingTree) -> None:
    assert tree.read("profiles/a.yaml") == b"a: 1\n"
    assert tree.read("./profiles/../profiles/a.yaml") == b"a: 1\n"


def test_what_is_there(tree: WorkingTree) -> None:
    assert tree.exists("profiles")
    assert tree.exists("profiles/a.yaml")
    assert not tree.exists("profiles/b.yaml")
    assert not tree.exists("../" + tree.root.name)


def test_a_link_inside_the_root_is_followed(tree: WorkingTree) -> None:
    (tree.root / "link.yaml").symlink_to("profiles/a.yaml")
    assert tree.read("link.yaml") == b"a: 1\n"


def test_what_cannot_be_read(tree: WorkingTree) -> None:
    finding = refusal(lambda: tree.read("profiles/b.yaml"))
    assert str(finding).splitlines()[:2] == [
        "error[file-not-found]: `profiles/b.yaml` does not exist",
        "  --> profiles/b.yaml",
    ]
    finding = refusal(lambda: tree.read("profiles"))
    assert (finding.code, finding.message) == ("not-a-file", "`profiles` is a directory")


def test_a_pipe_does_not_hang(tree: WorkingTree) -> None:
    os.mkfifo(tree.root / "pipe")
    assert refusal(lambda: tree.read("pipe")).code == "not-a-file"


def test_a_file_has_a_limit(tree: WorkingTree) -> None:
    with (tree.root / "large").open("wb") as file:
        file.truncate(SIZE_LIMIT)
    assert len(tree.read("large")) == SIZE_LIMIT
    with (tree.root / "large").open("ab") as file:
        file.write(b"x")
    finding = refusal(lambda: tree.read("large"))
    assert (finding.code, finding.message) == ("file-too-large", "`large` has more than 16 MiB")


def test_files_below_a_directory_are_sorted(tree: WorkingTree) -> None:
    for name in ("b/z", "b/a/c", "a", "B"):
        tree.write(f"templates/{name}", b"x")
    assert tree.list("templates") == ("B", "a", "b/a/c", "b/z")
    assert tree.list("templates/b") == ("a/c", "z")


def test_lists_refuse_files_links_and_what_is_not_there(tree: WorkingTree) -> None:
    assert refusal(lambda: tree.list("profiles/a.yaml")).code == "not-a-directory"
    assert refusal(lambda: tree.list("templates")).code == "file-not-found"
    (tree.root / "profiles" / "link").symlink_to("a.yaml")
    finding = refusal(lambda: tree.list("profiles"))
    assert (finding.code, finding.message) == ("link-refused", "`profiles/link` is a link")


# --- writing -------------------------------------------------------------------------------------------------------


def test_a_file_is_written_with_the_directories_above_it(tree: WorkingTree) -> None:
    tree.write("a/b/c.yaml", b"x")
    assert tree.read("a/b/c.yaml") == b"x"
    assert os.listdir(tree.root / "a" / "b") == ["c.yaml"], "nothing else is left behind"  # noqa: PTH208
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE((tree.root / "a/b/c.yaml").stat().st_mode) == 0o666 & ~mask


def test_an_equal_file_is_left_alone(tree: WorkingTree) -> None:
    place = tree.root / "profiles" / "a.yaml"
    before = place.stat()
    tree.write("profiles/a.yaml", b"a: 1\n")
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    tree.write("profiles/a.yaml", b"a: 2\n")
    assert place.read_bytes() == b"a: 2\n"
    assert place.stat().st_ino != before.st_ino, "replaced as a whole, never written into"


def test_what_cannot_be_written(tree: WorkingTree) -> None:
    finding = refusal(lambda: tree.write("profiles/a.yaml/b", b""))
    assert (finding.code, finding.where.file) == ("cannot-write", "profiles/a.yaml/b")
    finding = refusal(lambda: tree.write("profiles", b""))
    assert finding.code == "cannot-write"
    assert os.listdir(tree.root) == ["profiles"]  # noqa: PTH208


# --- bundles -------------------------------------------------------------------------------------------------------


def test_a_bundle_that_is_not_there(tree: WorkingTree) -> None:
    finding = refusal(lambda: tree.source("bundles/demo"))
    assert str(finding).splitlines() == [
        "error[bundle-not-found]: there is no bundle at `bundles/demo`",
        "  --> bundles/demo",
        "   expected: a directory or tar file that holds an OCI image layout",
        "   hint: sitewright bundle build bundle.yaml -o bundles/demo",
    ]


def test_a_bundle_is_opened_at_its_real_place(tree: WorkingTree, tmp_path_factory: pytest.TempPathFactory) -> None:
    class OpenedError(Exception):
        pass

    def opened(place: Path) -> NoReturn:
        raise OpenedError(place)

    other = WorkingTree(tree.root, opened)
    with pytest.raises(OpenedError) as caught:
        other.source("profiles")
    assert caught.value.args == (tree.root / "profiles",)
    stick = tmp_path_factory.mktemp("usb-stick")
    with pytest.raises(OpenedError) as caught:
        other.source(str(stick))
    assert caught.value.args == (stick,), "an absolute path comes from the command line"
