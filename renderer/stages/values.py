"""Layers of values: merged as Helm merges values files, remembering which layer set each key.

From low to high: the extension author's defaults, the profile's values for the extension, those for the component,
and what is forced: a KubeSphere agent is told the cluster's name and role, and each part which subcharts are its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from renderer.formats.kubesphere.package import cluster_info, is_agent
from renderer.model.bundles.extension import ClusterRole, Component, Extension
from renderer.model.fields import Json, spell_path
from renderer.model.site import Site, ValuesLayer
from renderer.structs import Struct

__all__ = ["LayeredValues", "components_on", "layer", "layers_of"]


class LayeredValues(Struct, frozen=True):
    """What the layers say together.

    `origins` names the layer that set each leaf, by its path as people write it (`image.tag`, `["a.b/c"].x`), in path
    order. A leaf is whatever is not a mapping, and a mapping that is empty.
    """

    values: Mapping[str, Json]
    origins: Mapping[str, str]


def components_on(site: Site, extension: Extension) -> tuple[Component, ...]:
    """The components of `extension` that `site` gets: on a member cluster only the agent of a KubeSphere extension."""
    agents = tuple(component for component in extension.components if is_agent(component))
    return agents if agents and site.cluster.role is ClusterRole.MEMBER else extension.components


def layers_of(site: Site, extension: Extension, component: Component) -> tuple[ValuesLayer, ...]:
    """The layers of values of one component on `site`, lowest first."""
    request = next((one for one in site.extensions if one.name == extension.name), None)
    of_profile = (*request.values, *request.components.get(component.name, ())) if request else ()
    forced = [ValuesLayer(origin="forced by the extension", values=component.forced)] if component.forced else []
    if is_agent(component):
        told = cluster_info(site.cluster.name, host=site.cluster.role is not ClusterRole.MEMBER)
        forced.insert(0, ValuesLayer(origin="told by the site", values=told))
    defaults = ValuesLayer(origin=f"{extension.name} {extension.version}", values=component.values)
    return (defaults, *of_profile, *forced)


def layer(layers: Sequence[ValuesLayer]) -> LayeredValues:
    """Merge `layers`, lowest first: mappings merge, everything else replaces what lies below.

    A null is kept: it takes a key away from the chart's own values, and only Helm knows those.
    """
    merged: dict[str, Json] = {}
    set_by: dict[tuple[str, ...], str] = {}
    for one in layers:
        _lay(merged, one.values, (), one.origin, set_by)
    return LayeredValues(merged, {spell_path(path): set_by[path] for path in sorted(set_by)})


def _lay(
    below: dict[str, Json],
    above: Mapping[str, Json],
    path: tuple[str, ...],
    origin: str,
    set_by: dict[tuple[str, ...], str],
) -> None:
    """Lay `above` over `below`, which is a mapping of our own making."""
    for key, value in above.items():
        here = (*path, key)
        current = below.get(key)
        if isinstance(value, dict) and value and isinstance(current, dict):
            set_by.pop(here, None)  # an empty mapping was a leaf until now
            own = dict(current)
            below[key] = own
            _lay(own, value, here, origin, set_by)
        elif not (value == {} and isinstance(current, dict) and current):
            below[key] = value
            _forget(set_by, here)
            set_by.update((leaf, origin) for leaf in _leaves(value, here))


def _forget(set_by: dict[tuple[str, ...], str], path: tuple[str, ...]) -> None:
    """What stood at or below `path` has been replaced."""
    for known in [known for known in set_by if known[: len(path)] == path]:
        del set_by[known]


def _leaves(value: Json, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path
