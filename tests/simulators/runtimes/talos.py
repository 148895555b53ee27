"""Talos: github.com/siderolabs/talos, internal/pkg/containers/cri/containerd/hosts.go and the configuration reference
(RegistryMirrorConfig; `machine.registries` of v1alpha1).

- Each mirror becomes one `hosts.toml`; `*` becomes `_default`. An endpoint without `overridePath` gets `/v2` behind it.
- `skipFallback` makes the last endpoint the `server`; otherwise the upstream registry is asked at last. Releases before
  1.9 do not know it (https://github.com/siderolabs/talos/pull/9723).
- In documents `overridePath` belongs to an endpoint, in v1alpha1 to the mirror. Unknown fields are refused by Talos:
  the patch is not applied, and the node goes on as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from renderer.formats.kubernetes.manifests import YamlError, load_documents, load_values
from renderer.model.reference import ImageReference
from tests.simulators.runtimes.containerd import asked_below, endpoint

DOCUMENTS, FIELDS = "registries.yaml", "registries-before-1.12.yaml"
_DOCUMENT_FIELDS = {"apiVersion", "kind", "name", "endpoints", "skipFallback"}


def asked(files: Mapping[str, bytes], image: ImageReference) -> list[str]:
    """What a node of 1.12 and later asks."""
    mirrors = {}
    try:
        for document in load_documents(files[DOCUMENTS], strict_keys=True):
            body = cast("dict[str, Any]", document.value)
            if body["kind"] == "RegistryMirrorConfig":
                if not body.keys() <= _DOCUMENT_FIELDS:
                    raise ValueError("unknown keys found during decoding")
                points = [(one["url"], one.get("overridePath", False)) for one in body["endpoints"]]
                mirrors[body["name"]] = (points, body.get("skipFallback", False))
    except (YamlError, ValueError):
        mirrors = {}
    return list(_urls(mirrors, image))


def asked_before_1_12(files: Mapping[str, bytes], image: ImageReference, *, minor: int = 11) -> list[str]:
    """What a node of 1.`minor` asks."""
    mirrors = {}
    machine = cast("dict[str, Any]", load_values(files[FIELDS]))["machine"]
    for name, mirror in (machine["registries"]["mirrors"] or {}).items():
        points = [(url, mirror.get("overridePath", False)) for url in mirror["endpoints"]]
        mirrors[name] = (points, mirror.get("skipFallback", False) and minor >= 9)
    return list(_urls(mirrors, image))


def _urls(mirrors: Mapping[str, tuple[list[tuple[str, bool]], bool]], image: ImageReference) -> Iterator[str]:
    points, closed = mirrors.get(image.registry) or mirrors.get("*") or ([], False)
    for url, override_path in points:
        yield endpoint(url, image, override_path=override_path)
    if not closed:
        yield from asked_below({}, image)
