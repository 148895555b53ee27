"""Collecting what is wrong with one file of a package, so that a person sees all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from renderer.errors import Finding, InputError, Where
from renderer.model.fields import FieldError, Fields, spell_path
from renderer.structs import replace

T = TypeVar("T")


class Faults:
    """The faults of the file `place`, added to `findings` when there are others already."""

    def __init__(self, place: Where, findings: list[Finding] | None = None) -> None:
        self.place = place
        self.findings: list[Finding] = [] if findings is None else findings

    def add(self, error: FieldError) -> None:
        """Remember a fault."""
        self.findings.append(error.finding().at(replace(self.place, path=spell_path(error.path) or None)))

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect a fault instead of raising it."""
        try:
            yield
        except FieldError as error:
            self.add(error)

    def read(self, reader: Callable[[], T], default: T) -> T:
        """What `reader` gives, or `default` when it finds a fault."""
        try:
            return reader()
        except FieldError as error:
            self.add(error)
            return default

    def children(self, fields: Fields, key: str) -> tuple[Fields, ...]:
        """A list of mappings, or nothing when it is none."""
        with self.collected():
            return fields.children(key)
        return ()

    def raise_if_any(self) -> None:
        """Raise InputError with everything found."""
        if self.findings:
            raise InputError(*self.findings)
