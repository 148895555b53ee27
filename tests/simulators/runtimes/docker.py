"""Docker Engine: github.com/moby/moby, daemon/hosts.go and daemon/pkg/registry/service_v2.go.

- 29 and later with the containerd image store: containerd's files below /etc/docker/certs.d, for every registry.
- Before: `registry-mirrors` of daemon.json, for docker.io only; `/v2` goes behind a path; the upstream registry is
  always asked at last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from renderer.model.reference import ImageReference
from tests.simulators.runtimes.containerd import asked_below, endpoint


def asked(files: Mapping[str, bytes], image: ImageReference, *, major: int = 29) -> list[str]:
    """What a node asks whose Docker has release `major`."""
    settings = json.loads(files["daemon.json"])
    if major >= 29 and settings.get("features", {}).get("containerd-snapshotter", True):
        tree = {name.removeprefix("certs.d/"): text for name, text in files.items() if name.startswith("certs.d/")}
        return asked_below(tree, image)
    mirrors = settings.get("registry-mirrors", []) if image.registry == "docker.io" else []
    return [endpoint(url, image, override_path=False) for url in mirrors] + asked_below({}, image)
