"""Kubernetes YAML exactly as Kubernetes reads it: fast load, canonical dump.

libyaml parses (its events are all we take from PyYAML, and PyYAML is imported nowhere else); what the events mean
is decided here and in `yaml_scalars`, as go-yaml v2 and sigs.k8s.io/yaml decide it. Everything is bounded, because
charts and bundles come from elsewhere. See docs/decisions/0002-kubernetes-own-yaml.md.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from renderer.formats.manifest_writer import UnwritableError, dump, dump_manifest
from renderer.formats.yaml_scalars import (
    PLAIN_KEYS,
    PLAIN_VALUES,
    RefusedScalarError,
    Scalar,
    json_key,
    json_scalar,
    kubernetes_number,
    resolve_plain,
    resolve_tagged,
)
from renderer.model.fields import Json

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


class YamlError(ValueError):
    """Bytes that Kubernetes would not read, or that pass a limit.

    `line` and `column` count from 1. `code` is `yaml-syntax`, `yaml-limit` or `duplicate-key`.
    """

    def __init__(self, message: str, line: int, column: int, code: str = "yaml-syntax") -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column
        self.code = code

    def below(self, lines: int) -> YamlError:
        """The same fault in a text that begins behind so many lines."""
        return YamlError(self.message, self.line + lines, self.column, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a stream may cost. An alias counts as everything it stands for, in nodes and in depth."""

    bytes: int = 64 * 2**20
    depth: int = 200
    nodes: int = 4_000_000
    aliased: int = 400_000
    documents: int = 20_000


DEFAULT: Final = Limits()


@dataclass(frozen=True, slots=True)
class DuplicateKey:
    """A key that stands twice in one mapping. Kubernetes takes the last one without a word."""

    line: int
    key: str


@dataclass(frozen=True, slots=True)
class LoadedDocument:
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
    for first_line, piece in _pieces(content):
        part = piece
        while True:
            try:
                found = list(_documents(part, limits, strict=strict))
                break
            except YAMLError as error:
                budget -= len(part)
                repaired = _with_escaped_apostrophes(part, error) if budget > 0 else None
                if repaired is None:
                    raise _syntax_error(error, part).below(first_line) from None
                part = repaired
            except YamlError as error:
                raise error.below(first_line) from None
        documents += [(document.below(first_line), inline) for document, inline in found] if first_line else found
        if len(documents) > limits.documents:
            raise YamlError(f"more than {limits.documents} documents", documents[-1][0].line, 1, "yaml-limit")
    return documents


_RETRIED_BYTES: Final = 32 * 2**20
"""How many bytes may be parsed again because of `\\'` in them."""
_DASHES: Final = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)


def _pieces(content: bytes) -> list[tuple[int, bytes]]:
    """The stream, or its documents apart where one needs a closer look; each with the number of lines before it.

    A line that begins with `---` and white space starts a document wherever it stands.
    """
    if not _needs_a_closer_look(content):
        return [(0, content)]
    starts = [0, *(match.start() for match in _DASHES.finditer(content) if match.start()), len(content)]
    lines = 0
    pieces = []
    for start, end in itertools.pairwise(starts):
        pieces.append((lines, content[start:end]))
        lines += content.count(b"\n", start, end)
    return pieces


def _needs_a_closer_look(content: bytes) -> bool:
    return b"\\'" in content or b"\\/" in content or _BARE_TAG.search(content) is not None


_DOUBLE_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_APOSTROPHE: Final = re.compile(r"((?<!\\)(?:\\\\)*)\\'")


def _with_escaped_apostrophes(content: bytes, error: YAMLError) -> bytes | None:
    r"""The stream with the escape `\\'` spelled out in one scalar, if libyaml stopped there.

    go-yaml v2 and older versions of libyaml know that escape, and charts use it; libyaml 0.2.5 does not.
    """
    if not isinstance(error, MarkedYAMLError) or error.problem != "found unknown escape character":
        return None
    start: Any = error.context_mark
    text = content.decode(errors="replace")
    quoted = _DOUBLE_QUOTED.match(text, start.index) if start is not None else None
    if quoted is None:
        return None
    scalar, count = _ESCAPED_APOSTROPHE.subn(r"\1\\x27", quoted[0])
    return (text[: quoted.start()] + scalar + text[quoted.end() :]).encode() if count else None


