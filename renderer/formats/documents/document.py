"""YAML and JSON as people write it: positions, no duplicate keys, nothing ambiguous.

ruamel.yaml parses (YAML 1.2); its events are turned into plain JSON values here. What YAML 1.2 and Kubernetes would
read differently (`yes`, `0777`, `1_000`) is refused with a hint instead of guessed. See
docs/decisions/0002-kubernetes-own-yaml.md.
"""

from __future__ import annotations

import io
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
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        where = Where(
            file=file,
            line=before.count(b"\n") + 1,
            column=len(before[line_start:].decode("utf-8", "replace")) + 1,
        )
        raise InputError(
            Finding(code="yaml-syntax", message="the text is not UTF-8", where=where, expected="UTF-8")
        ) from None


def _events(text: str, file: str) -> Iterator[Any]:
    """The events of ruamel.yaml; what it complains about becomes a `UnreadableError`."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = " ".join(f"{error.problem} {error.context or ''}".replace("('", "'").replace("',)", "'").split())
        start = error.context_mark
        far = mark and start and start.line < mark.line
        hint = f"look at what begins on line {start.line + 1}, column {start.column + 1}" if far else None
        raise UnreadableError(fault_at("yaml-syntax", message, file, line, column, hint=hint)) from None
    except YAMLError as error:
        position = getattr(error, "position", None)
        before = text[:position] if isinstance(position, int) else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = "this character is not allowed in YAML" if before or position == 0 else " ".join(str(error).split())
        raise UnreadableError(fault_at("yaml-syntax", message, file, line, column)) from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # The scanner of ruamel.yaml is plain Python and trips over some garbage instead of refusing it.
        raise UnreadableError(fault_at("yaml-syntax", "this is not YAML", file, 1, 1)) from None
