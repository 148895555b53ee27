"""Every generated field to the mode that settles it, and what came of it back into one site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from renderer.errors import Finding
from renderer.model.generated.groups import CertificateWish, GeneratedGroup, groups_of
from renderer.model.generated.policy import GeneratedPolicy, Mode, Ruling
from renderer.model.generated.sealed import NOTHING_CAPTURED, Captured
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import Manifest
from renderer.model.rendering import ExternalObject
from renderer.stages.settle import cert_manager, external, in_cluster, sealed
from renderer.stages.settle.agreeing import disagreements
from renderer.stages.settle.checksums import summed
from renderer.stages.settle.drafting import FieldIndex, drafted
from renderer.stages.settle.naming import named
from renderer.stages.settle.ways import Draft, Item, Place, Settled, Task, Way

WAYS: Final[Mapping[Mode, Way]] = MappingProxyType(
    {
        Mode.CERT_MANAGER: cert_manager,
        Mode.IN_CLUSTER: in_cluster,
        Mode.SEALED: sealed,
        Mode.EXTERNAL: external,
    }
)
"""The module of every mode, in the order in which they are asked."""


def settle(
    manifests: Iterable[Manifest],
    generated: Sequence[GeneratedValue],
    policy: GeneratedPolicy,
    captured: Captured = NOTHING_CAPTURED,
    certificates: Sequence[CertificateWish] = (),
) -> Settled:
    """Settle the fields that `generated` lists; `Settled.findings` begin with those of `unsettled`.

    What nobody settles holds a placeholder: an invented value never reaches a tree or a message. Secrets that are
    `captured` are not in here either: what stands for them is replaced when objects are sealed, or taken as sealed.
    """
    ruled = policy.rulings(generated)
    index = FieldIndex(generated)
    drafts = [drafted(manifest, index.of(manifest), ruled) for manifest in manifests]
    groups = {group.name: group for group in groups_of(generated, certificates)}
    added: list[Manifest] = []
    findings = list(_lacking(ruled, groups, policy))
    for mode, way in WAYS.items():
        at = [number for number, draft in enumerate(drafts) if _fields(draft, mode, ruled)]
        if at:
            items = tuple(Item(drafts[number], _fields(drafts[number], mode, ruled)) for number in at)
            everything = tuple(draft.manifest for draft in drafts)
            mine = _touched(groups, [field for item in items for field in item.fields])
            task = Task(items=items, groups=mine, policy=policy, manifests=everything, captured=captured)
            answer = way.settled(task)
            for number, draft in zip(at, answer.drafts, strict=True):
                drafts[number] = draft
            added.extend(answer.added)
            findings.extend(answer.findings)
    done = named(summed(drafts, ruled))
    return Settled(
        manifests=(*(one.manifest for one in done if one.place is Place.TREE), *added),
        external=tuple(
            ExternalObject(manifest=one.manifest, fields=one.fields) for one in done if one.place is Place.EXTERNAL
        ),
        findings=tuple(findings),
    )


def unsettled(
    generated: Iterable[GeneratedValue], policy: GeneratedPolicy, certificates: Sequence[CertificateWish] = ()
) -> tuple[Finding, ...]:
    """What the profile leaves open: errors, each with the lines or the command that settle it. Needs no render."""
    values = tuple(generated)
    groups = {group.name: group for group in groups_of(values, certificates)}
    return _lacking(policy.rulings(values), groups, policy)


def _lacking(
    ruled: Mapping[GeneratedValue, Ruling], groups: Mapping[str, GeneratedGroup], policy: GeneratedPolicy
) -> tuple[Finding, ...]:
    found = list(disagreements(ruled))
    for mode, way in WAYS.items():
        mine = [(value, ruling) for value, ruling in ruled.items() if _settles(mode, value, ruled)]
        if mine:
            found.extend(way.lacking(mine, _touched(groups, mine), policy))
    return tuple(found)


def _touched(
    groups: Mapping[str, GeneratedGroup], fields: Iterable[tuple[GeneratedValue, Ruling]]
) -> Mapping[str, GeneratedGroup]:
    """The groups that `fields` are members of."""
    names = {value.group for value, _ in fields}
    return {name: group for name, group in groups.items() if name in names}


def _fields(
    draft: Draft, mode: Mode, ruled: Mapping[GeneratedValue, Ruling]
) -> tuple[tuple[GeneratedValue, Ruling], ...]:
    return tuple((value, ruled[value]) for value in draft.fields if _settles(mode, value, ruled))


def _settles(mode: Mode, value: GeneratedValue, ruled: Mapping[GeneratedValue, Ruling]) -> bool:
    return ruled[value].mode is mode and not value.kind.follows
