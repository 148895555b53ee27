"""OpenShift: ImageDigestMirrorSet, ImageTagMirrorSet, the CA and the Image configuration.

Format: config.openshift.io/v1 (openshift/api, types_image_digest_mirror_set.go). The Machine Config Operator makes
`registries.conf` of them (openshift/runtime-utils, EditRegistriesConfig): a digest set serves digests only and a tag
set tags only, and `NeverContactSource` in either blocks the source, so each source is in both. No source stands for
every registry.

These are objects, but no wave holds them: changing tag mirrors drains nodes, and the Image configuration exists in
every cluster. An administrator applies them, or a GitOps application of their own does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from renderer.formats.kubernetes.manifests import load_values
from renderer.formats.templates.site_templates import render_objects
from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.site import Fallback
from renderer.stages.mirrors.texts import text
from renderer.stages.mirrors.traps import same_sources

_SETS = ("image-digest-mirror-set.yaml", "image-tag-mirror-set.yaml")


def openshift_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/openshift/`. `values` is what all templates of `mirrors/` get."""
    listed = [mirror for mirror in plan.mirrors if mirror.source != "*"]
    known: dict[str, Json] = {
        **values,
        "mirrors": [{"source": one.source, "project": one.project} for one in listed],
        "catch_all": next((f"{plan.host}/{one.project}" for one in plan.mirrors if one.source == "*"), None),
        "ca_text": plan.ca.decode(errors="replace") if plan.ca else None,
        # A key of a ConfigMap has no `:`; the Image configuration reads `..` as one.
        "ca_key": plan.host.replace(":", ".."),
        "configured": plan.ca is not None or bool(cast("dict[str, Json]", values["registry"])["insecure"]),
    }
    if listed:
        sets = [_object(name, known, templates) for name in _SETS]
        if plan.fallback is Fallback.NEVER:
            same_sources(*(cast("dict[str, Any]", load_values(content)) for content in sets))
        yield from zip(_SETS, sets, strict=True)
    if plan.ca:
        yield "registry-ca.yaml", _object("registry-ca.yaml", known, templates)
    if known["configured"]:
        yield "image-config.yaml", _object("image-config.yaml", known, templates)
    yield "README.md", text("openshift/README.md", known, templates)


def _object(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    return render_objects(f"mirrors/openshift/{name}.j2", values, templates)
