"""The Jobs of an extension, and the rights that each of them has: no more than its script needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from renderer.model.fields import Json
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import MADE_AFTER, MADE_BEFORE, MADE_LAST, Manifest, ObjectId
from renderer.stages.settle.in_cluster.making import making_script
from renderer.stages.settle.in_cluster.trusting import Bundles, trusting_script
from renderer.stages.settle.in_cluster.units import Unit
from renderer.stages.settle.trusting_kinds import trusts

_RBAC: Final = "rbac.authorization.k8s.io"
_USER: Final = 65532
"""Of the users that own nothing in an image, the one that is called `nonroot` in many."""
_RETRIES: Final = 10


def jobs(
    units: Sequence[Unit], manifests: Mapping[ObjectId, Manifest], resources: Mapping[ObjectId, str], image: str
) -> tuple[Manifest, ...]:
    """The objects that make `units`, extension after extension.

    `manifests` are where generated values stand, `resources` what RBAC calls those of them that have a `caBundle`.
    """
    found: list[Manifest] = []
    for extension in sorted({unit.extension for unit in units}):
        mine = [unit for unit in units if unit.extension == extension]
        found.extend(_making(mine, manifests, image))
        for source, end in ((MADE_AFTER, "bundles"), (MADE_LAST, "custom-bundles")):
            bundles: dict[ObjectId, list[tuple[GeneratedValue, Unit]]] = {}
            for unit in mine:
                for value in unit.bundles:
                    if value.object in resources and trusts(value.object) is (source == MADE_AFTER):
                        bundles.setdefault(value.object, []).append((value, unit))
            if bundles:
                worker = _Worker(f"sitewright-{extension}-{end}", manifests[mine[0].targets[0].id])
                found.extend(_trusting(worker, bundles, resources))
                found.append(worker.job(image, trusting_script(bundles, manifests), source))
    return tuple(found)


def _making(units: Sequence[Unit], manifests: Mapping[ObjectId, Manifest], image: str) -> Iterator[Manifest]:
    """Creates Secrets, and reads those that it creates. RBAC cannot limit by name what is created."""
    worker = _Worker(f"sitewright-{units[0].extension}-values", manifests[units[0].targets[0].id])
    secrets: dict[str, set[str]] = {}
    for target in (one for unit in units for one in (*unit.targets, unit.home)):
        secrets.setdefault(target.namespace, set()).add(target.name)
    yield worker.account()
    for namespace, names in sorted(secrets.items()):
        create: Json = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]}
        yield from worker.granted(namespace, [create, _reading(names)])
    yield worker.job(image, making_script(units), MADE_BEFORE)


def _trusting(worker: _Worker, bundles: Bundles, resources: Mapping[ObjectId, str]) -> Iterator[Manifest]:
    """Reads the Secrets with authorities, and changes the objects that trust them."""
    yield worker.account()
    rules: dict[str, list[Json]] = {}
    homes = {unit.home.id for mine in bundles.values() for _, unit in mine}
    for namespace in sorted({home.namespace for home in homes}):
        rules[namespace] = [_reading(home.name for home in homes if home.namespace == namespace)]
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for one in sorted(bundles):
        kinds.setdefault((one.namespace, one.group, resources[one]), []).append(one.name)
    for (namespace, group, resource), names in sorted(kinds.items()):
        rule: dict[str, Json] = {"apiGroups": [group], "resources": [resource], "resourceNames": [*names]}
        rules.setdefault(namespace, []).append({**rule, "verbs": ["get", "patch"]})
    for namespace, several in sorted(rules.items()):
        yield from worker.granted(namespace, several)


def _reading(names: Iterable[str]) -> Json:
    return {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [*sorted(names)], "verbs": ["get"]}


class _Worker:
    """A ServiceAccount, what it may do, and the Job that runs as it, in the namespace of `beside`."""

    def __init__(self, name: str, beside: Manifest) -> None:
        self.name = name
        self.beside = beside

    def account(self) -> Manifest:
        return self._made("v1", "ServiceAccount", self.beside.id.namespace)

    def granted(self, namespace: str, rules: list[Json]) -> Iterator[Manifest]:
        """A Role and its binding; for the whole cluster without a namespace."""
        kind = "Role" if namespace else "ClusterRole"
        subject: Json = {"kind": "ServiceAccount", "name": self.name, "namespace": self.beside.id.namespace}
        reference: Json = {"apiGroup": _RBAC, "kind": kind, "name": self.name}
        yield self._made(f"{_RBAC}/v1", kind, namespace, rules=rules)
        yield self._made(f"{_RBAC}/v1", f"{kind}Binding", namespace, roleRef=reference, subjects=[subject])

    def job(self, image: str, script: str, source: str) -> Manifest:
        """A Job that runs again when the script or the image changes: its name then changes too (`name_jobs`)."""
        container: Json = {
            "name": "sitewright",
            "image": image,
            "command": ["/bin/sh", "-c", script],
            "env": [{"name": "HOME", "value": "/work"}],
            "resources": {
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"cpu": "1", "memory": "256Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
            "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        }
        pod: Json = {
            "containers": [container],
            "restartPolicy": "OnFailure",
            "securityContext": {
                "fsGroup": _USER,
                "runAsGroup": _USER,
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "serviceAccountName": self.name,
            "volumes": [{"name": "work", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}],
        }
        spec: Json = {"backoffLimit": _RETRIES, "template": {"spec": pod}}
        return self._made("batch/v1", "Job", self.beside.id.namespace, spec=spec).from_origin(source=source)

    def _made(self, api_version: str, kind: str, namespace: str, **fields: Json) -> Manifest:
        metadata: dict[str, Json] = {"name": self.name, **({"namespace": namespace} if namespace else {})}
        body: dict[str, Json] = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
        return Manifest.of(body, self.beside.from_origin(source=MADE_BEFORE, hook=None, hook_weight=0).origin)
