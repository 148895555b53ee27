"""`bundle push` and `bundle pull` as typed, against docker-registry in every dress, and what other tools make of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderer.adapters.layout import open_layout
from renderer.cli.main import main
from renderer.formats.bundle.artifact import find_bundle
from renderer.model.reference import Digest
from tests.simulators.carrying import Carrier
from tests.simulators.images import ImageLayout
from tests.simulators.token_service import token_service
from tests.unit.registry_fixture import (
    USER,
    Papers,
    RealRegistry,
    docker_config,
    make_papers,
    open_real,
    real_registry,
)
from tests.unit.test_images_sync import grow_layer

pytestmark = pytest.mark.real
ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "bundles/demo"
Said = tuple[int, str, str]


@pytest.fixture
def program(real: Callable[[str], Path]) -> Path:
    return real("docker-registry")


@pytest.fixture
def site(bare: Path, monkeypatch: pytest.MonkeyPatch) -> Carrier:
    """A signed bundle, with the working directory beside it, and nobody logged in anywhere."""
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    carrier = Carrier(bare / "work")
    monkeypatch.chdir(carrier.root)
    return carrier


@pytest.fixture
def registry(program: Path, tmp_path: Path) -> Iterator[RealRegistry]:
    with real_registry(program, tmp_path / "registry") as running:
        yield running


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: str) -> Said:
        capsys.readouterr()
        code = main([*words, "--quiet"])
        return (code, *capsys.readouterr())

    return run


def place(registry: RealRegistry, tag: str = "") -> str:
    return f"oci://127.0.0.1:{registry.port}/{REPOSITORY}{tag}"


def requests(registry: RealRegistry) -> list[str]:
    """The requests that a registry has seen, as `GET /v2/…`."""
    return re.findall(r'"([A-Z]+ /v2/\S+) HTTP', (registry.directory / "log").read_text())


def there_and_back(run: Callable[..., Said], site: Carrier, registry: RealRegistry, *options: str) -> None:
    code, out, err = run("bundle", "push", "bundle.tar", place(registry), *options)
    assert (code, err) == (0, ""), err
    assert "sent" in out
    code, out, err = run("bundle", "pull", place(registry), "-o", "back.tar", *options)
    assert (code, err) == (0, ""), err
    assert site.bytes_of("back.tar") == site.bytes_of("bundle.tar")


# --- registries in every dress -----------------------------------------------------------------------------------


def test_there_and_back(run: Callable[..., Said], site: Carrier, registry: RealRegistry) -> None:
    there_and_back(run, site, registry, "--plain-http")
    code, out, _ = run("bundle", "verify", "back.tar")
    assert code == 0
    assert "all as signed" in out


def test_a_private_authority(
    run: Callable[..., Said], site: Carrier, program: Path, papers: Papers, tmp_path: Path
) -> None:
    with real_registry(program, tmp_path / "registry", tls=papers) as registry:
        there_and_back(run, site, registry, "--ca", f"{papers.directory}/ca.pem")
        code, _, err = run("bundle", "pull", place(registry), "-o", "again")
        assert (code, err.partition(":")[0]) == (5, "error[registry-tls]")


def test_a_client_certificate(
    run: Callable[..., Said], site: Carrier, program: Path, papers: Papers, tmp_path: Path
) -> None:
    certificate, key = papers.client
    with real_registry(program, tmp_path / "registry", tls=papers, client_ca=True) as registry:
        ours = ("--ca", f"{papers.directory}/ca.pem", "--client-certificate", certificate)
        there_and_back(run, site, registry, *ours, "--client-key", key)
        code, _, err = run("bundle", "push", "bundle.tar", place(registry), *ours)
        assert (code, err.partition(":")[0]) == (2, "error[usage]")


def test_what_docker_login_wrote(
    run: Callable[..., Said], site: Carrier, program: Path, papers: Papers, tmp_path: Path
) -> None:
    with real_registry(program, tmp_path / "registry", tls=papers, basic=True) as registry:
        ca = ("--ca", f"{papers.directory}/ca.pem")
        code, _, err = run("bundle", "push", "bundle.tar", place(registry), *ca)
        assert (code, err.partition(":")[0]) == (5, "error[registry-unauthorized]")
        config = Path.home() / ".docker/config.json"
        config.parent.mkdir()
        config.write_bytes(docker_config(f"127.0.0.1:{registry.port}"))
        there_and_back(run, site, registry, *ca)


def test_a_credential_helper(
    run: Callable[..., Said], site: Carrier, program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_registry(program, tmp_path / "registry", basic=True) as registry:
        helper = tmp_path / "bin/docker-credential-vault"
        helper.parent.mkdir()
        secret = json.dumps({"ServerURL": "x", "Username": USER.username, "Secret": USER.password})
        helper.write_text(f"#!/bin/sh\ncat >/dev/null\ncat <<'END'\n{secret}\nEND\n")
        helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
        config = tmp_path / "auth.json"
        config.write_text(json.dumps({"credHelpers": {f"127.0.0.1:{registry.port}": "vault"}}))
        there_and_back(run, site, registry, "--plain-http", "--authfile", str(config))


def test_tokens(run: Callable[..., Said], site: Carrier, program: Path, papers: Papers, tmp_path: Path) -> None:
    with (
        token_service(papers) as service,
        real_registry(program, tmp_path / "registry", tls=papers, more=service.settings) as registry,
    ):
        ca = ("--ca", f"{papers.directory}/ca.pem")
        code, _, err = run("bundle", "push", "bundle.tar", place(registry), *ca)
        assert (code, err.partition(":")[0]) == (5, "error[registry-unauthorized]")
        config = tmp_path / "auth.json"
        config.write_bytes(docker_config(f"127.0.0.1:{registry.port}"))
        service.asked.clear()
        there_and_back(run, site, registry, *ca, "--authfile", str(config))
        pull = f"repository:{REPOSITORY}:pull"
        assert set(service.asked) == {(USER.username, pull), (USER.username, f"{pull},push")}


# --- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("site")
def test_pushing_again_asks_three_times_and_sends_nothing(run: Callable[..., Said], registry: RealRegistry) -> None:
    push = ("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    run(*push)
    before = len(requests(registry))
    code, out, _ = run(*push, "--format", "json")
    assert code == 0
    blobs = json.loads(out)["blobs"]
    assert blobs == {"present": blobs["present"], "sent": 0, "mounted": 0, "sentBytes": 0}
    assert [request.partition(" ")[0] for request in requests(registry)[before:]] == ["GET"] * 3


@pytest.mark.usefixtures("site")
def test_a_bundle_is_inspected_where_it_lies(run: Callable[..., Said], registry: RealRegistry) -> None:
    run("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    for shape in ("--images", "--tree"):
        inspect = ("bundle", "inspect", "--trust", "trust.yaml", shape)
        here, there = run(*inspect, "bundle.tar"), run(*inspect, place(registry), "--plain-http")
        assert there == here
        assert "VERIFIED: signed by vendor" in here[1]
    code, _, err = run("bundle", "inspect", place(registry, "-of-somebody"), "--plain-http")
    assert (code, err.partition("\n")[0]) == (
        2, f"error[usage]: `{place(registry, '-of-somebody')}` has no tag that is a release"
    )  # fmt: skip


def test_before_a_bundle_is_trusted_only_its_signatures_are_asked_for(
    run: Callable[..., Said], site: Carrier, registry: RealRegistry
) -> None:
    run("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    site.workshop.key("vendor")  # another key under the same name
    before = len(requests(registry))
    code, _, err = run("bundle", "pull", place(registry, ":1.0.0"), "-o", "back.tar", "--plain-http")
    assert (code, err.partition(":")[0]) == (3, "error[signature-untrusted]")
    digest = find_bundle(site.workshop.open("bundle.tar").index(), "bundle.tar").digest
    kinds = [request.partition(f"/v2/{REPOSITORY}/")[2] for request in requests(registry)[before:]]
    assert kinds[:4] == [
        "manifests/1.0.0",
        f"referrers/{digest}",
        f"manifests/sha256-{digest.hex}",
        f"manifests/sha256-{digest.hex}.sig",
    ]
    (payload,) = kinds[4:]
    assert payload.startswith("blobs/sha256:")
    assert not [one.name for one in site.root.iterdir() if "back" in one.name]


def test_what_was_pushed_outlives_the_removal_of_all_that_has_no_tag(
    run: Callable[..., Said], site: Carrier, registry: RealRegistry
) -> None:
    run("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    registry.stop()
    subprocess.run(
        [registry.program, "garbage-collect", "--delete-untagged", registry.directory / "config.yml"],
        check=True, capture_output=True,
    )  # fmt: skip
    registry.start()
    code, _, err = run("bundle", "pull", place(registry), "-o", "back.tar", "--plain-http")
    assert (code, err) == (0, "")
    assert site.bytes_of("back.tar") == site.bytes_of("bundle.tar")
    platform = next(
        iter(site.workshop.load(site.workshop.policy("vendor"), "bundle.tar").bundle.images[0].platforms.values())
    )
    with open_real(registry) as client:
        assert client.manifest(REPOSITORY, str(platform.digest)) is not None


# --- interrupted -------------------------------------------------------------------------------------------------


def begun(site: Carrier, *words: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-m", "renderer", *words, "--quiet"], cwd=site.root, env=environment)


def partial(site: Carrier) -> int:
    """Bytes that an unfinished pull has got."""
    total = 0
    for path in site.root.glob(".back*.partial/blobs/*/*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


@pytest.mark.parametrize("output", ["back", "back.tar"])
def test_a_pull_that_is_killed_again_and_again_ends_well(site: Carrier, registry: RealRegistry, output: str) -> None:
    size = 64 * 2**20
    grow_layer(site.root / "images", size)
    site.make()
    push = begun(site, "bundle", "push", "bundle.tar", place(registry), "--plain-http")
    assert push.wait() == 0
    pull = ("bundle", "pull", place(registry), "-o", output, "--plain-http", "--jobs", "1")
    killed = 0
    for part, how in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGKILL), start=1):
        process = begun(site, *pull)
        while process.poll() is None and partial(site) < part * size // 4:
            time.sleep(0.001)
        if process.poll() is None:
            process.send_signal(how)
            killed += 1
        assert process.wait() in {0, -signal.SIGKILL, 130}
        assert (site.root / output).exists() == (process.returncode == 0)
    assert killed >= 2
    assert begun(site, *pull).wait() == 0
    assert open_layout(site.root / output, output).digests() == site.workshop.open("bundle.tar").digests()
    assert not list(site.root.glob(".back*"))
    if output.endswith(".tar"):
        assert site.bytes_of("back.tar") == site.bytes_of("bundle.tar")
    # the registry says how much each answer had: together hardly more than one bundle
    log = (registry.directory / "log").read_text()
    assert '" 206 ' in log


def test_a_push_that_is_killed_ends_well(site: Carrier, registry: RealRegistry) -> None:
    grow_layer(site.root / "images", 64 * 2**20)
    site.make()
    push = ("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    process = begun(site, *push)
    while process.poll() is None and not any("PATCH" in one for one in requests(registry)):
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not any(one.startswith("PUT") and one.endswith("/manifests/1.0.0") for one in requests(registry))
    assert begun(site, *push).wait() == 0
    assert begun(site, "bundle", "pull", place(registry), "-o", "back.tar", "--plain-http").wait() == 0
    assert site.bytes_of("back.tar") == site.bytes_of("bundle.tar")


def test_memory_does_not_grow_with_the_size_of_a_bundle(site: Carrier, registry: RealRegistry) -> None:
    from tests.unit.test_images_real import finished

    grow_layer(site.root / "images", 200 * 2**20)
    site.make()
    for words in (
        ("bundle", "push", "bundle.tar", place(registry), "--plain-http"),
        ("bundle", "pull", place(registry), "-o", "back", "--plain-http"),
    ):
        code, memory = finished(begun(site, *words))
        assert code == 0
        assert 20 < memory <= 150


# --- other tools -------------------------------------------------------------------------------------------------


def test_skopeo_copies_the_bundle_and_its_images(
    run: Callable[..., Said], site: Carrier, registry: RealRegistry, real: Callable[[str], Path]
) -> None:
    site.images(("docker.io/library/nginx:1.27",), ("linux/amd64",))
    site.make()
    run("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    source = site.workshop.open("bundle.tar")
    bundle = find_bundle(source.index(), "bundle.tar").digest
    image = json.loads(source.index())["manifests"][-1]["digest"]
    for number, (reference, wanted) in enumerate([(":1.0.0", bundle), (f"@{bundle}", bundle), (f"@{image}", image)]):
        copied = site.root / f"copied{number}"
        subprocess.run(
            [real("skopeo"), "copy", "--all", "--insecure-policy", "--src-tls-verify=false",
             f"docker://127.0.0.1:{registry.port}/{REPOSITORY}{reference}", f"oci:{copied}:it"],
            check=True, capture_output=True,
        )  # fmt: skip
        (entry,) = json.loads((copied / "index.json").read_text())["manifests"]
        assert entry["digest"] == str(wanted)


def test_what_speaks_of_a_bundle_and_its_images_travels_along(
    run: Callable[..., Said], site: Carrier, registry: RealRegistry
) -> None:
    """This registry has no referrers API: the tag schema stands in for it."""
    shutil.rmtree(site.root / "images")
    layout = ImageLayout(site.root / "images")
    image = layout.image("docker.io/library/nginx:1.27", "linux/amd64", attested=True)
    sbom = layout.referrer(image)
    layout.referrer(sbom, "application/vnd.example.signature", "signature of the SBOM")
    layout.cosign(image)
    site.make()
    assert run("bundle", "sign", "bundle.tar", "--key", "keys/vendor.pem", "--form", "bundle")[0] == 0
    there_and_back(run, site, registry, "--plain-http")
    assert run("bundle", "verify", "back.tar")[0] == 0
    bundle = find_bundle(site.workshop.open("bundle.tar").index(), "bundle.tar").digest
    with open_real(registry) as client:
        assert [one.artifact_type for one in client.referrers(REPOSITORY, bundle)] == [
            "application/vnd.dev.sigstore.bundle.v0.3+json"
        ]
        assert [one.digest for one in client.referrers(REPOSITORY, Digest.parse(image["digest"]))] == [
            Digest.parse(sbom["digest"])
        ]
        (signature,) = client.referrers(REPOSITORY, Digest.parse(sbom["digest"]))
        assert signature.artifact_type == "application/vnd.example.signature"
        tag = f"{image['digest'].replace(':', '-')}.sig"
        assert tag in client.tags(REPOSITORY)


def test_oras_fetches_the_charts_of_a_bundle(run: Callable[..., Said], site: Carrier, registry: RealRegistry) -> None:
    from oras.client import OrasClient

    run("bundle", "push", "bundle.tar", place(registry), "--plain-http")
    client = OrasClient(insecure=True, hostname=f"127.0.0.1:{registry.port}")
    target = f"127.0.0.1:{registry.port}/{REPOSITORY}:1.0.0"
    manifest = client.get_manifest(target)
    assert manifest["artifactType"] == "application/vnd.sitewright.bundle.v1+json"
    files = client.pull(target=target, outdir=str(site.root / "charts-of-oras"))
    contents = {Path(file).read_bytes() for file in files}
    assert contents <= set(site.blobs("bundle.tar").values())
    assert len(contents) == len(manifest["layers"]) >= 2
