"""Cut the objects of a site into waves: everything in one is healthy before the next one starts.

A wave boundary costs seconds on every update, so there is one only where something must be ready before the next
thing: namespaces, definitions, then the extensions by the depth of what they require. Every extension has a base
number; around it lie its hooks (before), its objects, what needs its pods to answer (resources), what needs a kind
that its pods register (runtime), and its hooks (after). Extensions of the same depth share their waves. See
docs/waves.md and docs/decisions/0006-waves-from-the-graph.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from renderer.errors import Finding
from renderer.model.fields import Json
from renderer.model.objects.admission import (
    custom_kinds,
    is_judged,
    is_webhook_configuration,
    judged_resources,
    refuses_when_down,
)
from renderer.model.objects.manifest import MADE_AFTER, MADE_BEFORE, MADE_LAST, HookPhase, Manifest, ObjectId, Origin
from renderer.model.objects.scope import is_built_in_group
from renderer.model.ordering.apply_order import apply_order
from renderer.model.ordering.hook_order import HookSlots, hook_slots
from renderer.model.ordering.requirement_graph import RequirementGraph
from renderer.model.ordering.wave import Wave, WavePlan
from renderer.stages.waves.findings import LOWEST_OVERRIDE, compressed, cycle, reserved, too_early
from renderer.stages.waves.makers import with_makers
from renderer.structs import Struct

SYNC_WAVE: Final = "argocd.argoproj.io/sync-wave"
_SYNC_OPTIONS: Final = "argocd.argoproj.io/sync-options"
_SKIP_DRY_RUN: Final = "SkipDryRunOnMissingResource=true"

_NAMESPACES: Final = 0
_CRDS: Final = 5
_FIRST_BASE: Final = 20
_STEP: Final = 20
_CLOSING: Final = 999
# Places relative to an extension's base number.
_HOOKS: Final = {HookPhase.BEFORE: range(-5, 0), HookPhase.AFTER: range(9, 14)}
_MADE: Final = -6
_RESOURCES: Final = 4
_TRUST: Final = 5
_TRUSTED: Final = 6
_RUNTIME: Final = 7
_TRUST_CUSTOM: Final = 8

# Pods are refused, and not queued, while the class that they name is missing.
_CLASSES: Final = frozenset({"PriorityClass", "RuntimeClass", "StorageClass", "VolumeAttributesClass", "IngressClass"})
_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")
_API_SERVICE: Final = ("apiregistration.k8s.io", "APIService")
_MARKER_ORIGIN: Final = Origin(extension="sitewright", component="waves", source="marker")


class Planned(Struct, frozen=True, kw_only=True):
    """The waves, the base number of every extension, and what is wrong with the order that the profile asks for."""

    plan: WavePlan
    bases: Mapping[str, int]
    findings: tuple[Finding, ...]


class _Place(Struct, frozen=True):
    """Where one object goes: number and name of the wave, why, and whether its kind is missing from the tree."""

    wave: int
    name: str
    reason: str
    unknown_kind: bool = False


def plan_waves(
    manifests: Iterable[Manifest],
    requires: Mapping[str, frozenset[str]],
    overrides: Mapping[str, tuple[int, str]],
) -> Planned:
    """Cut `manifests` into waves. `requires`: extension to the enabled extensions that it requires.

    `overrides`: extension to its base number (11 to 900) and the profile's reason. Every manifest of the plan carries
    its wave as `argocd.argoproj.io/sync-wave`; every wave has a marker ConfigMap, and a closing wave holds nothing
    else. Findings: `requirement-cycle` (warning), `wave-reserved`, `wave-before-requirement` (errors),
    `hooks-compressed` (warning).
    """
    everything = tuple(manifests)
    needed = with_makers(everything, requires)
    graph = RequirementGraph.of((one.origin.extension for one in everything), needed)
    bases, findings = _bases(graph, overrides)
    slots = {phase: hook_slots(everything, phase, len(places)) for phase, places in _HOOKS.items()}
    planner = _Planner(everything, graph, bases, overrides, slots)
    places = {manifest.id: planner.place(manifest) for manifest in everything}
    for phase, one in slots.items():
        findings.extend(compressed(name, phase, len(_HOOKS[phase])) for name in sorted(one.compressed))
    findings.extend(_out_of_order(everything, graph, places, bases))
    return Planned(plan=_plan(everything, places), bases=bases, findings=tuple(findings))


def _bases(graph: RequirementGraph, overrides: Mapping[str, tuple[int, str]]) -> tuple[dict[str, int], list[Finding]]:
    """The base number of every extension: its override, or one step behind the last that it requires."""
    bases: dict[str, int] = {}
    findings: list[Finding] = []
    for knot in graph.knots:
        if len(knot) > 1:
            findings.append(cycle(graph.circle(knot), knot))
        deepest = max((bases[name] for name in graph.required_by(knot)), default=0)
        for name in sorted(knot):
            bases[name] = max(_FIRST_BASE, (deepest // _STEP + 1) * _STEP)
            if name in overrides:
                bases[name] = max(overrides[name][0], LOWEST_OVERRIDE)
                if overrides[name][0] < LOWEST_OVERRIDE:
                    findings.append(reserved(name, overrides[name][0]))
    return bases, findings


class _Planner:
    """Decides object by object."""

    def __init__(
        self,
        everything: tuple[Manifest, ...],
        graph: RequirementGraph,
        bases: Mapping[str, int],
        overrides: Mapping[str, tuple[int, str]],
        slots: Mapping[HookPhase, HookSlots],
    ) -> None:
        self.graph = graph
        self.bases = bases
        self.overrides = overrides
        self.slots = slots
        self.kinds = custom_kinds(everything)
        self.judged = judged_resources(everything)
        self.trusting = {one.origin.extension for one in everything if one.origin.source == MADE_AFTER}

    def place(self, manifest: Manifest) -> _Place:
        """The wave of one object."""
        identity, extension = manifest.id, manifest.origin.extension
        if identity.kind == "Namespace" and not identity.group:
            return _Place(_NAMESPACES, "namespaces", "namespaces come first")
        if identity.kind in _CLASSES and is_built_in_group(identity.group):
            return _Place(_NAMESPACES, "namespaces", "classes come first: pods that name a missing one are refused")
        if (identity.group, identity.kind) == _CRD:
            return _Place(_CRDS, "crds", "definitions come before everything that uses them")
        base = self.bases[extension]
        if manifest.origin.source == MADE_BEFORE:
            return _Place(max(base + _MADE, _CRDS + 1), "before", f"makes what {extension} needs from the start")
        if manifest.origin.source == MADE_AFTER:
            return _Place(base + _TRUST, "resources", f"lets the API server trust the webhooks of {extension}")
        if manifest.origin.source == MADE_LAST:
            return _Place(base + _TRUST_CUSTOM, "runtime", f"lets custom resources of {extension} trust what was made")
        for phase, slots in self.slots.items():
            slot = slots.of.get(identity)
            if slot is not None:
                return _Place(base + _HOOKS[phase][slot], phase.value, _hook_reason(manifest, phase))
        if is_webhook_configuration(manifest) and refuses_when_down(manifest):
            return _resources(base, f"after the pods of {extension}, which answer the webhook")
        if (identity.group, identity.kind) == _API_SERVICE:
            return _resources(base, f"after the pods of {extension}, which serve the API")
        if not is_built_in_group(identity.group):
            return self._custom_resource(identity, extension)
        return self._ordinary(extension)

    def _custom_resource(self, identity: ObjectId, extension: str) -> _Place:
        kind = self.kinds.get((identity.group, identity.kind))
        if kind is None:
            reason = f"no definition of {identity.kind} in this tree: pods of {extension} may register it"
            return _Place(self.bases[extension] + _RUNTIME, "runtime", reason, unknown_kind=True)
        owner, mine, theirs = kind.extension, self.bases[extension], self.bases[kind.extension]
        if theirs < mine:
            return self._ordinary(extension)  # the operator has been ready for a whole step
        if kind.converted or is_judged(self.judged, identity.group, kind.plural):
            reason = f"after the pods of {owner}, whose webhooks must answer for {identity.kind}"
            return _Place(theirs + (_TRUSTED if owner in self.trusting else _RESOURCES), "resources", reason)
        if owner != extension:
            return _resources(theirs, f"after the pods of {owner}, which defines {identity.kind}")
        return self._ordinary(extension)

    def _ordinary(self, extension: str) -> _Place:
        if extension in self.overrides:
            reason = f"the profile puts {extension} here: {self.overrides[extension][1]}"
        else:
            required = sorted(self.graph.edges[extension])
            reason = f"{extension} requires {', '.join(required) if required else 'no other enabled extension'}"
        return _Place(self.bases[extension], "extensions", reason)


def _resources(base: int, reason: str) -> _Place:
    return _Place(base + _RESOURCES, "resources", reason)


def _hook_reason(manifest: Manifest, phase: HookPhase) -> str:
    extension = manifest.origin.extension
    if manifest.origin.hook is None:
        return f"a hook before {extension} needs it"
    return f"hook {phase.value} {extension}, weight {manifest.origin.hook_weight}"


def _plan(everything: tuple[Manifest, ...], places: Mapping[ObjectId, _Place]) -> WavePlan:
    """The waves with their markers, in order, every object with its wave written on it."""
    closing = max([_CLOSING, *(place.wave + 1 for place in places.values())])
    waves: dict[int, list[Manifest]] = {closing: []}
    names: dict[int, str] = {closing: "closing"}
    reasons = {identity: place.reason for identity, place in places.items()}
    for manifest in everything:
        place = places[manifest.id]
        waves.setdefault(place.wave, []).append(_numbered(manifest, place))
        names[place.wave] = min(names.get(place.wave, place.name), place.name, key=_NAMES.index)
    planned: list[Wave] = []
    for number, members in sorted(waves.items()):
        place = _Place(number, names[number], _CLOSING_REASON if number == closing else _MARKER_REASON)
        marker = _numbered(_marker(place), place)
        reasons[marker.id] = place.reason
        ordered = sorted((*members, marker), key=lambda one: apply_order(one.id))
        planned.append(Wave(number, names[number], tuple(ordered)))
    return WavePlan(tuple(planned), reasons)


_NAMES: Final = ("closing", "namespaces", "crds", "extensions", "before", "after", "resources", "runtime")
"""Names of waves; where an override makes two meet, the first in this list is the name."""
_CLOSING_REASON: Final = "Argo CD waits for a wave only when another one follows"
_MARKER_REASON: Final = "keeps the directory of the wave from becoming empty, which Flux takes for a failure"


def _numbered(manifest: Manifest, place: _Place) -> Manifest:
    """The manifest with its wave on it. Argo CD's dry run must not ask for a kind that pods will register."""
    annotations = {SYNC_WAVE: str(place.wave)}
    if place.unknown_kind:
        options = str(manifest.annotations.get(_SYNC_OPTIONS) or "")
        if _SKIP_DRY_RUN not in options:
            annotations[_SYNC_OPTIONS] = ",".join(part for part in (options, _SKIP_DRY_RUN) if part)
    return manifest.annotated(annotations)


