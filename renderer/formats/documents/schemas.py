"""JSON Schema 2020-12: every violation of a document as a finding in our words, at its place.

jsonschema_rs finds the violations; the prose, the place and the advice are ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from renderer.errors import Finding, InputError
from renderer.formats.documents.located import Document, Path
from renderer.model.fields import Json, kind_of, spell_path

__all__ = ["validate", "violations"]

Schema = Mapping[str, Json]

_SHOWN: Final = 12
"""How many allowed names or values a message lists at most."""
_TYPES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "`true` or `false`",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def validate(document: Document, schema: Schema, *, kind: str | None = None) -> None:
    """Check a document against a schema. `kind` is what `sitewright schema` calls it, for hints.

    Raises InputError with every violation, in the order of the file. Codes: `missing-field`, `unknown-field`,
    `wrong-type`, `invalid-value`.
    """
    found = violations(document, schema, kind=kind)
    if found:
        raise InputError(*found)


def violations(document: Document, schema: Schema, *, kind: str | None = None) -> tuple[Finding, ...]:
    """Every violation of `schema`, in the order of the file."""
    from jsonschema_rs import Draft202012Validator

    errors = Draft202012Validator(json.dumps(schema), validate_formats=True).iter_errors(document.value)
    teller = _Teller(document, schema, kind)
    findings = {finding for error in errors for finding in teller.tell(error)}
    return tuple(sorted(findings, key=_order))


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    where = finding.where
    return (where.file or "", where.line or 0, where.column or 0, where.path or "", finding.message)


class _Teller:
    """Turns the violations of one document into findings."""

    def __init__(self, document: Document, schema: Schema, kind: str | None) -> None:
        self.document = document
        self.schema = schema
        self.kind = kind

    def tell(self, error: Any) -> Iterator[Finding]:
        """The findings of one violation."""
        path: Path = tuple(error.instance_path)
        name = error.kind.name
        special: dict[str, Callable[[Any, Path], Iterator[Finding]]] = {
            "additionalProperties": self._unknown,
            "unevaluatedProperties": self._unknown,
            "required": self._missing,
            "type": self._type,
            "oneOf": self._branches,
            "anyOf": self._branches,
            "propertyNames": self._name,
        }
        yield from special.get(name, self._value)(error, path)

    # --- the kinds of violation ---

    def _unknown(self, error: Any, path: Path) -> Iterator[Finding]:
        allowed = sorted(self._properties(error))
        for key in error.kind.unexpected:
            close = _close(key, allowed)
            yield Finding(
                code="unknown-field",
                message=f"`{key}` is not a field of {_named(path)}",
                where=self.document.where((*path, key), key=True),
                expected=_any_of(allowed) if allowed else None,
                hint=f"did you mean `{close[0]}`?" if close else self._schema_hint(),
            )

    def _missing(self, error: Any, path: Path) -> Iterator[Finding]:
        key = error.kind.property
        about = self._about(_at(self._parent(error), ("properties", key)))
        where = self.document.where(path, key=True)
        yield Finding(
            code="missing-field",
            message=f"{_named(path)} lacks `{key}`",
            where=where,
            expected=f"`{key}`: {about}" if about else f"`{key}`",
            hint=self._schema_hint(),
        )

    def _type(self, error: Any, path: Path) -> Iterator[Finding]:
        types = self._parent(error).get("type")
        wanted = _or([_TYPES.get(str(name), str(name)) for name in (types if isinstance(types, list) else [types])])
        spelled = self.document.place(path).spelled if path in self.document.places else None
        quotes = spelled and "string" in (types if isinstance(types, list) else [types])
        yield Finding(
            code="wrong-type",
            message=f"{_named(path)} must be {wanted}",
            where=self.document.where(path),
            expected=wanted,
            got=f"{kind_of(error.instance)}{f' (`{spelled}`)' if spelled else ''}",
            hint=f'put it in quotes: "{spelled}"' if quotes and spelled else None,
        )

    def _name(self, error: Any, path: Path) -> Iterator[Finding]:
        inner = error.kind.error
        key = str(inner.instance)
        rules = self._parent(error)
        expected = self._about(rules)
        yield Finding(
            code="invalid-value",
            message=f"`{key}` cannot be a name in {_named(path)}",
            where=self.document.where((*path, key), key=True),
            expected=expected or _rule(inner.kind, rules),
            got=f"`{key}`",
        )

    def _value(self, error: Any, path: Path) -> Iterator[Finding]:
        subschema = self._parent(error)
        expected = _rule(error.kind, subschema)
        if error.kind.name in {"pattern", "format", "not", "oneOf", "contains"} or expected is None:
            expected = self._about(subschema) or expected or str(error.message)
        yield Finding(
            code="invalid-value",
            message=f"{_named(path)} cannot be {_shown(error.instance)}",
            where=self.document.where(path),
            expected=expected,
            hint=_close_value(error),
        )

    def _branches(self, error: Any, path: Path) -> Iterator[Finding]:
        context: list[list[Any]] = getattr(error.kind, "context", None) or []
        fitting = [branch for branch in context if not any(_is_root_type(fault, path) for fault in branch)]
        if not context or not all(context):  # more than one alternative fits
            yield Finding(
                code="invalid-value",
                message=f"{_named(path)} fits more than one of the forms that it may have",
                where=self.document.where(path, key=True),
                expected="fields of one form only",
                hint=self._schema_hint(),
            )
        elif not fitting:
            yield from self._no_type_fits(error, path, context)
        elif len(fitting) > 1 and all(_lone_missing(branch, path) for branch in fitting):
            keys = [branch[0].kind.property for branch in fitting]
            yield Finding(
                code="missing-field",
                message=f"{_named(path)} lacks one of {_or([f'`{key}`' for key in keys])}",
                where=self.document.where(path, key=True),
                expected=_any_of(keys),
                hint=self._schema_hint(),
            )
        else:
            # The alternative that the author meant is the one that comes closest: no constant of it is violated, and
            # what it requires has been begun.
            begun = self._begun(error)
            meant = min(
                (branch for branch in zip(context, begun, strict=True) if branch[0] in fitting),
                key=lambda one: (any(_is_choice(fault) for fault in one[0]), -one[1], len(one[0])),
            )
            for fault in meant[0]:
                yield from self.tell(fault)

    def _begun(self, error: Any) -> list[int]:
        """How many of the fields that each alternative requires are there."""
        alternatives = self._parent(error).get(error.kind.name)
        parts = alternatives if isinstance(alternatives, list) else []
        wanted = [self._resolved(part).get("required") if isinstance(part, dict) else None for part in parts]
        there = error.instance if isinstance(error.instance, dict) else {}
        return [sum(key in there for key in keys) if isinstance(keys, list) else 0 for keys in wanted]

    def _no_type_fits(self, error: Any, path: Path, context: list[list[Any]]) -> Iterator[Finding]:
        names: list[str] = []
        for branch in context:
            for fault in branch:
                if _is_root_type(fault, path):
                    types = fault.kind.types
                    names += [_TYPES.get(str(name), str(name)) for name in types]
        wanted = _or(list(dict.fromkeys(names)))
        yield Finding(
            code="wrong-type",
            message=f"{_named(path)} must be {wanted}",
            where=self.document.where(path),
            expected=self._about(self._parent(error)) or wanted,
            got=kind_of(error.instance),
        )

    # --- the schema around a violation ---

    def _parent(self, error: Any) -> Schema:
        """The schema that the violated keyword belongs to."""
        return _at(self.schema, tuple(error.schema_path)[:-1])

    def _properties(self, error: Any) -> set[str]:
        """The fields that are known where an unknown one was found."""
        found: set[str] = set()
        waiting = [self._parent(error)]
        while waiting:
            schema = waiting.pop()
            properties = schema.get("properties")
            found |= set(properties) if isinstance(properties, dict) else set()
            for keyword in ("allOf", "anyOf", "oneOf"):
                below = schema.get(keyword)
                waiting += [part for part in below if isinstance(part, dict)] if isinstance(below, list) else []
            reference = schema.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/"):
                waiting.append(self._resolved(schema))
        return found

    def _resolved(self, schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/"))
        return _at(self.schema, steps)

    def _about(self, schema: Schema) -> str | None:
        """What a schema wants, in words: `x-expected`, or the first sentence of its description."""
        for candidate in (schema, self._resolved(schema)):
            expected = candidate.get("x-expected")
            if isinstance(expected, str):
                return expected
        for candidate in (schema, self._resolved(schema)):
            description = candidate.get("description")
            if isinstance(description, str):
                return description.split(". ")[0].rstrip(".")
        return None

    def _schema_hint(self) -> str | None:
        return f"sitewright schema {self.kind}" if self.kind else None


def _at(schema: Schema, path: Sequence[str | int]) -> Schema:
    found: object = schema
    for step in path:
        if isinstance(found, dict):
            found = found.get(str(step))
        elif isinstance(found, list) and str(step).isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return {}
    return cast("Schema", found) if isinstance(found, dict) else {}


def _is_root_type(fault: Any, path: Path) -> bool:
    return fault.kind.name == "type" and tuple(fault.instance_path) == path


def _lone_missing(branch: Sequence[Any], path: Path) -> bool:
    return len(branch) == 1 and branch[0].kind.name == "required" and tuple(branch[0].instance_path) == path


def _is_choice(fault: Any) -> bool:
    return fault.kind.name in {"const", "enum"}


def _rule(kind: Any, subschema: Schema) -> str | None:
    """What a keyword asks for, in words."""
    if kind.name == "const":
        return f"`{_plain(kind.expected_value)}`"
    if kind.name == "enum":
        return _any_of([_plain(option) for option in kind.options])
    words = {
        "minLength": "{} or more characters",
        "maxLength": "{} or fewer characters",
        "minItems": "{} or more items",
        "maxItems": "{} or fewer items",
        "minProperties": "{} or more fields",
        "maxProperties": "{} or fewer fields",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "multipleOf": "a multiple of {}",
        "pattern": "text that matches `{}`",
        "format": "text of the form `{}`",
    }
    if kind.name in words:
        return words[kind.name].format(_plain(subschema.get(kind.name)))
    return "no value twice" if kind.name == "uniqueItems" else None


def _close_value(error: Any) -> str | None:
    if error.kind.name != "enum" or not isinstance(error.instance, str):
        return None
    options = [option for option in error.kind.options if isinstance(option, str)]
    close = _close(error.instance, options)
    return f"did you mean `{close[0]}`?" if close else None


def _named(path: Path) -> str:
    return f"`{spell_path(path)}`" if path else "the document"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        unit = "field" if isinstance(value, dict) else "item"
        return f"{kind_of(value)} of {len(value)} {unit}{'' if len(value) == 1 else 's'}"
    text = _plain(value)
    return f"`{text[:77]}...`" if len(text) > 80 else f"`{text}`"


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}" if names else "another value"


def _any_of(names: Sequence[str]) -> str:
    shown = [f"`{name}`" for name in names[:_SHOWN]]
    more = len(names) - len(shown)
    return f"{', '.join(shown)} and {more} more" if more > 0 else _or(shown)


def _close(word: str, known: Sequence[str]) -> list[str]:
    """The one of `known` that was probably meant, or none."""
    from difflib import get_close_matches

    return get_close_matches(word, known, n=1, cutoff=0.6)
