"""`extends`: from one profile to all files that it builds upon, lowest first."""

from __future__ import annotations

from typing import Final, cast

from renderer.errors import Finding, InputError
from renderer.formats.documents.document import Document, Faults, Path, merge_layers, parse_document
from renderer.formats.documents.named_files import ReadFile, inside_repository
from renderer.model.fields import FieldError, Fields, Json
from renderer.structs import Struct, field

__all__ = ["API_VERSION", "KIND", "merged_profile"]

API_VERSION: Final = "sitewright.dev/v1"
KIND: Final = "Site"
_DEPTH_LIMIT: Final = 16
_FILES_LIMIT: Final = 64


def merged_profile(path: str, read: ReadFile) -> tuple[Document, tuple[str, ...]]:
    """The profile `path` laid over everything that it extends, and the files read, lowest layer first.

    `spec.extends` is gone from the result. A key that the profile sets to `null` (outside of lists) counts as not
    set, which is how a site takes back what a base profile says. A file that is extended on two ways is laid down
    once, where it comes first. Raises InputError with the faults of all files.
    """
    walk = _Walk(read)
    walk.visit(path, (), None)
    walk.faults.raise_if_any()
    merged = merge_layers(walk.layers)
    value = cast("dict[str, Json]", _without_nulls(merged.value))
    spec = value.get("spec")
    if isinstance(spec, dict):
        value["spec"] = {key: below for key, below in spec.items() if key != "extends"}
    return Document(merged.file, value, merged.places), tuple(layer.file for layer in walk.layers)


def _without_nulls(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(below) for key, below in value.items() if below is not None}


class _Walk(Struct):
    """A walk over profiles, depth first: what a file extends is laid down before the file itself."""

    read: ReadFile
    layers: list[Document] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    faults: Faults = field(default_factory=Faults)

    def visit(self, path: str, chain: tuple[str, ...], named: tuple[Document, Path] | None) -> None:
        """Lay down `path`. `chain` leads to the file that names it, in the document and field `named`."""
        if path in self.seen:
            return
        self.seen.add(path)
        document = self.parsed(path, named)
        if document is None:
            return
        bases: tuple[str, ...] = ()
        with self.faults.at(document):
            bases = _spec(document).texts("extends")
        for index, text in enumerate(bases):
            at: Path = ("spec", "extends", index)
            with self.faults.at(document):
                base = _base(text, at, path, (*chain, path))
                if base not in self.seen and len(self.seen) >= _FILES_LIMIT:
                    raise FieldError(at, f"a profile extends at most {_FILES_LIMIT} files", code="extends-limit")
                self.visit(base, (*chain, path), (document, at))
        self.layers.append(document)

    def parsed(self, path: str, named: tuple[Document, Path] | None) -> Document | None:
        """The document at `path`, or None when it cannot be read."""
        try:
            content = self.read(path)
        except InputError as error:
            self.faults.add(*(_at_field(finding, named) for finding in error.findings))
            return None
        try:
            document = parse_document(content, path)
        except InputError as error:
            self.faults.add(*error.findings)
            return None
        with self.faults.at(document):
            _check_kind(document)
            return document
        return None


def _at_field(finding: Finding, named: tuple[Document, Path] | None) -> Finding:
    return finding if named is None else finding.at(named[0].where(named[1]))


def _spec(document: Document) -> Fields:
    return Fields.of(document.value).child("spec")


def _check_kind(document: Document) -> None:
    """Every layer is a Site by itself, so that no other file slips in. Raises FieldError."""
    fields = Fields.of(document.value if document.value is not None else {})
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        found = fields.content.get(key)
        if found != expected:
            raise FieldError(
                fields.at(key),
                f"`{document.file}` is no site profile: its `{key}` is not `{expected}`",
                code="wrong-kind",
                expected=f"`{key}: {expected}`",
                got="nothing" if found is None else f"`{found}`",
                hint="sitewright schema site",
            )


def _base(text: str, at: Path, path: str, chain: tuple[str, ...]) -> str:
    """The file that `text` names in the profile `path`. Raises FieldError."""
    try:
        base = inside_repository(text, path.rpartition("/")[0])
    except ValueError as error:
        raise FieldError(at, str(error), code="path-escape", expected="a file inside the repository") from error
    if base in chain:
        circle = " extends ".join(f"`{step}`" for step in (*chain[chain.index(base) :], base))
        raise FieldError(at, f"profiles cannot extend themselves: {circle}", code="extends-cycle")
    if len(chain) > _DEPTH_LIMIT:
        raise FieldError(at, f"profiles extend each other at most {_DEPTH_LIMIT} levels deep", code="extends-limit")
    return base
