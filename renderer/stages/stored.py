"""Objects as the API server would store them, so that every way of applying them is taken.

Helm creates objects with a POST. Of what it sends, the server drops fields that a kind does not have, the status of a
custom kind that has it as a subresource, and nulls that the schema of a custom kind does not allow
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/, "Defaulting and
Nullable"). Server-side apply, as Flux does it, is refused with any of them, and charts of KubeSphere have all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from renderer.errors import Finding, Severity, Where
from renderer.model.fields import Json
from renderer.model.objects.builtin_fields import FIELDS
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.workload import mapping
from renderer.structs import Struct

_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")


class _Served(Struct, frozen=True):
    """One version of a kind: the schema of its objects, and whether their status is a subresource."""

    schema: Mapping[str, Json]
    has_status: bool


def as_stored(manifests: Iterable[Manifest]) -> tuple[tuple[Manifest, ...], tuple[Finding, ...]]:
    """The same objects in the same order, without what would be dropped, and what is said of it.

    Custom resources are looked through when their definition is among `manifests`. A field that a built-in kind does
    not have is the warning `unknown-field`: the author of the chart meant something by it.
    """
    everything = tuple(manifests)
    served = {key: one for manifest in everything for key, one in _served(manifest)}
    stored = tuple(_stored(one, served.get((one.api_version, one.id.kind))) for one in everything)
    unknown = (_unknown(one) for one in everything)
    return stored, tuple(finding for finding in unknown if finding is not None)


def _unknown(manifest: Manifest) -> Finding | None:
    known = FIELDS.get((manifest.id.group, manifest.id.kind))
    strange = sorted(manifest.body.keys() - known) if known else []
    if not strange:
        return None
    return Finding(
        code="unknown-field",
        message=f"`{manifest.id}` has {', '.join(f'`{field}`' for field in strange)}, which no {manifest.id.kind} has",
        severity=Severity.WARNING,
        where=Where(subject=str(manifest.id), path=strange[0]),
        expected=", ".join(f"`{field}`" for field in sorted(known or ())),
        explanation=(f"from {manifest.origin}", "it is left out, as a cluster would do"),
        hint=f"report it to the author of `{manifest.origin.extension}`: something is indented wrongly, or missing",
    )


def _served(manifest: Manifest) -> Iterable[tuple[tuple[str, str], _Served]]:
    """The kinds that a definition defines, by API version and kind."""
    if (manifest.id.group, manifest.id.kind) != _CRD:
        return
    spec = mapping(manifest.body, "spec")
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if isinstance(version, dict):
            schema = mapping(mapping(version, "schema"), "openAPIV3Schema")
            has_status = "status" in mapping(version, "subresources")
            kind = str(mapping(spec, "names").get("kind"))
            yield (f"{spec.get('group')}/{version.get('name')}", kind), _Served(schema, has_status)


def _stored(manifest: Manifest, served: _Served | None) -> Manifest:
    known = FIELDS.get((manifest.id.group, manifest.id.kind))
    if known is not None and not manifest.body.keys() <= known:
        return manifest.with_body({key: value for key, value in manifest.body.items() if key in known})
    if served is None:
        return manifest
    body = {key: value for key, value in manifest.body.items() if key != "status" or not served.has_status}
    kept = cast("dict[str, Json]", _without_nulls(cast("Json", body), served.schema))
    return manifest if kept == manifest.body else manifest.with_body(kept)


def _without_nulls(value: Json, schema: Mapping[str, Json]) -> Json:
    """The value without the nulls that its schema knows and does not allow."""
    if isinstance(value, dict):
        return {
            key: _without_nulls(below, known)
            for key, below in value.items()
            for known in (_below(schema, key),)
            if below is not None or not known or known.get("nullable") is True
        }
    if isinstance(value, list):
        items = mapping(schema, "items")
        return [_without_nulls(below, items) for below in value]
    return value


def _below(schema: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """The schema of one field; empty where any value is taken."""
    return mapping(mapping(schema, "properties"), key) or mapping(schema, "additionalProperties")
