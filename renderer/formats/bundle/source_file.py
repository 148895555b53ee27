"""A file or directory that a bundle source names."""

from __future__ import annotations

from renderer.formats.documents.named_files import inside_repository
from renderer.model.fields import FieldError
from renderer.structs import Struct

__all__ = ["Path", "SourceFile"]

Path = tuple[str | int, ...]
"""Steps from the root of the document to a field."""


class SourceFile(Struct, frozen=True, kw_only=True):
    """A path that the document names: from the root of the working tree, and the field that says so."""

    path: str
    at: Path

    @classmethod
    def named(cls, text: str, at: Path, directory: str) -> SourceFile:
        """The file `text`, counted from `directory`, the document's own. Raises FieldError (`path-escape`)."""
        try:
            return cls(path=inside_repository(text, directory), at=at)
        except ValueError as error:
            raise FieldError(
                at, str(error), code="path-escape", expected="a path below the working directory", got=f"`{text}`"
            ) from error
