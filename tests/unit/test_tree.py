"""File trees: paths that stay below their root, a digest that `sha256sum` can recompute."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.model.trees.tree import FileTree, RelativePath

names = st.from_regex(r"[a-z]{1,6}(/[a-z]{1,6}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../b",
        "a//b",
        "a/./b",
        "",
        "a/",
        ".git/config",
        "a/.GIT/hooks",
        "a\\b",
        "a\nb",
        "a\0b",
    ],
)
def test_a_path_cannot_leave_its_root_or_reach_into_git(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        RelativePath(path)


def test_a_file_cannot_be_written_twice_or_be_a_directory_as_well() -> None:
    with pytest.raises(ValueError, match="`a` is written twice"):
        FileTree.of([("a", b"1"), ("a", b"2")])
    with pytest.raises(ValueError, match="`a/b` is a file and a directory"):
        FileTree.of([("a/b", b"1"), ("a/b/c", b"2")])


def test_joining_refuses_a_path_of_two_trees() -> None:
    with pytest.raises(ValueError, match="written twice"):
        FileTree.of([("a", b"")]).joined(FileTree.of([("a", b"")]))


def test_the_digest_is_that_of_sorted_sha256sum_lines() -> None:
    tree = FileTree.of([("b", b"two"), ("a", b"one")])
    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in [("a", b"one"), ("b", b"two")]
    )
    assert tree.digest().hex == hashlib.sha256(lines.encode()).hexdigest()


@given(st.dictionaries(names, st.binary(max_size=8), max_size=6))
def test_order_of_writing_does_not_matter_and_moving_is_undone_by_looking_below(files: dict[str, bytes]) -> None:
    try:
        tree = FileTree.of(files.items())
    except ValueError:
        return
    assert tree.digest() == FileTree.of(reversed(files.items())).digest()
    assert tree.under("sites/a").below("sites/a").files == tree.files
