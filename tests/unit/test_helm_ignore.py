""".helmignore: Helm itself decides what belongs to a chart."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from renderer.formats.charts.ignore import without_ignored
from renderer.model.trees.tree import FileTree

FILES = (
    "Chart.yaml", "values.yaml", "README.md", "notes.txt", "a.swp", "templates/x.yaml", "templates/.hidden.yaml",
    "templates/sub/y.yaml", "templates/sub/z.swp", "files/keep.txt", "files/drop/deep/x.txt", "docs/a.md",
    "docs/b.txt", "charts/sub/Chart.yaml", "charts/sub/templates/s.yaml", "charts/sub/README.md", "ci/values.yaml",
    "x/ci/values.yaml", "[odd].txt", "b.tmp", "build/out.txt",
)  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize(
    "rules",
    [
        "",
        "# comment\n\n*.swp\n",
        "*.md",
        "docs/\n",
        "docs\n",
        "/README.md\n",
        "files/drop\n",
        "files/*\n",
        "ci/\n",
        "/ci\n",
        "x/ci/values.yaml\n",
        "[ab].*\n",
        "[^ab]*.txt\n",
        "\\[odd\\].txt\n",
        "?.tmp\nbuild/\n",
        "templates/sub/\n",
        "  *.txt  \n",
    ],
)
def test_a_packed_directory_holds_what_helm_packs(rules: str, helm: Path, tmp_path: Path) -> None:
    chart = tmp_path / "web"
    contents = dict.fromkeys(FILES, "# text\n")
    contents |= {
        "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
        "values.yaml": "{}\n",
        ".helmignore": rules,
    }
    for path, text in contents.items():
        (chart / path).parent.mkdir(parents=True, exist_ok=True)
        (chart / path).write_text(text)
    environment = {"HOME": str(tmp_path), "PATH": "/nonexistent"}
    subprocess.run([helm, "package", chart], cwd=tmp_path, check=True, capture_output=True, env=environment)
    with tarfile.open(tmp_path / "web-1.0.0.tgz") as archive:
        theirs = {member.name.removeprefix("web/") for member in archive}
    ours = without_ignored(FileTree.of((path, text.encode()) for path, text in contents.items()))
    assert set(ours) - {".helmignore"} == theirs - {".helmignore"}


def test_rules_that_helm_refuses_are_refused() -> None:
    with pytest.raises(ValueError, match=r"line 2 of .helmignore: `\*\*` is not supported by Helm"):
        without_ignored(FileTree.of([(".helmignore", b"*.md\n**/x\n")]))
    with pytest.raises(ValueError, match=r"line 1 of .helmignore: `\[a` is not a pattern"):
        without_ignored(FileTree.of([(".helmignore", b"[a\n")]))


def test_a_negated_rule_ignores_everything_else() -> None:
    tree = FileTree.of([(".helmignore", b"!*.yaml\n"), ("a.yaml", b""), ("b.txt", b"")])
    assert list(without_ignored(tree)) == ["a.yaml"]
