"""The order of objects inside a wave: what others lean on first.

Both agents sort by themselves when they apply; this order is for people who read the tree and the plan, and for
`kubectl apply -R`. It is gitops-engine's (pkg/sync/sync_tasks.go), with webhook configurations last as in Flux.
"""

from __future__ import annotations

from typing import Final

from renderer.model.objects.manifest import ObjectId

_FIRST: Final = (
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "PriorityClass",
    "RuntimeClass",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
_LAST: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_RANKS: Final = {kind: rank for rank, kind in enumerate(_FIRST)} | {
    kind: len(_FIRST) + 1 + rank for rank, kind in enumerate(_LAST)
}

ApplyOrder = tuple[int, str, str, str, str]


def apply_order(identity: ObjectId) -> ApplyOrder:
    """The sort key of an object: rank of its kind, group, kind, namespace, name. Total over distinct identities.

    Custom resources stand behind the built-in kinds and before webhook configurations, whatever their kind is
    called: `ServiceAccount.kubesphere.io` is not the core kind of that name.
    """
    ours = not identity.group or identity.group.endswith(".k8s.io") or "." not in identity.group
    rank = _RANKS.get(identity.kind, len(_FIRST)) if ours else len(_FIRST)
    return rank, identity.group, identity.kind, identity.namespace, identity.name
