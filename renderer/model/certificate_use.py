"""What a certificate in a Secret has to be good for: who serves with it, and who has to trust its CA."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from renderer.model.fields import Json
from renderer.model.manifest import Manifest, ObjectId
from renderer.model.workload import mapping, needs, pod_of


@dataclass(frozen=True, slots=True)
class CertificateUse:
    """`names` are DNS names of Services in front of the pods that need the Secret: `<service>.<namespace>.svc`.

    `callers` are objects with a `caBundle` for one of these Services: webhook configurations, definitions that a
    webhook converts, custom resources that name a URL.
    """

    names: tuple[str, ...]
    callers: tuple[ObjectId, ...]


def certificate_use(secret: ObjectId, manifests: Iterable[Manifest]) -> CertificateUse:
    """How the objects of a site use the certificate in `secret`."""
    everything = tuple(manifests)
    pods = [_labels(one) for one in everything if any(needed == secret for _, needed in needs(one))]
    services = {
        one.id.name
        for one in everything
        if (one.id.group, one.id.kind, one.id.namespace) == ("", "Service", secret.namespace)
        and any(_selects(mapping(mapping(one.body, "spec"), "selector"), labels) for labels in pods)
    }
    callers = {
        one.id
        for one in everything
        if any(_calls(place, services, secret.namespace) for place in _with_ca_bundle(dict(one.body)))
    }
    names = tuple(f"{name}.{secret.namespace}.svc" for name in sorted(services))
    return CertificateUse(names=names, callers=tuple(sorted(callers)))


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
