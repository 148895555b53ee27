"""The kinds of Kubernetes itself that hold a `caBundle`; others can fill it in, and the API server uses it."""

from __future__ import annotations

from typing import Final

from renderer.model.objects.manifest import ObjectId

_KINDS: Final = {
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): "mutatingwebhookconfigurations",
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "validatingwebhookconfigurations",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "customresourcedefinitions",
    ("apiregistration.k8s.io", "APIService"): "apiservices",
}


def trusts(identity: ObjectId) -> bool:
    """True when the API server trusts what stands in the object's `caBundle`."""
    return (identity.group, identity.kind) in _KINDS


def resource_of(identity: ObjectId) -> str:
    """What rules of RBAC call such an object. Raises KeyError for other kinds."""
    return _KINDS[identity.group, identity.kind]
