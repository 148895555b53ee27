"""Files that a document names: where they lie, and what is said when they are not there.

A repository is one tree of files. Paths in documents count from its root, so that a profile means the same wherever
the file lies that sets a key; only `extends` counts from the directory of the extending file. No path leaves the
root. Nothing is read here: content comes through the callables of `renderer.ports.Files`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.documents.document import Document, Path
from renderer.model.fields import FieldError, Json, kind_of
from renderer.structs import Struct

__all__ = ["ListFiles", "NamedFiles", "ReadFile", "inside_repository"]

ReadFile = Callable[[str], bytes]
"""The content of a file by its path from the root of the repository. Raises InputError."""
ListFiles = Callable[[str], tuple[str, ...]]
"""The files below a directory, sorted and relative to it. Raises InputError."""

_PATH_LIMIT: Final = 1024
_VALUES_LIMIT: Final = 4 * 2**20
_TEMPLATES_LIMIT: Final = 256
_TEMPLATE_BYTES: Final = 2**20


def inside_repository(path: str, directory: str = "") -> str:
    """`path`, counted from `directory`, as a path from the root of the repository; the root itself is empty.

    Raises ValueError for a path that is absolute, leads out of the root, or has characters that paths may not have.
    """
    if path.startswith("/"):
        raise ValueError(f"`{path}` is absolute; paths count from the root of the repository")
    if "\\" in path or any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise ValueError(f"{path!r} has a character that a path may not have")
    if len(path) > _PATH_LIMIT:
        raise ValueError(f"a path has at most {_PATH_LIMIT} characters")
    parts = directory.split("/") if directory else []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise ValueError(f"`{path}` leads out of the repository")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


class NamedFiles(Struct, frozen=True):
    """Reads the files that `document` names; every complaint is a FieldError at the field that names the file."""

    document: Document
    read: ReadFile
    list_files: ListFiles | None = None

    def resolve(self, text: str, at: Path) -> str:
        """The path from the root of the repository. Raises FieldError (`path-escape`)."""
        try:
            return inside_repository(text)
        except ValueError as error:
            raise FieldError(
                at,
                str(error),
                code="path-escape",
                expected="a path inside the repository",
                got=f"`{text}`",
            ) from error

    def content(self, text: str, at: Path, limit: int) -> bytes:
        """The content of the file `text`, at most `limit` bytes. Raises FieldError."""
        path = self.resolve(text, at)
        try:
            content = self.read(path)
        except InputError as error:
            raise self._unreadable(error, text, at) from error
        if len(content) > limit:
            raise FieldError(
                at,
                f"`{path}` has {len(content)} bytes; {limit} are allowed here",
                code="file-too-large",
            )
        return content

    def values(self, text: str, at: Path) -> dict[str, Json]:
        """The mapping in a YAML file of values, read as Helm reads it. Raises FieldError or InputError."""
        from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values

        content = self.content(text, at, _VALUES_LIMIT)
        path = self.resolve(text, at)
        try:
            limits = Limits(bytes=_VALUES_LIMIT, depth=64, nodes=200_000, aliased=20_000)
            value = load_values(content, limits=limits, strict_keys=True)
        except YamlError as error:
            finding = Finding(
                code=error.code,
                message=error.message,
                where=Where(file=path, line=error.line, column=error.column),
                explanation=(f"named by {self.document.where(at)}",),
            )
            raise InputError(finding) from error
        if not isinstance(value, dict):
            raise FieldError(
                at, f"`{path}` must hold a mapping", code="wrong-type", expected="a mapping", got=kind_of(value)
            )
        return value

    def text(self, text: str, at: Path, limit: int) -> str:
        """The content of a UTF-8 text file. Raises FieldError."""
        try:
            return self.content(text, at, limit).decode()
        except UnicodeDecodeError as error:
            raise FieldError(at, f"`{text}` is not UTF-8 text", code="not-text", expected="UTF-8") from error

    def texts_below(self, text: str, at: Path) -> dict[str, str]:
        """All files below the directory `text`, by their path relative to it. Raises FieldError."""
        directory = self.resolve(text, at)
        try:
            names = self.list_files(directory) if self.list_files else ()
        except InputError as error:
            raise self._unreadable(error, text, at) from error
        if len(names) > _TEMPLATES_LIMIT:
            message = f"`{directory}` holds {len(names)} files; {_TEMPLATES_LIMIT} are allowed"
            raise FieldError(at, message, code="too-many-files")
        prefix = f"{directory}/" if directory else ""
        return {name: self.text(f"{prefix}{name}", at, _TEMPLATE_BYTES) for name in names}

    def _unreadable(self, error: InputError, text: str, at: Path) -> FieldError:
        """The fault of a file, told as a fault of the field that names it."""
        finding = error.findings[0]
        hint = finding.hint
        beside = self._beside(text, at)
        if finding.code == "file-not-found" and beside is not None:
            hint = f"paths count from the root of the repository: write `{beside}`"
        return FieldError(at, finding.message, code=finding.code, expected=finding.expected, got=finding.got, hint=hint)

    def _beside(self, text: str, at: Path) -> str | None:
        """The path from the root, when the file was meant to be counted from the directory of the document."""
        directory = self.document.place(at).file.rpartition("/")[0]
        try:
            path = inside_repository(text, directory)
            if not self._is_there(path):
                return None
        except ValueError:
            return None
        return path

    def _is_there(self, path: str) -> bool:
        for look in (self.read, self.list_files):
            try:
                if look is not None:
                    look(path)
                    return True
            except InputError:
                continue
        return False
