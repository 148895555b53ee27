"""The fields that objects of Kubernetes itself have beside apiVersion, kind and metadata.

Source: the OpenAPI document of Kubernetes 1.37 (`kubectl get --raw /openapi/v2`); a test compares it with a server.
Kinds that no chart has are left out: of them nothing is known.
"""

from __future__ import annotations

from typing import Final

from renderer.model.objects.scope import GroupKind

_COMMON: Final = ("apiVersion", "kind", "metadata")
_WISHED: Final = {
    "": "Namespace Node PersistentVolume PersistentVolumeClaim Pod ReplicationController ResourceQuota Service",
    "admissionregistration.k8s.io": "ValidatingAdmissionPolicy",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "apps": "DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "certificates.k8s.io": "CertificateSigningRequest",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "networking.k8s.io": "Ingress",
    "policy": "PodDisruptionBudget",
}
"""Kinds with `spec` and `status`, by group."""
_OTHERS: Final = {
    ("", "ConfigMap"): "binaryData data immutable",
    ("", "LimitRange"): "spec",
    ("", "Secret"): "data immutable stringData type",
    ("", "ServiceAccount"): "automountServiceAccountToken imagePullSecrets secrets",
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): "webhooks",
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): "spec",
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): "webhooks",
    ("coordination.k8s.io", "Lease"): "spec",
    ("networking.k8s.io", "IngressClass"): "spec",
    ("networking.k8s.io", "NetworkPolicy"): "spec",
    ("node.k8s.io", "RuntimeClass"): "handler overhead scheduling",
    ("rbac.authorization.k8s.io", "ClusterRole"): "aggregationRule rules",
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): "roleRef subjects",
    ("rbac.authorization.k8s.io", "Role"): "rules",
    ("rbac.authorization.k8s.io", "RoleBinding"): "roleRef subjects",
    ("scheduling.k8s.io", "PriorityClass"): "description globalDefault preemptionPolicy value",
    ("storage.k8s.io", "CSIDriver"): "spec",
    ("storage.k8s.io", "StorageClass"): "allowVolumeExpansion allowedTopologies mountOptions parameters provisioner "
    "reclaimPolicy volumeBindingMode",
}

FIELDS: Final[dict[GroupKind, frozenset[str]]] = {
    **{
        (group, kind): frozenset({*_COMMON, "spec", "status"})
        for group, kinds in _WISHED.items()
        for kind in kinds.split()
    },
    **{kind: frozenset({*_COMMON, *fields.split()}) for kind, fields in _OTHERS.items()},
}
"""By group and kind. Old versions of a kind have no other fields at this depth."""
