"""Templates of `mirrors/` -> files that the runtime is known to be able to read.

containerd ignores a file that it cannot parse without a word and asks the upstream registry instead, so a broken
template of a site must fail here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Final

from renderer.formats.canonical_json import parse_json
from renderer.formats.kubernetes.manifests import YamlError, load_documents, load_values
from renderer.formats.templates.site_templates import render_named, unusable
from renderer.model.fields import Json

_JSON_LIMIT: Final = 16 * 1024 * 1024


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


def documents(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The same, and it is a stream of YAML mappings, none of which is empty. Raises InputError."""
    content = text(name, values, templates)
    try:
        found = load_documents(content, strict_keys=True)
    except YamlError as error:
        raise unusable(f"mirrors/{name}.j2", f"a node could not read its text as YAML: {error}") from error
    if not all(isinstance(document.value, dict) for document in found):
        raise unusable(f"mirrors/{name}.j2", "its text must hold nothing but YAML mappings")
    return content


def json_text(name: str, values: Mapping[str, Json], templates: Mapping[str, str]) -> bytes:
    """The same, and it is one JSON object. Raises InputError."""
    content = text(name, values, templates)
    try:
        if not isinstance(parse_json(content, limit=_JSON_LIMIT), dict):
            raise unusable(f"mirrors/{name}.j2", "its text is no JSON object")
    except ValueError as error:
        raise unusable(f"mirrors/{name}.j2", f"a node could not read its text as JSON: {error}") from error
    return content
