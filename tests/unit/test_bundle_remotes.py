"""Bundles out of registries: images and charts, in a real registry, written there by other people's tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from renderer.adapters.registry.client import RegistryClient
from renderer.errors import InputError, RemoteError, Severity
from renderer.model.bundles.bundle import BundleImage, ReferrerForm
from renderer.model.bundles.extension import Descriptor
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from tests.simulators.bundles import CHART, Workshop
from tests.simulators.images import ImageLayout
from tests.unit.registry_fixture import RealRegistry, open_real, real_registry

pytestmark = pytest.mark.real
NGINX = "docker.io/library/nginx:1.27"
HEAD = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
"""
LOCAL = "  extensions: [{name: web, version: 1.2.0, components: [{name: web, helm: charts/web}]}]\n"


@pytest.fixture(scope="module")
def running(real: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def workshop(tmp_path: Path, running: RealRegistry) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    made.write(CHART)
    opened: dict[str, RegistryClient] = {}
    made.registry = lambda url: opened.setdefault(url, open_real(running))
    yield made
    assert set(opened) <= {running.url}
    for client in opened.values():
        client.close()


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return ImageLayout(tmp_path / "elsewhere")


@pytest.fixture
def push(real: Callable[[str], Path], running: RealRegistry, layout: ImageLayout) -> Callable[[str, str], None]:
    """`push(name in the layout, repository:tag)` with skopeo, all platforms."""

    def run(name: str, target: str) -> None:
        subprocess.run(
            [real("skopeo"), "--insecure-policy", "--tmpdir", layout.directory, "copy", "-q", "--all",
             "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout.directory}:{name}",
             f"docker://127.0.0.1:{running.port}/{target}"],
            check=True, capture_output=True, env={"HOME": str(layout.directory), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    return run


def images(workshop: Workshop) -> list[BundleImage]:
    """What the built bundle vouches for, verified."""
    workshop.sign("vendor")
    policy = workshop.policy("vendor")
    assert workshop.verify(policy).findings == ()
    return list(workshop.load(policy).bundle.images)


def build(workshop: Workshop, *lines: str, extensions: str = LOCAL) -> Outcome:
    text = HEAD + extensions + ("  images:\n" + "".join(f"    - {line}\n" for line in lines) if lines else "")
    workshop.write({"bundle.yaml": text})
    return workshop.build()


def oci(running: RealRegistry, name: str) -> str:
    return f"oci://127.0.0.1:{running.port}/{name}"


# --- images --------------------------------------------------------------------------------------------------------


def test_an_image_keeps_the_digest_that_it_has_in_the_registry(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64")
    push(NGINX, "hub/library/nginx:1.27")
    name = oci(running, "hub/library/nginx:1.27")
    outcome = build(workshop, f"{{registry: '{name}', reference: '{NGINX}', insecure: true}}")
    (image,) = images(workshop)
    assert (str(image.reference), str(image.digest)) == (NGINX, index["digest"])
    assert [str(one) for one in (*image.platforms, *image.omitted)] == ["linux/amd64", "linux/arm64"]
    assert f"{NGINX} is {index['digest']}, from {name}" in outcome.text
    document: Any = outcome.document
    assert document["resolved"] == [{"reference": NGINX, "from": name, "digest": index["digest"]}]


def test_a_registry_of_copies_has_images_under_their_own_names(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    digests = {}
    for name, place in ((NGINX, "copies/library/nginx:1.27"), ("quay.io/team/api:2.0", "copies/team/api:2.0")):
        digests[name] = layout.image(name, "linux/amd64")["digest"]
        push(name, place)
    names = f"['{NGINX}@{digests[NGINX]}', quay.io/team/api:2.0]"
    outcome = build(workshop, f"{{registry: '{running.url}/copies', images: {names}}}")
    assert {str(one.reference): str(one.digest) for one in images(workshop)} == digests
    assert f"quay.io/team/api:2.0 is {digests['quay.io/team/api:2.0']}" in outcome.text
    assert "nginx:1.27 is sha256" not in outcome.text  # pinned: nothing was resolved


def test_what_speaks_of_an_image_comes_along(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64", attested=True)
    amd64, _, attestation, _ = layout.read(index)["manifests"]
    signature, sbom = layout.cosign(amd64), layout.referrer(index)
    tag = f"{amd64['digest'].replace(':', '-')}.sig"
    layout.list(sbom, "sbom")
    push(NGINX, "signed/nginx:1.27")
    push(tag, f"signed/nginx:{tag}")
    push("sbom", "signed/nginx:sbom")
    fallback = layout.path(layout.index([sbom])).read_bytes()  # this registry has no referrers API
    with open_real(running) as client:
        name = index["digest"].replace(":", "-")
        client.push_manifest("signed/nginx", name, fallback, "application/vnd.oci.image.index.v1+json")
    build(workshop, f"{{registry: '{oci(running, 'signed/nginx:1.27')}', insecure: true}}")
    (image,) = images(workshop)
    assert {(one.form, str(one.content.digest), str(one.subject)) for one in image.referrers} == {
        (ReferrerForm.INDEX, attestation["digest"], amd64["digest"]),
        (ReferrerForm.TAG, signature["digest"], amd64["digest"]),
        (ReferrerForm.SUBJECT, sbom["digest"], index["digest"]),
    }


def test_a_shared_layer_is_fetched_once(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    from tests.realworld.stand_ins import layer_of

    shared = layer_of("shared")
    for number in "12":
        layout.image(f"a/image{number}:1", "linux/amd64", layers=[shared])
        push(f"a/image{number}:1", f"shared/image{number}:1")
    with open_real(running) as client:
        asked: list[Digest] = []
        read = client.read_blob

        def counted(repository: str, descriptor: Descriptor, *, begun: BinaryIO | None = None) -> BinaryIO:
            asked.append(descriptor.digest)
            return read(repository, descriptor, begun=begun)

        client.read_blob = counted  # type: ignore[method-assign]
        workshop.registry = lambda _: client
        build(workshop, f"{{registry: '{running.url}/shared', images: ['x.io/image1:1', 'x.io/image2:1']}}")
    assert len(asked) == len(set(asked)) == 2 + 2 + 1  # two configs, two layers of their own, one shared


def test_all_that_registries_lack_is_told_at_once(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    layout.image(NGINX, "linux/arm64")
    push(NGINX, "some/library/nginx:1.27")
    with pytest.raises(InputError) as caught:
        build(workshop, f"{{registry: '{running.url}/some', images: ['{NGINX}', quay.io/no/such:1]}}")
    first, second = caught.value.findings
    assert (first.code, first.where.path, first.where.line) == ("remote-not-found", "spec.images[0].images[1]", 10)
    assert first.message == f"`{oci(running, 'some/no/such:1')}` does not exist"
    assert first.hint == f"skopeo list-tags docker://127.0.0.1:{running.port}/some/no/such"
    assert (second.code, second.where.path) == ("platform-missing", "spec.images[0].images[0]")
    assert second.hint == f"skopeo inspect --raw docker://127.0.0.1:{running.port}/some/library/nginx:1.27"


def test_a_registry_that_is_not_there_ends_with_its_own_exit_code(workshop: Workshop, tmp_path: Path) -> None:
    from renderer.adapters.registry.opening import open_registry
    from tests.unit.registry_fixture import Clock, free_port

    url = f"http://127.0.0.1:{free_port()}"
    with open_registry(url, environ={}, insecure=True, patience=Clock().patience(2)) as client:
        workshop.registry = lambda _: client
        with pytest.raises(RemoteError) as caught:
            build(workshop, f"{{registry: '{url}', images: [a/b:1, a/c:1]}}")
    assert {one.code for one in caught.value.findings} == {"registry-unreachable"}
    assert caught.value.exit_code == 5
    assert not (tmp_path / "bundle").exists()


# --- charts --------------------------------------------------------------------------------------------------------


@pytest.fixture
def chart(workshop: Workshop, running: RealRegistry, helm: Path) -> tuple[str, str, bytes]:
    """A chart that helm pushed: its name, its digest, its archive."""
    environment = {"HOME": str(workshop.root), "PATH": "/nonexistent"}

    def run(*words: str | Path) -> str:
        done = subprocess.run(
            [helm, *words], cwd=workshop.root, check=True, capture_output=True, text=True, env=environment
        )
        return done.stdout + done.stderr

    run("package", "charts/web")
    told = run("push", "web-1.2.0.tgz", oci(running, "charts"), "--plain-http")
    digest = told.partition("Digest: ")[2].split()[0]
    return oci(running, "charts/web"), digest, (workshop.root / "web-1.2.0.tgz").read_bytes()


def extension(helm: str) -> str:
    return f"  extensions: [{{name: web, version: 1.2.0, components: [{{name: web, insecure: true, {helm}}}]}}]\n"


def test_a_chart_is_the_archive_that_helm_pushed(workshop: Workshop, chart: tuple[str, str, bytes]) -> None:
    name, digest, archive = chart
    outcome = build(workshop, extensions=extension(f"helm: '{name}', version: 1.2.0, digest: '{digest}'"))
    assert outcome.findings == ()
    workshop.sign("vendor")
    (one,) = workshop.load(workshop.policy("vendor")).bundle.extensions
    (component,) = one.components
    assert component.content.annotations["org.opencontainers.image.title"] == "web-1.2.0.tgz"
    assert workshop.open().blob(component.content) == archive


def test_a_chart_without_digest_is_not_pinned(workshop: Workshop, chart: tuple[str, str, bytes]) -> None:
    name, digest, _ = chart
    (finding,) = build(workshop, extensions=extension(f"helm: '{name}', version: 1.2.0")).findings
    assert (finding.code, finding.severity) == ("chart-not-pinned", Severity.WARNING)
    assert finding.where.path == "spec.extensions[0].components[0].helm"
    assert finding.hint == f"add `digest: {digest}`"


def test_another_version_under_the_digest_is_refused(workshop: Workshop, chart: tuple[str, str, bytes]) -> None:
    name, digest, _ = chart
    with pytest.raises(InputError) as caught:
        build(workshop, extensions=extension(f"helm: '{name}', version: 1.3.0, digest: '{digest}'"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.got) == ("chart-version", "`1.2.0`")


def test_an_image_is_no_chart(
    workshop: Workshop, layout: ImageLayout, push: Callable[[str, str], None], running: RealRegistry
) -> None:
    layout.image(NGINX, "linux/amd64")
    push(NGINX, "hub/library/nginx:1.27")
    name = oci(running, "hub/library/nginx")
    with pytest.raises(InputError) as caught:
        build(workshop, extensions=extension(f"helm: '{name}', version: '1.27'"))
    (finding,) = caught.value.findings
    assert (finding.code, finding.got) == ("not-a-chart", "`application/vnd.oci.image.index.v1+json`")
    assert finding.hint == "helm push CHART.tgz oci://HOST/REPOSITORY"


# --- archives ------------------------------------------------------------------------------------------------------


def test_a_docker_archive_is_carried(
    workshop: Workshop, layout: ImageLayout, real: Callable[[str], Path], tmp_path: Path
) -> None:
    layout.image(NGINX, "linux/amd64")
    for kind in ("docker-archive", "oci-archive"):
        subprocess.run(
            [real("skopeo"), "--insecure-policy", "--tmpdir", tmp_path, "copy", "-q",
             f"oci:{layout.directory}:{NGINX}", f"{kind}:{tmp_path / kind}.tar:{NGINX}"],
            check=True, capture_output=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        build(workshop, f"{{archive: {kind}.tar}}")
        (image,) = images(workshop)
        assert str(image.reference) == NGINX
        assert [str(one) for one in image.platforms] == ["linux/amd64"]
        config = json.loads(workshop.open().blob(manifest_config(workshop, image)))
        assert config["architecture"] == "amd64"


def manifest_config(workshop: Workshop, image: BundleImage) -> Any:
    from renderer.errors import Where
    from renderer.formats.bundle.artifact import parse_manifest

    (manifest,) = image.platforms.values()
    return parse_manifest(workshop.open().blob(manifest), Where()).config


def test_the_only_image_of_an_archive_may_be_called_otherwise(workshop: Workshop, layout: ImageLayout) -> None:
    layout.image("localhost/build:latest", "linux/amd64")
    build(workshop, "{layout: elsewhere, reference: quay.io/team/api:2.0}")
    assert [str(one.reference) for one in images(workshop)] == ["quay.io/team/api:2.0"]
    layout.image(NGINX, "linux/amd64")
    with pytest.raises(InputError) as caught:
        build(workshop, "{layout: elsewhere, reference: quay.io/team/api:2.0}")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.path) == ("image-unnamed", "spec.images[0].layout")
    assert finding.got == f"`localhost/build:latest`, `{NGINX}`"
