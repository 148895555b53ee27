"""Objects without what does not belong in a tree: server-written fields, hook annotations; protected when kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from renderer.model.fields import Json
from renderer.stages.chart.hooks import without_hooks

_KEEP: Final = "helm.sh/resource-policy"
_ARGO_OPTIONS: Final = "argocd.argoproj.io/sync-options"
_FLUX_PRUNE: Final = "kustomize.toolkit.fluxcd.io/prune"


def cleaned(body: dict[str, Json]) -> dict[str, Json]:
    """The object without what only a server writes, without hook annotations, and protected when it is to be kept."""
    result = dict(body)
    if "status" in result and not _keeps_status(body):
        del result["status"]
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        result["metadata"] = _cleaned_metadata(metadata)
    if isinstance(result.get("spec"), dict):
        result["spec"] = _without_timestamps(cast("dict[str, Json]", result["spec"]))
    return result


def _keeps_status(body: Mapping[str, Json]) -> bool:
    """True for custom resources: KubeSphere's JSBundle, APIService and ReverseProxy have no status subresource.

    Their charts write `status.state: Available`, without which KubeSphere does not load the extension. Where a
    status subresource exists, the API server ignores what is applied there.
    """
    group = str(body.get("apiVersion", "")).rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _cleaned_metadata(metadata: Mapping[str, Json]) -> dict[str, Json]:
    kept = _untimed(metadata)
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        left = _protected(without_hooks(annotations))
        if left or not annotations:
            kept["annotations"] = left
        else:
            del kept["annotations"]
    return kept


def _protected(annotations: dict[str, Json]) -> dict[str, Json]:
    """`helm.sh/resource-policy: keep` in the words of both agents, which do not take it for "never prune"."""
    if str(annotations.get(_KEEP, "")).strip().lower() != "keep":
        return annotations
    options = [option.strip() for option in str(annotations.get(_ARGO_OPTIONS) or "").split(",") if option.strip()]
    others = [option for option in options if not option.startswith("Prune=")]
    return {**annotations, _ARGO_OPTIONS: ",".join([*others, "Prune=false"]), _FLUX_PRUNE: "disabled"}


def _without_timestamps(spec: dict[str, Json]) -> dict[str, Json]:
    """Pod and claim templates without `creationTimestamp: null`, which Go's own printers leave there."""
    result = dict(spec)
    for key in ("template", "jobTemplate"):
        template = result.get(key)
        if not isinstance(template, dict):
            continue
        template = dict(template)
        if isinstance(template.get("metadata"), dict):
            template["metadata"] = _untimed(cast("dict[str, Json]", template["metadata"]))
        if isinstance(template.get("spec"), dict) and key == "jobTemplate":
            template["spec"] = _without_timestamps(cast("dict[str, Json]", template["spec"]))
        result[key] = template
    claims = result.get("volumeClaimTemplates")
    if isinstance(claims, list):
        result["volumeClaimTemplates"] = [cleaned(claim) if isinstance(claim, dict) else claim for claim in claims]
    return result


def _untimed(metadata: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in metadata.items() if not (key == "creationTimestamp" and value is None)}
