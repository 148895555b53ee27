"""KubeSphere extension packages, read as KubeSphere reads them (docs/bundles.md says from where we know)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from renderer.errors import InputError, Severity
from renderer.formats.archives import unpack
from renderer.formats.bundle.artifact import CHART_LAYER, describe
from renderer.formats.kubernetes.manifests import load_values
from renderer.formats.kubesphere.chart import generated_chart_file
from renderer.formats.kubesphere.package import Package, cluster_info, forced_values, is_agent, read_package
from renderer.formats.kubesphere.permissions import summary
from renderer.model.bundles.extension import ClusterRole, RequirementKind
from renderer.model.fields import FieldError, Fields
from renderer.model.trees.tree import FileTree

METADATA = """\
apiVersion: kubesphere.io/v1alpha1
name: monitoring
version: 1.1.0
displayName: {zh: 监控, en: Monitoring}
description: {en: Watches everything.}
category: observability
provider: {en: {name: Someone}}
icon: ./static/favicon.svg
kubeVersion: ">=1.19.0-0"
ksVersion: ">=4.1.1-0"
installationMode: Multicluster
namespace: monitoring-system
dependencies:
  - {name: frontend, tags: [extension], condition: "frontend.enabled,global.ui"}
  - {name: prometheus, tags: [agent], condition: prometheus.enabled}
  - {name: gpu, tags: [agent], condition: "gpu.enabled, global.gpu"}
  - {name: shared}
externalDependencies:
  - {name: telemetry, type: extension, version: ">= 1.2.1-0", required: true}
  - {name: gateway, version: ">=1.0.0"}
  - {name: anything}
images:
  - docker.io/kubesphere/kubectl:v1.27.12
  - kubesphere/kubectl:v1.27.12
  - busybox
  - quay.io/prometheus/prometheus:v2.51.2
