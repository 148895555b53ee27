"""When Kubernetes began and stopped to serve its own API versions.

Source: the Kubernetes deprecation guide (https://kubernetes.io/docs/reference/using-api/deprecation-guide/) and the
release notes. Only versions that charts still carry are listed; everything else is taken to be served.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from renderer.model.version import Version
from renderer.structs import Struct


class ApiLife(Struct, frozen=True, kw_only=True):
    """One API version of one kind: the first release that does not serve it any more, and what to use instead."""

    removed: Version | None = None
    served: Version | None = None
    instead: str = ""


def _gone(release: str, instead: str) -> ApiLife:
    return ApiLife(removed=Version.parse(release), instead=instead)


def _since(release: str, instead: str) -> ApiLife:
    return ApiLife(served=Version.parse(release), instead=instead)


_REMOVED: Final = {
    "1.16": {
        "extensions/v1beta1": ("apps/v1", "DaemonSet Deployment ReplicaSet"),
        "apps/v1beta1": ("apps/v1", "Deployment StatefulSet"),
        "apps/v1beta2": ("apps/v1", "DaemonSet Deployment ReplicaSet StatefulSet"),
    },
    "1.22": {
        "extensions/v1beta1": ("networking.k8s.io/v1", "Ingress"),
        "networking.k8s.io/v1beta1": ("networking.k8s.io/v1", "Ingress IngressClass"),
        "rbac.authorization.k8s.io/v1beta1": (
            "rbac.authorization.k8s.io/v1",
            "ClusterRole ClusterRoleBinding Role RoleBinding",
        ),
        "rbac.authorization.k8s.io/v1alpha1": (
            "rbac.authorization.k8s.io/v1",
            "ClusterRole ClusterRoleBinding Role RoleBinding",
        ),
        "apiextensions.k8s.io/v1beta1": ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        "apiregistration.k8s.io/v1beta1": ("apiregistration.k8s.io/v1", "APIService"),
        "admissionregistration.k8s.io/v1beta1": (
            "admissionregistration.k8s.io/v1",
            "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        ),
        "certificates.k8s.io/v1beta1": ("certificates.k8s.io/v1", "CertificateSigningRequest"),
        "coordination.k8s.io/v1beta1": ("coordination.k8s.io/v1", "Lease"),
        "scheduling.k8s.io/v1beta1": ("scheduling.k8s.io/v1", "PriorityClass"),
        "storage.k8s.io/v1beta1": ("storage.k8s.io/v1", "CSIDriver CSINode StorageClass VolumeAttachment"),
    },
    "1.25": {
        "batch/v1beta1": ("batch/v1", "CronJob"),
        "discovery.k8s.io/v1beta1": ("discovery.k8s.io/v1", "EndpointSlice"),
        "events.k8s.io/v1beta1": ("events.k8s.io/v1", "Event"),
        "autoscaling/v2beta1": ("autoscaling/v2", "HorizontalPodAutoscaler"),
        "policy/v1beta1": ("policy/v1", "PodDisruptionBudget PodSecurityPolicy"),
        "node.k8s.io/v1beta1": ("node.k8s.io/v1", "RuntimeClass"),
    },
    "1.26": {
        "autoscaling/v2beta2": ("autoscaling/v2", "HorizontalPodAutoscaler"),
        "flowcontrol.apiserver.k8s.io/v1beta1": (
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema PriorityLevelConfiguration",
        ),
    },
    "1.27": {"storage.k8s.io/v1beta1": ("storage.k8s.io/v1", "CSIStorageCapacity")},
    "1.29": {
        "flowcontrol.apiserver.k8s.io/v1beta2": (
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema PriorityLevelConfiguration",
        )
    },
    "1.32": {
        "flowcontrol.apiserver.k8s.io/v1beta3": (
            "flowcontrol.apiserver.k8s.io/v1",
            "FlowSchema PriorityLevelConfiguration",
        )
    },
}
_SINCE: Final = {
    "1.19": {"networking.k8s.io/v1": ("networking.k8s.io/v1beta1", "Ingress IngressClass")},
    "1.21": {
        "batch/v1": ("batch/v1beta1", "CronJob"),
        "policy/v1": ("policy/v1beta1", "PodDisruptionBudget"),
        "discovery.k8s.io/v1": ("discovery.k8s.io/v1beta1", "EndpointSlice"),
    },
    "1.23": {"autoscaling/v2": ("autoscaling/v2beta2", "HorizontalPodAutoscaler")},
    "1.29": {
        "flowcontrol.apiserver.k8s.io/v1": (
            "flowcontrol.apiserver.k8s.io/v1beta3",
            "FlowSchema PriorityLevelConfiguration",
        )
    },
    "1.30": {
        "admissionregistration.k8s.io/v1": ("", "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding"),
    },
}
_STABLE: Final = {
    "v1": "ConfigMap Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate"
    " ReplicationController ResourceQuota Secret Service ServiceAccount",
    "admissionregistration.k8s.io/v1": "MutatingWebhookConfiguration ValidatingAdmissionPolicy"
    " ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v1": "HorizontalPodAutoscaler",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
    "coordination.k8s.io/v1": "Lease",
    "discovery.k8s.io/v1": "EndpointSlice",
    "events.k8s.io/v1": "Event",
    "flowcontrol.apiserver.k8s.io/v1": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "node.k8s.io/v1": "RuntimeClass",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "storage.k8s.io/v1": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment",
}
_LIVES: Final[dict[tuple[str, str], ApiLife]] = {
    (api_version, kind): make(release, instead)
    for table, make in ((_REMOVED, _gone), (_SINCE, _since))
    for release, versions in table.items()
    for api_version, (instead, kinds) in versions.items()
    for kind in kinds.split()
}


def api_life(api_version: str, kind: str) -> ApiLife | None:
    """What is known of one API version of a kind that Kubernetes serves by itself; None when there is no story."""
    return _LIVES.get((api_version, kind))


@cache
def served_kinds(kubernetes: Version) -> tuple[str, ...]:
    """What a cluster of this version serves by itself, as charts ask for it: `batch/v1/CronJob`, sorted.

    A cluster answers `.Capabilities.APIVersions.Has` for kinds, too; `helm template` knows only groups and versions.
    """
    stable = {(version, kind) for version, kinds in _STABLE.items() for kind in kinds.split()}
    gone_later = {key for key, life in _LIVES.items() if life.removed is not None}

    def served(key: tuple[str, str]) -> bool:
        life = _LIVES.get(key, ApiLife())
        begun = life.served is None or life.served <= kubernetes
        return begun and (life.removed is None or kubernetes < life.removed)

    return tuple(sorted(f"{version}/{kind}" for version, kind in stable | gone_later if served((version, kind))))
