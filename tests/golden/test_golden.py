"""A profile in, a tree out, byte for byte; `make golden` writes the trees anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.golden.demo_site import CASES, prepare, render

TREES = Path(__file__).parent / "trees"


def files(root: Path) -> dict[str, bytes]:
    """Every file below `root` by relative path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("case", CASES)
def test_the_demo_renders_to_its_golden_tree(case: str, tmp_path: Path) -> None:
    prepare(tmp_path, case)
    rendered, golden = files(render(tmp_path)), files(TREES / case)
    assert sorted(rendered) == sorted(golden)
    for path, content in rendered.items():
        assert content == golden[path], path


def test_another_directory_hash_seed_time_zone_and_locale_give_the_same_bytes(tmp_path: Path) -> None:
    prepare(tmp_path / "somewhere/else entirely")
    strange = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "tr_TR.UTF-8"}
    rendered = files(render(tmp_path / "somewhere/else entirely", env={**os.environ, **strange}))
    assert rendered == files(TREES / "demo-argocd")
