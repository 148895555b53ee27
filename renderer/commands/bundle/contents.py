"""The files behind a bundle source: charts, templates, manifests and KubeSphere packages, packed into blobs."""

from __future__ import annotations

import fnmatch
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from renderer.errors import Finding, InputError, Where
from renderer.formats.archives import ArchiveError, pack, unpack
from renderer.formats.bundle.artifact import CHART_LAYER, FILES_LAYER, describe
from renderer.formats.bundle.discovery_source import SourceValueSet
from renderer.formats.bundle.source import BundleSourceDocument, SourceComponent, SourceExtension
from renderer.formats.bundle.source_file import SourceFile
from renderer.formats.canonical_json import parse_json
from renderer.formats.charts.ignore import without_ignored
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.formats.kubesphere.chart import generated_chart_file
from renderer.formats.kubesphere.package import CHART_FILE, METADATA_FILE, Package, read_package
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor, Extension
from renderer.model.fields import FieldError, Json, spell_path
from renderer.model.trees.tree import FileTree
from renderer.ports import Blob, Files

_ARCHIVES: Final = (".tgz", ".tar.gz")
_GLOB: Final = frozenset("*?[")
_YAML: Final = Limits(bytes=4 * 2**20, depth=64, nodes=200_000, aliased=20_000)
_SCHEMA_LIMIT: Final = 2**20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Packed:
    """Extensions with the blobs that their components stand on, and what is worth knowing about them."""

    extensions: tuple[Extension, ...]
    blobs: tuple[Blob, ...]
    notes: tuple[Finding, ...] = ()


def in_memory(descriptor: Descriptor, content: bytes) -> Blob:
    """A blob whose bytes are at hand."""
    return Blob(descriptor=descriptor, open=lambda: io.BytesIO(content))


