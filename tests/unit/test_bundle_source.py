"""bundle.yaml: what the documentation shows can be read, and faults are told at their line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, meta

from renderer.errors import InputError
from renderer.formats.bundle.remote_source import RemoteImage
from renderer.formats.bundle.source import DeclaredImage, SourceExtension, SourceLayout, read_bundle_source
from renderer.model.bundles.extension import ComponentKind
from tests.simulators.bundles import ROOT, SOURCE, schema


def faults(text: str) -> list[tuple[str, int | None, str | None]]:
    """Code, line and path of every fault."""
    with pytest.raises(InputError) as caught:
        read_bundle_source(text.encode(), "bundles/bundle.yaml", schema("bundle-source"))
    assert {finding.where.file for finding in caught.value.findings} == {"bundles/bundle.yaml"}
    return [(one.code, one.where.line, one.where.path) for one in caught.value.findings]


def test_the_documented_source_is_read() -> None:
    text = (ROOT / "docs/bundles.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(apiVersion.*?)```", text, re.DOTALL)
    source = read_bundle_source(example.encode(), "a/bundle.yaml", schema("bundle-source"))
    assert (source.name, str(source.version), source.sequence) == ("kubesphere", "4.1.3", 7)
    core, shop, packages = source.extensions
    assert isinstance(core, SourceExtension)
    assert isinstance(shop, SourceExtension)
    assert [(one.name, one.kind, getattr(one.content, "path", None), one.namespace) for one in shop.components] == [
        ("web", ComponentKind.HELM, "a/charts/web-1.2.0.tgz", "shop"),
        ("extras", ComponentKind.JINJA, "a/templates/web", "shop"),
        ("rbac", ComponentKind.MANIFESTS, "a/manifests/web", "shop"),
    ]
    assert {name: str(version) for name, version in core.extension.provides.items()} == {"kubesphere": "4.1.3"}
    assert "packages/*.tgz" in str(packages)
    assert [type(image) for image in source.images] == [SourceLayout, SourceLayout, RemoteImage, DeclaredImage]


def test_faults_are_told_at_their_line_and_all_at_once() -> None:
    text = SOURCE.replace("version: 1.2.0", "version: 1.2.0\n      kubernetes: '><'").replace(
        "{layout: images}", "{layout: /x}"
    )
    text = text.replace("name: demo", "name: a.-b")
    assert faults(text) == [("invalid-value", 3, "metadata.name")]
    text = text.replace("name: a.-b", "name: demo")
    assert faults(text) == [
        ("invalid-field", 11, "spec.extensions[0].kubernetes"),
        ("path-escape", 17, "spec.images[0].layout"),
    ]


def test_a_name_that_is_no_namespace_needs_one() -> None:
    text = SOURCE.replace("name: web\n", "name: a.web\n").replace("      namespace: shop\n", "")
    assert faults(text) == [("missing-field", 9, "spec.extensions[0].namespace")]


@pytest.mark.parametrize("reference", [f"nginx@sha256:{'a' * 64}", "UPPER/case/X:1"])
def test_an_image_is_named_by_its_tag(reference: str) -> None:
    digest = f'digest: "sha256:{"a" * 64}", size: 1'
    image = f'{{reference: "{reference}", {digest}, platforms: {{linux/amd64: {{{digest}}}}}}}'
    assert faults(SOURCE.replace("{layout: images}", image)) == [("invalid-field", 16, "spec.images[0].reference")]


def test_an_image_that_is_begun_by_digest_is_told_what_it_lacks() -> None:
    text = SOURCE.replace("{layout: images}", f"{{reference: docker.io/a/b:1, digest: 'sha256:{'a' * 64}'}}")
    assert faults(text) == [("missing-field", 16, "spec.images[0]")] * 2


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that a schema describes, below whatever keyword."""
    if isinstance(node, dict):
        for name, below in (node.get("properties") or {}).items():
            yield f"{path}.{name}", below
        for key, below in node.items():
            yield from properties(below, f"{path}/{key}")


@pytest.mark.parametrize("name", ["bundle", "bundle-source"])
def test_schemas_help_editors(name: str) -> None:
    document: dict[str, Any] = schema(name)
    meta.validate(document)
    validator = Draft202012Validator(json.dumps(document))
    assert all(validator.is_valid(example) for example in document["examples"])
    definitions = document.get("$defs", {})
    for path, stated in properties(document):
        described = definitions[stated["$ref"].rpartition("/")[2]] if "$ref" in stated else stated
        assert {"title", "description", "examples"} <= set(described), path
        part = Draft202012Validator(json.dumps({"$defs": definitions, **described}))
        for example in described["examples"]:
            assert part.is_valid(example), (path, example)
