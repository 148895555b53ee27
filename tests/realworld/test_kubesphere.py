"""The main job on real input: every object of KubeSphere is what plain Helm makes of it, but for what we promise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.realworld.kubesphere import report


def test_every_object_of_a_kubesphere_site_is_that_of_plain_helm(helm: Path, tmp_path: Path) -> None:
    charts = os.environ.get("SITEWRIGHT_KUBESPHERE")
    if not charts:
        pytest.skip("the real charts are not part of this repository; see tests/realworld/README.md")
    result, table = report(Path(charts).resolve(), tmp_path / "site", helm)
    print(table)
    assert not result.different, table
    assert not result.missing, table
    assert not result.added, table
    assert result.equal > 300, table