def _documents(content: bytes, limits: Limits, *, strict: bool) -> Iterator[tuple[LoadedDocument, bool]]:
    builder = _Builder(content, limits, strict=strict)
    next_event = builder.next_event
    count = 0
    event: Any
    while type(event := next_event()) is not StreamEndEvent:
        if type(event) is not DocumentStartEvent:
            continue
        count += 1
        if count > limits.documents:
            raise _at(event, f"more than {limits.documents} documents", "yaml-limit")
        if event.version == (1, 2):
            raise _at(event, "Kubernetes reads YAML 1.1 and refuses the directive `%YAML 1.2`")
        dashes: Any = event.end_mark
        root = next_event()
        line = root.start_mark.line
        value, duplicates = builder.document(root)
        inline = bool(event.explicit) and value is not None and line == dashes.line
        yield LoadedDocument(value, line + 1, duplicates), inline


def _syntax_error(error: YAMLError, content: bytes) -> YamlError:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        context = f" {error.context}" if error.context else ""
        return YamlError(f"{error.problem}{context}", mark.line + 1, mark.column + 1)
    if isinstance(error, ReaderError):
        before = content[: error.position]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode(errors="replace")) + 1
        return YamlError(str(error.reason), before.count(b"\n") + 1, column)
    return YamlError(" ".join(str(error).split()), 1, 1)


def _at(event: Any, message: str, code: str = "yaml-syntax") -> YamlError:
    mark = event.start_mark
    return YamlError(message, mark.line + 1, mark.column + 1, code)


# --- from events to values ---------------------------------------------------------------------------------------

# A slash behind an odd number of backslashes: fine for JSON and for libyaml, an unknown escape for go-yaml v2.
_ESCAPED_SLASH: Final = re.compile(r"(?<!\\)\\(?:\\\\)*/")

# The tag `!` alone, before an anchor or behind one.
_BARE_TAG: Final = re.compile(rb"!(?<![^\s\[{,:?-]!)(?=[\s,\]}]|\Z)")
_BARE_TAGGED: Final = re.compile(r"(?:&\S+\s+)?!(?=[\s,\]}]|$)")


@dataclass(slots=True)
class _Anchored:
    """What an alias stands for; `scalar` is the value before it was fitted into JSON. `open`: it is being read."""

    open: bool = True
    value: Json = None
    scalar: Scalar = None
    size: int = 1
    height: int = 0


