"""CRI-O, Podman, skopeo: containers-registries.conf(5); github.com/containers/image, pkg/sysregistriesv2 and
docker/docker_image_src.go.

- `FindRegistry`: the table with the longest prefix that matches at a `/`, `:` or `@` counts, and only that one;
  `*.example.com` matches hosts below example.com; a table without `prefix` has its `location` for one.
- `PullSourcesFromReference`: the usable mirrors in order, then the registry itself. `pull-from-mirror` of a mirror is
  `all`, `digest-only` or `tag-only`; `mirror-by-digest-only` of a table is `digest-only` for all of them.
- A blocked registry is never asked, but its mirrors are, unless their own table is blocked.
- Text that is not TOML is an error: nothing is pulled at all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from renderer.model.reference import ImageReference
from tests.simulators.runtimes.containerd import version

Table = Mapping[str, Any]


def asked(files: Mapping[str, bytes], image: ImageReference) -> list[str]:
    """What a node asks with these drop-ins; a later file replaces a table of the same prefix."""
    tables: dict[str, Table] = {}
    for path in sorted(files):
        if path.endswith(".conf"):
            try:
                config = tomllib.loads(files[path].decode())
            except ValueError:
                return []
            tables.update({_prefix(table): table for table in config.get("registry", [])})
    return asked_with(list(tables.values()), image)


def asked_with(tables: Sequence[Table], image: ImageReference) -> list[str]:
    """What is asked with these `[[registry]]` tables."""
    table = _table(tables, image.name)
    if table is None:
        return [_url(image.name, image)]
    prefix, rest = _prefix(table), image.name.removeprefix(_prefix(table))
    names = [mirror["location"] + rest for mirror in table.get("mirror", []) if _usable(table, mirror, image)]
    names.append(image.name if prefix.startswith("*.") else table.get("location", prefix) + rest)
    return [_url(name, image) for name in names if not (_table(tables, name) or {}).get("blocked", False)]


def _usable(table: Table, mirror: Table, image: ImageReference) -> bool:
    kind = "digest-only" if table.get("mirror-by-digest-only") else mirror.get("pull-from-mirror", "all")
    return bool(kind == "all" or kind == ("digest-only" if image.digest else "tag-only"))


def _table(tables: Sequence[Table], name: str) -> Table | None:
    matching = [table for table in tables if _matches(_prefix(table), name)]
    return max(matching, key=lambda table: len(_prefix(table)), default=None)


def _prefix(table: Table) -> str:
    return str(table.get("prefix") or table["location"])


def _matches(prefix: str, name: str) -> bool:
    if prefix.startswith("*."):
        return name.partition("/")[0].partition(":")[0].endswith(prefix[1:])
    return name.startswith(prefix) and name[len(prefix) : len(prefix) + 1] in {"", "/", ":", "@"}


def _url(name: str, image: ImageReference) -> str:
    host, _, repository = name.partition("/")
    real = "registry-1.docker.io" if host == "docker.io" else host
    return f"https://{real}/v2/{repository}/manifests/{version(image)}"
