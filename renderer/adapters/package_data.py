"""What ships inside the package: JSON schemas and templates.

In a wheel they lie below `renderer/_data`; in a source checkout beside the package. What is no directory, such as an
installation in a zip file, is read through `importlib.resources`, which takes its time to load.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import renderer
from renderer.model.fields import Json
from renderer.model.trees.tree import RelativePath

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["Templates", "schema", "schema_names", "template", "template_names"]

_SCHEMA = ".json"


@cache
def schema(name: str) -> dict[str, Json]:
    """The JSON schema `name`, such as `site.v1`. Raises KeyError when there is none. Do not change it in place."""
    text = _text("schemas", f"{name}{_SCHEMA}")
    return cast("dict[str, Json]", json.loads(text))


def schema_names() -> tuple[str, ...]:
    """The names of all schemas, sorted."""
    return tuple(sorted(name.removesuffix(_SCHEMA) for name in _names(_root("schemas"), "") if name.endswith(_SCHEMA)))


@cache
def template(path: str) -> str:
    """The text of one template, by its path below `templates`. Raises KeyError when there is none."""
    return _text("templates", path)


def template_names(prefix: str = "") -> tuple[str, ...]:
    """The paths of all templates that begin with `prefix`, sorted."""
    return tuple(sorted(name for name in _names(_root("templates"), "") if name.startswith(prefix)))


class Templates(Mapping[str, str]):
    """All shipped templates by path; each is read when it is asked for."""

    def __getitem__(self, path: str) -> str:
        return template(path)

    def __iter__(self) -> Iterator[str]:
        return iter(template_names())

    def __len__(self) -> int:
        return len(template_names())


def _text(directory: str, path: str) -> str:
    try:
        found = _root(directory).joinpath(*RelativePath(path).text.split("/"))
        return found.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise KeyError(f"the package holds no `{directory}/{path}`") from None


def _root(directory: str) -> Traversable:
    package: Traversable = Path(renderer.__file__).parent
    if not package.is_dir():
        from importlib.resources import files

        package = files("renderer")
    shipped = package / "_data" / directory
    if shipped.is_dir():
        return shipped
    return Path(str(package)).parent / directory


def _names(directory: Traversable, prefix: str) -> Iterator[str]:
    if not directory.is_dir():
        return
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _names(entry, f"{prefix}{entry.name}/")
        elif not entry.name.startswith("."):
            yield f"{prefix}{entry.name}"
