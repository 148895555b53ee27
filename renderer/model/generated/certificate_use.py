"""What a certificate in a Secret has to be good for: who serves with it, and who has to trust its CA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from renderer.model.fields import Json
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.objects.workload import mapping, needs, pod_of
from renderer.structs import Struct


class CertificateUse(Struct, frozen=True):
    """`names` are DNS names of Services in front of the pods that need the Secret: `<service>.<namespace>.svc`.

    `callers` are objects with a `caBundle` for one of these Services: webhook configurations, definitions that a
    webhook converts, custom resources that name a URL.
    """

    names: tuple[str, ...]
    callers: tuple[ObjectId, ...]


def certificate_uses(secrets: Iterable[ObjectId], manifests: Iterable[Manifest]) -> dict[ObjectId, CertificateUse]:
    """How the objects of a site use the certificates in `secrets`; every object is looked through once."""
    wanted = set(secrets)
    if not wanted:
        return {}
    everything = tuple(manifests)
    services = [one for one in everything if (one.id.group, one.id.kind) == ("", "Service")]
    places = [(one.id, place) for one in everything for place in _with_ca_bundle(_where_bundles_stand(one))]
    pods: dict[ObjectId, list[Mapping[str, Json]]] = {}
    for one in everything:
        for needed in {needed for _, needed in needs(one)} & wanted:
            pods.setdefault(needed, []).append(_labels(one))
    return {secret: _use(secret, pods.get(secret, []), services, places) for secret in wanted}


def _use(
    secret: ObjectId,
    pods: Sequence[Mapping[str, Json]],
    services: Sequence[Manifest],
    places: Sequence[tuple[ObjectId, Mapping[str, Json]]],
) -> CertificateUse:
    serving = {
        one.id.name
        for one in services
        if one.id.namespace == secret.namespace
        and any(_selects(mapping(mapping(one.body, "spec"), "selector"), labels) for labels in pods)
    }
    callers = {identity for identity, place in places if _calls(place, serving, secret.namespace)}
    names = tuple(f"{name}.{secret.namespace}.svc" for name in sorted(serving))
    return CertificateUse(names=names, callers=tuple(sorted(callers)))


def _where_bundles_stand(manifest: Manifest) -> Json:
    """The part of an object that can hold a `caBundle`: of a definition its conversion, never its schemas."""
    if manifest.id.kind == "CustomResourceDefinition":
        return dict(mapping(mapping(manifest.body, "spec"), "conversion"))
    return dict(manifest.body)


def _labels(manifest: Manifest) -> Mapping[str, Json]:
    """The labels of a workload's pods. A CronJob's pods stand behind no Service."""
    if pod_of(manifest) is None:
        return {}
    owner = manifest.body if manifest.id.kind == "Pod" else mapping(mapping(manifest.body, "spec"), "template")
    return mapping(mapping(owner, "metadata"), "labels")


def _selects(selector: Mapping[str, Json], labels: Mapping[str, Json]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def _with_ca_bundle(value: Json) -> Iterator[Mapping[str, Json]]:
    """Every mapping that has a `caBundle`."""
    if isinstance(value, dict):
        if "caBundle" in value:
            yield value
        for below in value.values():
            yield from _with_ca_bundle(below)
    elif isinstance(value, list):
        for below in value:
            yield from _with_ca_bundle(below)


def _calls(place: Mapping[str, Json], services: set[str], namespace: str) -> bool:
    """True when what `caBundle` stands beside is one of the services: `service: {name, namespace}`, or a URL."""
    service = mapping(place, "service")
    if service.get("namespace") == namespace and service.get("name") in services:
        return True
    hosts = [f"//{name}.{namespace}" for name in services]
    return any(isinstance(text, str) and host in text for text in place.values() for host in hosts)
