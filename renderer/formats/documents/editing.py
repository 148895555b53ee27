"""One change to a file that people wrote: everything else stays as it is, comments and order too."""

from __future__ import annotations

import io
from typing import Any

from renderer.errors import Finding, InputError
from renderer.formats.documents.document import parse_document
from renderer.formats.documents.located import Document, Path
from renderer.formats.kubernetes.writer import dump
from renderer.formats.kubernetes.yaml_quoting import needs_quotes
from renderer.model.fields import Json, spell_path


def edit(content: bytes, path: Path, value: Json, file: str = "document") -> bytes:
    """Set one value of a document and keep everything else, comments and order too.

    A scalar on one line is replaced in place, so that a git diff shows that line only; other changes are written by
    ruamel.yaml. Missing mappings on the way are made; an index one behind the end of a list appends. The result is
    read back and compared. Raises InputError when the document cannot be read or the change cannot be made.
    """
    before = parse_document(content, file)
    wanted = _with(before.value, path, value)
    if wanted is not None:
        for attempt in (_replaced_in_place, _rewritten):
            changed = attempt(content, before, path, value)
            if changed is not None and _reads_as(changed, wanted[0]):
                return changed
    message = f"`{spell_path(path)}` cannot be changed here; edit the file by hand"
    raise InputError(Finding(code="cannot-edit", message=message, where=before.where(path)))


def _reads_as(content: bytes, wanted: Json) -> bool:
    try:
        # Compared as text: True is not 1 here.
        return dump(parse_document(content, "").value) == dump(wanted)
    except InputError:
        return False


def _with(value: Json, path: Path, new: Json) -> tuple[Json] | None:
    """The value with one change, or None when the path leads nowhere."""
    if not path:
        return (new,)
    step, rest = path[0], path[1:]
    if isinstance(step, str) and (value is None or isinstance(value, dict)):
        below = _with((value or {}).get(step), rest, new)
        return ({**(value or {}), step: below[0]},) if below else None
    if isinstance(step, int) and isinstance(value, list) and 0 <= step <= len(value):
        below = _with(value[step] if step < len(value) else None, rest, new)
        return ([*value[:step], below[0], *value[step + 1 :]],) if below else None
    return None


def _replaced_in_place(content: bytes, document: Document, path: Path, value: Json) -> bytes | None:
    """The text with one scalar replaced; None when the old or the new one is not a scalar on one line."""
    place = document.places.get(path)
    token = dump(value).rstrip("\n")
    if place is None or place.span is None or isinstance(value, dict | list) or "\n" in token:
        return None
    text = content.decode("utf-8-sig")
    start, end = place.span
    old = text[start:end]
    if not old or "\n" in old or old[0] in "|>&!":
        return None
    mark = content[: len(content) - len(text.encode())]
    return mark + (text[:start] + token + text[end:]).encode()


def _rewritten(content: bytes, _document: Document, path: Path, value: Json) -> bytes | None:
    """The text as ruamel.yaml writes it after the change."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.util import load_yaml_guess_indent

    text = content.decode("utf-8-sig")
    out = io.StringIO()
    try:
        _, indent, offset = load_yaml_guess_indent(text)
        writer = YAML(typ="rt", pure=True)
        writer.preserve_quotes = True
        writer.width = 2**20
        writer.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
        root = writer.load(text)
        if root is None:
            root = CommentedMap()
        _set(root, path, _for_ruamel(value))
        writer.dump(root, out)
    except (YAMLError, LookupError, TypeError, ValueError):
        return None
    return out.getvalue().encode()


def _set(root: Any, path: Path, value: Any) -> None:
    """Set one value below a node of ruamel.yaml, making mappings on the way."""
    from ruamel.yaml.comments import CommentedMap

    target = root
    for step in path[:-1]:
        if isinstance(target, dict) and target.get(step) is None:
            target[step] = CommentedMap()
        target = target[step]
    if isinstance(target, list) and path[-1] == len(target):
        target.append(value)
    else:
        target[path[-1]] = value


def _for_ruamel(value: Json) -> Any:
    """A value in the classes of ruamel.yaml, quoted wherever our own writer would quote it."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if isinstance(value, dict):
        return CommentedMap((_for_ruamel(key), _for_ruamel(below)) for key, below in value.items())
    if isinstance(value, list):
        return CommentedSeq(_for_ruamel(below) for below in value)
    if not isinstance(value, str):
        return value
    if "\n" in value and dump({"x": value}).startswith("x: |"):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value) if needs_quotes(value) else value
