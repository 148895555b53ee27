"""Kubernetes YAML exactly as Kubernetes reads it: fast load, canonical dump.

`yaml_events`, `yaml_values` and `yaml_scalars` decide what bytes mean, as go-yaml v2 and sigs.k8s.io/yaml decide it.
See docs/decisions/0002-kubernetes-own-yaml.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from renderer.formats.kubernetes.writer import UnwritableError, dump, dump_manifest
from renderer.formats.kubernetes.yaml_events import (
    DocumentStartEvent,
    LibyamlError,
    StreamEndEvent,
    pieces,
    repaired,
    syntax_error,
)
from renderer.formats.kubernetes.yaml_faults import DEFAULT, Limits, YamlError, fault_at
from renderer.formats.kubernetes.yaml_values import DuplicateKey, ValueBuilder
from renderer.model.fields import Json
from renderer.structs import Struct

__all__ = [
    "DEFAULT",
    "DuplicateKey",
    "Limits",
    "LoadedDocument",
    "UnwritableError",
    "YamlError",
    "dump",
    "dump_manifest",
    "load_documents",
    "load_values",
]

_RETRIED_BYTES: Final = 32 * 2**20
"""How many bytes may be parsed again because of `\\'` in them."""


class LoadedDocument(Struct, frozen=True):
    """One document that is not empty: its value, the line (from 1) on which it starts, the keys it gives twice.

    Values that an alias repeats are one and the same Python object: never change a loaded value in place.
    """

    value: Json
    line: int
    duplicates: tuple[DuplicateKey, ...] = ()

    def below(self, lines: int) -> LoadedDocument:
        """The same document in a text that begins behind so many lines."""
        duplicates = tuple(DuplicateKey(twice.line + lines, twice.key) for twice in self.duplicates)
        return LoadedDocument(self.value, self.line + lines, duplicates)


def load_documents(content: bytes, *, limits: Limits = DEFAULT, strict_keys: bool = False) -> list[LoadedDocument]:
    """Read a stream of documents as `kubectl apply` and the API server do; empty documents are left out.

    With `strict_keys` a key given twice in one mapping is refused instead of noted. Raises YamlError.
    """
    documents = []
    for document, inline in _stream(content, limits, strict=strict_keys):
        if inline:
            raise YamlError("Kubernetes refuses content on the line of `---`", document.line, 1)
        if document.value is not None:
            documents.append(document)
    return documents


def load_values(content: bytes, *, limits: Limits = DEFAULT, strict_keys: bool = False) -> Json:
    """Read a file of one document (Helm values, one manifest) by the same rules; an empty file reads as `{}`.

    Raises YamlError, also for a second document.
    """
    found = [document for document, _ in _stream(content, limits, strict=strict_keys)]
    if len(found) > 1:
        raise YamlError("one document is expected here; a second one starts", found[1].line, 1)
    return found[0].value if found and found[0].value is not None else {}


def _stream(content: bytes, limits: Limits, *, strict: bool) -> list[tuple[LoadedDocument, bool]]:
    """Every document, and whether its content starts on the line of its `---`."""
    if len(content) > limits.bytes:
        raise YamlError(f"the stream has {len(content)} bytes; {limits.bytes} are allowed", 1, 1, "yaml-limit")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlError("the text is UTF-16; Kubernetes YAML is UTF-8", 1, 1)
    budget = _RETRIED_BYTES
    documents: list[tuple[LoadedDocument, bool]] = []
    for first_line, piece in pieces(content):
        part = piece
        while True:
            try:
                found = list(_documents(part, limits, strict=strict))
                break
            except LibyamlError as error:
                budget -= len(part)
                again = repaired(part, error) if budget > 0 else None
                if again is None:
                    raise syntax_error(error, part, limits.depth).below(first_line) from None
                part = again
            except YamlError as error:
                raise error.below(first_line) from None
        documents += [(document.below(first_line), inline) for document, inline in found] if first_line else found
        if len(documents) > limits.documents:
            raise YamlError(f"more than {limits.documents} documents", documents[-1][0].line, 1, "yaml-limit")
    return documents


def _documents(content: bytes, limits: Limits, *, strict: bool) -> Iterator[tuple[LoadedDocument, bool]]:
    builder = ValueBuilder(content, limits, strict=strict)
    next_event = builder.next_event
    count = 0
    event: Any
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is not DocumentStartEvent:
            continue
        count += 1
        if count > limits.documents:
            raise fault_at(event, f"more than {limits.documents} documents", "yaml-limit")
        if event.version == (1, 2):
            raise fault_at(event, "Kubernetes reads YAML 1.1 and refuses the directive `%YAML 1.2`")
        dashes: Any = event.end_mark
        root = next_event()
        line = root.start_mark.line
        value, duplicates = builder.document(root)
        inline = bool(event.explicit) and value is not None and line == dashes.line
        yield LoadedDocument(value, line + 1, duplicates), inline
