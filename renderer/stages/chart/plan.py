"""What to ask of a chart engine for one component."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from renderer.model.bundles.chart import ChartRequest
from renderer.model.bundles.extension import Component
from renderer.model.fields import Json
from renderer.model.objects.builtin_api import served_kinds
from renderer.model.version import Version

KNOWN_API_VERSIONS: Final = (
    "lifecycle.k8s.io/v1alpha1",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1alpha3",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
)
"""What `.Capabilities.APIVersions` of one Helm has and that of another lacks (4.2 and 4.3 were compared).

Helm knows the API versions of the Kubernetes client that it was built with, whatever the cluster serves. Naming the
difference in every request makes charts see the same list under either engine.
"""


def chart_request(
    component: Component,
    archive: bytes,
    values: Mapping[str, Json],
    *,
    kubernetes: Version,
    api_versions: Iterable[str],
) -> ChartRequest:
    """The request that inflates `component` out of `archive`.

    From low to high: the component's own default values, `values` (the merged layers of the profile), the values
    that the component forces. Laying the defaults below `values` once more is harmless when they are in it already.
    """
    return ChartRequest(
        chart=component.content.digest,
        archive=archive,
        release=component.release,
        namespace=component.namespace,
        values=_over(_over(component.values, values), component.forced),
        kube_version=str(kubernetes),
        api_versions=tuple(sorted({*KNOWN_API_VERSIONS, *served_kinds(kubernetes), *api_versions})),
    )


def _over(below: Mapping[str, Json], above: Mapping[str, Json]) -> dict[str, Json]:
    """`above` laid over `below`: mappings merge, everything else replaces. Neither is changed."""
    merged = dict(below)
    for key, value in above.items():
        current = merged.get(key)
        merged[key] = _over(current, value) if isinstance(value, dict) and isinstance(current, dict) else value
    return merged