def _marker(place: _Place) -> Manifest:
    """A ConfigMap in a namespace that every cluster has; its content changes only with the wave's name."""
    metadata: dict[str, Json] = {
        "name": f"sitewright-w{place.wave:03d}",
        "namespace": "default",
        "labels": {"app.kubernetes.io/managed-by": "sitewright"},
    }
    data: dict[str, Json] = {"wave": place.name}
    return Manifest.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}, _MARKER_ORIGIN)


def _out_of_order(
    everything: tuple[Manifest, ...],
    graph: RequirementGraph,
    places: Mapping[ObjectId, _Place],
    bases: Mapping[str, int],
) -> list[Finding]:
    """Extensions that an override puts before the end of what they require.

    Custom resources do not count: they may wait for the operator of yet another extension.
    """
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for manifest in everything:
        wave, extension = places[manifest.id].wave, manifest.origin.extension
        if wave > _CRDS and is_built_in_group(manifest.id.group):
            first[extension] = min(wave, first.get(extension, wave))
            last[extension] = max(wave, last.get(extension, wave))
    return [
        too_early(name, bases[name], first[name], required, last[required])
        for knot in graph.knots
        for name in sorted(knot & first.keys())
        for required in sorted((graph.edges[name] - knot) & last.keys())
        if last[required] >= first[name]
    ]
