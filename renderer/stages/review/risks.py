"""What a reviewer must not overlook in a change: loss of data, outages, more rights, images that moved.

Codes are stable. What Kubernetes refuses to change is taken from the validation of each kind in the API server
(pkg/apis/*/validation): a changed field there makes the apply fail, or the object must be deleted first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId
from renderer.model.trees.change import Change, ChangeKind, FieldChange, Risk

Bodies = Mapping[ObjectId, tuple[Mapping[str, Json] | None, Mapping[str, Json] | None]]

_LOSS: Final = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ("crd-removed", "every object of its kind goes with it"),
    ("", "Namespace"): ("namespace-removed", "everything in it goes with it"),
    ("", "PersistentVolumeClaim"): ("volume-removed", "its data may be deleted with it"),
    ("", "PersistentVolume"): ("volume-removed", "its data may be deleted with it"),
    ("apps", "StatefulSet"): ("stateful-removed", "its pods stop and its volumes stay behind or go"),
}
_STATEFUL: Final = frozenset({*_LOSS})
_IMMUTABLE: Final = {
    ("apps", "Deployment"): r"spec\.selector\b",
    ("apps", "DaemonSet"): r"spec\.selector\b",
    ("apps", "ReplicaSet"): r"spec\.selector\b",
    ("apps", "StatefulSet"): (
        r"spec\.(?!replicas\b|ordinals\b|template\b|updateStrategy\b|minReadySeconds\b|revisionHistoryLimit\b"
        r"|persistentVolumeClaimRetentionPolicy\b)"
    ),
    ("batch", "Job"): r"spec\.(selector|template|completionMode|podFailurePolicy)\b",
    ("", "Service"): r"spec\.(clusterIP|clusterIPs|healthCheckNodePort)\b",
    ("", "PersistentVolumeClaim"): r"spec\.(?!resources\b|volumeAttributesClassName\b)",
    ("", "Pod"): r"spec\.(?!containers\[[^]]*\]\.image$|activeDeadlineSeconds\b|tolerations\b)",
    ("", "Secret"): r"(type|immutable)$",
    ("", "ConfigMap"): r"immutable$",
    ("rbac.authorization.k8s.io", "RoleBinding"): r"roleRef\b",
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): r"roleRef\b",
    ("storage.k8s.io", "StorageClass"): r"(provisioner|parameters|reclaimPolicy|volumeBindingMode)\b",
    ("scheduling.k8s.io", "PriorityClass"): r"(value|preemptionPolicy)\b",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): r"spec\.(group|scope|names\.(kind|plural))\b",
}
_PINNED: Final = re.compile(r"(?P<name>[^@\s]+:[A-Za-z0-9_][A-Za-z0-9._-]*)@(?P<digest>sha(?:256|512):[0-9a-f]+)")
_POWERFUL: Final = frozenset({"*", "escalate", "bind", "impersonate"})
_READING: Final = frozenset({"*", "get", "list", "watch"})


def risks_of(changes: Sequence[Change], bodies: Bodies) -> Iterator[Risk]:
    """The risks of `changes`, in their order. `bodies` holds each changed object before and after."""
    undefined = _undefined(changes, bodies)
    for change in changes:
        before, after = bodies[change.id]
        kind = (change.id.group, change.id.kind)
        yield from _losses(change, kind, before)
        yield from _together(change, kind, undefined)
        yield from _moves(change, kind, before)
        yield from _frozen(change, kind)
        yield from _images(change)
        yield from _rights(change, kind, before, after)
        yield from _webhooks(change, kind, before, after)
        yield from _versions(change, kind, before, after)


def _losses(change: Change, kind: tuple[str, str], before: Mapping[str, Json] | None) -> Iterator[Risk]:
    if change.kind is not ChangeKind.REMOVED:
        return
    if _protected(before):
        message = "leaves the tree and stays in the cluster: it is protected from pruning (records/orphans.md)"
        yield Risk(code="left-behind", id=change.id, message=message)
    elif kind in _LOSS:
        code, what = _LOSS[kind]
        yield Risk(code=code, id=change.id, message=f"is removed: {what}")


def _protected(body: Mapping[str, Json] | None) -> bool:
    """True when neither agent deletes the object as it was before."""
    annotations = _get(body, "metadata", "annotations")
    options = str(_get(annotations, "argocd.argoproj.io/sync-options") or "").replace(" ", "").split(",")
    return "Prune=false" in options and _get(annotations, "kustomize.toolkit.fluxcd.io/prune") == "disabled"


def _undefined(changes: Sequence[Change], bodies: Bodies) -> dict[tuple[str, str], str]:
    """Group and kind of the custom resources whose definition leaves the tree, with the definition's name."""
    gone = (change.id for change in changes if change.kind is ChangeKind.REMOVED)
    definitions = ((one.name, bodies[one][0]) for one in gone if one.kind == "CustomResourceDefinition")
    return {
        (str(_get(body, "spec", "group")), str(_get(body, "spec", "names", "kind"))): name for name, body in definitions
    }


def _together(change: Change, kind: tuple[str, str], undefined: Mapping[tuple[str, str], str]) -> Iterator[Risk]:
    if change.kind is ChangeKind.REMOVED and kind in undefined:
        message = (
            f"is removed together with its definition `{undefined[kind]}`: if its controller goes first, its "
            "finalizers are never done; remove it one commit earlier"
        )
        yield Risk(code="removed-with-definition", id=change.id, message=message)


