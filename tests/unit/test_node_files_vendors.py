"""Node files read by the code of the runtimes themselves: containerd, k3s, Talos, OpenShift (tests/tools/runtimes).

What the simulators of `tests/simulators/runtimes` say of containerd is held against what containerd does.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from renderer.model.reference import ImageReference
from renderer.model.site import Fallback, Site
from renderer.stages.mirrors.nodes import node_files
from renderer.stages.mirrors.plan import plan_mirrors
from tests.simulators.runtimes import containerd
from tests.simulators.sites import SHIPPED, a_site, pinned
from tests.unit.registry_fixture import make_papers

pytestmark = pytest.mark.real

Judge = Callable[..., tuple[int, Any, str]]
IMAGES = [
    pinned("nginx:1.27"),
    ImageReference.parse("nginx:1.27"),
    pinned("quay.io/team/api:2"),
    pinned("reg-1.example.com:8443/a/b:1"),
    pinned("harbor.site.local:5443/dockerhub/library/nginx:1.27"),
]
PROJECTS = {"docker.io": "dockerhub", "quay.io": "quay", "*": "mirror"}
HOSTS = "certs.d/docker.io/hosts.toml"


@pytest.fixture
def judge(runtimes: Path, tmp_path: Path) -> Judge:
    """`judge("k3s", files, "registries.yaml")`: exit code, what the runtime's code made of it, what it said."""

    def run(runtime: str, files: Mapping[str, bytes], name: str, *more: str) -> tuple[int, Any, str]:
        for path, content in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
        done = subprocess.run(
            [runtimes, runtime, tmp_path / name, *more], capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    return run


def files_of(site: Site, runtime: str) -> dict[str, bytes]:
    tree = node_files(plan_mirrors(site.registry, IMAGES), site, SHIPPED, [runtime])
    return {path.split("/", 2)[2]: content for path, content in tree.items()}


# --- containerd ----------------------------------------------------------------------------------------------------


def by_containerd(judge: Judge, files: Mapping[str, bytes], image: ImageReference) -> list[str]:
    """The manifest URLs that containerd's own code leads to, in its order."""
    code, found, said = judge("containerd", files, "certs.d", image.registry)
    assert code == 0, said
    wanted = {"pull"} if image.digest else {"pull", "resolve"}
    version = image.digest or image.tag
    return [
        f"{host['url']}/{image.repository}/manifests/{version}"
        for host in found[image.registry]
        if wanted <= set(host["can"])
    ]


@pytest.mark.parametrize("fallback", Fallback)
@pytest.mark.parametrize("url", ["https://harbor.site.local:5443", "http://harbor.site.local"])
@pytest.mark.parametrize("projects", [PROJECTS, {"docker.io": "hub/inner", "quay.io": "quay"}], ids=["*", "listed"])
def test_containerd_asks_what_the_simulator_says(
    judge: Judge, fallback: Fallback, url: str, projects: dict[str, str]
) -> None:
    registry = {"url": url, "insecure": url.startswith("http:"), "projects": projects, "fallback": fallback}
    files = files_of(a_site(registry=registry), "containerd")
    for image in IMAGES:
        asked = by_containerd(judge, files, image)
        assert asked == containerd.asked(files, image)
        if fallback is Fallback.NEVER and (image.registry in projects or "*" in projects):
            assert [one.startswith(f"{url}/v2/") for one in asked] == [True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('server = "https://harbor.site.local:5443/v2/dockerhub"\n', ""),
        ("/v2/dockerhub", "/dockerhub"),
        ("override_path = true\n", ""),
        ('"resolve"', '"solve"'),
        ('["pull", "resolve"]', '["pull"]'),
        ("override_path = true", "override_path = True"),
        ("[host]", ""),
        ("[host]", '[host."https://other.example"]'),
        ("[host]", '[host."https://other.example"]\n  capabilities = ["pull"]'),
    ],
)
def test_containerd_makes_of_mistakes_what_the_simulator_says(judge: Judge, old: str, new: str) -> None:
    files = files_of(a_site(registry={"projects": PROJECTS}), "containerd")
    text = files[HOSTS].decode()
    assert old in text
    files[HOSTS] = text.replace(old, new).encode()
    for image in IMAGES[:2]:
        assert by_containerd(judge, files, image) == containerd.asked(files, image)


def test_containerd_trusts_the_ca_and_verifies_unless_told_otherwise(judge: Judge, tmp_path: Path) -> None:
    papers = make_papers(tmp_path / "papers")
    files = files_of(a_site(registry={"ca": papers.ca}), "containerd")
    files = {
        path: content.replace(b'ca = "/etc/containerd/', f'ca = "{tmp_path}/'.encode())
        for path, content in files.items()
    }
    for name in ("docker.io", "harbor.site.local:5443"):
        _, found, said = judge("containerd", files, "certs.d", name)
        assert [(one["ca"], one["insecure"]) for one in found[name]] == [(True, False)], said
    files = files_of(a_site(registry={"insecure": True}), "containerd")
    _, found, _ = judge("containerd", files, "certs.d", "docker.io")
    assert [one["insecure"] for one in found["docker.io"]] == [True]


