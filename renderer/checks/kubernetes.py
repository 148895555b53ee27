"""What the API server and the agents would refuse, found before they see it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.fields import Json, spell_path
from renderer.model.objects.builtin_api import api_life
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.names import metadata_faults, name_fault
from renderer.model.objects.scope import BUILT_IN_NAMESPACES, Scope, built_in_scope, is_built_in_group
from renderer.model.objects.workload import mapping, mappings, pod_of
from renderer.model.rendering import Composed

_CRD: Final = ("apiextensions.k8s.io", "CustomResourceDefinition")
_ANNOTATIONS_LIMIT: Final = 262_144
"""Bytes of all annotations of an object (k8s.io/apimachinery validation, TotalAnnotationSizeLimitB)."""
_CONFIG_LIMIT: Final = 1_048_576
"""Bytes in a ConfigMap or Secret (core/validation, MaxSecretSize)."""
_HOOKS: Final = ("helm.sh/hook", "argocd.argoproj.io/hook")


def duplicates(composed: Composed) -> Iterator[Finding]:
    """Objects that are in the plan more than once."""
    counts = Counter(manifest.id for manifest in composed.plan.manifests())
    for identity in sorted(identity for identity, count in counts.items() if count > 1):
        origins = [str(manifest.origin) for manifest in composed.plan.manifests() if manifest.id == identity]
        yield Finding(
            code="duplicate-object",
            message=f"`{identity}` is in the tree {len(origins)} times",
            where=Where(subject=str(identity)),
            expected="one definition for each object",
            got=", and ".join(origins),
            hint="turn all but one of them off in the values of the extensions",
        )


def namespaces(composed: Composed) -> Iterator[Finding]:
    """Objects without the namespace they need, with one they cannot have, or in one that nothing creates."""
    created = {manifest.id.name for manifest in composed.plan.manifests() if manifest.id.kind == "Namespace"}
    for manifest in composed.plan.manifests():
        scope, namespace = built_in_scope(manifest.id.group, manifest.id.kind), manifest.id.namespace
        if scope is Scope.NAMESPACED and not namespace:
            yield _object_finding("namespace-missing", manifest, "has no namespace, but its kind needs one")
        elif scope is Scope.CLUSTER and namespace:
            yield _object_finding("namespace-missing", manifest, "has a namespace, but its kind cannot have one")
        elif namespace and namespace not in created | BUILT_IN_NAMESPACES:
            yield _object_finding(
                "namespace-missing", manifest, f"is in `{namespace}`, which nothing in the tree creates"
            )


def served_versions(composed: Composed) -> Iterator[Finding]:
    """API versions that the site's Kubernetes does not serve any more, or not yet."""
    release = composed.site.cluster.kubernetes
    now = (release.major, release.minor)
    for manifest in composed.plan.manifests():
        life = api_life(manifest.api_version, manifest.id.kind)
        if life is None:
            continue
        if life.removed is not None and now >= (life.removed.major, life.removed.minor):
            gone = f"{life.removed.major}.{life.removed.minor}"
            message = f"`{manifest.api_version}` of `{manifest.id.kind}` was removed in Kubernetes {gone}"
        elif life.served is not None and now < (life.served.major, life.served.minor):
            since = f"{life.served.major}.{life.served.minor}"
            message = f"`{manifest.api_version}` of `{manifest.id.kind}` is served only since Kubernetes {since}"
        else:
            continue
        yield Finding(
            code="api-removed",
            message=f"{message}; the site runs {release}",
            where=Where(subject=str(manifest.id), path="apiVersion"),
            expected=f"`{life.instead}`" if life.instead else None,
            got=f"`{manifest.api_version}`",
            explanation=(f"from {manifest.origin}",),
            hint=f"sitewright lock --upgrade {manifest.origin.extension}",
        )


