"""Putting values into the fields and lines that generated values name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import cast

from renderer.model.fields import Json, read_path
from renderer.model.generated.lines import split_line, split_path


def with_value(body: dict[str, Json], path: str, value: Json) -> dict[str, Json]:
    """The body with the field (or the line of a text) at `path` replaced; unchanged where nothing leads there."""
    place, number, whole = split_path(path)
    steps = read_path(place)
    if not steps:
        return body

    def changed(before: Json) -> Json:
        return _with_line(before, number, value, whole=whole) if number and isinstance(before, str) else value

    return cast("dict[str, Json]", _put(body, steps, changed))


def without(body: dict[str, Json], path: str) -> dict[str, Json]:
    """The body without the field at `path`; unchanged where nothing leads there."""
    *above, last = read_path(split_path(path)[0]) or ("",)

    def changed(before: Json) -> Json:
        return {key: value for key, value in before.items() if key != last} if isinstance(before, dict) else before

    return cast("dict[str, Json]", _put(body, above, changed))


def _put(below: Json, steps: Sequence[str | int], change: Callable[[Json], Json]) -> Json:
    if not steps:
        return change(below)
    step, *rest = steps
    if isinstance(below, dict) and isinstance(step, str) and (step in below or not rest):
        return {**below, step: _put(below.get(step), rest, change)}
    if isinstance(below, list) and isinstance(step, int) and step < len(below):
        return [*below[:step], _put(below[step], rest, change), *below[step + 1 :]]
    return below


def _with_line(text: str, number: int, value: Json, *, whole: bool) -> str:
    """The text with what stands behind the key of one line replaced, or the whole line."""
    lines = text.split("\n")
    if number <= len(lines):
        start = "" if whole else split_line(lines[number - 1])[0]
        lines[number - 1] = start + (value if isinstance(value, str) else json.dumps(value))
    return "\n".join(lines)
