"""Give every object its place: a namespace where one belongs, none where it does not, one definition for each.

Helm leaves `metadata.namespace` out and lets the installer fill it in; a tree that two GitOps agents apply cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from renderer.errors import Finding, Severity, Where
from renderer.model.fields import Json
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.objects.scope import BUILT_IN_NAMESPACES, GroupKind, Scope, built_in_scope, scopes_of
from renderer.structs import Struct

_OURS: Final = Origin(extension="sitewright", component="namespaces", source="namespaces")
_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")
_NAMESPACE: Final = ("", "Namespace")
# Removing a claim destroys data; removing one of the others takes everything in it along.
_KEPT: Final = frozenset({_CRD, _NAMESPACE, ("", "PersistentVolumeClaim")})
_CLUSTER_BINDING: Final = ("rbac.authorization.k8s.io", "ClusterRoleBinding")

SYNC_OPTIONS: Final = "argocd.argoproj.io/sync-options"
FLUX_PRUNE: Final = "kustomize.toolkit.fluxcd.io/prune"


class Placed(Struct, frozen=True, kw_only=True):
    """The manifests, and what was wrong with them."""

    manifests: tuple[Manifest, ...]
    findings: tuple[Finding, ...]


def place(
    manifests: Iterable[Manifest],
    namespaces: Mapping[tuple[str, str], str],
    *,
    known: Mapping[GroupKind, Scope] | None = None,
) -> Placed:
    """Every object in its namespace. `namespaces` maps (extension, component) to where its objects live by default.

    `known` are scopes of kinds that the cluster serves beyond Kubernetes and the CRDs among `manifests`. The result
    has as many manifests, in the same order.
    """
    ordered = tuple(manifests)
    crds = (manifest.body for manifest in ordered if (manifest.id.group, manifest.id.kind) == _CRD)
    scopes = {**(known or {}), **scopes_of(crds)}
    findings: list[Finding] = []
    placed = []
    for manifest in ordered:
        home = namespaces.get((manifest.origin.extension, manifest.origin.component), "")
        placed.append(_in_place(manifest, scopes, home, findings))
    return Placed(manifests=tuple(placed), findings=tuple(findings))


def unite(manifests: Iterable[Manifest]) -> Placed:
    """Each identity once, what must not be pruned marked, and a Namespace for every namespace that is lived in.

    Of an object that two components define alike one is kept, and Namespaces are merged; any other duplicate is an
    error finding, and the first definition is kept.
    """
    findings: list[Finding] = []
    united: dict[ObjectId, Manifest] = {}
    for manifest in manifests:
        one = _protected(manifest)
        seen = united.get(one.id)
        if seen is None:
            united[one.id] = one
            _check_subjects(one, findings)
        elif seen.body != one.body:
            united[one.id] = _merged(seen, one, findings)
    for name in sorted({identity.namespace for identity in united} - BUILT_IN_NAMESPACES - {""}):
        if ObjectId("", "Namespace", "", name) not in united:
            namespace = _protected(_namespace(name))
            united[namespace.id] = namespace
    return Placed(manifests=tuple(united.values()), findings=tuple(findings))


def _in_place(manifest: Manifest, scopes: Mapping[GroupKind, Scope], home: str, findings: list[Finding]) -> Manifest:
    """The object with the namespace that its scope asks for."""
    identity = manifest.id
    scope = built_in_scope(identity.group, identity.kind) or scopes.get((identity.group, identity.kind))
    if scope is Scope.CLUSTER:
        return manifest.with_metadata(namespace=None) if "namespace" in manifest.metadata else manifest
    if identity.namespace:
        return manifest
    if scope is Scope.NAMESPACED:
        return manifest.with_metadata(namespace=home or "default")
    findings.append(_unknown_scope(manifest))
    return manifest.with_metadata(namespace=None) if "namespace" in manifest.metadata else manifest


def _unknown_scope(manifest: Manifest) -> Finding:
    kind = f"{manifest.id.kind}.{manifest.id.group}" if manifest.id.group else manifest.id.kind
    return Finding(
        code="unknown-scope",
        message=f"nothing says whether `{kind}` lives in a namespace; it is taken for cluster-scoped",
        severity=Severity.WARNING,
        where=Where(subject=str(manifest.id)),
        expected="its CustomResourceDefinition in a bundle of the site, or `metadata.namespace` on the object",
        explanation=(f"from {manifest.origin}",),
        hint="enable the extension that ships the CustomResourceDefinition, or turn this object off in the values",
    )


def _protected(manifest: Manifest) -> Manifest:
    """The object with the pair of annotations that keeps both agents from pruning it, where that would destroy.

    Never `Prune=confirm`: Argo CD then holds back every later commit.
    """
    annotations = manifest.annotations
    if (manifest.id.group, manifest.id.kind) not in _KEPT:
        return manifest
    options = [option.strip() for option in str(annotations.get(SYNC_OPTIONS) or "").split(",")]
    kept = [option for option in options if option and not option.startswith("Prune=")]
    return manifest.annotated({SYNC_OPTIONS: ",".join([*kept, "Prune=false"]), FLUX_PRUNE: "disabled"})


def _namespace(name: str) -> Manifest:
    return Manifest.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, _OURS)


def _merged(first: Manifest, second: Manifest, findings: list[Finding]) -> Manifest:
    """One object for two that differ: Namespaces share labels and annotations, anything else is a conflict."""
    if (first.id.group, first.id.kind) != _NAMESPACE:
        both = _is_host_and_agent(first, second)
        findings.append(_in_both_parts(first, second) if both else _duplicate(first, second))
        return first
    changes: dict[str, Json] = {}
    for part in ("labels", "annotations"):
        ours, theirs = (cast("dict[str, Json]", one.metadata.get(part) or {}) for one in (first, second))
        findings.extend(
            _disputed(first, second, f'metadata.{part}["{key}"]', ours[key], theirs[key])
            for key in sorted(ours.keys() & theirs.keys())
            if ours[key] != theirs[key]
        )
        if theirs:
            changes[part] = {**theirs, **ours}
    return first.with_metadata(**changes)


def _is_host_and_agent(first: Manifest, second: Manifest) -> bool:
    """True for the two parts of one KubeSphere package (`renderer.formats.kubesphere.parts`), the host's first.

    KubeSphere installs the agent after the host's part. Helm refuses what another release owns, so that an agent whose
    package works at all looks for such an object in the cluster (`lookup`) and leaves it out; without a cluster its
    template cannot (devops 1.1.3, `apiserver.ownedByExtension`).
    """
    ours, theirs = first.origin, second.origin
    return ours.extension == theirs.extension and theirs.component == f"{ours.component}-agent"


def _in_both_parts(first: Manifest, second: Manifest) -> Finding:
    return Finding(
        code="defined-by-both-parts",
        message=f"the host's part and the agent of `{first.origin.extension}` define `{first.id}`, and not alike",
        severity=Severity.NOTE,
        where=Where(subject=str(first.id)),
        expected="one definition; that of the host's part is kept, as in a cluster where it is installed first",
        got=f"{first.origin}, and {second.origin}",
        hint=f"compare the two if `{first.origin.extension}` does not work as expected",
    )


def _duplicate(first: Manifest, second: Manifest) -> Finding:
    return Finding(
        code="duplicate-object",
        message=f"`{first.id}` is defined twice, and not alike",
        where=Where(subject=str(first.id)),
        expected="one definition for each object",
        got=f"{first.origin}, and {second.origin}",
        hint=f"turn one of them off in the `values` of `{second.origin.extension}` in the profile",
    )


def _disputed(first: Manifest, second: Manifest, path: str, ours: Json, theirs: Json) -> Finding:
    return Finding(
        code="namespace-disputed",
        message=f"two components define `{first.id}` and disagree about a field; the first one wins",
        severity=Severity.WARNING,
        where=Where(subject=str(first.id), path=path),
        expected=f"`{ours}` ({first.origin})",
        got=f"`{theirs}` ({second.origin})",
    )


def _check_subjects(manifest: Manifest, findings: list[Finding]) -> None:
    """A ServiceAccount without a namespace in a ClusterRoleBinding: the API server refuses the whole binding.

    In a RoleBinding it means the binding's own namespace (Kubernetes, pkg/apis/rbac/validation).
    """
    if (manifest.id.group, manifest.id.kind) != _CLUSTER_BINDING:
        return
    subjects = manifest.body.get("subjects")
    for index, subject in enumerate(subjects if isinstance(subjects, list) else []):
        if isinstance(subject, dict) and subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            finding = Finding(
                code="subject-without-namespace",
                message=f"the ServiceAccount `{subject.get('name')}` is named without its namespace",
                where=Where(subject=str(manifest.id), path=f"subjects[{index}].namespace"),
                expected="the namespace of the ServiceAccount; the API server refuses a binding without it",
                explanation=(f"from {manifest.origin}",),
                hint=f"report it to the author of `{manifest.origin.extension}`, or turn the binding off in its values",
            )
            findings.append(finding)
