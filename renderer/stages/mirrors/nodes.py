"""Mirror plan -> `nodes/<runtime>/…`: the files that a node needs, and a README that says where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.mirror import MirrorPlan
from renderer.model.site import Distribution, Fallback, Runtime, Site
from renderer.model.tree import FileTree
from renderer.stages.mirrors.containerd import containerd_files
from renderer.stages.mirrors.crio import crio_files
from renderer.stages.mirrors.k3s import k3s_files

_OWN_CONTAINERD: Final = frozenset({Distribution.K3S, Distribution.RKE2})
_NOT_YET: Final = frozenset({Distribution.OPENSHIFT, Distribution.TALOS})
_EXAMPLES: Final = 3


def runtimes_of(site: Site) -> tuple[str, ...]:
    """The directories below `nodes/` that this site gets; none where its distribution is not supported yet."""
    distribution, runtime = site.cluster.distribution, site.cluster.runtime
    if distribution in _NOT_YET:
        return ()
    if distribution in _OWN_CONTAINERD:
        return (distribution.value,)
    return {Runtime.CONTAINERD: ("containerd",), Runtime.CRIO: ("crio",), Runtime.DOCKER: ()}[runtime]


def node_files(plan: MirrorPlan, site: Site, templates: Mapping[str, str]) -> FileTree:
    """The node configuration of a site, paths relative to `Site.root`; empty when `runtimes_of` is.

    `templates` holds `mirrors/…` by path. Raises InputError (`template-failed`, `template-missing`) when a template
    cannot be rendered, or yields what the runtime could not read.
    """
    values = _values(plan, site)
    files: list[tuple[str, bytes]] = []
    for runtime in runtimes_of(site):
        if runtime == "containerd":
            written = containerd_files(plan, site, values, templates)
        elif runtime == "crio":
            written = crio_files(plan, values, templates)
        else:
            written = k3s_files(plan, values, templates)
        files.extend((f"nodes/{runtime}/{path}", content) for path, content in written)
    return FileTree.of(files)


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
        "credentials": {"name": credentials.name, "namespace": credentials.namespace} if credentials else None,
        "examples": examples[:_EXAMPLES],
        "ca": plan.ca is not None,
    }