# --- k3s and RKE2 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["k3s", "rke2"])
@pytest.mark.parametrize("insecure", [False, True])
def test_k3s_reads_its_mirrors(judge: Judge, runtime: str, insecure: bool) -> None:
    site = a_site(registry={"projects": PROJECTS, "insecure": insecure})
    code, found, said = judge("k3s", files_of(site, runtime), "registries.yaml")
    assert code == 0, said
    endpoints = ["https://harbor.site.local:5443"]
    expected = {
        name: {"endpoints": endpoints, "rewrites": {"^(.*)$": f"{PROJECTS.get(name, 'mirror')}/$1"}}
        for name in ("*", "docker.io", "quay.io", "reg-1.example.com:8443")
    }
    assert found["mirrors"] == expected
    assert found["insecure"].get("harbor.site.local:5443", False) is insecure


def test_k3s_refuses_what_it_does_not_know(judge: Judge) -> None:
    files = files_of(a_site(), "k3s")
    files["registries.yaml"] = files["registries.yaml"].replace(b"endpoint:", b"endpoints:")
    code, _, said = judge("k3s", files, "registries.yaml")
    assert code == 1
    assert "field endpoints not found in type registries.Mirror" in said


# --- Talos ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["registries.yaml", "registries-before-1.12.yaml"])
def test_talos_takes_the_patches(judge: Judge, name: str, tmp_path: Path) -> None:
    papers = make_papers(tmp_path / "papers")
    site = a_site(registry={"projects": PROJECTS, "ca": papers.ca})
    code, found, said = judge("talos", files_of(site, "talos"), name)
    assert code == 0, said
    assert found["mirrors"] == {
        source: {
            "endpoints": [
                {"url": f"https://harbor.site.local:5443/v2/{PROJECTS.get(source, 'mirror')}", "overridePath": True}
            ],
            "skipFallback": True,
        }
        for source in ("*", "docker.io", "quay.io", "reg-1.example.com:8443")
    }
    assert found["tls"] == {"harbor.site.local:5443": {"ca": papers.ca.decode(), "insecure": False}}


@pytest.mark.parametrize("name", ["registries.yaml", "registries-before-1.12.yaml"])
@pytest.mark.parametrize("fallback", Fallback)
def test_talos_without_tls_and_with_a_way_back(judge: Judge, name: str, fallback: Fallback) -> None:
    registry = {"url": "http://harbor.site.local", "insecure": True, "projects": PROJECTS, "fallback": fallback}
    code, found, said = judge("talos", files_of(a_site(registry=registry), "talos"), name)
    assert code == 0, said
    assert found["mirrors"]["quay.io"]["skipFallback"] is (fallback is Fallback.NEVER)
    assert found["mirrors"]["harbor.site.local"]["endpoints"][0]["url"] == "http://harbor.site.local"


@pytest.mark.parametrize("name", ["registries.yaml", "registries-before-1.12.yaml"])
def test_talos_refuses_what_it_does_not_know(judge: Judge, name: str) -> None:
    files = files_of(a_site(), "talos")
    files[name] = files[name].replace(b"skipFallback", b"noFallback")
    code, _, said = judge("talos", files, name)
    assert code == 1
    assert "unknown keys found during decoding" in said


# --- OpenShift -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "field"),
    [("image-digest-mirror-set.yaml", "imageDigestMirrors"), ("image-tag-mirror-set.yaml", "imageTagMirrors")],
)
def test_openshift_reads_its_mirror_sets(judge: Judge, name: str, field: str) -> None:
    code, found, said = judge("openshift", files_of(a_site(registry={"projects": PROJECTS}), "openshift"), name)
    assert code == 0, said
    assert found["apiVersion"] == "config.openshift.io/v1"
    assert found["spec"][field] == [
        {
            "source": source,
            "mirrors": [f"harbor.site.local:5443/{PROJECTS.get(source, 'mirror')}"],
            "mirrorSourcePolicy": "NeverContactSource",
        }
        for source in ("docker.io", "quay.io", "reg-1.example.com:8443")
    ]


def test_openshift_reads_its_image_config(judge: Judge, tmp_path: Path) -> None:
    papers = make_papers(tmp_path / "papers")
    registry = {"projects": PROJECTS, "ca": papers.ca, "insecure": True}
    code, found, said = judge("openshift", files_of(a_site(registry=registry), "openshift"), "image-config.yaml")
    assert code == 0, said
    assert found["spec"]["additionalTrustedCA"] == {"name": "sitewright-registry-ca"}
    assert found["spec"]["registrySources"] == {"insecureRegistries": ["harbor.site.local:5443"]}


def test_openshift_refuses_what_it_does_not_know(judge: Judge) -> None:
    files = files_of(a_site(), "openshift")
    name = "image-digest-mirror-set.yaml"
    files[name] = files[name].replace(b"mirrorSourcePolicy", b"mirrorSourcesPolicy")
    code, _, said = judge("openshift", files, name)
    assert code == 1
    assert 'unknown field "mirrorSourcesPolicy"' in said
