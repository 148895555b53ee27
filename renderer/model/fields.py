"""Typed reading of untrusted mappings.

`Fields` wraps one mapping of a document and knows the path to it; every complaint carries the path of the field
that is wrong, so that the door that parsed the text can add line and column. A mapping that has passed its JSON
Schema should never fail here: the readers are the second lock on the same door, and give static types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from renderer.errors import Finding
from renderer.structs import Struct

T = TypeVar("T")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""Any JSON value. Values that are shared between stages are never mutated: a change is a copy."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


class FieldError(ValueError):
    """A field of a document does not hold what it must. `path` leads from the document's root to the field."""

    def __init__(
        self,
        path: tuple[str | int, ...],
        message: str,
        *,
        code: str = "invalid-field",
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{spell_path(path) or 'document'}: {message}")
        self.path = path
        self.message = message
        self.code = code
        self.expected = expected
        self.got = got
        self.hint = hint

    def finding(self) -> Finding:
        """This error as a finding without a place; the door that parsed the text adds it."""
        return Finding(code=self.code, message=self.message, expected=self.expected, got=self.got, hint=self.hint)


def spell_path(path: Sequence[str | int]) -> str:
    """`("spec", "bundles", 0, "a.b/c")` as people write it: `spec.bundles[0]["a.b/c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


_STEP = re.compile(r'\.?([A-Za-z0-9_-]+)|\[([0-9]+)\]|\["(.*?)"\](?=[.\[]|\Z)')


def read_path(text: str) -> tuple[str | int, ...]:
    """What `spell_path` wrote, as steps again. Raises ValueError when it cannot have written that."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise ValueError(f"`{text}` is not the path of a field")
        plain, index, quoted = step.groups()
        steps.append(int(index) if index is not None else plain if plain is not None else quoted)
        position = step.end()
    return tuple(steps)


def kind_of(value: object) -> str:
    """The JSON name of a value's type, for messages."""
    names: list[tuple[type | tuple[type, ...], str]] = [
        (type(None), "null"),
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a number"),
        (str, "a string"),
        (Mapping, "a mapping"),
        ((list, tuple), "a list"),
    ]
    return next((name for kinds, name in names if isinstance(value, kinds)), type(value).__name__)


class Fields(Struct, frozen=True):
    """One mapping of a document, and the path that leads to it."""

    content: Mapping[str, object]
    path: tuple[str | int, ...] = ()

    @classmethod
    def of(cls, value: object, path: tuple[str | int, ...] = ()) -> Fields:
        """Wrap `value`. Raises FieldError when it is not a mapping."""
        if not isinstance(value, Mapping):
            raise FieldError(path, "this must be a mapping", expected="a mapping", got=kind_of(value))
        return cls(cast("Mapping[str, object]", value), path)

    def __contains__(self, key: str) -> bool:
        return self.content.get(key) is not None

    def at(self, key: str) -> tuple[str | int, ...]:
        """The path of the field `key`."""
        return (*self.path, key)

    def text(self, key: str, default: str | None = None) -> str:
        """A string that must be there unless `default` is given."""
        return self._typed(key, str, "a string", default)

    def optional_text(self, key: str) -> str | None:
        """A string, or None when the field is missing or null."""
        return self._typed(key, str, "a string", "") or None if key in self else None

    def integer(self, key: str, default: int | None = None) -> int:
        """An integer (a boolean is none)."""
        value = self._typed(key, int, "an integer", default)
        if isinstance(value, bool):
            raise FieldError(self.at(key), f"`{key}` must be an integer", expected="an integer", got="a boolean")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean."""
        return self._typed(key, bool, "a boolean", default)

    def child(self, key: str) -> Fields:
        """A mapping below; an absent one reads as empty."""
        value = self.content.get(key)
        return Fields.of({} if value is None else value, self.at(key))

    def mapping(self, key: str) -> dict[str, Json]:
        """A free-form mapping (values, labels); an absent one reads as empty."""
        return cast("dict[str, Json]", dict(self.child(key).content))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; an absent one reads as empty."""
        return tuple(self._check(item, str, "a string", (*self.at(key), index)) for index, item in self._items(key))

    def text_map(self, key: str) -> dict[str, str]:
        """A mapping of strings to strings; an absent one reads as empty."""
        below = self.child(key)
        return {name: below.text(name) for name in below.content}

    def children(self, key: str) -> tuple[Fields, ...]:
        """A list of mappings; an absent one reads as empty."""
        return tuple(Fields.of(item, (*self.at(key), index)) for index, item in self._items(key))

    def parsed(self, key: str, parse: Callable[[str], T], default: T | None = None) -> T:
        """A string turned into a noun by `parse`, whose ValueError becomes a FieldError at this field."""
        if key not in self and default is not None:
            return default
        return self.parse(self.text(key), parse, self.at(key))

    def optional(self, key: str, parse: Callable[[str], T]) -> T | None:
        """Like `parsed`, or None when the field is missing or null."""
        return self.parsed(key, parse) if key in self else None

    @staticmethod
    def parse(text: str, parse: Callable[[str], T], path: tuple[str | int, ...]) -> T:
        """Apply `parse`; its ValueError becomes a FieldError at `path`."""
        try:
            return parse(text)
        except FieldError:
            raise
        except ValueError as error:
            raise FieldError(path, str(error), got=f"`{text}`") from error

    def _items(self, key: str) -> Iterator[tuple[int, object]]:
        value = self.content.get(key)
        if value is None:
            return
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
            raise FieldError(self.at(key), f"`{key}` must be a list", expected="a list", got=kind_of(value))
        yield from enumerate(value)

    def _typed(self, key: str, kind: type[T], name: str, default: T | None) -> T:
        value = self.content.get(key)
        if value is None:
            if default is None:
                raise FieldError(self.at(key), f"`{key}` is missing", code="missing-field", expected=name)
            return default
        return self._check(value, kind, name, self.at(key))

    @staticmethod
    def _check(value: object, kind: type[T], name: str, path: tuple[str | int, ...]) -> T:
        if not isinstance(value, kind):
            raise FieldError(path, f"`{spell_path(path[-1:])}` must be {name}", expected=name, got=kind_of(value))
        return value
