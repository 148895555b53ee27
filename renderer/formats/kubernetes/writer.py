"""Kubernetes YAML, written: canonical, and read as the same value by every YAML reader.

The same value always gives the same bytes: sorted keys, two spaces, lists at the column of their key, no folding.
Text that any YAML 1.1 or 1.2 reader (go-yaml v2 above all) could take for something else is quoted, keys too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderer.formats.kubernetes.yaml_quoting import double_quoted, has_hidden, needs_quotes
from renderer.formats.kubernetes.yaml_scalars import INT64_MAX, INT64_MIN, kubernetes_number
from renderer.model.fields import Json, kind_of

__all__ = ["UnwritableError", "dump", "dump_manifest"]

_FIRST: Final = ("apiVersion", "kind", "metadata")
_FIRST_OF_METADATA: Final = ("name", "namespace", "labels", "annotations")
_LONGEST_SIMPLE_KEY: Final = 900
"""Characters of a key that may stand on one line with its value; YAML readers give up at 1,024."""
_LONG_KEY: Final = 80
"""Characters of a key that may take more than that when escaped."""
_BLANKS: Final = " \t"
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
    out: list[str] = []
    try:
        for key in _led_by(_FIRST, body):
            value = body[key]
            if key == "metadata" and value and isinstance(value, Mapping):
                out.append("metadata:")
                _entries(value, _led_by(_FIRST_OF_METADATA, value), "  ", "  ", out)
            else:
                _entries(body, [key], "", "", out)
    except RecursionError:
        raise UnwritableError("the value is nested too deeply") from None
    return ("\n".join(out) + "\n" if out else "{}\n").encode()


def _led_by(first: tuple[str, ...], content: Mapping[str, Json]) -> list[str]:
    """The keys of a mapping: those in `first`, then the others sorted."""
    return [*(key for key in first if key in content), *(key for key in _sorted(content) if key not in first)]


def _sorted(content: Mapping[str, Json]) -> list[str]:
    try:
        return sorted(content)
    except TypeError:
        raise UnwritableError("the keys of a mapping must be strings") from None


def _mapping(content: Mapping[str, Json], lead: str, indent: str, out: list[str]) -> None:
    """Write a non-empty mapping; `lead` stands before its first key, `indent` before the others."""
    _entries(content, _sorted(content), lead, indent, out)


def _entries(content: Mapping[str, Json], keys: list[str], lead: str, indent: str, out: list[str]) -> None:
    """Write some entries of a mapping."""
    tokens = _TOKENS
    below = f"{indent}  "
    for key in keys:
        value = content[key]
        kind = type(value)
        head = f"{lead}{tokens[key]}:"
        if len(key) > _LONG_KEY and len(tokens[key]) > _LONGEST_SIMPLE_KEY:
            head = f"{lead}? {tokens[key]}\n{indent}:"
        lead = indent
        if kind is str:
            if "\n" in value:  # type: ignore[operator]
                out.append(f"{head} {_text(value, below)}")  # type: ignore[arg-type]
            else:
                out.append(f"{head} {tokens[value]}")  # type: ignore[index]
        elif not value:
            out.append(f"{head} {_scalar(value)}")
        elif isinstance(value, Mapping):
            out.append(head)
            _mapping(value, below, below, out)
        elif isinstance(value, list | tuple):
            out.append(head)
            _list(value, indent, indent, out)
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
            out.append(f"{lead}- {_text(item, below)}")  # type: ignore[arg-type]
        elif item and isinstance(item, Mapping):
            _mapping(item, f"{lead}- ", below, out)
        elif item and isinstance(item, list | tuple):
            _list(item, f"{lead}- ", below, out)
        else:
            out.append(f"{lead}- {_scalar(item)}")
        lead = indent


def _text(text: str, below: str) -> str:
    """Text of several lines: a literal block indented by `below`, or double quotes where a block cannot hold it."""
    body = text.rstrip("\n")
    start = body.lstrip("\n")
    if not start or has_hidden(body):
        return _TOKENS[text]
    depth = ""
    if start[0] in _BLANKS:
        # A block tells its depth by its first line; where that begins with white space, by a number.
        depth = "2"
        if not start.partition("\n")[0].strip(_BLANKS):
            return _TOKENS[text]
    if body[-1] in _BLANKS and not body.rpartition("\n")[2].strip(_BLANKS):
        return _TOKENS[text]
    feeds = len(text) - len(body)
    chomp = "-" if feeds == 0 else "" if feeds == 1 else "+"
    if "\n\n" in body or body[0] == "\n":
        block = "\n".join([f"{below}{line}" if line else "" for line in body.split("\n")])
    else:
        block = below + body.replace("\n", f"\n{below}")
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
