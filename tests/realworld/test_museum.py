"""The extension museum on the way into bundles: every package read, every image found, the same bundle every time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderer.model.reference import ImageReference
from tests.realworld.conftest import import_all
from tests.realworld.kubesphere import Release, image_fields, metadata, sitewright, switches, template

NOBODY_DECLARES = {
    "docker.io/bats/bats:v1.1.0",
    "docker.io/bats/bats:v1.4.1",
    "docker.io/library/busybox:latest",
    "docker.io/library/golang:1.17",
    "docker.io/library/maven:3.8.4-jdk-11",
    "docker.io/library/node:14.19.0",
    "nvcr.io/nvidia/cloud-native/k8s-driver-manager:v0.6.2",
    "nvcr.io/nvidia/cloud-native/k8s-driver-manager:v0.6.4",
    "nvcr.io/nvidia/cloud-native/kata-gpu-artifacts:ubuntu22.04-535.54.03",
    "nvcr.io/nvidia/cloud-native/kata-gpu-artifacts:ubuntu22.04-535.86.10-snp",
    "nvcr.io/nvidia/driver:550.54.14",
    "quay.io/minio/mc:RELEASE.2022-09-16T09-16-47Z",
    "quay.io/minio/minio:RELEASE.2022-09-17T00-09-45Z",
    "quay.io/oceanbase/ob-operator:2.3.1",
    "quay.io/oceanbase/oceanbase-dashboard:0.4.0",
    "quay.io/prometheus/prometheus:v2.51.1",
    "quay.io/thanos/thanos:v0.35.1",
    "registry.ollama.ai/library/deepseek-r1:1.5b",
}
"""What objects of the packages name and no package declares. Somebody looked at each of them: all are pulled."""
NO_REFERENCE = {"vgpu-manager"}
"""A name without registry and version, which sites have to give (NVIDIA's ClusterPolicy)."""
NO_CLUSTER = {("devops-1.1.1", "devops-agent")}
"""Parts that cannot be inflated without a cluster."""


def records(imported: dict[str, Any]) -> list[dict[str, Any]]:
    """The images of the bundle."""
    found: list[dict[str, Any]] = imported["bundles"][0]["discovery"]["images"]
    return found


def parts(museum: Path) -> Iterator[tuple[str, Release]]:
    """The packages by name and version, each with the releases that KubeSphere makes of it."""
    for path in sorted((museum / "museum").iterdir()):
        try:
            facts = metadata(path)
        except StopIteration:
            continue  # a subchart
        name, namespace = facts["name"], facts.get("namespace") or f"extension-{facts['name']}"
        yield path.stem, Release(name, name, path, namespace, switches(facts, "extension", "agent"))
        if facts.get("installationMode") == "Multicluster":
            values = switches(facts, "agent", "extension")
            values.setdefault("global", {})["clusterInfo"] = {"name": "host", "role": "host"}
            yield path.stem, Release(name, f"{name}-agent", path, namespace, values)


def test_every_package_is_in_the_bundle(museum: Path, imported: dict[str, Any]) -> None:
    packages = {f"{one['extension']}-{one['version']}" for one in imported["packages"]}
    assert packages == {name for name, _ in parts(museum)} | {"ks-core-4.1.3"}
    assert len(packages) >= 19


def test_every_image_that_plain_helm_prints_is_found(museum: Path, imported: dict[str, Any], helm: Path) -> None:
    """Two ways to know better: fields named `image`, and declared references that stand anywhere in the text."""
    seen: dict[str, set[str]] = {}
    for one in records(imported):
        for place in one["seen"]:
            seen.setdefault(place["extension"], set()).add(one["reference"])
    missed: list[tuple[str, str]] = []
    for package, release in parts(museum):
        if (package, release.name) in NO_CLUSTER:
            continue
        text = template(helm, release.chart, release.name, release.namespace, release.values).output
        declared = metadata(release.chart).get("images") or []
        named = [one for one in declared if re.search(rf"(?<![\w./-]){re.escape(one.strip())}(?![\w.-])", text)]
        extension = f"{release.extension} {metadata(release.chart)['version']}"
        images = {*image_fields(text), *named} - NO_REFERENCE
        missed += [(extension, image) for image in images if not was_seen(image.strip(), seen.get(extension, set()))]
    assert not missed


def was_seen(image: str, references: set[str]) -> bool:
    """A name without a tag may be one part of an image whose tag stands on another line."""
    if ":" in image.rpartition("/")[2]:
        return str(ImageReference.parse(image)) in references
    return any(reference.rpartition(":")[0].endswith(f"/{image}") for reference in references)


def test_nothing_else_is_taken_for_an_image(imported: dict[str, Any]) -> None:
    undeclared = {
        one["reference"]
        for one in records(imported)
        if not any(by["extension"] for by in one["declared"])
        and any(not place["extension"].startswith("ks-core") for place in one["seen"])
    }
    assert undeclared <= NOBODY_DECLARES


def test_devops_uses_more_than_its_fields_show(museum: Path) -> None:
    package = museum / "museum/devops-1.1.3.tgz"
    if not package.exists():
        pytest.skip("devops 1.1.3 is not among the packages")
    declared = {str(ImageReference.parse(one)) for one in metadata(package)["images"]}
    (museum / "devops.yaml").write_text(
        "apiVersion: sitewright.dev/v1\nkind: BundleSource\nmetadata: {name: devops, version: 1.1.3}\nspec:\n"
        "  sequence: 1\n  created: 2026-11-01T00:00:00Z\n  platforms: [linux/amd64]\n"
        "  extensions: [{kubesphere: museum/devops-1.1.3.tgz}]\n  images: [{layout: images}]\n"
        "  discovery:\n    valueSets:\n      - name: podman\n        extension: devops\n        component: devops-agent\n"
        "        values: {agent: {jenkins: {Agent: {builder: {ContainerRuntime: podman}}}}}\n"
    )
    words = ("bundle", "build", "devops.yaml", "-o", "devops", "--quiet", "--format", "json")
    images = json.loads(sitewright(*words, cwd=museum).output)["discovery"]["images"]
    places = {one["reference"]: one["seen"] for one in images if one["reference"] in declared}
    sets = {name: {sets for place in seen for sets in place["valueSets"]} for name, seen in places.items()}
    fields = [
        name
        for name, seen in places.items()
        if any(re.search(r"ontainers\[\d+\]\.image$", place["path"]) for place in seen)
    ]
    by_default = [name for name, found in sets.items() if "default" in found]
    assert (len(declared), len(fields), len(by_default), len(sets)) == (27, 8, 18, 27)
    assert all(sets.values())


def test_the_museum_gives_the_same_bundle_every_time(museum: Path, imported: dict[str, Any]) -> None:
    again = import_all(museum, "again.tar")
    assert again["bundles"][0]["manifest"] == imported["bundles"][0]["manifest"]


def test_every_extension_can_have_a_bundle_of_its_own(museum: Path, imported: dict[str, Any]) -> None:
    bundles = import_all(museum, "each", "--per-extension", "--newest", "--tar")["bundles"]
    names = {one["extension"] for one in imported["packages"]}
    assert {one["bundle"] for one in bundles} == {f"kubesphere-{name}" for name in names}
    assert sum(len(one["extensions"]) for one in bundles) == len(names)
    assert sorted(path.name for path in (museum / "each").iterdir()) == sorted(
        f"kubesphere-{name}.tar" for name in names
    )