annotations: {executor-hook-image.kubesphere.io/install: "kubesphere/helm-init:v0.1.0"}
"""
ROLES = "kind: ClusterRole\nrules:\n  - {verbs: ['*'], apiGroups: [''], resources: ['*']}\n---\nkind: Role\nrules: []\n"
CHART = describe(b"chart", CHART_LAYER)


def package(metadata: str = METADATA, **files: str) -> Package:
    """Read a package; further files by name, `_` for `.`."""
    tree = {"extension.yaml": metadata, "permissions.yaml": ROLES}
    tree |= {name.replace("_", "."): text for name, text in files.items()}
    return read_package(FileTree.of((path, text.encode()) for path, text in tree.items()), "packages/monitoring")


def faults(metadata: str, **files: str) -> list[tuple[str, str | None, str | None]]:
    """Code, file and path of everything that is wrong with a package."""
    with pytest.raises(InputError) as caught:
        package(metadata, **files)
    return [(finding.code, finding.where.file, finding.where.path) for finding in caught.value.findings]


def test_a_multicluster_package_is_a_host_part_and_an_agent() -> None:
    extension = package().with_chart(CHART)
    assert (extension.id, extension.cluster_role) == ("monitoring 1.1.0", ClusterRole.BOTH)
    host, agent = extension.components
    assert [(one.name, one.release, one.namespace, one.content) for one in (host, agent)] == [
        ("monitoring", "monitoring", "monitoring-system", CHART),
        ("monitoring-agent", "monitoring-agent", "monitoring-system", CHART),
    ]
    assert (is_agent(host), is_agent(agent)) == (False, True)


def test_tags_and_conditions_are_set_as_the_controller_sets_them() -> None:
    # Conditions beat tags in Helm, so each path of the other part's conditions is switched off; commas separate
    # paths, and Helm does not strip what stands around them.
    host, agent = package().with_chart(CHART).components
    assert host.forced == {
        "tags": {"extension": True, "agent": False},
        "prometheus": {"enabled": False},
        "gpu": {"enabled": False},
        " global": {"gpu": False},
    }
    assert agent.forced == {
        "tags": {"agent": True, "extension": False},
        "frontend": {"enabled": False},
        "global": {"ui": False},
    }


def test_a_condition_below_one_that_is_switched_off_changes_nothing() -> None:
    dependencies = [
        Fields({"tags": ["agent"], "condition": "a"}),
        Fields({"tags": ["agent"], "condition": "a.b"}),
    ]
    assert forced_values(dependencies, "extension")["a"] is False


def test_what_only_the_site_knows_is_left_to_it() -> None:
    assert cluster_info("branch-017", host=True) == {"global": {"clusterInfo": {"name": "branch-017", "role": "host"}}}
    assert cluster_info("m", host=False)["global"] == {"clusterInfo": {"name": "m", "role": "member"}}


def test_dependencies_and_versions_become_requirements() -> None:
    extension = package().extension
    assert [(one.kind, one.name, str(one.constraint), one.optional) for one in extension.requires] == [
        (RequirementKind.EXTENSION, "telemetry", ">= 1.2.1-0", False),
        (RequirementKind.EXTENSION, "gateway", ">=1.0.0", True),
        (RequirementKind.EXTENSION, "anything", ">=0.0.0-0", True),
        (RequirementKind.CAPABILITY, "kubesphere", ">=4.1.1-0", False),
    ]
    assert str(extension.kubernetes) == ">=1.19.0-0"
    assert extension.titles == {"zh": "监控", "en": "Monitoring"}


def test_images_are_completed_as_runtimes_do_and_named_once() -> None:
    assert [str(image) for image in package().extension.images] == [
        "docker.io/kubesphere/kubectl:v1.27.12",
        "docker.io/library/busybox:latest",
        "quay.io/prometheus/prometheus:v2.51.2",
        "docker.io/kubesphere/helm-init:v0.1.0",  # what the installer runs before Helm
    ]


def test_a_host_only_package_has_one_part_and_belongs_on_hosts() -> None:
    for text in (
        METADATA.replace("Multicluster", "HostOnly"),
        METADATA.replace("installationMode: Multicluster\n", ""),
    ):
        extension = package(text).with_chart(CHART)
        assert [component.name for component in extension.components] == ["monitoring"]
        assert extension.cluster_role is ClusterRole.HOST


def test_the_namespace_defaults_to_that_of_kubesphere() -> None:
    text = METADATA.replace("namespace: monitoring-system\n", "")
    assert package(text).namespace == "extension-monitoring"


def test_an_installer_image_is_noted() -> None:
    (note,) = package().notes
    assert (note.code, note.severity) == ("executor-hook", Severity.NOTE)
    assert note.where.file == "packages/monitoring/extension.yaml"
    assert note.explanation == ("`executor-hook-image.kubesphere.io/install: kubesphere/helm-init:v0.1.0`",)


def test_conditions_of_a_packaged_chart_are_those_of_its_chart_file() -> None:
    chart = (
        "apiVersion: v2\nname: monitoring\nversion: 1.1.0\ndependencies: [{name: x, tags: [agent], condition: x.on}]\n"
    )
    host, _ = package(Chart_yaml=chart).with_chart(CHART).components
    assert host.forced == {"tags": {"extension": True, "agent": False}, "x": {"on": False}}


def test_a_source_directory_gets_the_chart_file_that_ksbuilder_writes() -> None:
    metadata = load_values(METADATA.encode())
    assert isinstance(metadata, dict)
    tree = FileTree.of([("static/favicon.svg", b"<svg/>")])
    assert load_values(generated_chart_file(metadata, tree)) == {
        "apiVersion": "v2",
        "name": "monitoring",
        "version": "1.1.0",
        "kubeVersion": ">=1.19.0-0",
        "description": "Watches everything.",
        "icon": "data:image/svg+xml;base64,PHN2Zy8+",
        "annotations": {"executor-hook-image.kubesphere.io/install": "kubesphere/helm-init:v0.1.0"},
        "dependencies": [
            {"name": "frontend", "repository": "", "tags": ["extension"], "condition": "frontend.enabled,global.ui"},
            {"name": "prometheus", "repository": "", "tags": ["agent"], "condition": "prometheus.enabled"},
            {"name": "gpu", "repository": "", "tags": ["agent"], "condition": "gpu.enabled, global.gpu"},
            {"name": "shared", "repository": ""},
        ],
    }


# --- faults ------------------------------------------------------------------------------------------------------


def test_every_fault_of_a_package_is_told_at_once() -> None:
    text = """\
