"""YAML and JSON as people write it: positions, no duplicate keys, nothing ambiguous.

libyaml parses; its events are turned into plain JSON values here, by the rules of YAML 1.2. What YAML 1.2 and
Kubernetes would read differently (`yes`, `0777`, `1_000`) is refused with a hint instead of guessed. See
docs/decisions/0002-kubernetes-own-yaml.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.documents.located import Document, Faults, Path, Place, locate_error, merge_layers
from renderer.formats.documents.reader import DocumentLimits, DocumentReader, UnreadableError, fault_at
from renderer.formats.documents.schemas import validate, violations

__all__ = [
    "Document",
    "DocumentLimits",
    "Faults",
    "Path",
    "Place",
    "locate_error",
    "merge_layers",
    "parse_document",
    "validate",
    "violations",
]


_LIMITS: Final = DocumentLimits()
_NESTED: Final = 1000
"""Levels at which libyaml 0.2.6 and later stops by itself; it reads ahead of our own limit."""
_ODD_BREAK: Final = re.compile("[\x85\u2028\u2029]")


def parse_document(content: bytes, file: str, *, limits: DocumentLimits = _LIMITS) -> Document:
    """Read one YAML or JSON document. `file` is the name to show; an empty document has the value None.

    Raises InputError with everything that is wrong, each with file, line and column. Codes: `yaml-syntax`,
    `duplicate-key`, `ambiguous-value`, `yaml-limit`.
    """
    text = _decoded(content, file, limits)
    reader = DocumentReader(_events(text, file), file, limits)
    try:
        reader.read()
    except UnreadableError as error:
        reader.faults.add(error.finding)
    reader.faults.raise_if_any()
    return Document(file, reader.value, reader.places)


def _decoded(content: bytes, file: str, limits: DocumentLimits) -> str:
    if len(content) > limits.bytes:
        message = f"the file has {len(content)} bytes; a document that people write has at most {limits.bytes}"
        raise InputError(Finding(code="yaml-limit", message=message, where=Where(file=file)))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = _position(before, len(before))
        where = Where(file=file, line=line, column=column)
        raise InputError(
            Finding(code="yaml-syntax", message="the text is not UTF-8", where=where, expected="UTF-8")
        ) from None


def _events(text: str, file: str) -> Iterator[Any]:
    """The events of libyaml; what it complains about becomes a `UnreadableError`."""
    from renderer.formats.kubernetes.yaml_events import LibyamlError, MarkedYAMLError, events_of, syntax_error

    odd = _ODD_BREAK.search(text)
    if odd is not None:
        line, column = _position(text, odd.start())
        message = f"the character U+{ord(odd[0]):04X} ends a line to some readers of YAML and not to others"
        advice = f'write "\\u{ord(odd[0]):04x}" in double quotes'
        raise UnreadableError(fault_at("yaml-syntax", message, file, line, column, hint=advice))
    content = text.encode()
    try:
        yield from events_of(content)
    except MarkedYAMLError as error:
        told = syntax_error(error, content, _NESTED)
        start: Any = error.context_mark
        far = start is not None and start.line + 1 < told.line
        hint = f"look at what begins on line {start.line + 1}, column {start.column + 1}" if far else None
        # libyaml sees the end of a text without a last line break on a line of its own
        line, column = min((told.line, told.column), _position(text, len(text)))
        raise UnreadableError(fault_at(told.code, told.message, file, line, column, hint=hint)) from None
    except LibyamlError as error:
        told = syntax_error(error, content, _NESTED)
        message = "this character is not allowed in YAML"
        raise UnreadableError(fault_at("yaml-syntax", message, file, told.line, told.column)) from None


def _position(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - before.rfind("\n")
