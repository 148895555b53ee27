"""Templates of `mirrors/` -> files that the runtime is known to be able to read.

containerd ignores a file that it cannot parse without a word and asks the upstream registry instead, so a broken
template of a site must fail here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from renderer.formats.manifests import YamlError, load_values
from renderer.formats.site_templates import render_named, unusable
from renderer.model.fields import Json


def text(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The template `mirrors/<name>.j2`, rendered. Raises InputError."""
    return render_named(f"mirrors/{name}.j2", values, templates).encode()


def toml(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The same, and it is TOML. Raises InputError."""
    content = text(name, values, templates)
    try:
        tomllib.loads(content.decode())
    except tomllib.TOMLDecodeError as error:
        raise unusable(f"mirrors/{name}.j2", f"a node could not read its text as TOML: {error}") from error
    return content


def yaml(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The same, and it is one YAML mapping. Raises InputError."""
    content = text(name, values, templates)
    try:
        if not isinstance(load_values(content, strict_keys=True), dict):
            raise unusable(f"mirrors/{name}.j2", "its text is no YAML mapping")
    except YamlError as error:
        raise unusable(f"mirrors/{name}.j2", f"a node could not read its text as YAML: {error}") from error
    return content
