"""The files behind a bundle source: charts, templates, manifests and KubeSphere packages, packed into blobs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Final

from renderer.commands.bundle.building.blobs import in_memory
from renderer.commands.bundle.building.faults import FaultsOfParts
from renderer.commands.bundle.building.reading import YAML_LIMITS, SourceReader
from renderer.commands.bundle.building.remotes import fetch_chart
from renderer.errors import Finding, InputError, Where
from renderer.formats.archives import pack
from renderer.formats.bundle.artifact import CHART_LAYER, FILES_LAYER, describe
from renderer.formats.bundle.remote_source import RemoteChart
from renderer.formats.bundle.source import SourceComponent, SourceExtension
from renderer.formats.bundle.source_file import SourceFile
from renderer.formats.charts.ignore import without_ignored
from renderer.formats.kubernetes.manifests import YamlError, load_values
from renderer.formats.kubesphere.chart import generated_chart_file
from renderer.formats.kubesphere.package import CHART_FILE, METADATA_FILE, Package, read_package
from renderer.model.bundles.extension import Component, ComponentKind, Extension
from renderer.model.fields import FieldError, Json, spell_path
from renderer.model.trees.tree import FileTree
from renderer.ports import Blob, Registry
from renderer.structs import Struct, replace

_ARCHIVES: Final = (".tgz", ".tar.gz")
_PACKAGES: Final = f"packages (`.tgz`), or directories with `{METADATA_FILE}`"
_GLOB: Final = frozenset("*?[")


class Packed(Struct, frozen=True):
    """Extensions with the blobs that their components stand on, and what is worth knowing about them."""

    extensions: tuple[Extension, ...]
    blobs: tuple[Blob, ...]
    notes: tuple[Finding, ...] = ()


class Contents(Struct, frozen=True):
    """Packs what one bundle source names. Faults are InputError at the field that names the file.

    `registry` gives the registry at an address, for charts that lie in one.
    """

    reader: SourceReader
    registry: Callable[[str], Registry]

    def extension(self, extension: SourceExtension) -> Packed:
        """An extension described in the document."""
        components: list[Component] = []
        blobs: list[Blob] = []
        notes: list[Finding] = []
        faults = FaultsOfParts()
        for component in extension.components:
            with faults.of_part():
                made, blob, said = self._component(component)
                components.append(made)
                blobs.append(blob)
                notes += said
        faults.raise_if_any()
        whole = replace(extension.extension, components=tuple(components))
        return Packed((whole,), tuple(blobs), tuple(notes))

    def _component(self, component: SourceComponent) -> tuple[Component, Blob, tuple[Finding, ...]]:
        notes: tuple[Finding, ...] = ()
        if component.kind is ComponentKind.HELM:
            blob, notes = self._chart(component.content)
        else:
            blob = self._files(component.name, component.content)
        made = Component(
            name=component.name,
            kind=component.kind,
            content=blob.descriptor,
            release=component.release,
            namespace=component.namespace,
            values=self.reader.values(component),
            values_schema=self.reader.schema(component.values_schema),
        )
        return made, blob, notes

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
        below = self.reader.read(packages, lambda: self.reader.files.list(root))
        names = {name for name in below if name.endswith(_ARCHIVES)}
        names |= {name.removesuffix(f"/{METADATA_FILE}") for name in below if name.endswith(f"/{METADATA_FILE}")}
        matching = sorted(name for name in names if _matches(name.split("/"), parts[fixed:]))
        if not matching:
            raise self.reader.fault(
                packages,
                "no-packages",
                f"no KubeSphere package matches `{packages.path}`",
                expected=_PACKAGES,
            )
        return tuple(f"{root}/{name}" if root else name for name in matching)

    def _package(self, path: str, packages: SourceFile) -> tuple[Extension, Blob, tuple[Finding, ...]]:
        if path.endswith(_ARCHIVES):
            content = self.reader.read(packages, lambda: self.reader.files.read(path))
            root, tree = self.reader.unpacked(content, path, packages)
            package = read_package(tree, f"{path}!/{root}")
        else:
            tree = _without_chart_file(self.reader.tree(replace(packages, path=path), expected=_PACKAGES))
            package = read_package(tree, path)
            content = self._built(package, tree, path)
        name, version = package.extension.name, package.extension.version
        chart = describe(content, CHART_LAYER, title=f"{name}-{version}.tgz", version=str(version))
        return package.with_chart(chart), in_memory(chart, content), package.notes

    def _built(self, package: Package, tree: FileTree, path: str) -> bytes:
        """What `ksbuilder package` makes of a source directory, reproducibly."""
        try:
            files = {**tree.files, CHART_FILE: generated_chart_file(package.metadata, tree)}
            return pack(without_ignored(FileTree.of(files.items())), package.extension.name)
        except FieldError as error:
            where = Where(file=f"{path}/{METADATA_FILE}", path=spell_path(error.path))
            raise InputError(error.finding().at(where)) from error
        except ValueError as error:
            raise InputError(Finding(code="invalid-chart", message=str(error), where=Where(file=path))) from error

    # --- charts, templates, manifests ---

    def _chart(self, content: SourceFile | RemoteChart) -> tuple[Blob, tuple[Finding, ...]]:
        """A chart as `helm package` would leave it, and what is worth knowing about where it came from."""
        notes: tuple[Finding, ...] = ()
        if isinstance(content, RemoteChart):
            named = SourceFile(path=str(content.source), at=content.source.at)
            where = self.reader.document.where(named.at)
            archive, notes = fetch_chart(self.registry(content.source.url), content, where)
            name, version = self._packed_chart(archive, named)
            self._same_version(content, version, named)
        elif content.path.endswith(_ARCHIVES):
            archive = self.reader.read(content, lambda: self.reader.files.read(content.path))
            name, version = self._packed_chart(archive, content)
        else:
            tree = self.reader.tree(content)
            name, version = self._chart_name(tree, content)
            try:
                archive = pack(without_ignored(tree), name)
            except ValueError as error:
                raise self.reader.fault(content, "invalid-chart", str(error)) from error
        return in_memory(describe(archive, CHART_LAYER, title=f"{name}-{version}.tgz", version=version), archive), notes

    def _packed_chart(self, archive: bytes, named: SourceFile) -> tuple[str, str]:
        _, tree = self.reader.unpacked(archive, named.path, named)
        return self._chart_name(tree, named)

    def _same_version(self, chart: RemoteChart, found: str, named: SourceFile) -> None:
        if chart.version is not None and chart.version != found:
            raise self.reader.fault(
                named,
                "chart-version",
                f"`{chart.source}` is another version of the chart than its name says",
                expected=f"`{chart.version}` in `{CHART_FILE}`",
                got=f"`{found}`",
            )

    def _chart_name(self, tree: FileTree, named: SourceFile) -> tuple[str, str]:
        """Name and version out of Chart.yaml."""
        text = tree.files.get(CHART_FILE)
        chart: Json = {}
        if text is not None:
            try:
                chart = load_values(text, limits=YAML_LIMITS)
            except YamlError as error:
                message = f"`{CHART_FILE}` of `{named.path}` cannot be read: {error}"
                raise self.reader.fault(named, "invalid-chart", message) from error
        name = chart.get("name") if isinstance(chart, dict) else None
        if not isinstance(name, str) or not name or "/" in name or name in (".", ".."):
            raise self.reader.fault(
                named,
                "not-a-chart",
                f"`{named.path}` is not a Helm chart",
                expected=f"a chart directory, or a `.tgz` with one directory, that holds `{CHART_FILE}` with a name",
                hint="use `jinja:` for templates of ours, `manifests:` for plain YAML",
            )
        version = chart.get("version") if isinstance(chart, dict) else None
        return name, str(version or "0")

    def _files(self, name: str, content: SourceFile | RemoteChart) -> Blob:
        """Templates or manifests as one archive."""
        if isinstance(content, RemoteChart):
            raise TypeError("only a chart lies in a registry")
        archive = pack(self.reader.tree(content))
        return in_memory(describe(archive, FILES_LAYER, title=f"{name}.tar.gz"), archive)


def _without_chart_file(tree: FileTree) -> FileTree:
    """A source directory as `ksbuilder package` takes it: that writes a `Chart.yaml` of its own over what is there."""
    return FileTree.of((path, content) for path, content in tree.items() if path != CHART_FILE)


def _matches(parts: list[str], patterns: list[str]) -> bool:
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))
