"""The files that a bundle source names, read with their faults told at the fields that name them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from renderer.errors import Finding, InputError
from renderer.formats.archives import ArchiveError, unpack
from renderer.formats.bundle.discovery_source import SourceValueSet
from renderer.formats.bundle.source import SourceComponent
from renderer.formats.bundle.source_file import SourceFile
from renderer.formats.canonical_json import parse_json
from renderer.formats.documents.document import Document
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.model.fields import Json
from renderer.model.trees.tree import FileTree
from renderer.ports import Files
from renderer.structs import Struct

YAML_LIMITS: Final = Limits(bytes=4 * 2**20, depth=64, nodes=200_000, aliased=20_000)
_SCHEMA_LIMIT: Final = 2**20
T = TypeVar("T")


class SourceReader(Struct, frozen=True):
    """Reads the files that `document` names. Faults are InputError."""

    document: Document
    files: Files

    def tree(self, named: SourceFile, expected: str | None = None) -> FileTree:
        """The files below a directory, or the one file that is named; `expected` says what should be there."""
        path = named.path

        def read() -> FileTree:
            try:
                names = self.files.list(path)
            except InputError as error:
                if error.findings[0].code != "not-a-directory":
                    raise
                return FileTree.of([(path.rpartition("/")[2], self.files.read(path))])
            prefix = f"{path}/" if path else ""
            return FileTree.of((name, self.files.read(prefix + name)) for name in names)

        tree = self.read(named, read)
        if not len(tree):
            raise self.fault(named, "empty-component", f"there are no files below `{path}`", expected=expected)
        return tree

    def unpacked(self, content: bytes, path: str, named: SourceFile) -> tuple[str, FileTree]:
        """The one top directory of an archive, and what lies below it."""
        try:
            tree = unpack(content, repeats=True)
        except ArchiveError as error:
            message = f"`{path}` cannot be unpacked: {error}"
            raise self.fault(named, "archive-refused", message) from error
        roots = {name.partition("/")[0] for name in tree}
        if len(roots) != 1:
            raise self.fault(
                named,
                "not-a-chart",
                f"`{path}` is not a packaged chart",
                expected="one directory at the top",
                got=f"{len(roots)} entries",
                hint="helm package DIRECTORY",
            )
        root = roots.pop()
        return root, tree.below(root)

    def values(self, named: SourceComponent | SourceValueSet) -> Mapping[str, Json]:
        """`valuesFrom` in order, `values` above them: mappings merge, everything else replaces."""
        merged: dict[str, Json] = {}
        for file in named.values_from:
            content = self.read(file, partial(self.files.read, file.path))
            try:
                layer = load_values(content, limits=YAML_LIMITS, strict_keys=True)
            except YamlError as error:
                message = f"`{file.path}` cannot be read: {error}"
                raise self.fault(file, error.code, message) from error
            if not isinstance(layer, dict):
                raise self.fault(file, "wrong-type", f"`{file.path}` must hold a mapping", expected="a mapping")
            merged = _laid_over(merged, layer)
        return _laid_over(merged, named.values)

    def schema(self, named: SourceFile | None) -> Mapping[str, Json] | None:
        """A JSON Schema of at most 1 MiB, where one is named."""
        if named is None:
            return None
        content = self.read(named, lambda: self.files.read(named.path))
        try:
            schema = parse_json(content, limit=_SCHEMA_LIMIT)
        except ValueError as error:
            raise self.fault(named, "invalid-schema", f"`{named.path}` cannot be read: {error}") from error
        if not isinstance(schema, dict):
            raise self.fault(named, "invalid-schema", f"`{named.path}` must hold a JSON Schema", expected="a mapping")
        return schema

    def read(self, named: SourceFile, read: Callable[[], T]) -> T:
        """What `read` gives; a file that cannot be read is told at the field that names it."""
        try:
            return read()
        except InputError as error:
            where = self.document.where(named.at)
            raise InputError(*(finding.at(where) for finding in error.findings)) from error

    def fault(
        self,
        named: SourceFile,
        code: str,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> InputError:
        """The fault of a file, to be raised."""
        where = self.document.where(named.at)
        return InputError(Finding(code=code, message=message, where=where, expected=expected, got=got, hint=hint))


def _laid_over(lower: Mapping[str, Json], upper: Mapping[str, Json]) -> dict[str, Json]:
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result
