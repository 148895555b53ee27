"""Text in objects: one line as a key and what stands behind it (`token: x`, `- token: x`, `token = x`), and names."""

from __future__ import annotations

import re
from typing import Final

from renderer.model.fields import Json

_KEYED: Final = re.compile(r"(\s*(?:- )?[^\s:=][^:=]*?(?::\s+|\s*=\s*))(.*)\Z", re.DOTALL)


def split_line(line: str) -> tuple[str, str]:
    """What stands before the value, and the value; a line without a key is all value."""
    found = _KEYED.match(line)
    return (found[1], found[2]) if found else ("", line)


def line_key(line: str) -> str:
    """The key of a line; empty when it has none."""
    return split_line(line)[0].strip(" \t-:='\"")


def unquoted(text: str) -> str:
    """The text without the quotes around it."""
    bare = text.strip()
    return bare[1:-1] if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\"" else bare


_LINE: Final = re.compile(r"(#{1,2})([0-9]+)\Z")


def spell_line(field: str, number: int, *, whole: bool) -> str:
    """The path of one line of the text at `field`: `data["app.yaml"]#27`; `##27` for a whole line, without a key."""
    return f"{field}{'##' if whole else '#'}{number}"


def split_path(path: str) -> tuple[str, int, bool]:
    """The field, the number of the line in it (0: none), and whether the whole line is meant and not a value in it."""
    found = _LINE.search(path)
    return (path[: found.start()], int(found[2]), len(found[1]) > 1) if found else (path, 0, False)


def renamed(value: Json, old: str, new: str) -> Json:
    """The value with one name for another in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: renamed(below, old, new) for key, below in value.items()}
    return [renamed(below, old, new) for below in value] if isinstance(value, list) else value
