"""Reading a merged profile field by field, so that one wrong field hides no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from renderer.formats.documents.document import Document, Faults, Path
from renderer.formats.documents.named_files import NamedFiles
from renderer.model.fields import FieldError, Fields, Json
from renderer.structs import Struct, field

__all__ = ["Reading"]

T = TypeVar("T")


class Reading(Struct, frozen=True):
    """One profile being read: its document, the files it names, what is wrong so far.

    The methods read like those of `Fields`, but remember a fault instead of raising it and return the default. A
    profile with faults is never used, so that a default only lets the reading go on. `contents` holds, for each field
    that names a file, what stands for it in the profile's digest.
    """

    document: Document
    files: NamedFiles
    faults: Faults = field(default_factory=Faults)
    contents: dict[Path, Json] = field(default_factory=dict)

    @contextmanager
    def guard(self, at: Path) -> Iterator[None]:
        """Remember the fault of the block, at the field that it names or else at `at`."""
        with self.faults.at(self.document):
            try:
                yield
            except FieldError:
                raise
            except ValueError as error:
                raise FieldError(at, str(error)) from error

    def fault(self, error: FieldError) -> None:
        """Remember a fault."""
        with self.faults.at(self.document):
            raise error

    def noun(self, fields: Fields, key: str, parse: Callable[[str], T], default: T, *, required: bool = False) -> T:
        """A string turned into a noun; `default` when it is absent."""
        with self.guard(fields.at(key)):
            return fields.parsed(key, parse) if required else fields.optional(key, parse) or default
        return default

    def optional(self, fields: Fields, key: str, parse: Callable[[str], T]) -> T | None:
        """A string turned into a noun, or None."""
        with self.guard(fields.at(key)):
            return fields.optional(key, parse)
        return None

    def flag(self, fields: Fields, key: str) -> bool:
        """A boolean that is false when it is absent."""
        with self.guard(fields.at(key)):
            return fields.flag(key, default=False)
        return False

    def child(self, fields: Fields, key: str) -> Fields:
        """A mapping below."""
        with self.guard(fields.at(key)):
            return fields.child(key)
        return Fields({}, fields.at(key))

    def children(self, fields: Fields, key: str) -> tuple[Fields, ...]:
        """A list of mappings."""
        with self.guard(fields.at(key)):
            return fields.children(key)
        return ()

    def texts(self, fields: Fields, key: str) -> tuple[str, ...]:
        """A list of strings."""
        with self.guard(fields.at(key)):
            return fields.texts(key)
        return ()

    def text_map(self, fields: Fields, key: str) -> dict[str, str]:
        """A mapping of strings to strings."""
        with self.guard(fields.at(key)):
            return fields.text_map(key)
        return {}