apiVersion: v1
name: Monitoring
version: 1.0.0+build
displayName: {en: 1}
category: observability
provider: {en: {name: Someone}}
icon: x
kubeVersion: "><"
ksVersion: newest
installationMode: Everywhere
namespace: Not_A_Label
externalDependencies:
  - {name: telemetry, type: crd}
  - {version: "1"}
images: ["UPPER/case", 7]
"""
    place = "packages/monitoring/extension.yaml"
    assert faults(text, permissions_yaml="kind: Secret\n") == [
        ("missing-field", place, "description"),
        ("invalid-field", place, "name"),
        ("invalid-field", place, "installationMode"),
        ("invalid-field", place, "externalDependencies[0].type"),
        ("missing-field", place, "externalDependencies[1].name"),
        ("invalid-field", place, "ksVersion"),
        ("invalid-field", place, "version"),
        ("invalid-field", place, "displayName.en"),
        ("invalid-field", place, "kubeVersion"),
        ("invalid-field", place, "images[1]"),
        ("invalid-field", place, "namespace"),
        ("unreadable-permissions", "packages/monitoring/permissions.yaml", None),
    ]


def test_a_bad_image_is_named() -> None:
    with pytest.raises(InputError) as caught:
        package(METADATA.replace("  - busybox", "  - kubesphere/X:1"))
    finding = caught.value.findings[0]
    assert (finding.where.path, finding.got) == ("images[2]", "`kubesphere/X:1`")


def test_chart_and_metadata_must_agree() -> None:
    chart = "apiVersion: v2\nname: monitoring\nversion: 1.0.9\n"
    with pytest.raises(InputError) as caught:
        package(Chart_yaml=chart)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file, finding.where.path) == (
        "package-mismatch",
        "packages/monitoring/Chart.yaml",
        "version",
    )
    assert (finding.expected, finding.got) == ("`1.1.0`, as in extension.yaml", "`1.0.9`")


def test_a_plain_chart_is_no_package() -> None:
    with pytest.raises(InputError) as caught:
        read_package(FileTree.of([("Chart.yaml", b"name: x\n")]), "charts/x.tgz!/x")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("not-a-package", "charts/x.tgz!/x/extension.yaml")
    assert finding.hint == "list a plain chart under `components` with `helm: PATH`"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [("name: [", "yaml-syntax", 2), ("- a\n", "invalid-field", None), ("a: 1\n---\nb: 2\n", "yaml-syntax", 3)],
)
def test_metadata_that_cannot_be_read(text: str, code: str, line: int | None) -> None:
    with pytest.raises(InputError) as caught:
        package(text)
    assert (caught.value.findings[0].code, caught.value.findings[0].where.line) == (code, line)


@pytest.mark.parametrize("text", ["kind: ClusterRole\nrules: 1\n", "a: [", "- x\n"])
def test_permissions_that_would_silently_grant_nothing(text: str) -> None:
    assert [code for code, _, _ in faults(METADATA, permissions_yaml=text)] == ["unreadable-permissions"]


@pytest.mark.parametrize("verbs", ["get", "[get, 1]", "{get: true}"])
def test_a_rule_that_kubesphere_would_leave_out_is_a_fault(verbs: str) -> None:
    text = f"kind: Role\nrules:\n  - {{verbs: [get]}}\n  - {{verbs: {verbs}}}\n"
    ((code, file, path),) = faults(METADATA, permissions_yaml=text)
    assert (code, file) == ("unreadable-permissions", "packages/monitoring/permissions.yaml")
    assert str(path).startswith("rules[1].verbs")


def test_permissions_may_be_absent() -> None:
    tree = FileTree.of([("extension.yaml", METADATA.encode())])
    found = read_package(tree, "x")
    assert (found.extension.name, summary(found.grants)) == ("monitoring", "nothing beyond its namespace")


def test_what_permissions_grant_is_kept() -> None:
    text = """\
