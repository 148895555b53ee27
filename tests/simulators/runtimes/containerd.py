"""containerd: https://github.com/containerd/containerd, core/remotes/docker/config/hosts.go (v2.1; 1.x where said).

- `hostPaths`: the first directory that exists of `host_port_`, `host:port`, `_default` counts.
- `loadHostDir`: a file that cannot be parsed is logged and skipped; what is left is the upstream registry.
- `parseHostsFile`: 1.x before https://github.com/containerd/containerd/issues/10027 refuses a file without `[host]`.
- `parseHostConfig`: without `override_path`, `/v2` goes behind the path; an unknown capability is an error.
- `ConfigureHosts`: all `[host]` tables in order, then `server`; without `server` the upstream registry, which is
  registry-1.docker.io for docker.io.
- `dockerResolver.Resolve`: a digest needs `pull`, a tag `pull` and `resolve`.
- `config_path`: the CRI plugin of 1.x splits it at `:`, the transfer service of 2.1 and later does not (issue 12636).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from renderer.model.reference import ImageReference

CERTS = "/etc/containerd/certs.d"
_SECTIONS = ("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri")
_CAPABILITIES = {"pull", "resolve", "push", "referrers"}


def asked(files: Mapping[str, bytes], image: ImageReference, *, major: int = 2) -> list[str]:
    """What a node asks whose config.toml is `config-<major>.x.toml`, with `certs.d` in /etc/containerd."""
    config = tomllib.loads(files[f"config-{major}.x.toml"].decode())
    paths = [config["plugins"][name]["registry"]["config_path"] for name in _SECTIONS if name in config["plugins"]]
    places = paths[0].split(":") if major == 1 else paths
    if CERTS not in places:
        return [_upstream(image)]
    tree = {path.removeprefix("certs.d/"): content for path, content in files.items() if path.startswith("certs.d/")}
    return asked_below(tree, image, needs_host_table=major == 1)


def asked_below(files: Mapping[str, bytes], image: ImageReference, *, needs_host_table: bool = False) -> list[str]:
    """What is asked with these files below the directory of hosts (`docker.io/hosts.toml`)."""
    host, _, port = image.registry.partition(":")
    directories = [f"{host}_{port}_" if port else host, image.registry, "_default"]
    there = {path.partition("/")[0] for path in files}
    directory = next((name for name in directories if name in there), None)
    try:
        config = tomllib.loads(files[f"{directory}/hosts.toml"].decode())
        if needs_host_table and "host" not in config:
            raise ValueError("invalid `host` tree")
        return list(_urls(config, image))
    except (KeyError, ValueError):
        return [_upstream(image)]


def _urls(config: Mapping[str, Any], image: ImageReference) -> Iterator[str]:
    tables = [*config.get("host", {}).items(), (config.get("server"), config)]
    wanted = {"pull"} if image.digest else {"pull", "resolve"}
    for url, table in tables:
        able = set(table.get("capabilities", _CAPABILITIES))
        if not able <= _CAPABILITIES:
            raise ValueError("unknown capability")
        if url is None:
            yield _upstream(image)
        elif wanted <= able:
            yield endpoint(url, image, override_path=table.get("override_path", False))


def endpoint(url: str, image: ImageReference, *, override_path: bool, repository: str | None = None) -> str:
    """The manifest URL of `image` at one endpoint."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    path = parts.path.rstrip("/") if override_path else f"{parts.path.rstrip('/')}/v2"
    return f"{parts.scheme}://{parts.netloc}{path}/{repository or image.repository}/manifests/{version(image)}"


def version(image: ImageReference) -> str:
    """What a runtime asks for: the digest where there is one, else the tag."""
    return str(image.digest or image.tag)


def _upstream(image: ImageReference) -> str:
    host = "registry-1.docker.io" if image.registry == "docker.io" else image.registry
    return endpoint(f"https://{host}", image, override_path=False)
