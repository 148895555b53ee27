"""KubeSphere extension packages, read as KubeSphere v4.1 reads them: `extension.yaml` and a chart to an `Extension`.

Source: ksbuilder (pkg/api/metadata.go, cmd/package.go). What is installed of a package says `parts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final, cast

from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.formats.kubesphere.faults import Faults
from renderer.formats.kubesphere.parts import AGENT_TAG, HOST_TAG, Package, cluster_info, forced_values, is_agent
from renderer.formats.kubesphere.permissions import PERMISSIONS_FILE, read_permissions
from renderer.model.bundles.extension import (
    ClusterRole,
    Extension,
    Requirement,
    RequirementKind,
    dns_label,
    extension_name,
)
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import ImageReference
from renderer.model.trees.tree import FileTree
from renderer.model.version import Constraint, Version
from renderer.structs import replace

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
KUBESPHERE: Final = "kubesphere"
"""The capability that ks-core provides: the version of KubeSphere."""

_LIMITS: Final = Limits(bytes=4 * 2**20, depth=64, nodes=100_000, aliased=10_000, documents=200)
_REQUIRED: Final = ("apiVersion", "name", "version", "displayName", "description", "category", "provider", "icon")
_TEXTS: Final = ("apiVersion", "category", "icon", "home", "docs", "staticFileDirectory")
_TRANSLATED: Final = ("displayName", "description", "provider")
_LANGUAGE: Final = re.compile(r"[a-z]{2}\Z")  # ISO 639-1, which ksbuilder demands
_HOOK_IMAGE: Final = "executor-hook-image.kubesphere.io"
_ANY_VERSION: Final = ">=0.0.0-0"
_VERSION_LIMIT: Final = 63
_NO_VERSION: Final = Version(0, 0, 0)


def read_package(tree: FileTree, file: str) -> Package:
    """Read the files of a package (paths without its root directory); `file` is what messages call the place.

    Raises InputError with every fault found: `not-a-package`, `yaml-syntax`, `missing-field`, `invalid-field`,
    `package-mismatch`, `unreadable-permissions`.
    """
    place = Where(file=f"{file}/{METADATA_FILE}")
    metadata = _mapping_of(tree, METADATA_FILE, place)
    faults = Faults(place)
    grants, unreadable = read_permissions(tree, file)
    for key in _REQUIRED:
        if metadata.content.get(key) in (None, "", {}):
            faults.add(FieldError(metadata.at(key), f"`{key}` is missing", code="missing-field"))
    for key in _TEXTS:
        with faults.collected():
            metadata.text(key, "")
    for key in _TRANSLATED:
        with faults.collected():
            _check_languages(metadata, key)
    name = faults.read(lambda: metadata.parsed("name", extension_name, "unnamed"), "unnamed")
    multicluster = faults.read(lambda: _multicluster(metadata), default=False)
    package = Package(
        metadata=cast("Mapping[str, Json]", metadata.content),
        extension=_extension(metadata, name, faults, multicluster=multicluster),
        namespace=faults.read(lambda: _namespace(metadata, name), "default"),
        multicluster=multicluster,
        dependencies=_dependencies(tree, metadata, file, faults),
        grants=grants,
        notes=_notes(metadata, place),
    )
    faults.findings += unreadable
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


def _check_languages(metadata: Fields, key: str) -> None:
    """A text in several languages has a language code as every key. Raises FieldError."""
    for code in metadata.child(key).content:
        if not isinstance(code, str) or _LANGUAGE.match(code) is None:
            raise FieldError(
                (*metadata.at(key), str(code)),
                "this is not the code of a language",
                expected="two lower-case letters of ISO 639-1, such as `en` or `zh`",
                got=f"`{code}`",
            )


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


def _extension(metadata: Fields, name: str, faults: Faults, *, multicluster: bool) -> Extension:
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


def _external(metadata: Fields, faults: Faults) -> Iterable[Requirement]:
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


def _images(metadata: Fields, faults: Faults) -> tuple[ImageReference, ...]:
    """Every image that the package names, completed as container runtimes do (`busybox`), each once."""
    found: dict[ImageReference, None] = {}
    texts: tuple[str, ...] = ()
    with faults.collected():
        texts = metadata.texts("images")
    for index, text in enumerate(texts):
        with faults.collected():
            found[metadata.parse(text.strip(), ImageReference.parse, (*metadata.at("images"), index))] = None
    for key, image in _hook_images(metadata).items():
        with faults.collected():
            found[metadata.parse(image, ImageReference.parse, (*metadata.at("annotations"), key))] = None
    return tuple(found)


def _hook_images(metadata: Fields) -> dict[str, str]:
    """The annotations that name an image which KubeSphere's installer runs before Helm."""
    annotations = metadata.content.get("annotations")
    if not isinstance(annotations, dict):
        return {}
    return {key: str(annotations[key]).strip() for key in sorted(annotations) if key.startswith(_HOOK_IMAGE)}


def _dependencies(tree: FileTree, metadata: Fields, file: str, faults: Faults) -> tuple[Fields, ...]:
    """The subcharts as the chart lists them; a source directory without Chart.yaml lists them in extension.yaml."""
    if CHART_FILE not in tree.files:
        return _checked(metadata, faults)
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
    return _checked(chart, Faults(place, faults.findings))


def _checked(chart: Fields, faults: Faults) -> tuple[Fields, ...]:
    """The dependencies whose fields are of the types that Helm reads (chart.Dependency)."""
    sound = []
    for dependency in faults.children(chart, "dependencies"):
        with faults.collected():
            for key in ("name", "version", "repository", "condition", "alias"):
                dependency.text(key, "" if key != "name" else None)
            dependency.texts("tags")
            sound.append(dependency)
    return tuple(sound)


def _notes(metadata: Fields, place: Where) -> tuple[Finding, ...]:
    """What KubeSphere would run besides the chart, and a render cannot show."""
    hooks = _hook_images(metadata)
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
