"""`sitewright check TREE`: the files are those that the record vouches for, and each is one object."""

import json

import pytest

from renderer.commands.check import check
from renderer.errors import Finding
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree

CONFIG_MAP = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


def rendered(**files: bytes) -> FileTree:
    """A tree with a record that fits it."""
    tree = FileTree.of([(f"manifests/w000/{name}.yaml", content) for name, content in files.items()])
    statement = {"subject": [{"digest": {"sha256": tree.digest().hex}}]}
    return tree.joined(FileTree.of([(PROOF, json.dumps(statement).encode())]))


def found(tree: FileTree) -> list[Finding]:
    outcome = check({"out/sites/demo": tree})
    assert outcome.failed == bool(outcome.findings)
    return list(outcome.findings)


def test_a_tree_as_it_was_rendered_is_intact() -> None:
    outcome = check({"out/sites/demo": rendered(a=CONFIG_MAP)})
    assert outcome.text == "out/sites/demo: 2 files, 1 object, intact"
    assert not outcome.failed


@pytest.mark.parametrize("change", ["edit", "add", "remove"])
def test_a_tree_that_somebody_changed(change: str) -> None:
    files = dict(rendered(a=CONFIG_MAP, b=CONFIG_MAP.replace(b"name: a", b"name: b")).files)
    if change == "edit":
        files["manifests/w000/a.yaml"] += b"# edited\n"
    elif change == "add":
        files["notes.txt"] = b"x"
    else:
        del files["manifests/w000/a.yaml"]
    (finding,) = found(FileTree.of(files.items()))
    assert finding.code == "tree-modified"
    assert finding.message == "the files are not those that were rendered: somebody changed, added or removed one"
    assert finding.where.file == f"out/sites/demo/{PROOF}"
    assert finding.hint == "see what differs: sitewright diff PROFILE --against TREE"


@pytest.mark.parametrize(
    "record", [None, b"", b"{", b"[]", b'{"subject": []}', b'{"subject": [{"digest": {"sha256": 1}}]}']
)
def test_a_tree_without_a_record(record: bytes | None) -> None:
    files = [("manifests/w000/a.yaml", CONFIG_MAP), *([(PROOF, record)] if record is not None else [])]
    (finding,) = found(FileTree.of(files))
    assert finding.code == "tree-not-recorded"
    assert finding.hint == "render the site again: sitewright render PROFILE"


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"a: [\n", "invalid-manifest", 2),
        (b"apiVersion: v1\nkind: ConfigMap\n", "invalid-manifest", None),
        (b"- 1\n", "invalid-manifest", None),
        (b"apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: a}\n", "invalid-manifest", 3),
        (b"", "not-one-object", None),
        (CONFIG_MAP + b"---\n" + CONFIG_MAP.replace(b"name: a", b"name: b"), "not-one-object", None),
    ],
)
def test_files_that_are_not_one_object(content: bytes, code: str, line: int | None) -> None:
    (finding,) = found(rendered(x=content))
    assert (finding.code, finding.where.file, finding.where.line) == (
        code,
        "out/sites/demo/manifests/w000/x.yaml",
        line,
    )


def test_the_same_object_twice() -> None:
    (finding,) = found(rendered(a=CONFIG_MAP, b=CONFIG_MAP))
    assert finding.code == "duplicate-object"
    assert finding.message == "`ConfigMap a` is in the tree twice; which one the cluster gets is chance"
    assert finding.got == "first in `manifests/w000/a.yaml`"
