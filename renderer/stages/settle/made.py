"""Objects that settling adds to a site: what makes a value in the cluster, before the extension that needs it."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.model.fields import Json
from renderer.model.objects.manifest import MADE_BEFORE, Manifest


def made(api_version: str, kind: str, name: str, beside: Manifest, **fields: Json) -> Manifest:
    """An object in the namespace of `beside`, for the same extension; it comes in the wave before that one's own."""
    metadata: dict[str, Json] = {"name": name, "namespace": beside.id.namespace}
    body: dict[str, Json] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
    return Manifest.of(body, beside.from_origin(source=MADE_BEFORE, hook=None, hook_weight=0).origin)


def data_keys(secret: Manifest) -> frozenset[str]:
    """The keys of a Secret's data."""
    sections = (secret.body.get("data"), secret.body.get("stringData"))
    return frozenset(key for section in sections if isinstance(section, Mapping) for key in section)
