"""JSON for machines: one spelling on the way out, strict and bounded on the way in."""

from __future__ import annotations

import json
from typing import Final, NoReturn, cast

from renderer.model.fields import Json

DEPTH_LIMIT: Final = 100


def canonical_json(value: object) -> bytes:
    """`value` as UTF-8 JSON with sorted keys and no white space: equal values give equal bytes.

    Raises ValueError for what JSON cannot say (NaN, infinities).
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse_json(content: bytes, *, limit: int) -> Json:
    """Read UTF-8 JSON of at most `limit` bytes and 100 levels.

    Raises ValueError, also for what other readers may read differently: a key given twice, NaN, lone surrogates.
    """
    if len(content) > limit:
        raise ValueError(f"the document has {len(content)} bytes; {limit} are allowed")
    try:
        text = content.decode()
        value = cast("Json", json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant))
        if "\\u" in text:
            canonical_json(value)  # fails on a lone surrogate
    except UnicodeError as error:
        raise ValueError("the document is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise ValueError(f"the document is nested deeper than {DEPTH_LIMIT} levels") from error
    if _deeper_than(value, DEPTH_LIMIT):
        raise ValueError(f"the document is nested deeper than {DEPTH_LIMIT} levels")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    content = dict(pairs)
    if len(content) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key `{twice}` is given twice")
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


def _deeper_than(value: Json, levels: int) -> bool:
    """True when `value` nests deeper than `levels`; level by level, so that depth costs no stack."""
    layer: list[Json] = [value]
    for _ in range(levels):
        layer = [
            child
            for node in layer
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not layer:
            return False
    return True
