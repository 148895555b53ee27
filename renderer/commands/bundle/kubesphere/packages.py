"""What lies at the paths that a person names: KubeSphere packages, packed or as sources, and the chart of ks-core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from renderer.commands.bundle.building.faults import FaultsOfParts
from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.archives import ArchiveError, unpack
from renderer.formats.documents.wording import count
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.formats.kubesphere.chart import inlined_icon
from renderer.formats.kubesphere.ks_core import read_ks_core
from renderer.formats.kubesphere.package import CHART_FILE, METADATA_FILE, Package, read_package
from renderer.formats.kubesphere.packed import packed_at
from renderer.model.bundles.extension import Extension
from renderer.model.fields import FieldError, Fields, spell_path
from renderer.model.trees.tree import FileTree
from renderer.ports import Files
from renderer.structs import Struct

_ARCHIVES: Final = (".tgz", ".tar.gz")
_CHART: Final = Limits(bytes=4 * 2**20, depth=64, nodes=100_000, aliased=10_000)
_LISTED: Final = 10
_EXPECTED: Final = (
    f"a package (`.tgz`), a directory with `{METADATA_FILE}`, a directory of such, or the chart of ks-core"
)


class FoundPackage(Struct, frozen=True, kw_only=True):
    """One package. `extension` has no components yet; `package` is None for ks-core, which is a plain chart.

    `path` counts from the root of the working tree, `packed` is when its archive was made.
    """

    path: str
    extension: Extension
    package: Package | None
    packed: datetime | None

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is worth knowing about it."""
        return self.package.notes if self.package else ()


def find_packages(files: Files, paths: Iterable[str]) -> tuple[tuple[FoundPackage, ...], tuple[Finding, ...]]:
    """The packages at `paths` and in directories among them, by name and version; and notes on what was passed over.

    Raises InputError with every fault of every package.
    """
    faults = FaultsOfParts()
    found: dict[str, FoundPackage] = {}
    others: list[str] = []
    for path in paths:
        with faults.of_part():
            for place, named in _places(files, path):
                with faults.of_part():
                    one = _open(files, place)
                    if one is not None:
                        found[place] = one
                    elif named:
                        raise InputError(_no_package(place))
                    else:
                        others.append(place)
    packages = tuple(sorted(found.values(), key=lambda one: (one.extension.name, one.extension.version, one.path)))
    faults.add(*_twice(packages))
    faults.raise_if_any()
    if not packages:
        raise InputError(*(_no_package(path) for path in paths))
    return packages, tuple(_passed_over(others))


def newest_of_each(packages: Iterable[FoundPackage]) -> tuple[FoundPackage, ...]:
    """Of every extension the newest version."""
    chosen = {one.extension.name: one for one in packages}  # they come in the order of their versions
    return tuple(chosen.values())


def _places(files: Files, path: str) -> Iterator[tuple[str, bool]]:
    """Where packages may lie: the path itself (True), or what is found below it (False)."""
    if path.endswith(_ARCHIVES):
        yield path, True
        return
    names = files.list(path)
    if METADATA_FILE in names or CHART_FILE in names:
        yield path, True
        return
    roots: list[str] = []
    for name in sorted(names, key=lambda one: (one.count("/"), one)):
        directory, slash, file = name.rpartition("/")
        inside = any(f"{name}/".startswith(f"{root}/") for root in roots)
        if slash and file in (METADATA_FILE, CHART_FILE) and not inside:
            roots.append(directory)
    archives = [name for name in names if name.endswith(_ARCHIVES)]
    archives = [name for name in archives if not any(name.startswith(f"{root}/") for root in roots)]
    prefix = f"{path}/" if path else ""
    yield from ((prefix + name, False) for name in sorted((*roots, *archives)))