def _moves(change: Change, kind: tuple[str, str], body: Mapping[str, Json] | None) -> Iterator[Risk]:
    before, after = change.wave_before, change.wave_after
    if before and after and after > before and kind in _STATEFUL and not _protected(body):
        message = f"moves from {before} to the later {after}: Flux deletes it first and creates it anew"
        yield Risk(code="moved-later", id=change.id, message=message)


def _frozen(change: Change, kind: tuple[str, str]) -> Iterator[Risk]:
    pattern = _IMMUTABLE.get(kind)
    if pattern is None or change.kind is not ChangeKind.CHANGED:
        return
    for field in change.fields:
        if re.match(pattern, field.path) and _was_set(field):
            message = f"`{field.path}` cannot be changed: the object must be deleted and created anew"
            yield Risk(code="immutable-field", id=change.id, message=message)


def _was_set(field: FieldChange) -> bool:
    """A cluster address that was left to Kubernetes, or a flag that is set for the first time, is no change."""
    return not (field.before is None and field.path.endswith(("clusterIP", "clusterIPs", "immutable")))


def _images(change: Change) -> Iterator[Risk]:
    for field in change.fields:
        if isinstance(field.before, str) and isinstance(field.after, str):
            old, new = (
                {found["name"]: found["digest"] for found in _PINNED.finditer(text)}
                for text in (field.before, field.after)
            )
            for name in sorted(old.keys() & new.keys()):
                if old[name] != new[name]:
                    message = f"`{name}` has another content than before under the same tag (`{field.path}`)"
                    yield Risk(code="tag-moved", id=change.id, message=message)


def _rights(
    change: Change, kind: tuple[str, str], before: Mapping[str, Json] | None, after: Mapping[str, Json] | None
) -> Iterator[Risk]:
    if kind[0] != "rbac.authorization.k8s.io" or after is None:
        return
    old = before or {}
    if kind[1] in {"Role", "ClusterRole"}:
        for grant in sorted(_grants(after) - _grants(old)):
            yield Risk(code="rbac-widened", id=change.id, message=f"may now {grant}")
    elif kind[1] in {"RoleBinding", "ClusterRoleBinding"}:
        role = str(_get(after, "roleRef", "name"))
        for subject in sorted(_subjects(after) - _subjects(old)):
            if kind[1] == "ClusterRoleBinding" or before is not None:
                yield Risk(code="rbac-widened", id=change.id, message=f"gives the role `{role}` to {subject}")


def _grants(body: Mapping[str, Json]) -> set[str]:
    """The dangerous rights of a role, in words."""
    found = set()
    for rule in _mappings(body.get("rules")):
        verbs, resources = set(_texts(rule.get("verbs"))), set(_texts(rule.get("resources")))
        groups = set(_texts(rule.get("apiGroups")))
        if "*" in verbs:
            found.add(f"do everything with {_spelled(resources)}")
        found |= {f"{verb} {_spelled(resources)}" for verb in verbs & _POWERFUL - {"*"}}
        if "*" in resources:
            found.add(
                f"{_spelled(verbs)} every resource of {_spelled({group or 'the core group' for group in groups})}"
            )
        if "*" in groups:
            found.add(f"{_spelled(verbs)} {_spelled(resources)} of every API group")
        if resources & {"secrets", "*"} and groups & {"", "*"} and verbs & _READING:
            found.add("read secrets" + (" by name only" if rule.get("resourceNames") else ""))
    return found


def _subjects(body: Mapping[str, Json]) -> set[str]:
    return {
        " ".join(
            f"{part}"
            for part in (one.get("kind"), "/".join(str(p) for p in (one.get("namespace"), one.get("name")) if p))
        )
        for one in _mappings(body.get("subjects"))
    }


def _webhooks(
    change: Change, kind: tuple[str, str], before: Mapping[str, Json] | None, after: Mapping[str, Json] | None
) -> Iterator[Risk]:
    if kind[0] != "admissionregistration.k8s.io" or after is None:
        return
    for name in sorted(_closing(after) - _closing(before or {})):
        message = f"`{name}` refuses what it matches while its service does not answer (failurePolicy: Fail)"
        yield Risk(code="webhook-fails-closed", id=change.id, message=message)


def _closing(body: Mapping[str, Json]) -> set[str]:
    """The webhooks that fail closed; so they do when nothing is said."""
    hooks = _mappings(body.get("webhooks"))
    return {str(hook.get("name")) for hook in hooks if hook.get("failurePolicy", "Fail") == "Fail"}


def _versions(
    change: Change, kind: tuple[str, str], before: Mapping[str, Json] | None, after: Mapping[str, Json] | None
) -> Iterator[Risk]:
    if kind[1] != "CustomResourceDefinition" or before is None or after is None:
        return
    for version in sorted(_served(before) - _served(after)):
        message = f"no longer serves version {version}: objects and clients that use it fail"
        yield Risk(code="crd-version-removed", id=change.id, message=message)


def _served(body: Mapping[str, Json]) -> set[str]:
    return {str(one.get("name")) for one in _mappings(_get(body, "spec", "versions")) if one.get("served") is True}


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _mappings(value: object) -> list[Mapping[str, Json]]:
    return (
        [cast("Mapping[str, Json]", one) for one in value if isinstance(one, Mapping)]
        if isinstance(value, list)
        else []
    )


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _spelled(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"
