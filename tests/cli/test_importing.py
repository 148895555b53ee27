"""`sitewright bundle import kubesphere` and what `bundle build` says of images, as typed: exit codes, words, paths."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer.cli.main import main
from tests.realworld.stand_ins import write_layout
from tests.simulators import kubesphere_packages as made
from tests.unit.registry_fixture import RealRegistry, real_registry

IMAGES = ("docker.io/library/busybox:latest", "docker.io/team/agent:1.0", "docker.io/team/front:1.0")
NEEDED = (*IMAGES, "docker.io/team/helm-init:v0.1.0")
IMPORT = ("bundle", "import", "kubesphere")


@pytest.fixture(autouse=True)
def museum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a museum of one package, and a layout of its images, to work in."""
    (tmp_path / "museum").mkdir()
    (tmp_path / "museum/monitoring-1.1.0.tgz").write_bytes(made.package(made.monitoring()))
    write_layout(tmp_path / "images", NEEDED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path


@pytest.fixture
def sitewright(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`sitewright("bundle", …)`: exit code, standard output, standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(list(words))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return run


Run = Callable[..., tuple[int, str, str]]


def test_import_sign_verify(sitewright: Run) -> None:
    code, out, err = sitewright(*IMPORT, "museum", "-o", "out/kubesphere.tar", "--images", "images", "--quiet")
    assert (code, err) == (0, "")
    assert "bundle kubesphere 1.1.0, sequence 202507300940, created 2025-07-30T09:40:33Z" in out
    assert sitewright("bundle", "keygen", "vendor.key")[0] == 0
    assert sitewright("bundle", "sign", "out/kubesphere.tar", "--key", "vendor.key")[0] == 0
    Path("trust.yaml").write_text(
        "apiVersion: sitewright.dev/v1\nkind: TrustPolicy\nmetadata: {name: t}\nspec:\n"
        "  keys: [{name: vendor, publicKeyFile: vendor.pub}]\n"
        '  rules: [{bundles: "kubesphere*", require: {threshold: 1, of: [vendor]}}]\n'
    )
    code, out, _ = sitewright("bundle", "verify", "out/kubesphere.tar", "--trust", "trust.yaml")
    assert (code, out.splitlines()[-1]) == (0, "  4 images, 4 of them carried")


def test_without_images_the_import_ends_with_1_and_the_list(sitewright: Run) -> None:
    code, out, err = sitewright(*IMPORT, "museum", "-o", "out", "--format", "json")
    assert code == 1
    document: Any = json.loads(out)
    assert [one["extension"] for one in document["packages"]] == ["monitoring"]
    (error,) = (one for one in json.loads(err)["findings"] if one["severity"] == "error")
    assert error["explanation"] == [f"`{image}`" for image in NEEDED]
    assert not Path("out").exists()


def test_packages_and_images_may_lie_anywhere(sitewright: Run, museum: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (museum / "work").mkdir()
    monkeypatch.chdir(museum / "work")
    code, out, err = sitewright(*IMPORT, "../museum", "-o", "here", "--images", str(museum / "images"), "-q")
    assert (code, err) == (0, "")
    assert "written to here" in out
    code, _, err = sitewright(*IMPORT, "../museum/nothing.tgz", "-o", "there", "-q")
    assert (code, err.splitlines()[1]) == (1, f"  --> {museum}/museum/nothing.tgz")


def test_sources_are_written_where_build_can_use_them(sitewright: Run, museum: Path) -> None:
    code, out, _ = sitewright(*IMPORT, "museum", "-o", "bundle.yaml", "--source-only", "--images", "images", "-q")
    assert (code, out.splitlines()[-1]) == (
        0,
        "edit what is written there, then: sitewright bundle build bundle.yaml -o DIRECTORY",
    )
    assert sitewright("bundle", "build", "bundle.yaml", "-o", "built", "-q")[0] == 0
    (museum / "elsewhere").mkdir()
    code, _, err = sitewright(*IMPORT, "museum", "-o", "elsewhere/bundle.yaml", "--source-only")
    assert (code, err.splitlines()[0]) == (1, "error[path-escape]: `museum` does not lie in the repository")
    assert "hint: write the bundle.yaml into a directory that holds the packages" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tar",), "--tar says how --per-extension writes bundles"),
        (("--per-extension", "--tar", "--source-only"), "--tar says how --per-extension writes bundles"),
        (("--sequence", "0"), "`0` is no sequence: it counts up from 1"),
        (("--version", "1"), "a version must read `major.minor.patch"),
        (("--name", "Bank"), "`Bank` cannot name an extension"),
        (("--name", "n" * 60, "--per-extension"), "cannot name an extension"),
        (("--accept", "busybox"), "`busybox` accepts nothing"),
        (("--digests-only",), "--digests-only needs a place to look images up in"),
        (("--images", "upstream", "--images", "https://a.example"), "images come from one registry at most"),
        (("--platform", "amd64"), "a platform must read"),
        (("--engine", "none"), "`none` is no chart engine"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(sitewright: Run, words: tuple[str, ...], message: str) -> None:
    code, out, err = sitewright(*IMPORT, "museum", "-o", "out", *words)
    assert (code, out) == (2, "")
    assert message in err


def test_a_museum_in_a_registry_of_kubesphere_style(
    sitewright: Run, real: Callable[[str], Path], tmp_path: Path
) -> None:
    with real_registry(real("docker-registry"), tmp_path / "registry") as registry:
        push(registry, real("skopeo"), tmp_path)
        address = f"http://127.0.0.1:{registry.port}/ks"
        code, out, _ = sitewright(*IMPORT, "museum", "-o", "carried", "--images", address, "-q", "--format", "json")
        (carried,) = json.loads(out)["bundles"]
        assert (code, carried["carriedImages"]) == (0, 4)
        code, out, _ = sitewright(
            *IMPORT, "museum", "-o", "named", "--images", address, "--digests-only", "-q", "--format", "json"
        )
        (named,) = json.loads(out)["bundles"]
        assert (code, named["images"], named["carriedImages"]) == (0, 4, 0)


def push(registry: RealRegistry, skopeo: Path, home: Path) -> None:
    """Copy the images of the layout below `ks/`, without the host that they are named after."""
    for image in NEEDED:
        subprocess.run(
            [skopeo, "--insecure-policy", "--tmpdir", home, "copy", "-q", "--all", "--dest-tls-verify=false",
             f"oci:images:{image}", f"docker://127.0.0.1:{registry.port}/ks/{image.partition('/')[2]}"],
            check=True, capture_output=True, env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip


def test_a_build_that_lacks_images_ends_with_1_and_the_whole_report(sitewright: Run) -> None:
    Path("bundle.yaml").write_text(
        "apiVersion: sitewright.dev/v1\nkind: BundleSource\nmetadata: {name: demo, version: 1.0.0}\nspec:\n"
        "  sequence: 1\n  created: 2026-11-01T00:00:00Z\n  platforms: [linux/amd64]\n"
        "  extensions: [{kubesphere: museum/*.tgz}]\n  images: [{layout: images, images: [busybox]}]\n"
    )
    code, out, err = sitewright("bundle", "build", "bundle.yaml", "-o", "out", "--format", "json")
    assert code == 1
    images = {one["reference"]: one["standing"] for one in json.loads(out)["discovery"]["images"]}
    assert images == {
        "docker.io/library/busybox:latest": "vouched",
        "docker.io/team/agent:1.0": "missing",
        "docker.io/team/front:1.0": "missing",
        "docker.io/team/helm-init:v0.1.0": "untaken",
    }
    codes = [one["code"] for one in json.loads(err)["findings"]]
    assert codes[:3] == ["image-undeclared", "image-undeclared", "image-not-in-bundle"]
    code, out, err = sitewright("bundle", "build", "bundle.yaml", "-o", "out")
    assert (code, out.splitlines()[0]) == (1, "bundle demo 1.0.0: not built, 2 images missing")
    assert '     - {registry: "oci://docker.io/team/agent:1.0"}' in err
    assert not Path("out").exists()
