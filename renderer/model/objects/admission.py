"""Which kinds a webhook judges, and which extension brings a custom resource's kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.scope import GroupKind
from renderer.structs import Struct

_ADMISSION: Final = "admissionregistration.k8s.io"
_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")


class CustomKind(Struct, frozen=True):
    """One kind that a CustomResourceDefinition of the site defines."""

    extension: str
    plural: str
    converted: bool


def custom_kinds(manifests: Iterable[Manifest]) -> dict[GroupKind, CustomKind]:
    """The kinds that the CustomResourceDefinitions among `manifests` define.

    `extension` ships the definition, and so most likely the operator; `converted`: a webhook converts versions.
    """
    kinds: dict[GroupKind, CustomKind] = {}
    definitions = [manifest for manifest in manifests if (manifest.id.group, manifest.id.kind) == _CRD]
    for manifest in sorted(definitions, key=lambda one: one.id):
        spec = manifest.body.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(names, dict):
            continue
        conversion = spec.get("conversion")
        converted = isinstance(conversion, dict) and conversion.get("strategy") == "Webhook"
        key = (str(spec.get("group")), str(names.get("kind")))
        kinds.setdefault(key, CustomKind(manifest.origin.extension, str(names.get("plural")), converted))
    return kinds


def is_webhook_configuration(manifest: Manifest) -> bool:
    """True for a ValidatingWebhookConfiguration and a MutatingWebhookConfiguration."""
    return manifest.id.group == _ADMISSION and manifest.id.kind.endswith("WebhookConfiguration")


def refuses_when_down(manifest: Manifest) -> bool:
    """True when one of the configuration's webhooks refuses requests while nothing answers it.

    `failurePolicy` is `Fail` unless it says `Ignore` (Kubernetes, admissionregistration.k8s.io/v1).
    """
    return any(webhook.get("failurePolicy", "Fail") != "Ignore" for webhook in _webhooks(manifest))


def judged_resources(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """(group, plural) of everything that webhooks which refuse when down judge; either may be `*`."""
    judged: set[tuple[str, str]] = set()
    for manifest in manifests:
        if not is_webhook_configuration(manifest):
            continue
        for webhook in _webhooks(manifest):
            if webhook.get("failurePolicy", "Fail") == "Ignore":
                continue
            for rule in _mappings(webhook.get("rules")):
                groups, resources = _texts(rule.get("apiGroups")), _texts(rule.get("resources"))
                judged.update((group, resource.partition("/")[0]) for group in groups for resource in resources)
    return frozenset(judged)


def is_judged(judged: frozenset[tuple[str, str]], group: str, plural: str) -> bool:
    """True when `judged_resources` covers the resource."""
    return not judged.isdisjoint({(group, plural), (group, "*"), ("*", plural), ("*", "*")})


def _webhooks(manifest: Manifest) -> Iterator[Mapping[str, Json]]:
    return _mappings(manifest.body.get("webhooks"))


def _mappings(value: Json) -> Iterator[Mapping[str, Json]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()
