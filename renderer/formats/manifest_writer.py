"""Kubernetes YAML, written: canonical, and read as the same value by every YAML reader.

The same value always gives the same bytes: sorted keys, two spaces, lists at the column of their key, no folding.
Text that any YAML 1.1 or 1.2 reader (go-yaml v2 above all) could take for something else is quoted, keys too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderer.formats.yaml_quoting import double_quoted, has_hidden, needs_quotes
from renderer.formats.yaml_scalars import INT64_MAX, INT64_MIN, kubernetes_number
from renderer.model.fields import Json, kind_of

__all__ = ["UnwritableError", "dump", "dump_manifest"]

_FIRST: Final = ("apiVersion", "kind", "metadata")
_FIRST_OF_METADATA: Final = ("name", "namespace", "labels", "annotations")
_LONGEST_SIMPLE_KEY: Final = 900
"""Characters of a key that may stand on one line with its value; YAML readers give up at 1,024."""
_CACHED_TEXTS: Final = 50_000
_LONGEST_CACHED: Final = 120


class UnwritableError(ValueError):
    """A value that no Kubernetes YAML can express: not JSON, an infinity, half a character, nested without end."""


class _Tokens(dict[str, str]):
    """One-line spellings of texts, remembered: the same few thousand texts repeat in every stream."""

    def __missing__(self, text: str) -> str:
        if type(text) is not str:
            raise UnwritableError(f"the key of a mapping must be a string, not {kind_of(text)}")
        try:
            token = double_quoted(text) if needs_quotes(text) else text
        except ValueError as error:
            raise UnwritableError(str(error)) from None
        if len(text) <= _LONGEST_CACHED:
            if len(self) >= _CACHED_TEXTS:
                self.clear()
            self[text] = token
        return token


_TOKENS: Final = _Tokens()


def dump(value: Json) -> str:
    """One canonical YAML document for any JSON value, with sorted keys and a line feed at the end.

    Raises UnwritableError.
    """
    out: list[str] = []
    try:
        if isinstance(value, Mapping) and value:
            _mapping(value, "", "", out)
        elif isinstance(value, list | tuple) and value:
            _list(value, "", "", out)
        else:
            out.append(_scalar(value))
    except RecursionError:
        raise UnwritableError("the value is nested too deeply") from None
    return "\n".join(out) + "\n"


def dump_manifest(body: Mapping[str, Json]) -> bytes:
    """One Kubernetes object as canonical YAML in UTF-8, in the order people expect.

    `apiVersion`, `kind` and `metadata` (with `name`, `namespace`, `labels`, `annotations`) come first, the rest is
    sorted. Raises UnwritableError.
    """
    ordered: dict[str, Json] = _led_by(_FIRST, body)
    metadata = ordered.get("metadata")
    out: list[str] = []
    try:
        for key, value in ordered.items():
            if key == "metadata" and isinstance(metadata, Mapping) and metadata:
                out.append("metadata:")
                _entries(list(_led_by(_FIRST_OF_METADATA, metadata).items()), "  ", "  ", out)
            else:
                _entries([(key, value)], "", "", out)
    except RecursionError:
        raise UnwritableError("the value is nested too deeply") from None
    return ("\n".join(out) + "\n" if out else "{}\n").encode()


def _led_by(first: tuple[str, ...], content: Mapping[str, Json]) -> dict[str, Json]:
    ordered = {key: content[key] for key in first if key in content}
    ordered.update((key, content[key]) for key in _sorted_keys(content) if key not in ordered)
    return ordered


def _sorted_keys(content: Mapping[str, Json]) -> list[str]:
    try:
        return sorted(content)
    except TypeError:
        raise UnwritableError("the keys of a mapping must be strings") from None


def _mapping(content: Mapping[str, Json], lead: str, indent: str, out: list[str]) -> None:
    """Write a non-empty mapping; `lead` stands before its first key, `indent` before the others."""
    _entries([(key, content[key]) for key in _sorted_keys(content)], lead, indent, out)


def _entries(entries: list[tuple[str, Json]], lead: str, indent: str, out: list[str]) -> None:
    tokens = _TOKENS
    for key, value in entries:
        kind = type(value)
        head = f"{lead}{tokens[key]}:"
        if len(head) - len(lead) > _LONGEST_SIMPLE_KEY:
            head = f"{lead}? {head[len(lead) : -1]}\n{indent}:"
        lead = indent
        if kind is str:
            if "\n" in value:  # type: ignore[operator]
                out.append(f"{head} {_text(value, indent)}")  # type: ignore[arg-type]
            else:
                out.append(f"{head} {tokens[value]}")  # type: ignore[index]
        elif kind is dict or isinstance(value, Mapping):
            if value:
                out.append(head)
                below = f"{indent}  "
                _mapping(value, below, below, out)  # type: ignore[arg-type]
            else:
                out.append(f"{head} {{}}")
        elif isinstance(value, list | tuple):
            if value:
                out.append(head)
                _list(value, indent, indent, out)
            else:
                out.append(f"{head} []")
        else:
            out.append(f"{head} {_scalar(value)}")


def _list(items: list[Json] | tuple[Json, ...], lead: str, indent: str, out: list[str]) -> None:
    """Write a non-empty list; `lead` stands before its first dash, `indent` before the others."""
    tokens = _TOKENS
    below = f"{indent}  "
    for item in items:
        kind = type(item)
        if kind is str and "\n" not in item:  # type: ignore[operator]
            out.append(f"{lead}- {tokens[item]}")  # type: ignore[index]
        elif kind is str:
            out.append(f"{lead}- {_text(item, indent)}")  # type: ignore[arg-type]
        elif item and isinstance(item, Mapping):
            _mapping(item, f"{lead}- ", below, out)
        elif item and isinstance(item, list | tuple):
            _list(item, f"{lead}- ", below, out)
        else:
            out.append(f"{lead}- {_scalar(item)}")
        lead = indent


def _text(text: str, indent: str) -> str:
    """Text of several lines as a literal block below `indent`, or between double quotes where none can hold it."""
    body = text.rstrip("\n")
    lines = body.split("\n")
    first = next((line for line in lines if line), "")
    if not first.strip(" \t") or not lines[-1].strip(" \t") or has_hidden(body):
        return _TOKENS[text]
    # A block tells its depth by its first line, unless that one begins with white space itself.
    depth = "2" if first[0] in " \t" else ""
    feeds = len(text) - len(body)
    chomp = "-" if feeds == 0 else "" if feeds == 1 else "+"
    below = f"{indent}  "
    block = "\n".join(f"{below}{line}" if line else "" for line in lines)
    return f"|{depth}{chomp}\n{block}" + "\n" * max(0, feeds - 1)


def _scalar(value: Json) -> str:
    """Anything that fits one line: text, numbers, the named values and empty containers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _TOKENS[str(value)]
    if isinstance(value, int):
        if not INT64_MIN <= value <= INT64_MAX and not _survives_as_float(value):
            raise UnwritableError(f"{value} is outside 64 bits; Kubernetes would read another number")
        return int.__repr__(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise UnwritableError(f"a value of type `{type(value).__name__}` is not JSON")


def _survives_as_float(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _float(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        raise UnwritableError(f"`{value}` is not a JSON number; Kubernetes refuses it")
    number = kubernetes_number(value)
    text = repr(number)
    # YAML 1.1 readers take `1e+16` for text: a float needs its dot there.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