def undefined_kinds(composed: Composed) -> Iterator[Finding]:
    """Custom resources whose kind no CustomResourceDefinition of the tree and no API of the site has."""
    served = _served_kinds(composed)
    missing: defaultdict[tuple[str, str], list[Manifest]] = defaultdict(list)
    for manifest in _custom_resources(composed):
        if (manifest.id.group, manifest.id.kind) not in served:
            missing[manifest.api_version, manifest.id.kind].append(manifest)
    for (api_version, kind), manifests in sorted(missing.items()):
        yield Finding(
            code="crd-missing",
            message=f"nothing in the tree defines `{kind}` of `{api_version}`: applying {len(manifests)} object(s) "
            "fails unless the cluster has the definition already",
            where=Where(subject=str(manifests[0].id)),
            severity=Severity.WARNING,
            explanation=(f"from {manifests[0].origin}",),
            hint=f"add `{api_version}/{kind}` to `spec.cluster.apiVersions`, or turn the object off in the values",
        )


def unserved_versions(composed: Composed) -> Iterator[Finding]:
    """Custom resources in a version that their CustomResourceDefinition in the tree does not serve."""
    served = _served_kinds(composed)
    for manifest in _custom_resources(composed):
        versions = served.get((manifest.id.group, manifest.id.kind))
        if versions is not None and manifest.api_version.rpartition("/")[2] not in versions:
            yield Finding(
                code="crd-version-not-served",
                message=f"`{manifest.id}` uses `{manifest.api_version}`, which its definition does not serve",
                where=Where(subject=str(manifest.id), path="apiVersion"),
                expected=", ".join(f"`{manifest.id.group}/{version}`" for version in sorted(versions)),
                got=f"`{manifest.api_version}`",
                explanation=(f"from {manifest.origin}",),
                hint=f"sitewright lock --upgrade {manifest.origin.extension}",
            )


def _custom_resources(composed: Composed) -> Iterator[Manifest]:
    """Objects of kinds that neither Kubernetes nor, by the profile, the cluster serves by itself."""
    elsewhere = set(composed.site.cluster.api_versions)
    for manifest in composed.plan.manifests():
        known = {manifest.api_version, f"{manifest.api_version}/{manifest.id.kind}"}
        if not is_built_in_group(manifest.id.group) and not elsewhere & known:
            yield manifest


def _served_kinds(composed: Composed) -> dict[tuple[str, str], set[str]]:
    """The versions that the definitions in the tree serve, by group and kind."""
    served: dict[tuple[str, str], set[str]] = {}
    for manifest in composed.plan.manifests():
        if (manifest.id.group, manifest.id.kind) == _CRD:
            spec = mapping(manifest.body, "spec")
            key = (str(spec.get("group")), str(mapping(spec, "names").get("kind")))
            served[key] = {
                str(version.get("name")) for _, version in mappings(spec, "versions") if version.get("served") is True
            }
    return served


def metadata(composed: Composed) -> Iterator[Finding]:
    """Names, labels and annotations that the API server refuses."""
    for manifest in composed.plan.manifests():
        fault = name_fault(manifest.id)
        if fault:
            yield _object_finding("metadata-invalid", manifest, fault, path="metadata.name")
        pod = pod_of(manifest)
        places: list[tuple[tuple[str, ...], Mapping[str, Json]]] = [(("metadata",), manifest.metadata)]
        if pod is not None and pod.path.endswith(".spec"):
            steps = pod.path.removesuffix(".spec").split(".")
            template: Mapping[str, Json] = manifest.body
            for step in steps:
                template = mapping(template, step)
            places.append(((*steps, "metadata"), mapping(template, "metadata")))
        for steps_to, content in places:
            for path, fault in metadata_faults(content, tuple(steps_to)):
                yield _object_finding("metadata-invalid", manifest, fault, path=spell_path(path))


