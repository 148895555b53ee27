"""OpenShift: github.com/openshift/runtime-utils, pkg/registries (EditRegistriesConfig, mirrorsAdjustedForNestedScope
left out: sources are hosts here), and openshift/api config/v1 types_image_digest_mirror_set.go.

- A digest set yields mirrors with `pull-from-mirror = "digest-only"`, a tag set with `"tag-only"`.
- `mirrorSourcePolicy: NeverContactSource` in either blocks the source; without it the source is asked at last.
- An object of another kind says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from renderer.formats.kubernetes.manifests import load_documents
from renderer.model.reference import ImageReference
from tests.simulators.runtimes import registries_conf

_SETS = {
    "ImageDigestMirrorSet": ("imageDigestMirrors", "digest-only"),
    "ImageTagMirrorSet": ("imageTagMirrors", "tag-only"),
}


def asked(files: Mapping[str, bytes], image: ImageReference) -> list[str]:
    """What a node asks once the Machine Config Operator has written `registries.conf`."""
    tables: dict[str, dict[str, Any]] = {}
    bodies = [one.value for path in sorted(files) if path.endswith(".yaml") for one in load_documents(files[path])]
    for body in cast("list[dict[str, Any]]", bodies):
        field, kind = _SETS.get(body["kind"], ("", ""))
        for entry in body.get("spec", {}).get(field, []):
            source = entry["source"]
            table = tables.setdefault(source, {"prefix": source, "location": source, "mirror": []})
            table["mirror"] += [{"location": place, "pull-from-mirror": kind} for place in entry.get("mirrors", [])]
            if entry.get("mirrorSourcePolicy") == "NeverContactSource":
                table["blocked"] = True
    return registries_conf.asked_with(list(tables.values()), image)
