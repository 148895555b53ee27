"""From the events of a YAML stream to JSON values, as go-yaml v2 and sigs.k8s.io/yaml make them.

Everything is bounded, because charts and bundles come from elsewhere. What a scalar means says `yaml_scalars`.
"""

from __future__ import annotations

from typing import Any, cast

from renderer.formats.kubernetes.yaml_events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    event_source,
)
from renderer.formats.kubernetes.yaml_faults import Limits, fault_at
from renderer.formats.kubernetes.yaml_scalars import (
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
from renderer.structs import Struct


class DuplicateKey(Struct, frozen=True):
    """A key that stands twice in one mapping. Kubernetes takes the last one without a word."""

    line: int
    key: str


class _Anchored(Struct):
    """What an alias stands for; `scalar` is the value before it was fitted into JSON. `open`: it is being read."""

    open: bool = True
    value: Json = None
    scalar: Scalar = None
    size: int = 1
    height: int = 0


class ValueBuilder:
    """Builds the values of one stream out of its events."""

    __slots__ = ("aliased", "anchors", "count", "duplicates", "heights", "limits", "next_event", "strict")

    def __init__(self, content: bytes, limits: Limits, *, strict: bool) -> None:
        self.next_event = event_source(content)
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
            raise fault_at(event, str(error)) from None
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
            raise fault_at(event, str(error)) from None
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
                raise fault_at(event, str(error)) from None
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
        raise fault_at(event, "a mapping or a list cannot be the key of a mapping")

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
        raise fault_at(event, "`<<` takes a mapping or a list of mappings")

    def note_twice(self, event: Any, key: str, merged: set[str]) -> None:
        """Remember that `key` is given twice; a key that only a merge gave may be given again."""
        if key in merged:
            merged.discard(key)
        elif self.strict:
            raise fault_at(event, f"the key `{key}` is given twice", "duplicate-key")
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
            raise fault_at(event, f"no anchor `{event.anchor}` stands before this alias")
        if entry.open:
            raise fault_at(event, f"the anchor `{event.anchor}` contains itself")
        self.aliased += entry.size
        if self.aliased > self.limits.aliased:
            raise fault_at(event, f"aliases stand for more than {self.limits.aliased} values", "yaml-limit")
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
            raise fault_at(event, f"nested deeper than {self.limits.depth} levels", "yaml-limit")

    def spend(self, event: Any, nodes: int) -> None:
        """Count nodes against the limit."""
        self.count += nodes
        if self.count > self.limits.nodes:
            raise fault_at(event, f"more than {self.limits.nodes} values", "yaml-limit")


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
        raise fault_at(event, str(error)) from None
