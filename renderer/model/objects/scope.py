"""Which kinds live in a namespace and which belong to the whole cluster.

The table covers every kind that an API server of Kubernetes 1.19 to 1.37 serves by itself (`kubectl api-resources`),
removed betas included; the scope of other kinds is what their CustomResourceDefinition says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from renderer.model.fields import Json

GroupKind = tuple[str, str]
"""API group (empty for the core group) and kind."""


class Scope(Enum):
    """Where objects of a kind live."""

    CLUSTER = "Cluster"
    NAMESPACED = "Namespaced"


BUILT_IN_NAMESPACES: Final = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
"""Namespaces that every cluster has."""

_CLUSTER: Final = {
    "": "ComponentStatus Namespace Node PersistentVolume",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding"
    " MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"
    " ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "authentication.k8s.io": "SelfSubjectReview TokenReview",
    "authorization.k8s.io": "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
    "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "internal.apiserver.k8s.io": "StorageVersion",
    "networking.k8s.io": "IPAddress IngressClass ServiceCIDR",
    "node.k8s.io": "RuntimeClass",
    "policy": "PodSecurityPolicy",
    "extensions": "PodSecurityPolicy",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
    "resource.k8s.io": "DeviceClass DeviceTaintRule ResourceClass ResourceSlice",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
    "storagemigration.k8s.io": "StorageVersionMigration",
}
_NAMESPACED: Final = {
    "": "Binding ConfigMap Endpoints Event LimitRange PersistentVolumeClaim Pod PodTemplate ReplicationController"
    " ResourceQuota Secret Service ServiceAccount",
    "apps": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "authorization.k8s.io": "LocalSubjectAccessReview",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "certificates.k8s.io": "PodCertificateRequest",
    "coordination.k8s.io": "Lease LeaseCandidate",
    "discovery.k8s.io": "EndpointSlice",
    "events.k8s.io": "Event",
    "extensions": "DaemonSet Deployment Ingress NetworkPolicy ReplicaSet",
    "networking.k8s.io": "Ingress NetworkPolicy",
    "policy": "Eviction PodDisruptionBudget",
    "rbac.authorization.k8s.io": "Role RoleBinding",
    "resource.k8s.io": "PodSchedulingContext ResourceClaim ResourceClaimParameters ResourceClaimTemplate"
    " ResourceClassParameters ResourcePoolStatusRequest",
    "scheduling.k8s.io": "PodGroup Workload",
    "storage.k8s.io": "CSIStorageCapacity",
}
_BUILT_IN: Final[dict[GroupKind, Scope]] = {
    (group, kind): scope
    for table, scope in ((_CLUSTER, Scope.CLUSTER), (_NAMESPACED, Scope.NAMESPACED))
    for group, kinds in table.items()
    for kind in kinds.split()
}


def built_in_scope(group: str, kind: str) -> Scope | None:
    """The scope of a kind that Kubernetes serves by itself; None for every other kind."""
    return _BUILT_IN.get((group, kind))


def is_built_in_group(group: str) -> bool:
    """True when Kubernetes itself serves the API group."""
    return group in _CLUSTER or group in _NAMESPACED


def scopes_of(crds: Iterable[Mapping[str, Json]]) -> dict[GroupKind, Scope]:
    """The scopes of the kinds that CustomResourceDefinitions define; malformed ones are passed over."""
    scopes: dict[GroupKind, Scope] = {}
    for crd in crds:
        spec = crd.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(names, dict):
            continue
        group, kind, scope = spec.get("group"), names.get("kind"), spec.get("scope")
        if isinstance(group, str) and isinstance(kind, str) and scope in {"Cluster", "Namespaced"}:
            scopes[group, kind] = Scope(scope)
    return scopes
