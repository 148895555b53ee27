"""Pods inside objects: what runs, and what it needs to start.

Field names are those of the Kubernetes API (core/v1 PodSpec). Malformed parts read as absent: whether an object
fits its schema is judged elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from renderer.model.fields import Json
from renderer.model.images.slots import CONTAINER_LISTS
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.structs import Struct

Body = Mapping[str, Json]

_TEMPLATE: Final = ("spec", "template", "spec")
_POD_PATHS: Final = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch", "Job"): _TEMPLATE,
}
WAITED_FOR: Final = frozenset(
    {("", "Pod"), ("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "StatefulSet"), ("batch", "Job")}
)
"""Kinds whose pods must be running, or have run, before agents go on to the next wave."""


class PodSpec(Struct, frozen=True, kw_only=True):
    """The pod of a workload, and the path of its spec in the object."""

    path: str
    content: Body

    def containers(self) -> Iterator[tuple[str, Body]]:
        """All containers, init and ephemeral ones included, each with its path."""
        for key in sorted(CONTAINER_LISTS):
            for index, container in mappings(self.content, key):
                yield f"{self.path}.{key}[{index}]", container

    def images(self) -> Iterator[tuple[str, str]]:
        """The image of every container and image volume, each with its path."""
        for path, container in self.containers():
            if isinstance(image := container.get("image"), str):
                yield f"{path}.image", image
        for index, volume in mappings(self.content, "volumes"):
            if isinstance(image := mapping(volume, "image").get("reference"), str):
                yield f"{self.path}.volumes[{index}].image.reference", image


def pod_of(manifest: Manifest) -> PodSpec | None:
    """The pod that an object of Kubernetes' own workload kinds runs, or None."""
    path = _POD_PATHS.get((manifest.id.group, manifest.id.kind))
    if path is None:
        return None
    content: Body = manifest.body
    for key in path:
        content = mapping(content, key)
    return PodSpec(path=".".join(path), content=content)


def container_images(manifests: Iterable[Manifest]) -> Iterator[tuple[Manifest, str, str]]:
    """Every image in the pods of `manifests`: the object, the path, the text."""
    for manifest in manifests:
        pod = pod_of(manifest)
        if pod is not None:
            yield from ((manifest, path, text) for path, text in pod.images())


def needs(manifest: Manifest) -> Iterator[tuple[str, ObjectId]]:
    """The ConfigMaps, Secrets and the ServiceAccount without which the pods of `manifest` do not start.

    Optional references are left out, and so is the ServiceAccount `default`, which every namespace has.
    """
    pod = pod_of(manifest)
    if pod is None:
        return
    space = manifest.id.namespace
    account = pod.content.get("serviceAccountName")
    if isinstance(account, str) and account not in {"", "default"}:
        yield f"{pod.path}.serviceAccountName", ObjectId("", "ServiceAccount", space, account)
    for path, kind, reference, key in _references(pod):
        name = reference.get(key)
        if isinstance(name, str) and name and reference.get("optional") is not True:
            yield path, ObjectId("", kind, space, name)


def _references(pod: PodSpec) -> Iterator[tuple[str, str, Body, str]]:
    """Path, kind, the mapping that refers, and the key of the name in it."""
    for index, volume in mappings(pod.content, "volumes"):
        path = f"{pod.path}.volumes[{index}]"
        yield f"{path}.configMap", "ConfigMap", mapping(volume, "configMap"), "name"
        yield f"{path}.secret", "Secret", mapping(volume, "secret"), "secretName"
        for position, source in mappings(mapping(volume, "projected"), "sources"):
            for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                yield f"{path}.projected.sources[{position}].{key}", kind, mapping(source, key), "name"
    for path, container in pod.containers():
        for index, source in mappings(container, "envFrom"):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                yield f"{path}.envFrom[{index}].{key}", kind, mapping(source, key), "name"
        for index, variable in mappings(container, "env"):
            value = mapping(variable, "valueFrom")
            for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                yield f"{path}.env[{index}].valueFrom.{key}", kind, mapping(value, key), "name"


def mapping(content: Body, key: str) -> Body:
    """The mapping below `key`; empty when there is none."""
    value = content.get(key)
    return value if isinstance(value, dict) else {}


def mappings(content: Body, key: str) -> Iterator[tuple[int, Body]]:
    """The mappings in the list below `key`, each with its index."""
    items = content.get(key)
    if isinstance(items, list):
        yield from ((index, cast("Body", item)) for index, item in enumerate(items) if isinstance(item, dict))