kind: ClusterRole
rules:
  - {verbs: [get, list], apiGroups: ["", apps], resources: [secrets], resourceNames: [token]}
  - {verbs: ["*"], nonResourceURLs: ["/metrics"]}
---
kind: Role
rules: [{verbs: ["*"], apiGroups: ["*"], resources: ["*"]}]
"""
    grants = package(permissions_yaml=text).grants
    assert [(grant.cluster, grant.everything, str(grant)) for grant in grants] == [
        (True, False, "get, list on secrets, apps/secrets named token"),
        (True, False, "* on /metrics"),
        (False, True, "* on */*"),
    ]
    assert summary(grants) == "2 in the cluster and 1 in its namespace"
    assert summary(package(permissions_yaml=text.replace("kind: Role", "kind: ClusterRole")).grants) == "everything"


def test_languages_are_those_of_iso_639() -> None:
    text = METADATA.replace("displayName: {zh: 监控, en: Monitoring}", "displayName: {zh_CN: 监控, en: Monitoring}")
    with pytest.raises(InputError) as caught:
        package(text)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.path, finding.got) == ("invalid-field", "displayName.zh_CN", "`zh_CN`")
    assert finding.expected == "two lower-case letters of ISO 639-1, such as `en` or `zh`"


def test_a_dependency_is_typed_as_helm_types_it() -> None:
    text = METADATA.replace(
        'tags: [extension], condition: "frontend.enabled,global.ui"', "tags: extension, condition: 1"
    )
    text = text.replace("{name: shared}", "{version: 1.0.0}")
    assert [path for _, _, path in faults(text)] == ["dependencies[0].condition", "dependencies[3].name"]


# --- the real ones -----------------------------------------------------------------------------------------------


def test_every_published_extension_is_read() -> None:
    directory = os.environ.get("SITEWRIGHT_KUBESPHERE_EXTENSIONS")
    if not directory:
        pytest.skip("set SITEWRIGHT_KUBESPHERE_EXTENSIONS to a directory of <name>-<version>/extension.yaml")
    found = sorted(Path(directory).glob("*/extension.yaml"))
    assert found
    for metadata in found:
        files = [(file.name, file.read_bytes()) for file in metadata.parent.iterdir() if file.is_file()]
        extension = read_package(FileTree.of(files), metadata.parent.name).with_chart(CHART)
        assert metadata.parent.name == f"{extension.name}-{extension.version}"


def test_every_published_package_is_read(real_charts: tuple[Path, ...]) -> None:
    count = 0
    for archive in real_charts:
        tree = unpack(archive.read_bytes(), repeats=True)
        root = next(iter(tree)).partition("/")[0]
        if f"{root}/extension.yaml" in tree.files:
            extension = read_package(tree.below(root), f"{archive.name}!/{root}").with_chart(CHART)
            assert archive.name == f"{extension.name}-{extension.version}.tgz"
            count += 1
    assert count


def test_a_chart_file_that_cannot_be_read_is_told_with_its_name() -> None:
    found = faults(METADATA, Chart_yaml="name: [\n")
    assert [(code, place) for code, place, _ in found] == [("yaml-syntax", "packages/monitoring/Chart.yaml")]


def test_dependencies_that_are_no_list_are_a_fault() -> None:
    metadata = METADATA[: METADATA.index("dependencies:")] + "dependencies: none\n"
    assert [place for _, _, place in faults(metadata)] == ["dependencies"]


@pytest.mark.parametrize("icon", ["https://example.com/i.svg", "data:image/png;base64,AA=="])
def test_an_icon_on_the_web_stays_where_it_is(icon: str) -> None:
    chart = Fields.of(load_values(generated_chart_file({"name": "web", "icon": icon}, FileTree({}))))
    assert chart.text("icon") == icon


def test_an_icon_that_the_package_lacks_is_a_fault() -> None:
    with pytest.raises(FieldError) as caught:
        generated_chart_file({"name": "web", "icon": "./static/i.svg"}, FileTree({}))
    assert (caught.value.code, caught.value.path) == ("icon-not-found", ("icon",))
