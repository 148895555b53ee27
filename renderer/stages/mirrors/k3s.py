"""k3s and RKE2: `registries.yaml`, and the server setting that closes the way to the upstream registries.

Format: the private registry page of the k3s and RKE2 documentation. The rewrite `^(.*)$` matches the repository
only; each registry has exactly one, because their order is not defined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.site import Fallback
from renderer.stages.mirrors.texts import text, yaml

_SERVICES: Final = {
    "k3s": "`systemctl restart k3s` (agents: `k3s-agent`)",
    "rke2": "`systemctl restart rke2-server` (agents: `rke2-agent`)",
}
_CRICTL: Final = {
    "k3s": "k3s crictl",
    "rke2": "crictl --runtime-endpoint unix:///run/k3s/containerd/containerd.sock",
}


def k3s_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/k3s/` or `nodes/rke2/`. `values` is what all templates of `mirrors/` get."""
    distribution = str(values["distribution"])
    known: dict[str, Json] = {
        **values,
        "ca_path": f"/etc/rancher/{distribution}/site-registry-ca.crt" if plan.ca else None,
        "services": _SERVICES[distribution],
        "crictl": _CRICTL[distribution],
    }
    yield "registries.yaml", yaml("k3s/registries.yaml", known, templates)
    if plan.fallback is Fallback.NEVER:
        yield "config.yaml.d/50-sitewright.yaml", yaml("k3s/config.yaml", known, templates)
    if plan.ca:
        yield "ca.crt", plan.ca
    yield "README.md", text("k3s/README.md", known, templates)
