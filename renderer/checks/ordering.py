"""Nothing is applied before what it needs: a proof over the waves, without a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.fields import Json
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.objects.workload import WAITED_FOR, mapping, mappings, needs
from renderer.model.ordering.wave import Wave
from renderer.model.rendering import Composed

_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")
_WEBHOOKS: Final = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})


def namespaces_first(composed: Composed) -> Iterator[Finding]:
    """Namespaces in a later wave than an object that lives in them. Within a wave both agents apply them first."""
    waves = {name.name: wave for name, wave in composed.plan.wave_of().items() if name.kind == "Namespace"}
    for wave, manifest in _objects(composed):
        home = waves.get(manifest.id.namespace)
        if home is not None and home.number > wave.number:
            yield _too_late("namespace-too-late", manifest, wave, f"Namespace {manifest.id.namespace}", home)


def definitions_first(composed: Composed) -> Iterator[Finding]:
    """Definitions that are not in an earlier wave than their custom resources."""
    defined: dict[tuple[str, str], tuple[ObjectId, Wave]] = {}
    for wave, manifest in _objects(composed):
        if (manifest.id.group, manifest.id.kind) == _CRD:
            spec = mapping(manifest.body, "spec")
            defined[str(spec.get("group")), str(mapping(spec, "names").get("kind"))] = (manifest.id, wave)
    for wave, manifest in _objects(composed):
        found = defined.get((manifest.id.group, manifest.id.kind))
        if found is not None and found[1].number >= wave.number:
            yield _too_late("crd-too-late", manifest, wave, str(found[0]), found[1])


def needed_objects_first(composed: Composed) -> Iterator[Finding]:
    """Workloads that a wave waits for, and whose pods need something that only comes in a later wave."""
    waves = composed.plan.wave_of()
    for wave, manifest in _objects(composed):
        if (manifest.id.group, manifest.id.kind) not in WAITED_FOR:
            continue
        late = {
            needed: path for path, needed in needs(manifest) if needed in waves and waves[needed].number > wave.number
        }
        for needed, path in late.items():
            yield _too_late("needs-later-object", manifest, wave, str(needed), waves[needed], path=path)


def webhooks_after_their_service(composed: Composed) -> Iterator[Finding]:
    """Webhooks that refuse everything because the Service behind them comes in a later wave."""
    waves = composed.plan.wave_of()
    for wave, manifest in _objects(composed):
        if manifest.id.kind not in _WEBHOOKS:
            continue
        for index, webhook in mappings(manifest.body, "webhooks"):
            service = mapping(mapping(webhook, "clientConfig"), "service")
            target = ObjectId("", "Service", str(service.get("namespace")), str(service.get("name")))
            home = waves.get(target)
            if webhook.get("failurePolicy") != "Ignore" and home is not None and home.number > wave.number:
                path = f"webhooks[{index}].clientConfig.service"
                yield _too_late("webhook-too-early", manifest, wave, str(target), home, path=path)


def unknown_storage_classes(composed: Composed) -> Iterator[Finding]:
    """Claims for a storage class that neither the profile nor the plan has."""
    known = set(composed.site.cluster.storage_classes)
    known |= {manifest.id.name for _, manifest in _objects(composed) if manifest.id.kind == "StorageClass"}
    for _, manifest in _objects(composed):
        for path, claim in _claims(manifest):
            name = claim.get("storageClassName")
            if isinstance(name, str) and name and name not in known:
                yield Finding(
                    code="storage-class-unknown",
                    message=f"`{manifest.id}` asks for the storage class `{name}`, which the site does not have",
                    where=Where(subject=str(manifest.id), path=f"{path}.storageClassName"),
                    severity=Severity.WARNING,
                    expected=", ".join(f"`{one}`" for one in sorted(known)) or "a class that the profile lists",
                    got=f"`{name}`",
                    hint="list it in `spec.cluster.capacity.storageClasses`, or set another one in the values",
                )


def _claims(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The claim specs in an object, each with its path."""
    spec = mapping(manifest.body, "spec")
    if (manifest.id.group, manifest.id.kind) == ("", "PersistentVolumeClaim"):
        yield "spec", spec
    elif (manifest.id.group, manifest.id.kind) == ("apps", "StatefulSet"):
        for index, template in mappings(spec, "volumeClaimTemplates"):
            yield f"spec.volumeClaimTemplates[{index}].spec", mapping(template, "spec")


def _objects(composed: Composed) -> Iterator[tuple[Wave, Manifest]]:
    for wave in composed.plan.waves:
        for manifest in wave.manifests:
            yield wave, manifest


def _too_late(
    code: str, manifest: Manifest, wave: Wave, needed: str, home: Wave, *, path: str | None = None
) -> Finding:
    what = {
        "namespace-too-late": "lives in",
        "crd-too-late": "is defined by",
        "needs-later-object": "cannot become ready without",
        "webhook-too-early": "sends every request to",
    }[code]
    when = "in the same wave" if home.number == wave.number else f"only in wave `{home.directory}`"
    return Finding(
        code=code,
        message=f"`{manifest.id}` in wave `{wave.directory}` {what} `{needed}`, which comes {when}",
        where=Where(subject=str(manifest.id), path=path),
        expected=f"`{needed}` in a wave before {wave.number}"
        + (" or in the same" if code in {"namespace-too-late", "needs-later-object"} else ""),
        got=f"wave {home.number}",
        explanation=(f"from {manifest.origin}",),
        hint=f"give `{manifest.origin.extension}` a later `wave:` with a `reason:` in the profile",
    )


RULES: Final = (
    Rule(
        code="namespace-too-late",
        title="A Namespace is not in a later wave than what lives in it",
        why="The API server refuses an object whose namespace does not exist.",
        severity=Severity.ERROR,
        check=namespaces_first,
    ),
    Rule(
        code="crd-too-late",
        title="A CustomResourceDefinition is in an earlier wave than its custom resources",
        why="The API server does not know the kind before its definition has been established.",
        severity=Severity.ERROR,
        check=definitions_first,
    ),
    Rule(
        code="needs-later-object",
        title="What pods need to start is not in a later wave",
        why="The wave waits for the pods, the pods wait for a later wave: neither ever comes.",
        severity=Severity.ERROR,
        check=needed_objects_first,
    ),
    Rule(
        code="webhook-too-early",
        title="A webhook is not in an earlier wave than its Service",
        why="The API server refuses what the webhook should judge as long as nobody answers.",
        severity=Severity.ERROR,
        check=webhooks_after_their_service,
    ),
    Rule(
        code="storage-class-unknown",
        title="Claims ask for storage classes that the site has",
        why="A claim for an unknown class stays Pending, and so do the pods that use it.",
        severity=Severity.WARNING,
        check=unknown_storage_classes,
    ),
)
"""The rules of this module."""
