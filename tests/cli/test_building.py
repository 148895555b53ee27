"""`bundle build` as it is typed: platforms, registries behind TLS and passwords, bills of materials."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.site_fixture import Shop
from tests.simulators.bundles import CHART
from tests.simulators.images import ImageLayout
from tests.unit.registry_fixture import (
    USER,
    Papers,
    RealRegistry,
    docker_config,
    free_port,
    make_papers,
    real_registry,
)

NGINX = "docker.io/library/nginx:1.27"
SOURCE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  extensions: [{name: web, version: 1.2.0, components: [{name: web, helm: charts/web}]}]
  images: [{layout: images}]
"""


@pytest.fixture
def place(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a source, and the working directory in it."""
    assert bare == tmp_path
    directory = bare / "builds"
    for path, text in (CHART | {"bundle.yaml": SOURCE}).items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    monkeypatch.chdir(directory)
    return directory


def inspected(shop: Shop) -> Any:
    """What `bundle inspect` says of a bundle that nobody signed."""
    code, out, err = shop.run("bundle", "inspect", "bundle", "--format", "json")
    assert (code, "bundle-not-verified" in err) == (0, True)
    return json.loads(out)


@pytest.mark.parametrize("words", [("linux/amd64,linux/arm64",), ("linux/amd64", "--platform", "linux/arm64")])
def test_platforms_are_named_on_the_command_line(words: tuple[str, ...], shop: Shop, place: Path) -> None:
    ImageLayout(place / "images").image(NGINX, "linux/amd64", "linux/arm64", "linux/s390x")
    shop.ok("bundle", "build", "bundle.yaml", "-q", "-o", "bundle", "--platform", *words)
    shown = inspected(shop)
    assert shown["platforms"] == ["linux/amd64", "linux/arm64"]
    assert [one["omitted"] for one in shown["images"]] == [["linux/s390x"]]


def test_without_platforms_nothing_is_built(shop: Shop, place: Path) -> None:
    ImageLayout(place / "images").image(NGINX, "linux/amd64")
    code, _, err = shop.run("bundle", "build", "bundle.yaml", "-o", "bundle")
    assert (code, "error[platforms-missing]" in err) == (1, True)
    assert "hint: add `platforms: [linux/amd64]`" in err


def test_a_platform_that_is_none_is_a_mistake_of_the_command_line(shop: Shop, place: Path) -> None:
    code, _, err = shop.run("bundle", "build", "bundle.yaml", "-o", "bundle", "--platform", "amd64")
    assert (code, place.joinpath("bundle").exists()) == (2, False)
    assert "hint: --platform linux/amd64,linux/arm64" in err


def test_the_bill_of_materials_can_be_kept_in_a_file(shop: Shop, place: Path) -> None:
    ImageLayout(place / "images").image(NGINX, "linux/amd64")
    shop.ok("bundle", "build", "bundle.yaml", "-q", "-o", "bundle.tar", "--platform", "linux/amd64")
    code, out, err = shop.run("bundle", "inspect", "bundle.tar", "--sbom")
    assert (code, json.loads(out)["bomFormat"]) == (0, "CycloneDX")
    assert "warning[bundle-not-verified]" in err


# --- registries ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def locked(
    real: Callable[[str], Path], papers: Papers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealRegistry]:
    """A registry behind a private CA and a password, with an image."""
    program, skopeo = real("docker-registry"), real("skopeo")
    made = tmp_path_factory.mktemp("made")
    ImageLayout(made / "images").image(NGINX, "linux/amd64", "linux/arm64")
    with real_registry(program, tmp_path_factory.mktemp("registry"), tls=papers, basic=True) as registry:
        subprocess.run(
            [skopeo, "--insecure-policy", "--tmpdir", made, "copy", "-q", "--all", "--dest-tls-verify=false",
             "--dest-creds", f"{USER.username}:{USER.password}", f"oci:images:{NGINX}",
             f"docker://127.0.0.1:{registry.port}/hub/library/nginx:1.27"],
            cwd=made, check=True, capture_output=True, env={"HOME": str(made), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        yield registry


def from_registry(place: Path, registry: RealRegistry) -> None:
    name = f"oci://127.0.0.1:{registry.port}/hub/library/nginx:1.27"
    entry = f"[{{registry: '{name}', reference: '{NGINX}'}}]"
    (place / "bundle.yaml").write_text(SOURCE.replace("[{layout: images}]", entry))


def build(shop: Shop, *words: str) -> tuple[int, str, str]:
    return shop.run("bundle", "build", "bundle.yaml", "-o", "bundle", "--platform", "linux/amd64", *words)


@pytest.mark.real
def test_a_registry_behind_a_private_ca_and_a_password_is_read(
    shop: Shop, place: Path, locked: RealRegistry, papers: Papers
) -> None:
    from_registry(place, locked)
    (place / "config.json").write_bytes(docker_config(f"127.0.0.1:{locked.port}"))
    code, out, err = build(shop, "--ca", str(papers.directory / "ca.pem"), "--authfile", "config.json", "-q")
    assert (code, err) == (0, "")
    assert f"{NGINX} is sha256:" in out
    images = inspected(shop)["images"]
    assert [(one["reference"], one["carried"], one["omitted"]) for one in images] == [(NGINX, True, ["linux/arm64"])]


@pytest.mark.real
def test_the_password_of_the_environment_is_told_to_the_host_it_is_for(
    shop: Shop, place: Path, locked: RealRegistry, papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_registry(place, locked)
    monkeypatch.setenv("SITEWRIGHT_REGISTRY_USERNAME", USER.username)
    monkeypatch.setenv("SITEWRIGHT_REGISTRY_PASSWORD", USER.password)
    ca = str(papers.directory / "ca.pem")
    code, _, err = build(shop, "--ca", ca)
    assert (code, "error[registry-unauthorized]" in err) == (5, True)
    monkeypatch.setenv("SITEWRIGHT_REGISTRY_HOST", f"127.0.0.1:{locked.port}")
    assert build(shop, "--ca", ca)[0] == 0


@pytest.mark.real
def test_an_unknown_authority_is_not_trusted(shop: Shop, place: Path, locked: RealRegistry) -> None:
    from_registry(place, locked)
    code, _, err = build(shop)
    assert (code, "error[registry-tls]" in err) == (5, True)
    assert not (place / "bundle").exists()


def test_a_registry_that_does_not_answer_is_told_once(shop: Shop, place: Path) -> None:
    names = ", ".join(f"docker.io/team/part-{number}:1.0" for number in range(30))
    entry = f"[{{registry: 'https://127.0.0.1:{free_port()}/hub', images: [{names}]}}]"
    (place / "bundle.yaml").write_text(SOURCE.replace("[{layout: images}]", entry))
    code, _, err = build(shop)
    assert (code, err.count("error[registry-unreachable]")) == (5, 1)
