"""Helm hooks (and Argo CD's) as ordinary objects with a place in the order.

An agent that applies manifests knows no hooks, or knows them differently: Argo CD maps some of them, Flux applies a
`pre-delete` Job at install (docs/charts.md). So the tree holds none: an object that Helm would create before or
after the rest says so in its origin, and a Job gets a name that changes with its content, because a Job cannot be
changed once it is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json
from renderer.model.objects.manifest import MADE_AFTER, MADE_BEFORE, MADE_LAST, HookPhase, Manifest
from renderer.structs import Struct

HELM_HOOK: Final = "helm.sh/hook"
ARGO_HOOK: Final = "argocd.argoproj.io/hook"
_HELM_WEIGHT: Final = "helm.sh/hook-weight"
_ARGO_WAVE: Final = "argocd.argoproj.io/sync-wave"
_STRIPPED: Final = (HELM_HOOK, ARGO_HOOK)  # prefixes: also -weight, -delete-policy, -output-log-policy
_NAME_LIMIT: Final = 63  # a Job's name becomes a label of its Pods
_HASH_LENGTH: Final = 8
_OUR_OWN: Final = (MADE_BEFORE, MADE_AFTER, MADE_LAST)


class Hook(Struct, frozen=True):
    """What an object's annotations say: the hooks as written, where it belongs, and its place there.

    `phase` is None for an object that is applied with all others (Argo CD's `Sync`).
    """

    names: tuple[str, ...]
    phase: HookPhase | None
    weight: int


def hook_of(annotations: Mapping[str, Json]) -> Hook | None:
    """The hook that `annotations` declare, or None. Argo CD's annotation wins over Helm's, as in Argo CD."""
    if ARGO_HOOK in annotations:
        names = _names(annotations[ARGO_HOOK])
        weight = annotations.get(_ARGO_WAVE, annotations.get(_HELM_WEIGHT))
        return Hook(names, _argo_phase(names), _integer(weight))
    if HELM_HOOK in annotations:
        names = _names(annotations[HELM_HOOK])
        return Hook(names, _helm_phase(names), _integer(annotations.get(_HELM_WEIGHT)))
    return None


def without_hooks(annotations: Mapping[str, Json]) -> dict[str, Json]:
    """The annotations without those that would make an agent see a hook, or a wave that is not ours.

    Argo CD reads `helm.sh/hook-weight` as a wave even on an object that is no hook.
    """
    return {key: value for key, value in annotations.items() if not key.startswith(_STRIPPED) and key != _ARGO_WAVE}


def _names(value: Json) -> tuple[str, ...]:
    return tuple(name.strip() for name in str(value or "").split(","))


def _integer(value: Json) -> int:
    """Helm's reading of a weight: what is not an integer is 0."""
    try:
        return int(str(value))
    except ValueError:
        return 0


def _helm_phase(names: Sequence[str]) -> HookPhase:
    """Where a Helm hook belongs in a tree that does not tell an installation from an upgrade.

    `pre-install` decides first, because then the object has to be there before a first installation; an object that
    comes both before an upgrade and after something belongs after, where everything that it needs exists. A name that
    Helm does not know drops the object, as in Helm.
    """
    hooks = {name.lower() for name in names}
    if hooks - _HELM_HOOKS:
        return HookPhase.DROPPED
    after = bool(hooks & {"post-install", "post-upgrade"})
    if "pre-install" in hooks or ("pre-upgrade" in hooks and not after):
        return HookPhase.BEFORE
    return HookPhase.AFTER if after else HookPhase.DROPPED


_HELM_HOOKS: Final = frozenset(
    {f"{when}-{what}" for when in ("pre", "post") for what in ("install", "upgrade", "delete", "rollback")}
    | {"test", "test-success"}
)


def _argo_phase(names: Sequence[str]) -> HookPhase | None:
    """Argo CD's phases: https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/ ."""
    if "PreSync" in names:
        return HookPhase.BEFORE
    if "PostSync" in names:
        return HookPhase.AFTER
    return None if "Sync" in names else HookPhase.DROPPED


def name_hooks(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Give every hook Job and Pod, and Jobs of our own, the name `<name>-<hash>`; call this when images are pinned.

    The hash covers the object without its name and the other hook objects of the same component and phase (a
    ConfigMap that the Job reads): when one of them changes, the Job runs again, and otherwise it does not. A Job's
    `ttlSecondsAfterFinished` is taken away, because an agent would create and run the deleted Job again and again.
    """
    everything = tuple(manifests)
    inputs: dict[tuple[str, str, HookPhase], list[bytes]] = {}
    for manifest in everything:
        if manifest.origin.hook is not None and not _runs(manifest):
            inputs.setdefault(_group(manifest, manifest.origin.hook), []).append(dump_manifest(manifest.body))
    return tuple(
        _named(manifest, sorted(inputs.get(_group(manifest, manifest.origin.hook), ()) if manifest.origin.hook else ()))
        if _runs(manifest) and (manifest.origin.hook is not None or manifest.origin.source in _OUR_OWN)
        else manifest
        for manifest in everything
    )


def _runs(manifest: Manifest) -> bool:
    return (manifest.id.group, manifest.id.kind) in {("batch", "Job"), ("", "Pod")}


def _group(manifest: Manifest, phase: HookPhase) -> tuple[str, str, HookPhase]:
    return manifest.origin.extension, manifest.origin.component, phase


def _named(manifest: Manifest, inputs: Sequence[bytes]) -> Manifest:
    body = dict(manifest.body)
    if manifest.id.kind == "Job" and isinstance(spec := body.get("spec"), dict):
        body["spec"] = {key: value for key, value in spec.items() if key != "ttlSecondsAfterFinished"}
    metadata = dict(cast("Mapping[str, Json]", body["metadata"]))
    metadata.pop("name")
    digest = hashlib.sha256(dump_manifest({**body, "metadata": metadata}))
    for content in inputs:
        digest.update(content)
    stem = manifest.id.name[: _NAME_LIMIT - _HASH_LENGTH - 1].rstrip("-.")
    return manifest.with_body({**body, "metadata": {"name": f"{stem}-{digest.hexdigest()[:_HASH_LENGTH]}", **metadata}})
