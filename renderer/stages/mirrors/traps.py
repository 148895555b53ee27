"""What a template of a site may not write, since a node would then ask the internet without a word.

The shipped templates hold all of this; a template that replaces one of them must, too. Rules: containerd
core/remotes/docker/config/hosts.go for `hosts.toml`, https://github.com/containerd/containerd/issues/12636 for
`config_path`, openshift/runtime-utils pkg/registries for mirror sets.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from renderer.formats.templates.site_templates import unusable


def never_upstream(name: str, content: bytes, host: str) -> None:
    """Refuse a `hosts.toml` that leads to another host than `host`, or to a wrong path there. Raises InputError."""
    config = tomllib.loads(content.decode())
    if "server" not in config:
        raise unusable(f"mirrors/{name}.j2", "without `server` containerd asks the upstream registry at last")
    if "host" not in config:
        raise unusable(f"mirrors/{name}.j2", "older releases of containerd 1.x refuse a file without a `[host]` table")
    tables = [*config["host"].items(), (config["server"], config)]
    for url, table in tables:
        parts = urlsplit(str(url))
        if parts.netloc != host:
            raise unusable(f"mirrors/{name}.j2", f"it lets nodes ask `{url}`, although the profile says never")
        if parts.path.strip("/") and not (parts.path.startswith("/v2/") and table.get("override_path") is True):
            reason = f"containerd asks `{url}` rightly only with `/v2/` before its path and `override_path = true`"
            raise unusable(f"mirrors/{name}.j2", reason)
        if "resolve" not in table.get("capabilities", ["resolve"]):
            raise unusable(f"mirrors/{name}.j2", f"without `resolve` no tag is looked up at `{url}`")


def one_directory(name: str, content: bytes) -> None:
    """Refuse a `config.toml` whose `config_path` names several directories. Raises InputError."""
    for path in _values(tomllib.loads(content.decode()), "config_path"):
        if ":" in str(path):
            reason = f'`config_path = "{path}"` names several directories; containerd 2.1 and later then uses no mirror'
            raise unusable(f"mirrors/{name}.j2", reason)


def same_sources(digests: Mapping[str, Any], tags: Mapping[str, Any]) -> None:
    """Refuse mirror sets that leave tags or digests of a source out, or let nodes ask it. Raises InputError."""
    name = "mirrors/openshift/image-tag-mirror-set.yaml.j2"
    by_digest = _policies(digests, "imageDigestMirrors")
    by_tag = _policies(tags, "imageTagMirrors")
    for source, policy in sorted({**by_digest, **by_tag}.items()):
        if source not in by_tag or source not in by_digest:
            kind = "tag" if source in by_digest else "digest"
            raise unusable(name, f"`{source}` has no mirror by {kind}: CRI-O says that the registry is blocked")
        if policy != "NeverContactSource" or by_digest[source] != policy:
            raise unusable(name, f"`{source}` needs `mirrorSourcePolicy: NeverContactSource`: nodes ask it otherwise")


def _policies(body: Mapping[str, Any], field: str) -> dict[str, object]:
    return {one["source"]: one.get("mirrorSourcePolicy") for one in body["spec"].get(field, [])}


def _values(value: Any, key: str) -> Iterator[Any]:
    """Every value of `key`, at any depth."""
    for name, below in value.items() if isinstance(value, dict) else ():
        if name == key:
            yield below
        yield from _values(below, key)
