"""Objects without what the API server drops at creation, and server-side apply refuses (with a real server)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model.fields import Json
from renderer.model.objects.builtin_fields import FIELDS
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.objects.scope import GroupKind
from renderer.stages.stored import as_stored
from tests.cluster.control_plane import Cluster

ORIGIN = Origin(extension="shop", component="web", source="web/templates/a.yaml")


def definition(status: bool = True) -> dict[str, Any]:
    text = {"type": "string"}
    spec = {
        "type": "object",
        "properties": {
            "size": text,
            "maybe": {"type": "string", "nullable": True},
            "labels": {"type": "object", "additionalProperties": text},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "parts": {"type": "array", "items": {"type": "object", "properties": {"name": text, "colour": text}}},
        },
    }
    state = {"type": "object", "properties": {"since": text}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": state}}},
        **({"subresources": {"status": {}}} if status else {}),
    }
    names = {"kind": "Cart", "plural": "carts", "singular": "cart", "listKind": "CartList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "carts.stored.example"},
        "spec": {"group": "stored.example", "scope": "Namespaced", "names": names, "versions": [version]},
    }


CART: dict[str, Any] = {
    "apiVersion": "stored.example/v1",
    "kind": "Cart",
    "metadata": {"name": "first", "namespace": "default"},
    "spec": {
        "size": None,
        "maybe": None,
        "labels": {"a": "b", "c": None},
        "any": {"x": None},
        "parts": [{"name": "wheel", "colour": None}],
    },
    "status": {"since": None},
}
STORED = {"maybe": None, "labels": {"a": "b"}, "any": {"x": None}, "parts": [{"name": "wheel"}]}


def stored(*bodies: dict[str, Json]) -> list[dict[str, Any]]:
    manifests, findings = as_stored(Manifest.of(body, ORIGIN) for body in bodies)
    assert findings == ()
    return [dict(one.body) for one in manifests]


def test_nulls_that_the_schema_does_not_allow_and_a_status_go() -> None:
    _, cart = stored(definition(), CART)
    assert cart["spec"] == STORED
    assert "status" not in cart


def test_a_status_that_is_no_subresource_is_part_of_the_object() -> None:
    _, cart = stored(definition(status=False), {**CART, "status": {"since": "today"}})
    assert cart["status"] == {"since": "today"}


def test_without_its_definition_nothing_is_known_and_nothing_changes() -> None:
    assert stored(CART) == [CART]


@pytest.mark.real
def test_it_is_what_the_server_makes_of_a_creation(cluster: Cluster) -> None:
    cluster.apply(definition())
    cluster.kubectl("wait", "--for=condition=Established", "crd/carts.stored.example", "--timeout=30s")
    refused = cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(CART))
    assert "must be of type string" in refused.stderr
    created = cluster.kubectl("create", "--validate=false", "-f", "-", stdin=json.dumps(CART))
    assert created.returncode == 0, created.stderr
    assert cluster.get("carts", "first")["spec"] == STORED
    assert cluster.kubectl("delete", "cart", "first").returncode == 0
    cluster.apply(stored(definition(), CART)[1])
    assert cluster.get("carts", "first")["spec"] == STORED


def test_a_field_that_no_such_kind_has_is_left_out_and_told() -> None:
    account: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "web"},
        "data": {"a": "b"},
    }
    (kept,), (finding,) = as_stored([Manifest.of(account, ORIGIN)])
    assert "data" not in kept.body
    assert (finding.code, finding.severity) == ("unknown-field", Severity.WARNING)
    assert finding.message == "`ServiceAccount web` has `data`, which no ServiceAccount has"
    assert finding.explanation == (
        "from extension shop, web: web/templates/a.yaml",
        "it is left out, as a cluster would do",
    )


@pytest.mark.real
def test_the_known_fields_are_those_of_a_server(cluster: Cluster) -> None:
    document = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2").stdout)
    served: dict[GroupKind, set[str]] = {}
    for schema in document["definitions"].values():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            served.setdefault((kind["group"], kind["kind"]), set()).update(schema.get("properties", ()))
    assert {kind: sorted(fields) for kind, fields in FIELDS.items()} == {kind: sorted(served[kind]) for kind in FIELDS}
