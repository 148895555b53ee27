"""Components without Helm: which files yield objects, what templates see, and faults with their place."""

from collections.abc import Mapping
from typing import Any

import pytest

from renderer.errors import Finding, InputError, Severity
from renderer.formats.archives import pack
from renderer.formats.kubernetes.manifests import load_documents
from renderer.model.bundles.extension import ClusterRole, Component, ComponentKind, Descriptor, Extension
from renderer.model.reference import Digest, Platform
from renderer.model.site import (
    CheckRules,
    Cluster,
    Distribution,
    Fallback,
    GitOps,
    GitOpsAgent,
    ImagesMode,
    Runtime,
    SecretsMode,
    Site,
    SiteRegistry,
)
from renderer.model.trees.tree import FileTree
from renderer.model.version import Version
from renderer.stages.template import render_files, template_context

BLOB = Descriptor(media_type="application/vnd.oci.image.layer.v1.tar+gzip", digest=Digest.of(b""), size=0)
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


def component(kind: ComponentKind = ComponentKind.JINJA) -> Component:
    return Component(name="info", kind=kind, content=BLOB, release="info", namespace="shop")


def rendered(
    files: Mapping[str, str | bytes], *, kind: ComponentKind = ComponentKind.JINJA, **values: Any
) -> dict[str, str]:
    tree = FileTree.of((path, text.encode() if isinstance(text, str) else text) for path, text in files.items())
    context: dict[str, Any] = {"site": {"name": "branch"}}
    output = render_files(component(kind), "demo", pack(tree), values, context)
    assert output.crds == ()
    return {file.path: file.text for file in output.templates}


def faults(files: Mapping[str, str | bytes], **options: Any) -> tuple[Finding, ...]:
    with pytest.raises(InputError) as caught:
        rendered(files, **options)
    return caught.value.findings


def test_templates_are_rendered_and_plain_files_taken_as_they_are() -> None:
    files = {
        "a.yaml.j2": "name: {{ values.name }} {{ site.name }} {{ component.namespace }}\n",
        "b.yaml": "name: {{ untouched }}\n", "c.yml": "x: 1\n", "d.txt.j2": "y: 2\n", "README.md": "# no",
        "lib/_part.j2": "z: {{ values.name }}", "e.j2": "{% include 'lib/_part.j2' %}",
    }  # fmt: skip
    assert rendered(files, name="n") == {
        "info/a.yaml.j2": "name: n branch shop\n",
        "info/b.yaml": "name: {{ untouched }}\n",
        "info/c.yml": "x: 1\n",
        "info/d.txt.j2": "y: 2\n",
        "info/e.j2": "z: n",
    }


def test_plain_components_render_nothing() -> None:
    files = {"a.yaml": CONFIG, "b.yaml.j2": "{{ x }}"}
    assert rendered(files, kind=ComponentKind.MANIFESTS) == {"info/a.yaml": CONFIG}


def test_json_with_tabs_becomes_yaml() -> None:
    (text,) = rendered({"a.json": '{\n\t"a": "yes",\n\t"b": [1]\n}'}, kind=ComponentKind.MANIFESTS).values()
    assert [document.value for document in load_documents(text.encode())] == [{"a": "yes", "b": [1]}]


def test_all_faults_of_a_component_are_told_at_once_with_their_places() -> None:
    found = faults(
        {"a.j2": "ok\n{{ values.nmae }}", "b.json": '{\n  "a": }', "c.yaml": b"\xff", "d.j2": "{% if %}"}, name="x"
    )
    assert [(one.code, str(one.where)) for one in found] == [
        ("manifest-invalid", "info/c.yaml, extension demo, info"),
        ("template-failed", "info/a.j2:2, extension demo, info"),
        ("manifest-invalid", "info/b.json:2:8, extension demo, info"),
        ("template-failed", "info/d.j2:1, extension demo, info"),
    ]
    assert {one.severity for one in found} == {Severity.ERROR}
    assert found[1].message == "the template cannot be rendered: `nmae` is not defined; did you mean `name`?"
    assert found[1].hint == (
        "set the value under `values` of the extension `demo` in the profile, or correct the template"
    )
    assert found[0].message == "the file of component `info` cannot be read: it is not UTF-8 at byte 0"
    assert found[2].hint == "correct it in the sources of the bundle and build the bundle again"


def test_an_archive_that_cannot_be_read_is_told() -> None:
    with pytest.raises(InputError) as caught:
        render_files(component(), "demo", b"not an archive", {}, {})
    (finding,) = caught.value.findings
    assert (finding.code, str(finding.where)) == ("manifest-invalid", "extension demo, info")
    assert finding.message.startswith("the archive of component `info` cannot be read: ")


def test_templates_know_the_site_and_no_secret_of_it() -> None:
    site = Site(
        name="branch",
        labels={"region": "east"},
        cluster=Cluster(
            kubernetes=Version.parse("1.31.4"), distribution=Distribution.K3S, runtime=Runtime.CONTAINERD,
            runtime_version=None, platforms=(Platform.parse("linux/amd64"),), api_versions=("a/v1",),
            role=ClusterRole.HOST, name="host", storage_classes=("local",),
        ),
        registry=SiteRegistry(
            url="https://harbor.site:5443", projects={"*": "mirror"}, images=ImagesMode.MIRROR, fallback=Fallback.NEVER
        ),
        gitops=GitOps(agent=GitOpsAgent.FLUX, repository="ssh://git@git/x.git", branch="main", path=""),
        trust="trust.yaml", bundles=(), extensions=(), secrets=SecretsMode.EXTERNAL,
        checks=CheckRules(), templates={}, profile="profiles/branch.yaml", digest=Digest.of(b""),
    )  # fmt: skip
    extension = Extension(name="demo", version=Version.parse("1.2.3"))
    assert template_context(site, extension) == {
        "site": {"name": "branch", "labels": {"region": "east"}},
        "cluster": {
            "name": "host", "kubernetesVersion": "1.31.4", "distribution": "k3s", "runtime": "containerd",
            "role": "host", "platforms": ["linux/amd64"], "apiVersions": ["a/v1"], "storageClasses": ["local"],
        },
        "registry": {"host": "harbor.site:5443", "images": "mirror"},
        "extension": {"name": "demo", "version": "1.2.3"},
    }  # fmt: skip
