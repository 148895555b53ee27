"""YAML 1.2 events to plain JSON values with places, refusing what two readers could read differently."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from renderer.errors import Finding, Where
from renderer.formats.documents.located import Faults, Path, Place
from renderer.formats.kubernetes.yaml_scalars import Scalar, key_text, kubernetes_number, resolve_plain
from renderer.model.fields import Json, kind_of, spell_path
from renderer.structs import Struct, field

__all__ = ["DocumentLimits", "DocumentReader", "UnreadableError", "core_scalar", "fault_at"]


class DocumentLimits(Struct, frozen=True, kw_only=True):
    """What a document that a person writes may cost. `aliased` counts the values that aliases stand for."""

    bytes: int = 2**19
    depth: int = 64
    values: int = 50_000
    aliased: int = 10_000


class UnreadableError(Exception):
    """Nothing behind this point can be read. Carries one finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def fault_at(code: str, message: str, file: str, line: int, column: int, **more: str | None) -> Finding:
    """A finding at a position of a file."""
    return Finding(code=code, message=message, where=Where(file=file, line=line, column=column), **more)  # type: ignore[arg-type]


_TAG: Final = "tag:yaml.org,2002:"
_KNOWN_TAGS: Final = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "null": type(None),
    "map": dict,
    "seq": list,
}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_DECIMAL: Final = re.compile(r"[-+]?[0-9]+\Z")
_PREFIXED: Final = re.compile(r"0(?:o([0-7]+)|x([0-9a-fA-F]+))\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_LONGEST_INTEGER: Final = 400
_LARGEST: Final = 2**1024 - 2**971
"""The largest number of 64-bit floating point, which is what JSON's readers have; beyond it lies text."""


def core_scalar(text: str) -> Scalar:
    """What an unquoted scalar means in the core schema of YAML 1.2 (section 10.3); whole numbers are integers."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    prefixed = _PREFIXED.match(text)
    if (prefixed or _DECIMAL.match(text)) and len(text) <= _LONGEST_INTEGER:
        number = int(text, 0) if prefixed else int(text)
        return number if abs(number) <= _LARGEST else text
    if _NO_NUMBER.match(text):
        return math.nan if text.lower().endswith("nan") else math.copysign(math.inf, -1 if text[0] == "-" else 1)
    if _FLOAT.match(text):
        real = float(text)
        return real if math.isfinite(real) else text
    return text


class _Anchored(Struct):
    """What an alias stands for, once it has been read."""

    value: Json = None
    size: int = 1
    height: int = 0
    open: bool = True


class DocumentReader(Struct):
    """Reads one document out of the events of libyaml; gathers faults and goes on where it can.

    After `read` the result is in `value`, `places` and `faults`. `read` raises UnreadableError.
    """

    events: Iterator[Any]
    file: str
    limits: DocumentLimits
    faults: Faults = field(default_factory=Faults)
    value: Json = None
    places: dict[Path, Place] = field(default_factory=dict)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    count: int = 0
    aliased: int = 0

    def read(self) -> None:
        """Read the one document of the stream."""
        documents = 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self.stop(event, "one document is expected in this file; a second one starts here")
                if event.version is not None or event.tags:
                    self.fault(event, "directives (`%YAML`, `%TAG`) are not used here; remove the line")
                root = next(self.events)
                self.value, _ = self.node(root, (), None)

    # --- nodes: each returns its value and its height in levels ---

    def node(self, event: Any, path: Path, key: tuple[int, int] | None) -> tuple[Json, int]:
        """Any value, by its first event."""
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self.alias(event, path, key)
        anchored = None
        if event.anchor is not None:
            anchored = self.anchors[event.anchor] = _Anchored()
        before = self.count
        self.count += 1
        if self.count - self.aliased > self.limits.values:
            raise self.stop(event, f"more than {self.limits.values} values", "yaml-limit")
        if kind == "ScalarEvent":
            value, height = self.scalar(event, path, key), 0
        else:
            if len(path) >= self.limits.depth:
                raise self.stop(event, f"nested deeper than {self.limits.depth} levels", "yaml-limit")
            self.check_tag(event, "map" if kind == "MappingStartEvent" else "seq")
            self.places[path] = self.place(event, key)
            value, height = self.mapping(path) if kind == "MappingStartEvent" else self.sequence(path)
            height += 1
        if anchored is not None:
            anchored.value, anchored.size, anchored.height = value, self.count - before, height
            anchored.open = False
        return value, height

    def mapping(self, path: Path) -> tuple[Json, int]:
        """The mapping whose start event has been read."""
        result: dict[str, Json] = {}
        merged: dict[str, Json] = {}
        height = 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "MappingEndEvent":
                break
            if kind == "ScalarEvent" and event.value == "<<" and event.implicit[0] and event.tag is None:
                height = max(height, self.merge(event, path, result, merged))
                continue
            at = (event.start_mark.line + 1, event.start_mark.column + 1)
            name = self.key(event, path)
            if name in result:
                first = self.places[(*path, name)].key or (0, 0)
                self.fault(
                    event,
                    f"the key `{name}` is given twice",
                    "duplicate-key",
                    got=f"`{spell_path((*path, name))}` stands on line {first[0]} already",
                )
            value, below = self.node(next(self.events), (*path, name), at)
            result[name] = value
            height = max(height, below)
        return {**merged, **result}, height

    def sequence(self, path: Path) -> tuple[Json, int]:
        """The list whose start event has been read."""
        result: list[Json] = []
        height = 0
        for event in self.events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            value, below = self.node(event, (*path, len(result)), None)
            result.append(value)
            height = max(height, below)
        return result, height

    def key(self, event: Any, path: Path) -> str:
        """The key of a mapping: text, spelled alike by YAML 1.2 and by Kubernetes."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            if event.anchor is not None:
                self.anchors[event.anchor] = _Anchored(event.value, open=False)
            text: str = event.value
            if event.tag is not None:
                self.fault(event, f"the tag `{event.tag}` is not used here")
            elif event.implicit[0] and key_text(resolve_plain(text)) != text:
                self.fault(
                    event,
                    f"the key `{text}` is not text to every reader",
                    "ambiguous-value",
                    expected="a key in quotes",
                    hint=f'write "{text}":',
                )
            return text
        if kind == "AliasEvent":
            value, _ = self.alias(event, path, None)
            if isinstance(value, str):
                return value
        raise self.stop(event, "the key of a mapping must be text")

    def merge(self, event: Any, path: Path, result: dict[str, Json], merged: dict[str, Json]) -> int:
        """A merge key: the keys of other mappings, where this one does not give them itself."""
        places = len(self.places)
        source, height = self.node(next(self.events), (*path, "<<"), None)
        parts = source if isinstance(source, list) else [source]
        for part in parts:
            if not isinstance(part, dict):
                raise self.stop(event, "`<<` takes a mapping or a list of mappings")
            for name, value in part.items():
                if name in result:
                    message = f"`<<` stands behind the key `{name}`, which it gives too; put `<<` first"
                    self.fault(event, message, "ambiguous-value")
                merged.setdefault(name, value)
        while len(self.places) > places:  # the merged values have no place of their own here
            self.places.popitem()
        return height

    def alias(self, event: Any, path: Path, key: tuple[int, int] | None) -> tuple[Json, int]:
        """What an alias stands for."""
        entry = self.anchors.get(event.anchor)
        if entry is None:
            raise self.stop(event, f"no anchor `&{event.anchor}` stands before the alias `*{event.anchor}`")
        if entry.open:
            raise self.stop(event, f"the anchor `&{event.anchor}` contains itself")
        self.count += entry.size
        self.aliased += entry.size
        if self.aliased > self.limits.aliased:
            raise self.stop(event, f"aliases stand for more than {self.limits.aliased} values", "yaml-limit")
        if len(path) + entry.height > self.limits.depth:
            raise self.stop(event, f"nested deeper than {self.limits.depth} levels", "yaml-limit")
        self.places[path] = self.place(event, key)
        return entry.value, entry.height

    def scalar(self, event: Any, path: Path, key: tuple[int, int] | None) -> Json:
        """The value of a scalar."""
        text: str = event.value
        spelled = None
        value: Json = text
        if event.implicit[0] or event.tag is not None:
            self.check_tag(event, "")
            wanted = (event.tag or "").removeprefix(_TAG)
            if wanted not in {"str", "!"}:
                value = self.plain(event, text, wanted)
                spelled = text if not isinstance(value, str) else None
        self.places[path] = self.place(event, key, spelled)
        return value

    def plain(self, event: Any, text: str, wanted: str) -> Json:
        """The value of an unquoted scalar, which must mean the same to YAML 1.2 and to Kubernetes."""
        value = core_scalar(text)
        if isinstance(value, float) and not math.isfinite(value):
            self.fault(event, f"`{text}` is no number that JSON and Kubernetes know", "ambiguous-value")
            return text
        if wanted and not isinstance(value, _KNOWN_TAGS.get(wanted, object)):
            self.fault(event, f"`{text}` is not of the type `!!{wanted}`")
        there = resolve_plain(text)
        if type(there) is float and isinstance(value, int | float) and not isinstance(value, bool):
            value = kubernetes_number(float(value))
            there = kubernetes_number(there)
        if kind_of(there) != kind_of(value) or there != value:
            meant = {True: "true", False: "false"}.get(there, str(there)) if isinstance(there, bool) else str(there)
            self.fault(
                event,
                f"`{text}` means `{meant}` to Kubernetes and {_spoken(value)} to YAML 1.2",
                "ambiguous-value",
                hint=f'write `{meant}`, or "{text}" for the text',
            )
        return value if isinstance(value, bool) or not isinstance(value, int) else kubernetes_number(value)

    # --- places and faults ---

    def check_tag(self, event: Any, kind: str) -> None:
        """Refuse tags that JSON cannot express."""
        tag: str = event.tag or ""
        short = tag.removeprefix(_TAG)
        fits = short in _KNOWN_TAGS and (short == kind if kind else short not in {"map", "seq"})
        if tag not in {"", "!"} and not fits:
            self.fault(event, f"the tag `{tag}` is not used here")

    def place(self, event: Any, key: tuple[int, int] | None, spelled: str | None = None) -> Place:
        """Where the value of an event stands."""
        start, end = event.start_mark, event.end_mark
        span = (start.index, end.index) if type(event).__name__ == "ScalarEvent" else None
        return Place(file=self.file, line=start.line + 1, column=start.column + 1, key=key, spelled=spelled, span=span)

    def fault(self, event: Any, message: str, code: str = "yaml-syntax", **more: str | None) -> None:
        """Remember a fault and go on."""
        self.faults.add(self.stop(event, message, code, **more).finding)

    def stop(self, event: Any, message: str, code: str = "yaml-syntax", **more: str | None) -> UnreadableError:
        """A fault behind which nothing can be read."""
        mark = event.start_mark
        return UnreadableError(fault_at(code, message, self.file, mark.line + 1, mark.column + 1, **more))


def _spoken(value: Json) -> str:
    return f'the text "{value}"' if isinstance(value, str) else f"`{value}`"
