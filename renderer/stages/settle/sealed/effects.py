"""What a renewed group sets in motion: workloads that start again, and workloads that somebody has to start again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.objects.workload import needs, pod_of
from renderer.structs import Struct


class Effects(Struct, frozen=True, kw_only=True):
    """Workloads that need something of the group. Those that `restart` carry a checksum of it; the others do not."""

    restart: tuple[ObjectId, ...]
    stay: tuple[ObjectId, ...]


def effects(group: str, values: Sequence[GeneratedValue], manifests: Iterable[Manifest]) -> Effects:
    """What happens to the workloads among `manifests` when `group` is renewed."""
    held = {value.object for value in values if value.group == group}
    components = {value.component for value in values if value.group == group}
    summing = {
        value.object
        for value in values
        if value.kind is GeneratedKind.CHECKSUM
        and (held & set(value.of) if value.of else value.component in components)
    }
    using = {
        manifest.id
        for manifest in manifests
        if pod_of(manifest) is not None and held & {needed for _, needed in needs(manifest)}
    }
    return Effects(restart=tuple(sorted(summing)), stay=tuple(sorted(using - summing)))
