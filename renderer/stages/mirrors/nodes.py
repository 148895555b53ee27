"""Mirror plan -> `nodes/<runtime>/…`: the files that a node needs, and a README that says where they go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.objects.manifest import Manifest
from renderer.model.site import Distribution, Fallback, ImagesMode, NodeDelivery, Site
from renderer.model.trees.tree import FileTree
from renderer.stages.mirrors.containerd import containerd_files
from renderer.stages.mirrors.crio import crio_files
from renderer.stages.mirrors.daemonset import delivery_guide, delivery_objects
from renderer.stages.mirrors.docker import docker_files
from renderer.stages.mirrors.k3s import k3s_files
from renderer.stages.mirrors.openshift import openshift_files
from renderer.stages.mirrors.policy import Demands, policy_files
from renderer.stages.mirrors.talos import talos_files

RUNTIMES: Final = ("containerd", "cri-o", "docker", "k3s", "openshift", "policy", "rke2", "talos")
"""What files can be written for. `policy` is `policy.json` for CRI-O and Podman: written when asked for only."""

_OWN_RUNTIME: Final = frozenset({Distribution.K3S, Distribution.RKE2, Distribution.OPENSHIFT, Distribution.TALOS})
_DIRECTORIES: Final = {"cri-o": "crio"}
_EXAMPLES: Final = 3


def runtimes_of(site: Site) -> tuple[str, ...]:
    """Those of RUNTIMES that the nodes of this site have, and `policy` when its profile asks for that."""
    distribution, runtime = site.cluster.distribution, site.cluster.runtime
    own = distribution.value if distribution in _OWN_RUNTIME else runtime.value
    return (own, "policy") if site.nodes.policy else (own,)


def node_files(
    plan: MirrorPlan,
    site: Site,
    templates: Mapping[str, str],
    runtimes: Sequence[str] | None = None,
    demands: Demands = MappingProxyType({}),
) -> FileTree:
    """The node configuration of a site, `nodes/<runtime>/…`, paths relative to `Site.root`.

    `runtimes` are some of RUNTIMES, else what `runtimes_of` says. `templates` holds `mirrors/…` by path. `demands` are
    for `policy`: what nodes demand of images beyond their digests. Raises
    InputError (`template-failed`) when a template cannot be rendered, yields what the runtime could not read, or what
    would make a node ask an upstream registry that it must never ask.
    """
    values = _values(plan, site)
    files: list[tuple[str, bytes]] = []
    for runtime in runtimes if runtimes is not None else runtimes_of(site):
        directory = _DIRECTORIES.get(runtime, runtime)
        written = _written(runtime, plan, site, values, templates, demands)
        files.extend((f"nodes/{directory}/{path}", content) for path, content in written)
    if runtimes is None and site.nodes.delivery is not NodeDelivery.FILES:
        path, content = delivery_guide(site, values, templates)
        files.append((f"nodes/daemonset/{path}", content))
    return FileTree.of(files)


def node_delivery(plan: MirrorPlan, site: Site, templates: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The objects that bring the files to the nodes, when the site asks for that; see `stages.mirrors.daemonset`."""
    return delivery_objects(plan, site, _values(plan, site), templates)


def _written(
    runtime: str,
    plan: MirrorPlan,
    site: Site,
    values: Mapping[str, Json],
    templates: Mapping[str, str],
    demands: Demands,
) -> Iterator[tuple[str, bytes]]:
    """The files of one runtime, paths relative to its directory."""
    match runtime:
        case "containerd":
            return containerd_files(plan, site, values, templates)
        case "cri-o":
            return crio_files(plan, values, templates)
        case "docker":
            return docker_files(plan, values, templates)
        case "openshift":
            return openshift_files(plan, values, templates)
        case "policy":
            return policy_files(plan, site, values, templates, demands)
        case "talos":
            return talos_files(plan, values, templates)
        case _:
            return k3s_files(plan, {**values, "distribution": runtime}, templates)


def _values(plan: MirrorPlan, site: Site) -> dict[str, Json]:
    """What every template of `mirrors/` may use."""
    credentials = site.registry.credentials
    examples: list[Json] = [
        str(image.untagged() if image.digest else image) for image in plan.images if plan.location(image)
    ]
    return {
        "site": site.name,
        "distribution": site.cluster.distribution.value,
        "registry": {
            "url": f"{plan.scheme}://{plan.host}",
            "host": plan.host,
            "scheme": plan.scheme,
            "insecure": site.registry.insecure,
            "skip_verify": site.registry.insecure and plan.scheme == "https",
        },
        "mirrors": [{"source": mirror.source, "project": mirror.project} for mirror in plan.mirrors],
        "strict": plan.fallback is Fallback.NEVER,
        "rewrite": site.registry.images is ImagesMode.REWRITE,
        "credentials": {"name": credentials.name, "namespace": credentials.namespace} if credentials else None,
        "examples": examples[:_EXAMPLES],
        "ca": plan.ca is not None,
    }
