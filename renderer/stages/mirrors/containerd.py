"""containerd: `certs.d/<registry>/hosts.toml` and the setting that makes containerd read it.

Format: containerd docs/hosts.md and docs/cri/registry.md. The URL of a mirror with a path needs `/v2` in it and
`override_path = true`. There is no switch that forbids the upstream registry: without fallback the mirror has to be
the `server` itself, since containerd asks `server` after all `[host]` tables. An empty `[host]` table must be there:
older releases refuse a file without one and then go upstream (https://github.com/containerd/containerd/issues/10027).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.site import Fallback, Site
from renderer.stages.mirrors.texts import text, toml
from renderer.stages.mirrors.traps import never_upstream, one_directory

CERTS: Final = "/etc/containerd/certs.d"
_UPSTREAM: Final = {"docker.io": "registry-1.docker.io"}
_CONFIGS: Final = {1: ("config-1.x.toml", "1.x"), 2: ("config-2.x.toml", "2.x")}


def containerd_files(
    plan: MirrorPlan, site: Site, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/containerd/`. `values` is what all templates of `mirrors/` get."""
    own = host_directory(plan.host)
    ca_path = f"{CERTS}/{own}/ca.crt" if plan.ca else None
    yield from hosts_files(plan, {**values, "ca_path": ca_path}, templates)
    if plan.ca:
        yield f"certs.d/{own}/ca.crt", plan.ca
    version = site.cluster.runtime_version
    configs = [entry for major, entry in _CONFIGS.items() if version is None or (major == 1) == (version.major == 1)]
    for file, _ in configs:
        name = f"containerd/{file}"
        config = toml(name, {**values, "certs_directory": CERTS}, templates)
        one_directory(name, config)
        yield file, config
    guide: dict[str, Json] = {
        **values,
        "ca_path": ca_path,
        "certs_directory": CERTS,
        "registry_directory": own,
        "configs": [{"file": file, "versions": versions} for file, versions in configs],
    }
    yield "README.md", text("containerd/README.md", guide, templates)


def hosts_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """`certs.d/<registry>/hosts.toml` for every mirror and for the site registry. `values` has `ca_path`, too."""
    for mirror in plan.mirrors:
        known: dict[str, Json] = {
            **values,
            "source": "every registry without a directory of its own" if mirror.source == "*" else mirror.source,
            "mirror_url": f"{plan.scheme}://{plan.host}/v2/{mirror.project}",
            # In the directory for everything else there is no upstream to name: containerd takes the image's own.
            "upstream_url": None if mirror.source == "*" else f"https://{_UPSTREAM.get(mirror.source, mirror.source)}",
        }
        content = toml("containerd/hosts.toml", known, templates)
        if plan.fallback is Fallback.NEVER:
            never_upstream("containerd/hosts.toml", content, plan.host)
        yield f"certs.d/{host_directory(mirror.source)}/hosts.toml", content
    yield (
        f"certs.d/{host_directory(plan.host)}/hosts.toml",
        toml("containerd/registry-host.toml", values, templates),
    )


def host_directory(host: str) -> str:
    """The directory that containerd looks into first for `host`: `host_port_`, and `_default` for all the rest."""
    name, colon, port = host.rpartition(":")
    if host == "*":
        return "_default"
    return f"{name}_{port}_" if colon and port.isdigit() else host
