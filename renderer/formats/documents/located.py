"""Values that remember where they were written: documents with positions, layers of them, and faults found in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.model.fields import FieldError, Json, spell_path
from renderer.structs import Struct, field, replace

__all__ = ["Document", "Faults", "Path", "Place", "locate_error", "merge_layers"]

Path = tuple[str | int, ...]
"""Steps from the root of a document: keys of mappings, indexes of lists."""


class Place(Struct, frozen=True, kw_only=True):
    """Where one value stands. Lines and columns count from 1; `key` is the place of its key, if it has one.

    `spelled` is the text of a plain scalar that is no text (`1.10`, `true`), as it was written. `span` is the range of
    characters of a scalar in its file.
    """

    file: str
    line: int
    column: int
    key: tuple[int, int] | None = None
    spelled: str | None = None
    span: tuple[int, int] | None = None


class Document(Struct, frozen=True):
    """One document as people write it: its value, and the place of everything in it.

    `file` is the file as the user named it. The value is plain JSON and must not be changed in place. Several layers
    merged give a document too, whose places lie in several files.
    """

    file: str
    value: Json
    places: Mapping[Path, Place] = field(default_factory=dict)

    def place(self, path: Sequence[str | int] = ()) -> Place:
        """The place of a value; of its nearest parent that has one when the value is not there."""
        steps = tuple(path)
        while steps and steps not in self.places:
            steps = steps[:-1]
        return self.places.get(steps) or Place(file=self.file, line=1, column=1)

    def locate(self, path: Sequence[str | int] = (), *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value, or of its key.

        A value that begins below its key (a nested mapping or list) is shown by its key.
        """
        place = self.place(path)
        if place.key is not None and (key or place.key[0] < place.line):
            return place.key
        return place.line, place.column

    def where(self, path: Sequence[str | int] = (), *, key: bool = False) -> Where:
        """The same as the place of a finding."""
        line, column = self.locate(path, key=key)
        return Where(file=self.place(path).file, line=line, column=column, path=spell_path(path) or None)

    def provenance(self) -> dict[Path, tuple[str, int]]:
        """Which file and line set each value: for every path that leads to anything but a filled mapping.

        A list counts as one value, because layers replace lists as a whole.
        """
        found: dict[Path, tuple[str, int]] = {}
        for path in _settings(self.value, ()):
            found[path] = (self.place(path).file, self.locate(path)[0])
        return found


def _settings(value: Json, path: Path) -> Iterator[Path]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _settings(below, (*path, key))
    elif path:
        yield path


def merge_layers(layers: Sequence[Document]) -> Document:
    """Lay documents over each other, the first lowest: mappings merge, everything else replaces, null too.

    The result keeps the place of every value in the file that set it, and the name of the last layer.
    """
    if not layers:
        raise ValueError("there is nothing to merge")
    value: Json = layers[0].value
    places = dict(layers[0].places)
    for layer in layers[1:]:
        value = _Overlay(places, layer.places).merge(value, layer.value, ())
    return Document(layers[-1].file, value, places)


class _Overlay:
    """One layer laid over the places of the layers below, which it changes."""

    def __init__(self, lower: dict[Path, Place], upper: Mapping[Path, Place]) -> None:
        self.lower = lower
        self.upper = upper
        self.lower_children = _by_parent(lower)
        self.upper_children = _by_parent(upper)

    def merge(self, lower: Json, upper: Json, path: Path) -> Json:
        """The merged value; `path` leads to it."""
        if isinstance(lower, dict) and isinstance(upper, dict):
            if path in self.upper:
                self.lower[path] = self.upper[path]
            result = dict(lower)
            for key, value in upper.items():
                result[key] = self.merge(result.get(key), value, (*path, key))
            return result
        for stale in _below(path, self.lower_children):
            self.lower.pop(stale, None)
        for fresh in _below(path, self.upper_children):
            if fresh in self.upper:
                self.lower[fresh] = self.upper[fresh]
        return upper


def _by_parent(places: Mapping[Path, Place]) -> dict[Path, list[Path]]:
    children: dict[Path, list[Path]] = {}
    for path in places:
        if path:
            children.setdefault(path[:-1], []).append(path)
    return children


def _below(path: Path, children: Mapping[Path, Sequence[Path]]) -> Iterator[Path]:
    """A path and everything below it."""
    waiting = [path]
    while waiting:
        step = waiting.pop()
        yield step
        waiting.extend(children.get(step, ()))


def locate_error(document: Document, error: FieldError) -> Finding:
    """A fault that a model reader found, at its place in the document."""
    missing = error.code in _ABOUT_KEYS and not _exists(document.value, error.path)
    path = error.path[:-1] if missing else error.path
    where = replace(document.where(path, key=error.code in _ABOUT_KEYS), path=spell_path(error.path) or None)
    return error.finding().at(where)


_ABOUT_KEYS: Final = frozenset({"missing-field", "unknown-field", "duplicate-key"})
"""Codes of faults that lie in a key rather than in its value."""


def _exists(value: Json, path: Path) -> bool:
    for step in path:
        if not isinstance(value, dict | list):
            return False
        try:
            value = value[step]  # type: ignore[index]
        except (LookupError, TypeError):
            return False
    return True


class Faults:
    """Collects faults, so that a person sees all of them at once."""

    __slots__ = ("findings",)

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self.findings: list[Finding] = list(findings)

    def add(self, *findings: Finding) -> None:
        """Remember findings."""
        self.findings.extend(findings)

    @contextmanager
    def at(self, document: Document) -> Iterator[None]:
        """Collect instead of raising: a FieldError gets its place in `document`, an InputError gives its findings."""
        try:
            yield
        except FieldError as error:
            self.add(locate_error(document, error))
        except InputError as error:
            self.add(*error.findings)

    def raise_if_any(self) -> None:
        """Raise InputError with everything collected, in the order of the files."""
        if self.findings:
            raise InputError(*sorted(self.findings, key=_order))


def _order(finding: Finding) -> tuple[str, int, int]:
    where = finding.where
    return (where.file or "", where.line or 0, where.column or 0)
