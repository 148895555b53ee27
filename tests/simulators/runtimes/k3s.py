"""k3s and RKE2: https://docs.k3s.io/installation/private-registry; github.com/k3s-io/k3s, pkg/agent/containerd.

- The entry of the registry, else `"*"`, counts (`getHostConfigs`).
- `normalizeEndpointAddress`: a path other than `/` and `/v2` is taken as it is, as with `override_path`.
- `rewrite` is Go regular expressions over the repository; only one is applied, and the order of several is not defined.
- The upstream registry is asked at last, unless `disable-default-registry-endpoint` is set in the configuration; that
  counts for registries below `mirrors` only.
- A `registries.yaml` that cannot be read keeps the node from starting: nothing is pulled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from renderer.formats.kubernetes.manifests import YamlError, load_values
from renderer.model.reference import ImageReference
from tests.simulators.runtimes.containerd import asked_below, endpoint


def asked(files: Mapping[str, bytes], image: ImageReference) -> list[str]:
    """What a node asks with `registries.yaml` and the drop-ins of `config.yaml.d`."""
    try:
        mirrors = cast("dict[str, Any]", load_values(files["registries.yaml"])).get("mirrors") or {}
    except YamlError:
        return []
    upstream = asked_below({}, image)
    mirror = mirrors.get(image.registry) or mirrors.get("*")
    if mirror is None:
        return upstream
    urls = []
    for url in mirror.get("endpoint", []):
        path = urlsplit(url).path.rstrip("/")
        whole = path not in {"", "/v2"}
        base = url if whole else url.removesuffix(urlsplit(url).path)
        repositories = _rewritten(mirror.get("rewrite") or {}, image.repository)
        urls += [endpoint(base, image, override_path=whole, repository=name) for name in repositories]
    return urls if _closed(files) else urls + upstream


def _closed(files: Mapping[str, bytes]) -> bool:
    settings: dict[str, Any] = {}
    for path in sorted(files):
        if path.startswith("config.yaml.d/"):
            settings.update(cast("dict[str, Any]", load_values(files[path])))
    return settings.get("disable-default-registry-endpoint") is True


def _rewritten(rules: Mapping[str, str], repository: str) -> list[str]:
    """Every repository that could be asked for, given that any of the matching rules may come first."""
    results = {_replaced(rule, text, repository) for rule, text in rules.items() if re.search(rule, repository)}
    return sorted(results) or [repository]


def _replaced(pattern: str, replacement: str, text: str) -> str:
    """Go's ReplaceAllString: no empty match right behind another; `$1x` is the group named `1x`, which is empty."""

    def expanded(match: re.Match[str]) -> str:
        def group(name: re.Match[str]) -> str:
            key = name[1] or name[2]
            return (match[int(key)] or "") if key.isdigit() and int(key) <= (match.re.groups) else ""

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", group, replacement)

    out, last = "", -1
    position = 0
    for match in re.finditer(pattern, text):
        if match.start() == match.end() == last:
            continue
        out += text[position : match.start()] + expanded(match)
        position = last = match.end()
    return out + text[position:]
