"""The identity of a Kubernetes object as files of ours write it."""

from __future__ import annotations

from renderer.formats.bundle.document import only
from renderer.model.fields import Fields
from renderer.model.objects.manifest import ObjectId

__all__ = ["read_object", "written_object"]


def written_object(identity: ObjectId) -> dict[str, str]:
    """An identity without its empty parts."""
    parts = {
        "group": identity.group,
        "kind": identity.kind,
        "namespace": identity.namespace,
        "name": identity.name,
    }
    return {key: part for key, part in parts.items() if part}


def read_object(fields: Fields) -> ObjectId:
    """What `written_object` wrote. Raises FieldError."""
    only(fields, "group kind namespace name")
    return ObjectId(fields.text("group", ""), fields.text("kind"), fields.text("namespace", ""), fields.text("name"))
