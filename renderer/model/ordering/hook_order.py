"""The order of hooks: Helm runs them one weight after the other, and waits for each Job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.objects.manifest import HookPhase, Manifest, ObjectId
from renderer.structs import Struct

_RUNS: Final = frozenset({("batch", "Job"), ("", "Pod")})
_BINDINGS: Final = frozenset({"RoleBinding", "ClusterRoleBinding"})
_RBAC: Final = "rbac.authorization.k8s.io"

Group = tuple[str, str]
"""Extension and component: one Helm release."""


class HookSlots(Struct, frozen=True):
    """The slot of every object that belongs to a phase, counted from 0; each slot is a wave.

    `compressed` names extensions whose hooks have more weights than there are slots: the last ones share a slot.
    """

    of: Mapping[ObjectId, int]
    compressed: frozenset[str]


def hook_slots(manifests: Iterable[Manifest], phase: HookPhase, limit: int) -> HookSlots:
    """Slots for the hooks of `phase`: one for each weight that a Job or Pod of a release has, at most `limit`.

    Other hook objects go with the first Job of their weight or a higher one. What a Job before an extension needs of
    the extension itself (its ServiceAccount with roles and bindings, ConfigMaps, Secrets, claims) goes to slot 0:
    Helm finds it there on an upgrade, a tree has to bring it.
    """
    everything = tuple(manifests)
    weights: dict[Group, set[int]] = {}
    for manifest in everything:
        if manifest.origin.hook is phase:
            found = weights.setdefault(_group(manifest), set())
            if _runs(manifest):
                found.add(manifest.origin.hook_weight)
    if not weights:
        return HookSlots({}, frozenset())
    slots: dict[ObjectId, int] = {}
    for manifest in everything:
        if manifest.origin.hook is phase:
            ranked = sorted(weights[_group(manifest)])
            later = [rank for rank, weight in enumerate(ranked) if weight >= manifest.origin.hook_weight]
            slots[manifest.id] = min(later[0] if later else max(len(ranked) - 1, 0), limit - 1)
    if phase is HookPhase.BEFORE:
        slots |= dict.fromkeys(_needed(everything, frozenset(weights)), 0)
    too_many = frozenset(extension for (extension, _), ranked in weights.items() if len(ranked) > limit)
    return HookSlots(slots, too_many)


def _group(manifest: Manifest) -> Group:
    return manifest.origin.extension, manifest.origin.component


def _runs(manifest: Manifest) -> bool:
    return (manifest.id.group, manifest.id.kind) in _RUNS


def _needed(everything: tuple[Manifest, ...], groups: frozenset[Group]) -> Iterator[ObjectId]:
    """Ordinary objects of the releases in `groups` that a hook Job before them leans on."""
    wanted: dict[Group, set[ObjectId]] = {group: set() for group in groups}
    for manifest in everything:
        if manifest.origin.hook is HookPhase.BEFORE and _runs(manifest):
            wanted[_group(manifest)].update(_leans_on(manifest))
    for manifest in everything:
        needs = wanted.get(_group(manifest), set())
        if needs and manifest.id.group == _RBAC and manifest.id.kind in _BINDINGS and _binds(manifest, needs):
            needs.add(_role(manifest))
            needs.add(manifest.id)
    for manifest in everything:
        if manifest.origin.hook is None and manifest.id in wanted.get(_group(manifest), ()):
            yield manifest.id


def _leans_on(manifest: Manifest) -> Iterator[ObjectId]:
    """The ServiceAccount, ConfigMaps, Secrets and claims that the pod of a Job or Pod names."""
    namespace = manifest.id.namespace
    spec = manifest.body.get("spec")
    template = spec.get("template") if isinstance(spec, dict) and manifest.id.kind == "Job" else None
    pod = template.get("spec") if isinstance(template, dict) else spec
    if not isinstance(pod, dict):
        return
    account = pod.get("serviceAccountName") or pod.get("serviceAccount")
    if isinstance(account, str):
        yield ObjectId("", "ServiceAccount", namespace, account)
    for key, value in _mappings_in(pod):
        for field, kind in _REFERENCES.get(key, ()):
            name = value.get(field)
            if isinstance(name, str):
                yield ObjectId("", kind, namespace, name)


_REFERENCES: Final = {
    "configMap": (("name", "ConfigMap"),),
    "configMapRef": (("name", "ConfigMap"),),
    "configMapKeyRef": (("name", "ConfigMap"),),
    "secret": (("secretName", "Secret"), ("name", "Secret")),
    "secretRef": (("name", "Secret"),),
    "secretKeyRef": (("name", "Secret"),),
    "persistentVolumeClaim": (("claimName", "PersistentVolumeClaim"),),
}


def _mappings_in(value: Json, key: str = "") -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Every mapping below `value`, with the key that it stands under."""
    if isinstance(value, dict):
        yield key, value
        for name, below in value.items():
            if isinstance(below, dict | list):
                yield from _mappings_in(below, name)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _mappings_in(item, key)


def _binds(manifest: Manifest, needs: set[ObjectId]) -> bool:
    """True when the binding gives rights to one of the ServiceAccounts in `needs`."""
    subjects = manifest.body.get("subjects")
    accounts = {
        ObjectId("", "ServiceAccount", str(one.get("namespace") or manifest.id.namespace), str(one.get("name")))
        for one in (subjects if isinstance(subjects, list) else [])
        if isinstance(one, dict) and one.get("kind") == "ServiceAccount"
    }
    return not accounts.isdisjoint(needs)


def _role(manifest: Manifest) -> ObjectId:
    """The role that a binding gives."""
    reference = manifest.body.get("roleRef")
    kind, name = (reference.get("kind"), reference.get("name")) if isinstance(reference, dict) else ("", "")
    return ObjectId(_RBAC, str(kind), manifest.id.namespace if kind == "Role" else "", str(name))
