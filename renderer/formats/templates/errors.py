"""What is wrong with a template, said for the person who wrote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.model.fields import Json

_UNDEFINED: Final = re.compile(r"'([^']+)' is undefined|has no attribute '([^']+)'")


class TemplateError(ValueError):
    """A template that cannot be rendered. `line` counts from 1; None when there is no single place."""

    def __init__(self, name: str, line: int | None, message: str) -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message)
        self.name = name
        self.line = line
        self.message = message


def place_of(error: BaseException, name: str) -> tuple[str, int | None]:
    """The innermost template and line that the error passed through."""
    place: tuple[str, int | None] = (name, None)
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            place = (template.name, template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return place


def message_of(error: BaseException, values: Mapping[str, Json]) -> str:
    """One sentence; for a name that is not there, the names that are nearest to it."""
    text = str(error) or type(error).__name__
    missing = _UNDEFINED.search(text)
    if missing is None:
        return text
    wanted = missing[1] or missing[2]
    near = difflib.get_close_matches(wanted, sorted(set(_keys(values, 0)) - {wanted}), n=3)
    did_you_mean = f"; did you mean {' or '.join(f'`{one}`' for one in near)}?" if near else ""
    return f"`{wanted}` is not defined{did_you_mean}"


def _keys(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping) and depth < 6:
        for key, below in value.items():
            yield str(key)
            yield from _keys(below, depth + 1)