@dataclass(frozen=True, slots=True)
class Contents:
    """Reads and packs what one bundle source names. Faults are InputError at the field that names the file."""

    source: BundleSourceDocument
    files: Files

    def extension(self, extension: SourceExtension) -> Packed:
        """An extension described in the document."""
        components: list[Component] = []
        blobs: list[Blob] = []
        for component in extension.components:
            blob = self._chart(component) if component.kind is ComponentKind.HELM else self._files(component)
            blobs.append(blob)
            components.append(
                Component(
                    name=component.name,
                    kind=component.kind,
                    content=blob.descriptor,
                    release=component.release,
                    namespace=component.namespace,
                    values=self.values(component),
                    values_schema=self._schema(component.values_schema),
                )
            )
        whole = replace(extension.extension, components=tuple(components))
        return Packed((whole,), tuple(blobs))

    def packages(self, packages: SourceFile) -> Packed:
        """The KubeSphere packages at a path or glob."""
        found = [self._package(path, packages) for path in self._expanded(packages)]
        return Packed(
            tuple(extension for extension, _, _ in found),
            tuple(blob for _, blob, _ in found),
            tuple(note for _, _, notes in found for note in notes),
        )

    # --- KubeSphere packages ---

    def _expanded(self, packages: SourceFile) -> tuple[str, ...]:
        """The packages that a path or glob names, sorted."""
        if not _GLOB & set(packages.path):
            return (packages.path,)
        parts = packages.path.split("/")
        fixed = next(index for index, part in enumerate(parts) if _GLOB & set(part))
        root = "/".join(parts[:fixed])
        below = self._read(packages, lambda: self.files.list(root))
        names = {name for name in below if name.endswith(_ARCHIVES)}
        names |= {name.removesuffix(f"/{METADATA_FILE}") for name in below if name.endswith(f"/{METADATA_FILE}")}
        matching = sorted(name for name in names if _matches(name.split("/"), parts[fixed:]))
        if not matching:
            raise self._fault(
                packages,
                "no-packages",
                f"no KubeSphere package matches `{packages.path}`",
                expected=f"packages (`.tgz`), or directories with `{METADATA_FILE}`",
            )
        return tuple(f"{root}/{name}" if root else name for name in matching)

    def _package(self, path: str, packages: SourceFile) -> tuple[Extension, Blob, tuple[Finding, ...]]:
        if path.endswith(_ARCHIVES):
            content = self._read(packages, lambda: self.files.read(path))
            root, tree = self._unpacked(content, path, packages)
            package = read_package(tree, f"{path}!/{root}")
        else:
            tree = self._tree(replace(packages, path=path))
            package = read_package(tree, path)
            content = self._built(package, tree, path)
        name, version = package.extension.name, package.extension.version
        chart = describe(content, CHART_LAYER, title=f"{name}-{version}.tgz")
        return package.with_chart(chart), in_memory(chart, content), package.notes

    def _built(self, package: Package, tree: FileTree, path: str) -> bytes:
        """What `ksbuilder package` makes of a source directory, reproducibly."""
        try:
            files = dict(tree.files)
            if CHART_FILE not in files:
                files[CHART_FILE] = generated_chart_file(package.metadata, tree)
            return pack(without_ignored(FileTree.of(files.items())), package.extension.name)
        except FieldError as error:
            where = Where(file=f"{path}/{METADATA_FILE}", path=spell_path(error.path))
            raise InputError(error.finding().at(where)) from error
        except ValueError as error:
            raise InputError(Finding(code="invalid-chart", message=str(error), where=Where(file=path))) from error

    # --- charts, templates, manifests ---

    def _chart(self, component: SourceComponent) -> Blob:
        path = component.content.path
        if path.endswith(_ARCHIVES):
            content = self._read(component.content, lambda: self.files.read(path))
            _, tree = self._unpacked(content, path, component.content)
            name, version = self._chart_name(tree, component.content)
        else:
            tree = self._tree(component.content)
            name, version = self._chart_name(tree, component.content)
            try:
                content = pack(without_ignored(tree), name)
            except ValueError as error:
                raise self._fault(component.content, "invalid-chart", str(error)) from error
        return in_memory(describe(content, CHART_LAYER, title=f"{name}-{version}.tgz"), content)

    def _chart_name(self, tree: FileTree, named: SourceFile) -> tuple[str, str]:
        """Name and version out of Chart.yaml."""
        text = tree.files.get(CHART_FILE)
        chart: Json = {}
        if text is not None:
            try:
                chart = load_values(text, limits=_YAML)
            except YamlError as error:
                message = f"`{CHART_FILE}` of `{named.path}` cannot be read: {error}"
                raise self._fault(named, "invalid-chart", message) from error
        name = chart.get("name") if isinstance(chart, dict) else None
        if not isinstance(name, str) or not name or "/" in name or name in (".", ".."):
            raise self._fault(
                named,
                "not-a-chart",
                f"`{named.path}` is not a Helm chart",
                expected=f"a chart directory, or a `.tgz` with one directory, that holds `{CHART_FILE}` with a name",
                hint="use `jinja:` for templates of ours, `manifests:` for plain YAML",
            )
        version = chart.get("version") if isinstance(chart, dict) else None
        return name, str(version or "0")

    def _files(self, component: SourceComponent) -> Blob:
        tree = self._tree(component.content)
        content = pack(tree)
        return in_memory(describe(content, FILES_LAYER, title=f"{component.name}.tar.gz"), content)

    def _tree(self, named: SourceFile) -> FileTree:
        """The files below a directory, or the one file that is named."""
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

        tree = self._read(named, read)
        if not len(tree):
            raise self._fault(named, "empty-component", f"there are no files below `{path}`")
        return tree

    def _unpacked(self, content: bytes, path: str, named: SourceFile) -> tuple[str, FileTree]:
        """The one top directory of an archive, and what lies below it."""
        try:
            tree = unpack(content, repeats=True)
        except ArchiveError as error:
            message = f"`{path}` cannot be unpacked: {error}"
            raise self._fault(named, "archive-refused", message) from error
        roots = {name.partition("/")[0] for name in tree}
        if len(roots) != 1:
            raise self._fault(
                named,
                "not-a-chart",
                f"`{path}` is not a packaged chart",
                expected="one directory at the top",
                got=f"{len(roots)} entries",
                hint="helm package DIRECTORY",
            )
        root = roots.pop()
        return root, tree.below(root)

    # --- values ---

    def values(self, named: SourceComponent | SourceValueSet) -> Mapping[str, Json]:
        """`valuesFrom` in order, `values` above them: mappings merge, everything else replaces."""
        merged: dict[str, Json] = {}
        for file in named.values_from:
            content = self._read(file, partial(self.files.read, file.path))
            try:
                layer = load_values(content, limits=_YAML, strict_keys=True)
            except YamlError as error:
                message = f"`{file.path}` cannot be read: {error}"
                raise self._fault(file, error.code, message) from error
            if not isinstance(layer, dict):
                raise self._fault(file, "wrong-type", f"`{file.path}` must hold a mapping", expected="a mapping")
            merged = _laid_over(merged, layer)
        return _laid_over(merged, named.values)

    def _schema(self, named: SourceFile | None) -> Mapping[str, Json] | None:
        if named is None:
            return None
        content = self._read(named, lambda: self.files.read(named.path))
        try:
            schema = parse_json(content, limit=_SCHEMA_LIMIT)
        except ValueError as error:
            raise self._fault(named, "invalid-schema", f"`{named.path}` cannot be read: {error}") from error
        if not isinstance(schema, dict):
            raise self._fault(named, "invalid-schema", f"`{named.path}` must hold a JSON Schema", expected="a mapping")
        return schema

    # --- faults ---

    def _read(self, named: SourceFile, read: Callable[[], T]) -> T:
        """What `read` gives; a file that cannot be read is told at the field that names it."""
        try:
            return read()
        except InputError as error:
            where = self.source.document.where(named.at)
            raise InputError(*(finding.at(where) for finding in error.findings)) from error

    def _fault(
        self,
        named: SourceFile,
        code: str,
        message: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> InputError:
        where = self.source.document.where(named.at)
        return InputError(Finding(code=code, message=message, where=where, expected=expected, got=got, hint=hint))


def _laid_over(lower: Mapping[str, Json], upper: Mapping[str, Json]) -> dict[str, Json]:
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        result[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _matches(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))
