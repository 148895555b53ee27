"""What the property tests draw: JSON values, text that YAML readers fall over, and YAML as it might be written."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import strategies as st

from renderer.model.fields import Json

_DATA = Path(__file__).parent.parent / "data" / "yaml"
_LONG = ("a" * 120, "a" * 130, "k" * 1100, "1" * 400, "中" * 700)

TRAPS: tuple[str, ...] = (*json.loads((_DATA / "traps.json").read_text(encoding="utf-8")), *_LONG)
"""Text that some YAML reader takes for something else, or that a writer spells wrongly."""

texts = st.one_of(
    st.sampled_from(TRAPS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text("abn:#-?!&*|>%@`'\"[]{},=<~. \t\n0123456789eExXoO_+\r\x85\u2028", max_size=10),
    st.from_regex(r"[-+.]?[0-9_]{0,4}[.:xobeE+-]?[0-9_a-f]{0,4}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
    st.lists(st.sampled_from(TRAPS), min_size=2, max_size=3).map("\n".join),
)
integers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-20, 20))
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(st.none(), st.booleans(), integers, floats, texts)
json_values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(texts, below, max_size=4)),
    max_leaves=12,
)
json_objects = st.dictionaries(texts, json_values, max_size=4)

_PLAIN = st.one_of(
    st.sampled_from([trap for trap in TRAPS if trap and not set(trap) & set("\n\r\t\x00") and trap == trap.strip()]),
    st.from_regex(r"[-+.]?[0-9_]{0,4}[.:xobeE+-]?[0-9_a-f]{0,4}([eE][-+]?[0-9]{1,3})?", fullmatch=True),
)
_TAGGED = st.tuples(
    st.sampled_from(
        ["!!str", "!!int", "!!float", "!!bool", "!!null", "!!binary", "!!timestamp", "!", "!a", "&a", "&b"]
    ),
    _PLAIN,
).map(" ".join)
_QUOTED = st.text("ab \\\"'/nxu0é\n:#-", max_size=6).map(lambda text: f'"{text}"')
_SINGLE = st.text("ab \\\"'/n é\n:#-", max_size=6).map(lambda text: f"'{text}'")
_NODES = st.one_of(
    _PLAIN, _PLAIN, _TAGGED, _QUOTED, _SINGLE, st.sampled_from(["*a", "*b", "", "|\n  a\n  b", ">-\n  a\n\n  b"])
)


def _flow(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(st.one_of(_NODES, st.just("<<")), below).map(": ".join)
    return st.one_of(
        st.lists(below, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(pairs, max_size=3).map(lambda items: f"{{{', '.join(items)}}}"),
    )


_VALUES = st.recursive(_NODES, _flow, max_leaves=5)
_LINES = st.tuples(
    st.sampled_from(["", "", "", "  ", "- ", "  - "]),
    st.one_of(_NODES, st.sampled_from(["a", "b", "c", "<<", "? a", "&a k", "&b k", "*a ", "*b "])),
    st.sampled_from([": ", ": ", ": ", ":", " : ", ":\n    ", ": &a ", ": !!str "]),
    _VALUES,
    st.sampled_from(["", "", "", " # note", "#", " "]),
).map("".join)
_ANCHORS = st.sampled_from(["", "", "x: [&a {k: 1, <<: {q: 2}}, &b 012]\n", "x: &b [&a yes]\n"])
_DISTINCT = st.lists(_LINES, min_size=1, max_size=4).map("\n".join)
_INDENTED = st.tuples(_PLAIN | _QUOTED | _SINGLE, _VALUES).map(lambda pair: f"{pair[0]}: {pair[1]}")
_ORDERLY = st.lists(_INDENTED, min_size=1, max_size=4).map("\n".join)
yaml_texts = st.tuples(_ANCHORS, _DISTINCT | _ORDERLY | _ORDERLY).map("".join)
"""Text that looks like YAML and often is."""


def same_json(one: object, other: object) -> bool:
    """Whether two values are the same JSON: numbers by value as a float has it, booleans are no numbers."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    return type(one) is type(other) and one == other
