"""KubeSphere extension packages, read as KubeSphere v4.1 reads them: `extension.yaml` and a chart to an `Extension`.

Source: ksbuilder (pkg/api/metadata.go, cmd/package.go). What is installed of a package says `kubesphere_parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import NoneType
from typing import Final, TypeVar, cast

from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_documents, load_values
from renderer.formats.kubesphere.parts import AGENT_TAG, HOST_TAG, Package, cluster_info, forced_values, is_agent
from renderer.model.bundles.extension import (
    ClusterRole,
    Extension,
    Requirement,
    RequirementKind,
    dns_label,
    extension_name,
)
from renderer.model.fields import FieldError, Fields, Json, spell_path
from renderer.model.reference import ImageReference
from renderer.model.trees.tree import FileTree
from renderer.model.version import Constraint, Version

__all__ = [
    "AGENT_TAG",
    "CHART_FILE",
    "HOST_TAG",
    "KUBESPHERE",
    "METADATA_FILE",
    "PERMISSIONS_FILE",
    "Package",
    "cluster_info",
    "forced_values",
    "is_agent",
    "read_package",
]

METADATA_FILE: Final = "extension.yaml"
CHART_FILE: Final = "Chart.yaml"
PERMISSIONS_FILE: Final = "permissions.yaml"
KUBESPHERE: Final = "kubesphere"
"""The capability that ks-core provides: the version of KubeSphere."""

_LIMITS: Final = Limits(bytes=4 * 2**20, depth=64, nodes=100_000, aliased=10_000, documents=200)
_REQUIRED: Final = ("apiVersion", "name", "version", "displayName", "description", "category", "provider", "icon")
_HOOK_IMAGE: Final = "executor-hook-image.kubesphere.io"
_ANY_VERSION: Final = ">=0.0.0-0"
_VERSION_LIMIT: Final = 63
_NO_VERSION: Final = Version(0, 0, 0)
T = TypeVar("T")


def read_package(tree: FileTree, file: str) -> Package:
    """Read the files of a package (paths without its root directory); `file` is what messages call the place.

    Raises InputError with every fault found: `not-a-package`, `yaml-syntax`, `missing-field`, `invalid-field`,
    `package-mismatch`, `unreadable-permissions`.
    """
    place = Where(file=f"{file}/{METADATA_FILE}")
    metadata = _mapping_of(tree, METADATA_FILE, place)
    faults = _Faults(place)
    for key in _REQUIRED:
        if metadata.content.get(key) in (None, "", {}):
            faults.add(FieldError(metadata.at(key), f"`{key}` is missing", code="missing-field"))
    name = faults.read(lambda: metadata.parsed("name", extension_name, "unnamed"), "unnamed")
    multicluster = faults.read(lambda: _multicluster(metadata), default=False)
    package = Package(
        metadata=cast("Mapping[str, Json]", metadata.content),
        extension=_extension(metadata, name, faults, multicluster=multicluster),
        namespace=faults.read(lambda: _namespace(metadata, name), "default"),
        multicluster=multicluster,
        dependencies=_dependencies(tree, metadata, file, faults),
        notes=_notes(metadata, place),
    )
    faults.findings += _unreadable_permissions(tree, file)
    faults.raise_if_any()
    return package


def _mapping_of(tree: FileTree, path: str, place: Where) -> Fields:
    """The one mapping in a YAML file of the package. Raises InputError."""
    content = tree.files.get(path)
    if content is None:
        raise InputError(
            Finding(
                code="not-a-package",
                message=f"there is no `{path}`, so this is not a KubeSphere extension package",
                where=place,
                expected=f"a directory, or an archive with one, that holds `{METADATA_FILE}`",
                hint="list a plain chart under `components` with `helm: PATH`",
            )
        )
    try:
        return Fields.of(load_values(content, limits=_LIMITS))
    except YamlError as error:
        place = replace(place, line=error.line, column=error.column)
        raise InputError(Finding(code=error.code, message=error.message, where=place)) from error
    except FieldError as error:
        raise InputError(error.finding().at(place)) from error


def _multicluster(metadata: Fields) -> bool:
    mode = metadata.text("installationMode", "") or "HostOnly"
    if mode not in ("HostOnly", "Multicluster"):
        raise FieldError(
            metadata.at("installationMode"),
            "the installation mode is unknown",
            expected="`HostOnly` or `Multicluster`",
            got=f"`{mode}`",
        )
    return mode == "Multicluster"


def _namespace(metadata: Fields, name: str) -> str:
    stated = metadata.optional_text("namespace") or f"extension-{name}"
    return metadata.parse(stated, dns_label, metadata.at("namespace"))


def _extension(metadata: Fields, name: str, faults: _Faults, *, multicluster: bool) -> Extension:
    """The extension without components; faults are collected, and what is faulty stands empty."""
    requires = list(_external(metadata, faults))
    platform = faults.read(lambda: metadata.optional("ksVersion", Constraint.parse), None)
    if platform is not None:
        requires.append(Requirement(kind=RequirementKind.CAPABILITY, name=KUBESPHERE, constraint=platform))
    return Extension(
        name=name,
        version=faults.read(lambda: metadata.parsed("version", _version, _NO_VERSION), _NO_VERSION),
        titles=faults.read(lambda: metadata.text_map("displayName"), {}),
        descriptions=faults.read(lambda: metadata.text_map("description"), {}),
        requires=tuple(requires),
        kubernetes=faults.read(lambda: metadata.optional("kubeVersion", Constraint.parse), None),
        cluster_role=ClusterRole.BOTH if multicluster else ClusterRole.HOST,
        images=_images(metadata, faults),
    )


def _version(text: str) -> Version:
    """A version that KubeSphere's controller accepts: it becomes part of an object's name."""
    version = Version.parse(text)
    if len(text) > _VERSION_LIMIT or "+" in text or "_" in text or text != text.lower():
        raise ValueError(
            f"KubeSphere does not install version `{text}`: lower-case letters, digits, `-` and `.`, "
            f"at most {_VERSION_LIMIT}, no build metadata"
        )
    return version


def _external(metadata: Fields, faults: _Faults) -> Iterable[Requirement]:
    for fields in faults.children(metadata, "externalDependencies"):
        requirement = faults.read(partial(_requirement, fields), None)
        if requirement is not None:
            yield requirement


def _requirement(fields: Fields) -> Requirement:
    kind = fields.text("type", "") or "extension"
    if kind != "extension":
        raise FieldError(
            fields.at("type"), "this kind of dependency is unknown", expected="`extension`", got=f"`{kind}`"
        )
    return Requirement(
        kind=RequirementKind.EXTENSION,
        name=fields.parsed("name", extension_name),
        constraint=fields.parse(
            fields.text("version", "").strip() or _ANY_VERSION, Constraint.parse, fields.at("version")
        ),
        optional=not fields.flag("required", default=False),
    )


def _images(metadata: Fields, faults: _Faults) -> tuple[ImageReference, ...]:
    """Every image that the package names, completed as container runtimes do (`busybox`), each once."""
    found: dict[ImageReference, None] = {}
    texts: tuple[str, ...] = ()
    with faults.collected():
        texts = metadata.texts("images")
    for index, text in enumerate(texts):
        with faults.collected():
            found[metadata.parse(text.strip(), ImageReference.parse, (*metadata.at("images"), index))] = None
    return tuple(found)


def _dependencies(tree: FileTree, metadata: Fields, file: str, faults: _Faults) -> tuple[Fields, ...]:
    """The subcharts as the chart lists them; a source directory without Chart.yaml lists them in extension.yaml."""
    if CHART_FILE not in tree.files:
        return faults.children(metadata, "dependencies")
    place = Where(file=f"{file}/{CHART_FILE}")
    try:
        chart = _mapping_of(tree, CHART_FILE, place)
    except InputError as error:
        faults.findings += error.findings
        return ()
    for key in ("name", "version"):
        if chart.content.get(key) != metadata.content.get(key):
            faults.findings.append(
                Finding(
                    code="package-mismatch",
                    message=f"`{CHART_FILE}` and `{METADATA_FILE}` disagree about `{key}`; KubeSphere refuses that",
                    where=replace(place, path=key),
                    expected=f"`{metadata.content.get(key)}`, as in {METADATA_FILE}",
                    got=f"`{chart.content.get(key)}`",
                    hint="ksbuilder package DIRECTORY",
                )
            )
    return _Faults(place, faults.findings).children(chart, "dependencies")


def _unreadable_permissions(tree: FileTree, file: str) -> list[Finding]:
    """Findings when `permissions.yaml` is not what KubeSphere grants rights from; it would silently grant fewer."""
    content = tree.files.get(PERMISSIONS_FILE)
    if content is None:
        return []
    place = Where(file=f"{file}/{PERMISSIONS_FILE}")
    try:
        documents = load_documents(content, limits=_LIMITS)
    except YamlError as error:
        place = replace(place, line=error.line, column=error.column)
        return [Finding(code="unreadable-permissions", message=error.message, where=place)]
    return [
        Finding(
            code="unreadable-permissions",
            message="this document grants nothing: it is neither a ClusterRole nor a Role with rules",
            where=replace(place, line=document.line),
            expected="`kind: ClusterRole` or `kind: Role`, and `rules`",
        )
        for document in documents
        if not _is_role(document.value)
    ]


def _is_role(value: Json) -> bool:
    return (
        isinstance(value, dict)
        and value.get("kind") in ("ClusterRole", "Role")
        and isinstance(value.get("rules", []), list | NoneType)
    )


def _notes(metadata: Fields, place: Where) -> tuple[Finding, ...]:
    """What KubeSphere would run besides the chart, and a render cannot show."""
    annotations = metadata.content.get("annotations")
    if not isinstance(annotations, dict):
        return ()
    hooks = {key: annotations[key] for key in sorted(annotations) if key.startswith(_HOOK_IMAGE)}
    if not hooks:
        return ()
    return (
        Finding(
            code="executor-hook",
            message="KubeSphere's installer runs an image of this package before Helm; a render does not",
            where=replace(place, path="annotations"),
            severity=Severity.NOTE,
            explanation=tuple(f"`{key}: {image}`" for key, image in hooks.items()),
            hint="run it by hand where its effect is needed, or put that effect into a component",
        ),
    )


class _Faults:
    """Collects what is wrong with one file, so that a person sees all of it at once."""

    def __init__(self, place: Where, findings: list[Finding] | None = None) -> None:
        self.place = place
        self.findings: list[Finding] = [] if findings is None else findings

    def add(self, error: FieldError) -> None:
        """Remember a fault."""
        self.findings.append(error.finding().at(replace(self.place, path=spell_path(error.path) or None)))

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Collect a fault instead of raising it."""
        try:
            yield
        except FieldError as error:
            self.add(error)

    def read(self, reader: Callable[[], T], default: T) -> T:
        """What `reader` gives, or `default` when it finds a fault."""
        try:
            return reader()
        except FieldError as error:
            self.add(error)
            return default

    def children(self, fields: Fields, key: str) -> tuple[Fields, ...]:
        """A list of mappings, or nothing when it is none."""
        with self.collected():
            return fields.children(key)
        return ()

    def raise_if_any(self) -> None:
        """Raise InputError with everything found."""
        if self.findings:
            raise InputError(*self.findings)