def _open(files: Files, path: str) -> FoundPackage | None:
    """The package at a path; None for something else. Raises InputError."""
    if path.endswith(_ARCHIVES):
        content = files.read(path)
        shown, tree = _unpacked(content, path)
        packed = packed_at(content)
    else:
        prefix = f"{path}/" if path else ""
        shown, packed = path or ".", None
        tree = FileTree.of((name, files.read(prefix + name)) for name in files.list(path))
        if METADATA_FILE in tree.files:  # `ksbuilder package` writes a Chart.yaml of its own
            tree = FileTree.of((name, content) for name, content in tree.items() if name != CHART_FILE)
    if METADATA_FILE in tree.files:
        package = read_package(tree, shown)
        if CHART_FILE not in tree.files:
            _check_icon(package, tree, shown)
        return FoundPackage(path=path, extension=package.extension, package=package, packed=packed)
    core = _core(tree, shown)
    return None if core is None else FoundPackage(path=path, extension=core, package=None, packed=packed)


def _check_icon(package: Package, tree: FileTree, shown: str) -> None:
    """The one thing beside the metadata that the `Chart.yaml` of sources is written from. Raises InputError."""
    try:
        inlined_icon(str(package.metadata.get("icon") or ""), tree)
    except FieldError as error:
        raise InputError(error.finding().at(Where(file=f"{shown}/{METADATA_FILE}", path="icon"))) from error


def _unpacked(content: bytes, path: str) -> tuple[str, FileTree]:
    """What messages call the one directory in an archive, and what lies below it."""
    try:
        tree = unpack(content, repeats=True)
    except ArchiveError as error:
        message = f"`{path}` cannot be unpacked: {error}"
        hint = "copy the package again from where it was published, or take it out of the directory"
        raise InputError(Finding(code="archive-refused", message=message, where=Where(file=path), hint=hint)) from error
    roots = {name.partition("/")[0] for name in tree}
    if len(roots) != 1:
        raise InputError(_no_package(path, got=f"an archive with {len(roots)} entries at the top"))
    root = roots.pop()
    return f"{path}!/{root}", tree.below(root)


def _core(tree: FileTree, shown: str) -> Extension | None:
    """ks-core, when its chart is what lies in `tree`."""
    place = Where(file=f"{shown}/{CHART_FILE}")
    try:
        return read_ks_core(Fields.of(load_values(tree.files.get(CHART_FILE, b""), limits=_CHART)))
    except YamlError as error:
        where = Where(file=place.file, line=error.line, column=error.column)
        raise InputError(Finding(code=error.code, message=error.message, where=where)) from error
    except FieldError as error:
        where = Where(file=place.file, path=spell_path(error.path) or None)
        raise InputError(error.finding().at(where)) from error


def _no_package(path: str, got: str | None = None) -> Finding:
    return Finding(
        code="not-a-package",
        message=f"there is no KubeSphere package at `{path or '.'}`",
        where=Where(file=path or "."),
        expected=_EXPECTED,
        got=got,
    )


def _twice(packages: Iterable[FoundPackage]) -> Iterator[Finding]:
    before: dict[str, str] = {}
    for one in packages:
        other = before.setdefault(one.extension.id, one.path)
        if other != one.path:
            yield Finding(
                code="duplicate-extension",
                message=f"`{one.extension.id}` is there twice",
                where=Where(file=one.path),
                expected="each version of an extension once",
                got=f"`{other}` holds it as well",
                hint="name the packages that are meant, not the directory that both lie in",
            )


def _passed_over(others: list[str]) -> Iterator[Finding]:
    """Charts that are no packages, such as the subcharts of packages, lie about in directories of sources."""
    if others:
        more = (f"and {len(others) - _LISTED} more",) if len(others) > _LISTED else ()
        yield Finding(
            code="not-a-package",
            message=f"{count(len(others), 'chart')} passed over: neither KubeSphere packages nor ks-core",
            severity=Severity.NOTE,
            explanation=(*(f"`{path}`" for path in others[:_LISTED]), *more),
        )
