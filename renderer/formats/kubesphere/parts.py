"""What KubeSphere installs of an extension package, under which names and with which values.

Source: ks-controller-manager (pkg/controller/core/installplan_controller.go, getOverrides).

A Multicluster extension becomes two components on a host cluster: `<name>` (release `<name>`, its parts tagged
`extension`) and `<name>-agent` (release `<name>-agent`, its parts tagged `agent`). On a member cluster only the agent
is installed; `is_agent` tells them apart. What the controller knows only of the cluster is left to the site:
`cluster_info` gives the values for `global.clusterInfo`, which agents get.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from renderer.errors import Finding
from renderer.formats.kubesphere.permissions import Grant
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor, Extension
from renderer.model.fields import Fields, Json
from renderer.structs import Struct, replace

HOST_TAG: Final = "extension"
AGENT_TAG: Final = "agent"


class Package(Struct, frozen=True, kw_only=True):
    """What a package says: the extension without components, and the parts its components are made of.

    `metadata` is the content of `extension.yaml`, `dependencies` those of its chart, `grants` the rights that
    KubeSphere would give to its installer. `notes` are findings that do not keep the package from being used.
    """

    metadata: Mapping[str, Json]
    extension: Extension
    namespace: str
    multicluster: bool
    dependencies: tuple[Fields, ...]
    grants: tuple[Grant, ...] = ()
    notes: tuple[Finding, ...] = ()

    def with_chart(self, chart: Descriptor) -> Extension:
        """The extension with the components that KubeSphere installs from its chart."""
        name = self.extension.name
        components = [self._component(name, chart, HOST_TAG)]
        if self.multicluster:
            components.append(self._component(f"{name}-agent", chart, AGENT_TAG))
        return replace(self.extension, components=tuple(components))

    def _component(self, release: str, chart: Descriptor, tag: str) -> Component:
        return Component(
            name=release,
            kind=ComponentKind.HELM,
            content=chart,
            release=release,
            namespace=self.namespace,
            forced=forced_values(self.dependencies, tag),
        )


def is_agent(component: Component) -> bool:
    """True for the agent part of a KubeSphere extension, which is what member clusters get."""
    tags = component.forced.get("tags")
    return isinstance(tags, dict) and tags.get(AGENT_TAG) is True


def cluster_info(name: str, *, host: bool) -> dict[str, Json]:
    """The values that the controller adds for an agent on the cluster `name`."""
    return {"global": {"clusterInfo": {"name": name, "role": "host" if host else "member"}}}


def forced_values(dependencies: Iterable[Fields], tag: str) -> dict[str, Json]:
    """The values by which the controller switches on the subcharts of `tag` and switches off those of the other.

    Conditions beat tags in Helm, and the first path of a condition that exists decides: so every path of the other
    tag's conditions is set to false, as the controller does.
    """
    other = AGENT_TAG if tag == HOST_TAG else HOST_TAG
    values: dict[str, Json] = {"tags": {tag: True, other: False}}
    for dependency in dependencies:
        if other in dependency.texts("tags"):
            for path in dependency.text("condition", "").strip().split(","):
                if path:
                    _set(values, path.split("."), value=False)
    return values


def _set(values: dict[str, Json], path: list[str], *, value: bool) -> None:
    node = values
    for step in path[:-1]:
        below = node.setdefault(step, {})
        if not isinstance(below, dict):
            return  # a shorter path has switched off everything below
        node = below
    node[path[-1]] = value
