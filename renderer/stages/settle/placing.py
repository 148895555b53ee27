"""Putting values into the fields and lines that generated values name."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

from renderer.model.fields import Json, read_path

_LINE_VALUE = re.compile(r"(\s*(?:- )?[^\s:]+:\s+)")
_LINE = re.compile(r"#[0-9]+\Z")


def with_value(body: dict[str, Json], path: str, value: Json) -> dict[str, Json]:
    """The body with the field (or the line of a text) at `path` replaced; unchanged where nothing leads there."""
    place, _, line = path.rpartition("#") if _LINE.search(path) else (path, "", "")
    steps = read_path(place)
    return cast("dict[str, Json]", _put(body, steps, value, int(line or 0))) if steps else body


def renamed(value: Json, old: str, new: str) -> Json:
    """The value with one name for another in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: renamed(below, old, new) for key, below in value.items()}
    return [renamed(below, old, new) for below in value] if isinstance(value, list) else value


def _put(below: Json, steps: Sequence[str | int], value: Json, line: int) -> Json:
    if not steps:
        return _with_line(below, line, value) if line and isinstance(below, str) else value
    step, *rest = steps
    if isinstance(below, dict) and isinstance(step, str) and (step in below or not rest):
        return {**below, step: _put(below.get(step), rest, value, line)}
    if isinstance(below, list) and isinstance(step, int) and step < len(below):
        return [*below[:step], _put(below[step], rest, value, line), *below[step + 1 :]]
    return below


def _with_line(text: str, number: int, value: Json) -> str:
    """The text with what stands behind the first `key:` of one line replaced, or the whole line."""
    lines = text.split("\n")
    if number <= len(lines):
        start = _LINE_VALUE.match(lines[number - 1])
        lines[number - 1] = (start[1] if start else "") + (value if isinstance(value, str) else json.dumps(value))
    return "\n".join(lines)
