"""The events of a YAML stream, as go-yaml v2 scans it.

libyaml parses; its events are all we take from PyYAML, which is imported nowhere else. Where libyaml scans a stream
differently from go-yaml v2, which Kubernetes uses, the difference is made up for here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.error import YAMLError as LibyamlError
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

from renderer.formats.kubernetes.yaml_faults import YamlError, fault_at

__all__ = [
    "AliasEvent",
    "DocumentStartEvent",
    "LibyamlError",
    "MappingEndEvent",
    "MappingStartEvent",
    "MarkedYAMLError",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "event_source",
    "events_of",
    "pieces",
    "repaired",
    "syntax_error",
]

# A slash behind an odd number of backslashes: fine for JSON and for libyaml, an unknown escape for go-yaml v2.
_ESCAPED_SLASH: Final = re.compile(r"(?<!\\)\\(?:\\\\)*/")

_DOUBLE_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED_APOSTROPHE: Final = re.compile(r"((?<!\\)(?:\\\\)*)\\'")

# The tag `!` alone, before an anchor or behind one.
_BARE_TAG: Final = re.compile(rb"!(?<![^\s\[{,:?-]!)(?=[\s,\]}]|\Z)")
_BARE_TAGGED: Final = re.compile(r"(?:&\S+\s+)?!(?=[\s,\]}]|$)")
_DASHES: Final = re.compile(rb"^---(?=\s|\Z)", re.MULTILINE)


_TOO_DEEP: Final = "exceeded maximum nesting depth"


def events_of(content: bytes) -> Iterator[Any]:
    """The events of a stream as libyaml gives them, with the places of its characters. Raises LibyamlError."""
    next_event: Callable[[], Any] = CParser(content).get_event
    while (event := next_event()) is not None:
        yield event


def event_source(content: bytes) -> Callable[[], Any]:
    """A function that gives one event after the other. It raises LibyamlError and YamlError."""
    next_event: Callable[[], Any] = CParser(content).get_event
    return _as_go_scans(next_event, content) if _needs_a_closer_look(content) else next_event


def pieces(content: bytes) -> list[tuple[int, bytes]]:
    """The stream, or its documents apart where one needs a closer look; each with the number of lines before it.

    A line that begins with `---` and white space starts a document wherever it stands.
    """
    if not _needs_a_closer_look(content):
        return [(0, content)]
    starts = [0, *(match.start() for match in _DASHES.finditer(content) if match.start()), len(content)]
    lines = 0
    found = []
    for start, end in itertools.pairwise(starts):
        found.append((lines, content[start:end]))
        lines += content.count(b"\n", start, end)
    return found


def _needs_a_closer_look(content: bytes) -> bool:
    return b"\\'" in content or b"\\/" in content or _BARE_TAG.search(content) is not None


def repaired(content: bytes, error: LibyamlError) -> bytes | None:
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


def syntax_error(error: LibyamlError, content: bytes, depth: int) -> YamlError:
    """What libyaml stopped at, with its place in `content`; `depth` is the limit of levels that its caller has.

    libyaml 0.2.6 and later has a limit of its own, 1,000, and meets it first: it reads ahead.
    """
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        if error.problem == _TOO_DEEP:
            return YamlError(f"nested deeper than {depth} levels", mark.line + 1, mark.column + 1, "yaml-limit")
        context = f" {error.context}" if error.context else ""
        return YamlError(f"{error.problem}{context}", mark.line + 1, mark.column + 1)
    if isinstance(error, ReaderError):
        before = content[: error.position]
        line_start = before.rfind(b"\n") + 1
        column = len(before[line_start:].decode(errors="replace")) + 1
        return YamlError(str(error.reason), before.count(b"\n") + 1, column)
    return YamlError(" ".join(str(error).split()), 1, 1)


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
                    raise fault_at(event, "Kubernetes does not know the escape `\\/`; write `/`")
            if event.implicit[0] and _BARE_TAGGED.match(text, start):
                event.implicit = (False, True)
        return event

    return corrected
