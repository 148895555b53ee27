"""The extension museum as test input: see README.md beside this file for where it comes from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.realworld.kubesphere import TRUST, needed_images, python_path, sitewright
from tests.realworld.sites import Sites, locked_sites, packages
from tests.realworld.stand_ins import write_layout


def import_all(museum: Path, output: str, *more: str) -> dict[str, Any]:
    """`bundle import kubesphere` of everything."""
    words = ("museum", "ks-core", "-o", output, "--images", "images", "--quiet", "--format", "json", *more)
    document: dict[str, Any] = json.loads(sitewright("bundle", "import", "kubesphere", *words, cwd=museum).output)
    return document


@pytest.fixture(scope="session")
def museum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages in `museum/`, ks-core, and stand-ins for all images that they need."""
    charts = os.environ.get("SITEWRIGHT_KUBESPHERE")
    if not charts:
        pytest.skip("the real charts are not part of this repository; see tests/realworld/README.md")
    place = tmp_path_factory.mktemp("museum")
    shutil.copytree(charts, place / "museum", ignore=shutil.ignore_patterns("ks-core"))
    shutil.copytree(Path(charts) / "ks-core", place / "ks-core")
    python_path()
    write_layout(place / "images", needed_images(place, "museum", "ks-core"))
    return place


@pytest.fixture(scope="session")
def imported(museum: Path) -> dict[str, Any]:
    """What importing everything into one bundle says; the bundle is `all`."""
    return import_all(museum, "all")


@pytest.fixture(scope="session")
def signed(museum: Path, imported: dict[str, Any]) -> Path:
    """The museum with its bundle signed, and a trust policy: sites can be made."""
    assert imported["bundles"]
    for directory in ("profiles", "keys"):
        (museum / directory).mkdir()
    sitewright("bundle", "keygen", "keys/vendor.key", cwd=museum)
    sitewright("bundle", "sign", "all", "--key", "keys/vendor.key", cwd=museum)
    (museum / "trust.yaml").write_text(TRUST)
    return museum


@pytest.fixture(scope="session")
def sealed_sites(signed: Path, real: Callable[[str], Path]) -> Sites:
    """A site for every package, sealed for `site.agekey`."""
    made = subprocess.run(
        [real("age-keygen"), "-o", signed / "site.agekey"], capture_output=True, text=True, check=True
    )
    settled = f"  generated: {{recipients: [{made.stderr.split()[-1]}]}}\n"
    return locked_sites(signed, "", settled, packages(signed))


@pytest.fixture(scope="session")
def sealed_trees(sealed_sites: Sites) -> Path:
    """Their trees, rendered with the engine that is built in."""
    return sealed_sites.rendered("first")