class _Builder:
    """Builds the values of one stream out of its events."""

    __slots__ = ("aliased", "anchors", "count", "duplicates", "heights", "limits", "next_event", "strict")

    def __init__(self, content: bytes, limits: Limits, *, strict: bool) -> None:
        self.next_event: Callable[[], Any] = CParser(content).get_event
        if _needs_a_closer_look(content):
            self.next_event = _as_go_scans(self.next_event, content)
        self.limits = limits
        self.strict = strict
        self.count = 0
        self.aliased = 0
        self.anchors: dict[str, _Anchored] = {}
        self.heights: dict[int, tuple[int, Json]] = {}
        self.duplicates: list[DuplicateKey] = []

    def document(self, root: Any) -> tuple[Json, tuple[DuplicateKey, ...]]:
        """The value of the document that begins with the event `root`."""
        self.anchors = {}
        self.heights = {}
        self.duplicates = []
        return self.value(root, 1), tuple(self.duplicates)

    # `mapping` and `sequence` repeat the handling of ordinary scalars: they see almost every event of a stream.

    def mapping(self, start: Any, depth: int) -> dict[str, Json]:  # noqa: C901 - one loop, for speed
        """The mapping behind its start event."""
        next_event, keys, values = self.next_event, PLAIN_KEYS, PLAIN_VALUES
        result: dict[str, Json] = {}
        merged: set[str] = set()
        self.check_depth(start, depth)
        event = start
        try:
            while True:
                event = next_event()
                key: str | None = None
                if type(event) is ScalarEvent:
                    if event.anchor is None:
                        plain, quoted = event.implicit
                        if quoted:
                            key = event.value
                        elif plain and event.value != "<<":
                            key = keys[event.value]
                elif type(event) is MappingEndEvent:
                    break
                if key is None:
                    key = self.odd_key(event, depth)
                    if key is None:
                        self.merge(result, merged, depth)
                        continue
                if key in result:
                    self.note_twice(event, key, merged)
                event = next_event()
                if type(event) is ScalarEvent and event.anchor is None:
                    plain, quoted = event.implicit
                    if plain:
                        result[key] = values[event.value]
                        continue
                    if quoted:
                        result[key] = event.value
                        continue
                result[key] = self.value(event, depth + 1)
        except RefusedScalarError as error:
            raise _at(event, str(error)) from None
        self.spend(start, len(result) + 1)
        return result

    def sequence(self, start: Any, depth: int) -> list[Json]:
        """The list behind its start event."""
        next_event, values = self.next_event, PLAIN_VALUES
        result: list[Json] = []
        self.check_depth(start, depth)
        event = start
        try:
            while True:
                event = next_event()
                if type(event) is ScalarEvent and event.anchor is None:
                    plain, quoted = event.implicit
                    if plain:
                        result.append(values[event.value])
                        continue
                    if quoted:
                        result.append(event.value)
                        continue
                elif type(event) is SequenceEndEvent:
                    break
                result.append(self.value(event, depth + 1))
        except RefusedScalarError as error:
            raise _at(event, str(error)) from None
        self.spend(start, len(result) + 1)
        return result

    def value(self, event: Any, depth: int) -> Json:
        """The value of any node, by its first event."""
        kind = type(event)
        if kind is AliasEvent:
            return self.alias(event, depth).value
        anchored = self.anchor(event)
        before = self.count
        if kind is ScalarEvent:
            scalar = _scalar(event)
            try:
                value: Json = json_scalar(scalar)
            except RefusedScalarError as error:
                raise _at(event, str(error)) from None
            if anchored is not None:
                anchored.open, anchored.value, anchored.scalar = False, value, scalar
            return value
        value = self.mapping(event, depth) if kind is MappingStartEvent else self.sequence(event, depth)
        if anchored is not None:
            self.close(anchored, value, self.count - before)
        return value

    def odd_key(self, event: Any, depth: int) -> str | None:
        """The key behind an alias, an anchor or a tag; None for the merge key `<<`."""
        if type(event) is AliasEvent:
            entry = self.alias(event, depth)
            if not isinstance(entry.value, dict | list):
                return json_key(entry.scalar)
        elif type(event) is ScalarEvent:
            anchored = self.anchor(event)
            scalar = _scalar(event)
            if anchored is not None:
                value = scalar if scalar is None or isinstance(scalar, str | bool) else kubernetes_number(scalar)
                anchored.open, anchored.value, anchored.scalar = False, value, scalar
            if event.value == "<<" and (event.implicit[0] or event.tag == "tag:yaml.org,2002:merge"):
                return None
            return json_key(scalar)
        raise _at(event, "a mapping or a list cannot be the key of a mapping")

    # --- merges ---

    def merge(self, result: dict[str, Json], merged: set[str], depth: int) -> None:
        """Put the mapping, or the list of mappings, behind a merge key into `result`.

        As in go-yaml v2 a merge takes effect where it stands: it replaces the keys before it.
        """
        event = self.next_event()
        if type(event) is SequenceStartEvent:
            anchored = self.anchor(event)
            before = self.count
            parts = []
            while type(part := self.next_event()) is not SequenceEndEvent:
                parts.append(self.mergeable(part, depth + 1))
            self.spend(event, len(parts) + 1)
            if anchored is not None:
                self.close(anchored, cast("Json", parts), self.count - before)
        else:
            parts = [self.mergeable(event, depth)]
        for content in reversed(parts):
            for key, value in content.items():
                if key in result and key not in merged:
                    self.note_twice(event, key, set())
                elif key not in result:
                    merged.add(key)
                result[key] = value

    def mergeable(self, event: Any, depth: int) -> dict[str, Json]:
        """The mapping that a merge key takes in."""
        if type(event) in {MappingStartEvent, AliasEvent}:
            value = self.value(event, depth)
            if isinstance(value, dict):
                return value
        raise _at(event, "`<<` takes a mapping or a list of mappings")

    def note_twice(self, event: Any, key: str, merged: set[str]) -> None:
        """Remember that `key` is given twice; a key that only a merge gave may be given again."""
        if key in merged:
            merged.discard(key)
        elif self.strict:
            raise _at(event, f"the key `{key}` is given twice", "duplicate-key")
        else:
            self.duplicates.append(DuplicateKey(event.start_mark.line + 1, key))

    # --- anchors, and what things cost ---

    def anchor(self, event: Any) -> _Anchored | None:
        """Open the anchor of a node, if it has one."""
        if event.anchor is None:
            return None
        anchored = self.anchors[event.anchor] = _Anchored()
        return anchored

    def close(self, anchored: _Anchored, value: Json, size: int) -> None:
        """Say what an anchor stands for."""
        anchored.open, anchored.value, anchored.size = False, value, size
        anchored.height = self.height(value)

    def alias(self, event: Any, depth: int) -> _Anchored:
        """What an alias stands for, paid for like a copy."""
        entry = self.anchors.get(event.anchor)
        if entry is None:
            raise _at(event, f"no anchor `{event.anchor}` stands before this alias")
        if entry.open:
            raise _at(event, f"the anchor `{event.anchor}` contains itself")
        self.aliased += entry.size
        if self.aliased > self.limits.aliased:
            raise _at(event, f"aliases stand for more than {self.limits.aliased} values", "yaml-limit")
        self.spend(event, entry.size)
        self.check_depth(event, depth + entry.height - 1)
        return entry

    def height(self, value: Json) -> int:
        """How many levels of mappings and lists a value has; every container is measured once."""
        if not isinstance(value, dict | list):
            return 0
        known = self.heights.get(id(value))
        if known is None:
            below = value.values() if isinstance(value, dict) else value
            # The value is kept beside its height, so that its id stays its own.
            known = self.heights[id(value)] = (1 + max(map(self.height, below), default=0), value)
        return known[0]

    def check_depth(self, event: Any, depth: int) -> None:
        """Refuse what is nested too deeply."""
        if depth > self.limits.depth:
            raise _at(event, f"nested deeper than {self.limits.depth} levels", "yaml-limit")

    def spend(self, event: Any, nodes: int) -> None:
        """Count nodes against the limit."""
        self.count += nodes
        if self.count > self.limits.nodes:
            raise _at(event, f"more than {self.limits.nodes} values", "yaml-limit")


