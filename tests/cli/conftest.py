"""One prepared site for all tests of the command line; each test works in a copy of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.site_fixture import Shop, prepare


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that says nothing about git, with an author and a fixed time."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_", "SITEWRIGHT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Site Owner")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "owner@site.example")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793520000")
    return tmp_path


@pytest.fixture(scope="session")
def prepared_shops() -> Iterator[dict[str, Path]]:
    """The prepared site, once it has been made."""
    made: dict[str, Path] = {}
    yield made
    for path in made.values():
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def shop(
    bare: Path,
    prepared_shops: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shop:
    """A copy of the prepared site, with the working directory in it."""
    terminal = Shop(capsys)
    if "shop" not in prepared_shops:
        first = tmp_path_factory.mktemp("shop")
        monkeypatch.chdir(first)
        prepare(terminal)
        prepared_shops["shop"] = first
    place = bare / "shop"
    shutil.copytree(prepared_shops["shop"], place)
    monkeypatch.chdir(place)
    return terminal
