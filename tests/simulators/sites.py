"""Small sites and objects for tests: say what matters, get sensible values for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from renderer.model.bundles.extension import ClusterRole
from renderer.model.fields import Json
from renderer.model.lock import Lock, LockedBundle, LockedEngine, LockedExtension, LockedImage
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.ordering.wave import Wave, WavePlan
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.rendering import Composed
from renderer.model.site import (
    CheckRules,
    Cluster,
    Distribution,
    Fallback,
    GitOps,
    GitOpsAgent,
    ImagesMode,
    Runtime,
    SecretsMode,
    Site,
    SiteRegistry,
)
from renderer.model.version import Version
from renderer.stages.mirrors.plan import plan_mirrors
from renderer.structs import replace

_TEMPLATES = Path(__file__).parents[2] / "templates"

SHIPPED: Mapping[str, str] = {
    path.relative_to(_TEMPLATES).as_posix(): path.read_text(encoding="utf-8") for path in _TEMPLATES.rglob("*.j2")
}
"""The templates that ship with Sitewright, by path."""


def a_site(**changes: Any) -> Site:
    """The site `branch-017`. `cluster`, `registry` and `gitops` are mappings of what differs there."""
    cluster: dict[str, Any] = {
        "kubernetes": Version.parse("1.31.4"),
        "distribution": Distribution.KUBEADM,
        "runtime": Runtime.CONTAINERD,
        "runtime_version": None,
        "platforms": (Platform.parse("linux/amd64"),),
        "api_versions": (),
        "role": ClusterRole.HOST,
        "name": "host",
        "storage_classes": ("local-path",),
        **changes.pop("cluster", {}),
    }
    registry: dict[str, Any] = {
        "url": "https://harbor.site.local:5443",
        "projects": {"docker.io": "dockerhub", "quay.io": "quay"},
        "images": ImagesMode.MIRROR,
        "fallback": Fallback.NEVER,
        **changes.pop("registry", {}),
    }
    gitops: dict[str, Any] = {
        "agent": GitOpsAgent.ARGOCD,
        "repository": "ssh://git@git.site.local/platform/branch-017.git",
        "branch": "main",
        "path": "",
        **changes.pop("gitops", {}),
    }
    site = Site(
        name="branch-017",
        labels={},
        cluster=Cluster(**cluster),
        registry=SiteRegistry(**registry),
        gitops=GitOps(**gitops),
        trust="trust.yaml",
        bundles=(),
        extensions=(),
        secrets=SecretsMode.EXTERNAL,
        checks=CheckRules(),
        templates={},
        profile="profiles/branch-017.yaml",
        digest=Digest.of(b"profile"),
    )
    return replace(site, **changes)


def an_object(kind: str, name: str, /, namespace: str = "", *, group: str = "", **fields: Any) -> Manifest:
    """An object of the extension `shop`; `group` may carry a version (`apps/v1`), else it is `v1`.

    `labels`, `annotations` go to the metadata, `extension` and `source` to the origin, everything else to the body.
    """
    metadata: dict[str, Json] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    metadata.update({key: fields.pop(key) for key in ("labels", "annotations") if key in fields})
    origin = Origin(
        extension=fields.pop("extension", "shop"),
        component="shop",
        source=fields.pop("source", f"shop/templates/{kind.lower()}.yaml"),
    )
    api_version = group if "/" in group else f"{group}/v1" if group else "v1"
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
    return Manifest.of(cast("dict[str, Json]", body), origin)


def a_deployment(name: str, namespace: str = "shop", *, image: str = "nginx:1.27", **pod: Any) -> Manifest:
    """A Deployment with one container; `pod` are further fields of the pod's spec."""
    containers = pod.pop("containers", [{"name": "main", "image": image}])
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, **pod}}
    return an_object("Deployment", name, namespace, group="apps/v1", spec={"template": template})


def a_definition(group: str, kind: str, plural: str, *versions: str) -> Manifest:
    """A CustomResourceDefinition that serves `versions` (v1 when none is given)."""
    served: list[Json] = [{"name": version, "served": True} for version in versions or ("v1",)]
    spec = {"group": group, "names": {"kind": kind, "plural": plural}, "scope": "Namespaced", "versions": served}
    annotations = {
        "argocd.argoproj.io/sync-options": "Prune=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    name = f"{plural}.{group}"
    return an_object(
        "CustomResourceDefinition", name, group="apiextensions.k8s.io/v1", spec=spec, annotations=annotations
    )


def a_plan(*waves: tuple[int, str, tuple[Manifest, ...]], reasons: Mapping[ObjectId, str] | None = None) -> WavePlan:
    """Waves by number, name and objects."""
    return WavePlan(tuple(Wave(*wave) for wave in waves), dict(reasons or {}))


def a_lock(site: Site, *images: ImageReference, **changes: Any) -> Lock:
    """A lock of one bundle that offers `shop`; `images` are pinned references."""
    bundle = LockedBundle(
        name="demo",
        source="bundles/demo.tar",
        version=Version.parse("4.1.3"),
        sequence=7,
        digest=Digest.of(b"bundle"),
        signers=("office", "vendor-2026"),
    )
    extension = LockedExtension(
        name="shop", version=Version.parse("1.2.0"), bundle="demo", components={}, required_by=("profile",)
    )
    lock = Lock(
        site=site.name,
        sitewright="0.1.0",
        engine=LockedEngine(name="embedded", helm="v4.2.3"),
        profile=site.digest,
        api_versions=(),
        bundles=(bundle,),
        extensions=(extension,),
        images=tuple(
            LockedImage(
                reference=image.without_digest(),
                digest=cast("Digest", image.digest),
                platforms={Platform.parse("linux/amd64"): Digest.of(str(image).encode())},
                mirror="",
            )
            for image in images
        ),
        generated=(),
    )
    return replace(lock, **changes)


def pinned(text: str) -> ImageReference:
    """The image `text` with a digest made from its name."""
    return ImageReference.parse(text).pinned(Digest.of(text.encode()))


def composed(
    plan: WavePlan, *, site: Site | None = None, images: tuple[ImageReference, ...] = (), **changes: Any
) -> Composed:
    """Everything that a tree is written from, for one plan."""
    site = site or a_site()
    whole = Composed(
        site=site,
        lock=a_lock(site, *images),
        plan=plan,
        images=(),
        mirrors=plan_mirrors(site.registry, images),
        dropped=(),
        external=(),
        findings=(),
    )
    return replace(whole, **changes)
