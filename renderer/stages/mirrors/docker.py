"""Docker Engine: `certs.d/<registry>/hosts.toml` for 29 and later, and what `daemon.json` can say.

Rules: moby daemon/hosts.go. `registry-mirrors` counts for docker.io only, a path of it gets `/v2` behind it, and the
upstream registry is always asked at last: it cannot name a project of a registry, so it is never written. Docker 29
with the containerd image store reads containerd's files below /etc/docker/certs.d, for every registry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.stages.mirrors.containerd import hosts_files
from renderer.stages.mirrors.texts import json_text, text

_CERTS: Final = "/etc/docker/certs.d"


def docker_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/docker/`. `values` is what all templates of `mirrors/` get."""
    known: dict[str, Json] = {
        **values,
        "certs_directory": _CERTS,
        # Docker's own pulls and logins look into `host:port`, which containerd's files need not follow.
        "ca_path": f"{_CERTS}/{plan.host}/ca.crt" if plan.ca else None,
    }
    yield from hosts_files(plan, known, templates)
    yield "daemon.json", json_text("docker/daemon.json", known, templates)
    if plan.ca:
        yield "ca.crt", plan.ca
    yield "README.md", text("docker/README.md", known, templates)
