"""The section `nodes` of a profile."""

from __future__ import annotations

from typing import Final

from renderer.formats.profile.fields import Reading
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import ImageReference
from renderer.model.site import Cluster, Distribution, NodeDelivery, Nodes, Runtime

__all__ = ["read_nodes"]

_WHY_NOT: Final = {
    Distribution.K3S: "k3s reads `registries.yaml` when it starts: somebody must restart it on each node",
    Distribution.RKE2: "RKE2 reads `registries.yaml` when it starts: somebody must restart it on each node",
    Distribution.TALOS: "the files of Talos belong to its machine configuration; a Pod cannot change it",
    Distribution.OPENSHIFT: "the machine config operator of OpenShift writes these files and takes others away",
    Runtime.CRIO: "CRI-O reads `registries.conf.d` again only on `systemctl reload crio`, which a Pod cannot do",
    Runtime.DOCKER: "Docker reads `daemon.json` when it starts: somebody must restart it on each node",
}


def read_nodes(reading: Reading, fields: Fields, cluster: Cluster) -> Nodes:
    """`spec.nodes`.

    Faults: `nodes-not-deliverable` where new files take no effect without a restart, `invalid-value` where nothing
    reads them.
    """
    delivery = reading.noun(fields, "delivery", NodeDelivery, NodeDelivery.FILES)
    image = reading.optional(fields, "image", ImageReference.parse)
    policy = reading.flag(fields, "policy")
    why_none = _why_no_policy(cluster) if policy else None
    if why_none is not None:
        message = f"`policy: true` cannot serve these nodes: {why_none}"
        expected = "CRI-O; for Podman beside a cluster: `sitewright mirrors --runtime policy`"
        reading.fault(FieldError(fields.at("policy"), message, code="invalid-value", expected=expected))
    why = _WHY_NOT.get(cluster.distribution) or _WHY_NOT.get(cluster.runtime)
    if delivery is not NodeDelivery.FILES and why is not None:
        reading.fault(
            FieldError(
                fields.at("delivery"),
                f"`delivery: {delivery.value}` cannot serve these nodes: {why}",
                code="nodes-not-deliverable",
                expected="`delivery: files` here; `daemonset` for containerd, which reads `certs.d` at every pull",
                hint=f"sitewright mirrors {reading.document.file} --out nodes",
            )
        )
        return Nodes()
    with reading.guard(fields.at("image")):
        try:
            return Nodes(delivery=delivery, image=image, policy=policy)
        except ValueError as error:
            raise FieldError(
                fields.at("image"), str(error), code="missing-field", expected="`image: docker.io/library/busybox:1.37`"
            ) from error
    return Nodes()


def _why_no_policy(cluster: Cluster) -> str | None:
    """Why a `policy.json` of ours has no effect on these nodes; None for CRI-O, which reads it."""
    if cluster.distribution is Distribution.OPENSHIFT:
        return "OpenShift writes `policy.json` itself (ClusterImagePolicy)"
    if cluster.distribution in {Distribution.K3S, Distribution.RKE2, Distribution.TALOS}:
        return f"{cluster.distribution.value} runs containerd, which reads no `policy.json`"
    return None if cluster.runtime is Runtime.CRIO else f"{cluster.runtime.value} reads no `policy.json`"