def sizes(composed: Composed) -> Iterator[Finding]:
    """Annotations, ConfigMaps and Secrets larger than the API server takes."""
    for manifest in composed.plan.manifests():
        annotations = _size(manifest.annotations)
        if annotations > _ANNOTATIONS_LIMIT:
            message = f"has {annotations} bytes of annotations; the API server takes {_ANNOTATIONS_LIMIT}"
            yield _object_finding("object-too-large", manifest, message, path="metadata.annotations")
        if (manifest.id.group, manifest.id.kind) in {("", "ConfigMap"), ("", "Secret")}:
            content = sum(_size(mapping(manifest.body, key)) for key in ("data", "binaryData", "stringData"))
            if content > _CONFIG_LIMIT:
                message = f"holds {content} bytes; the API server takes {_CONFIG_LIMIT}"
                yield _object_finding("object-too-large", manifest, message, path="data")


def _size(content: Mapping[str, Json]) -> int:
    return sum(
        len(key) + len(value.encode(errors="replace")) for key, value in content.items() if isinstance(value, str)
    )


def lists(composed: Composed) -> Iterator[Finding]:
    """Objects that are lists of objects."""
    for manifest in composed.plan.manifests():
        if manifest.id.kind.endswith("List") and isinstance(manifest.body.get("items"), list):
            yield _object_finding("not-one-object", manifest, "is a list; every file of a tree is one object")


def hooks(composed: Composed) -> Iterator[Finding]:
    """Hooks that Argo CD would run as its own."""
    for manifest in composed.plan.manifests():
        for annotation in _HOOKS:
            if annotation in manifest.annotations:
                message = f"carries `{annotation}`: Argo CD would run it as a hook, Flux would not"
                path = f'metadata.annotations["{annotation}"]'
                yield _object_finding("hook-left-in", manifest, message, path=path)


def _object_finding(code: str, manifest: Manifest, fault: str, *, path: str | None = None) -> Finding:
    return Finding(
        code=code,
        message=f"`{manifest.id}` {fault}",
        where=Where(subject=str(manifest.id), path=path),
        explanation=(f"from {manifest.origin}",),
        hint=f"correct it in the values of `{manifest.origin.extension}`, or in its chart",
    )


RULES: Final = (
    Rule(
        code="duplicate-object",
        title="Every object is defined once",
        why="Flux refuses the wave, Argo CD applies one of the two and shows the other for ever as out of sync.",
        severity=Severity.ERROR,
        check=duplicates,
    ),
    Rule(
        code="namespace-missing",
        title="Every object is in the namespace it needs, and that namespace exists",
        why="The API server refuses the object, or the agent puts it where nobody looks for it.",
        severity=Severity.ERROR,
        check=namespaces,
    ),
    Rule(
        code="api-removed",
        title="The site's Kubernetes serves every API version of its own that is used",
        why="The API server does not know the version, and the whole wave fails.",
        severity=Severity.ERROR,
        check=served_versions,
    ),
    Rule(
        code="crd-missing",
        title="Every custom resource has a definition",
        why="The API server does not know the kind; Argo CD fails the whole sync, Flux the wave.",
        severity=Severity.WARNING,
        check=undefined_kinds,
    ),
    Rule(
        code="crd-version-not-served",
        title="Custom resources use versions that their definitions serve",
        why="The API server does not know the version, and the whole wave fails.",
        severity=Severity.ERROR,
        check=unserved_versions,
    ),
    Rule(
        code="metadata-invalid",
        title="Names, labels and annotations are such as the API server takes",
        why="The API server refuses the object, and the whole wave fails.",
        severity=Severity.ERROR,
        check=metadata,
    ),
    Rule(
        code="object-too-large",
        title="No object is larger than the API server takes",
        why="The API server refuses the object, and the whole wave fails.",
        severity=Severity.ERROR,
        check=sizes,
    ),
    Rule(
        code="not-one-object",
        title="Every file is one object",
        why="Agents take lists apart in different ways, and order and ownership are lost.",
        severity=Severity.ERROR,
        check=lists,
    ),
    Rule(
        code="hook-left-in",
        title="No object is a hook",
        why="Argo CD takes Helm's hooks for its own and runs them at every sync; Flux applies them once.",
        severity=Severity.ERROR,
        check=hooks,
    ),
)
"""The rules of this module."""