def _scalar(event: Any) -> Scalar:
    """What go-yaml v2 makes of any scalar, tags included."""
    plain, quoted = event.implicit
    if plain:
        return resolve_plain(event.value)
    if quoted:
        return cast("str", event.value)
    try:
        return resolve_tagged(event.value, event.tag)
    except ValueError as error:
        raise _at(event, str(error)) from None


def _as_go_scans(next_event: Callable[[], Any], content: bytes) -> Callable[[], Any]:
    """Events corrected where go-yaml v2 differs from libyaml and the event alone does not show it.

    An escaped slash between double quotes is refused; a scalar tagged with a bare `!` is text.
    """
    text = content.decode(errors="replace")
    slashes = [match.start() for match in _ESCAPED_SLASH.finditer(text)]
    seen = 0

    def corrected() -> Any:
        nonlocal seen
        event: Any = next_event()
        if type(event) is ScalarEvent:
            mark: Any = event.start_mark
            end: Any = event.end_mark
            start = mark.index
            if event.style == '"':
                while seen < len(slashes) and slashes[seen] < start:
                    seen += 1
                if seen < len(slashes) and slashes[seen] < end.index:
                    raise _at(event, "Kubernetes does not know the escape `\\/`; write `/`")
            if event.implicit[0] and (tag := _BARE_TAGGED.match(text, start)):
                if text[tag.end() : tag.end() + 1] in {",", "]", "}"}:
                    raise _at(event, "Kubernetes refuses a tag without a value here")
                event.implicit = (False, True)
        return event

    return corrected
