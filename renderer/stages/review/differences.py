"""The difference of two JSON values, field by field, as a person would tell it.

Lists of named things (containers, ports, environment variables, rules of a webhook) are matched by their name and not
by their place, so that one container more does not look like all of them changed.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from renderer.model.fields import Json, spell_path
from renderer.model.trees.change import FieldChange

_NAMES: Final = ("name", "mountPath", "containerPort", "port", "key", "type", "topologyKey", "host", "path", "ip")
_ABSENT: Final = object()


def differences(before: Json, after: Json, path: str = "") -> Iterator[FieldChange]:
    """Every field that differs, in path order. Equal values yield nothing; `1` and `true` are not equal."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys()):
            yield from _member(before.get(key, _ABSENT), after.get(key, _ABSENT), _below(path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif type(before) is not type(after) or before != after:
        yield FieldChange(path=path, before=before, after=after)


def _member(before: object, after: object, path: str) -> Iterator[FieldChange]:
    if before is _ABSENT or after is _ABSENT:
        known = tuple(None if value is _ABSENT else cast("Json", value) for value in (before, after))
        yield FieldChange(path=path, before=known[0], after=known[1])
    else:
        yield from differences(cast("Json", before), cast("Json", after), path)


def _lists(before: list[Json], after: list[Json], path: str) -> Iterator[FieldChange]:
    name = _naming_field(before, after)
    if name is not None:
        yield from _named(before, after, name, path)
    elif all(not isinstance(item, dict | list) for item in (*before, *after)):
        if _spelled(before) != _spelled(after):
            yield FieldChange(path=path, before=before, after=after)
    else:
        yield from _aligned(before, after, path)


def _naming_field(before: Sequence[Json], after: Sequence[Json]) -> str | None:
    """The field that names the items of both lists: in every item a plain value, in each list none twice."""
    items = [*before, *after]
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    for name in _NAMES:
        sides = [[cast("dict[str, Json]", item).get(name) for item in side] for side in (before, after)]
        plain = all(isinstance(value, str | int) for values in sides for value in values)
        if plain and all(len(set(map(repr, values))) == len(values) for values in sides):
            return name
    return None


def _named(before: list[Json], after: list[Json], name: str, path: str) -> Iterator[FieldChange]:
    old, new = ({str(cast("dict[str, Json]", item)[name]): item for item in side} for side in (before, after))
    for key in sorted(old.keys() | new.keys()):
        yield from _member(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{path}[{name}={key}]")
    kept_old, kept_new = [key for key in old if key in new], [key for key in new if key in old]
    if kept_old != kept_new:
        yield FieldChange(path=f"{path} (order)", before=list[Json](kept_old), after=list[Json](kept_new))


def _aligned(before: list[Json], after: list[Json], path: str) -> Iterator[FieldChange]:
    """Lists without names: what is equal is aligned, what was replaced is compared pair by pair."""
    matcher = difflib.SequenceMatcher(None, _spelled(before), _spelled(after), autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = min(end - start, new_end - new_start)
        for offset in range(pairs):
            yield from differences(before[start + offset], after[new_start + offset], f"{path}[{new_start + offset}]")
        for index in range(start + pairs, end):
            yield FieldChange(path=f"{path}[{index}]", before=before[index], after=None)
        for index in range(new_start + pairs, new_end):
            yield FieldChange(path=f"{path}[{index}]", before=None, after=after[index])


def _spelled(items: Sequence[Json]) -> list[str]:
    return [json.dumps(item, sort_keys=True) for item in items]


def _below(path: str, key: str) -> str:
    spelled = spell_path((key,))
    return spelled if not path else f"{path}{spelled}" if spelled.startswith("[") else f"{path}.{spelled}"
