"""The kinds that hold a `caBundle`: those of Kubernetes itself, which the API server uses, and custom ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderer.model.objects.admission import CustomKind
from renderer.model.objects.manifest import ObjectId
from renderer.model.objects.scope import GroupKind

_KINDS: Final = {
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): "mutatingwebhookconfigurations",
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "validatingwebhookconfigurations",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "customresourcedefinitions",
    ("apiregistration.k8s.io", "APIService"): "apiservices",
}


def trusts(identity: ObjectId) -> bool:
    """True when it is the API server that trusts what stands in the object's `caBundle`."""
    return (identity.group, identity.kind) in _KINDS


def resource_of(identity: ObjectId, custom: Mapping[GroupKind, CustomKind]) -> str | None:
    """What rules of RBAC call such an object; None for a kind that nothing in the site defines."""
    kind = (identity.group, identity.kind)
    return _KINDS.get(kind) or (custom[kind].plural if kind in custom else None)
