"""Looking for images: every component of a bundle inflated under every declared value set, every string looked at."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from renderer.commands.bundle.building.workbench import Workbench
from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.bundle.discovery_source import SourceValueSet
from renderer.formats.charts.annotations import annotated_images
from renderer.formats.kubesphere.package import cluster_info, is_agent
from renderer.inflation import Part, Tools, inflate_component
from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor, Extension
from renderer.model.fields import Json
from renderer.model.images.discovery import Sighting
from renderer.model.images.use import UnknownImage
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference, Platform
from renderer.model.site import ImagesMode, ValuesLayer
from renderer.model.version import Constraint, Version
from renderer.ports import Blob
from renderer.stages.pin import Pinned, pin
from renderer.stages.values import layer
from renderer.structs import Struct, field, replace
from renderer.survey import served_by

DEFAULT: Final = "default"
"""The value set that every component has: its own values."""
_MEMBER: Final = " on a member cluster"
_KUBERNETES: Final = tuple(Version(1, minor, 0) for minor in (*range(31, 15, -1), *range(32, 40)))
"""What charts are told of the cluster unless the source says it: the first one that the extension runs on."""


class Question(Struct, frozen=True, kw_only=True):
    """What is looked through, and how: the extensions with their blobs, and for which platforms and versions.

    `images` are those that the bundle vouches for; `values` holds the values of each set of `value_sets`.
    """

    extensions: tuple[Extension, ...]
    blobs: tuple[Blob, ...]
    images: tuple[BundleImage, ...]
    platforms: tuple[Platform, ...]
    kubernetes: tuple[Version, ...]
    value_sets: tuple[SourceValueSet, ...]
    values: Mapping[str, Mapping[str, Json]]


class Failure(Struct, frozen=True, kw_only=True):
    """A component that cannot be inflated under one value set, and why."""

    extension: str
    component: str
    values: str
    findings: tuple[Finding, ...]


class Found(Struct, kw_only=True):
    """Everything that was seen. `known` are images of the bundle, `unknown` are strings that it knows nothing of.

    `annotated` are the images that charts declare, by extension; `objects` counts what was looked at.
    """

    known: dict[ImageReference, list[Sighting]] = field(default_factory=dict)
    unknown: list[tuple[UnknownImage, Sighting]] = field(default_factory=list)
    annotated: dict[str, dict[ImageReference, str]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    inflated: set[tuple[str, str]] = field(default_factory=set)
    objects: int = 0


class _Try(Struct, frozen=True):
    """One component under one value set."""

    extension: Extension
    component: Component
    name: str
    values: Mapping[str, Json]
    labels: Mapping[str, str]
    kubernetes: Version


def look(question: Question, bench: Workbench) -> Found:
    """Inflate and look through everything. What cannot be inflated is told, not raised."""
    contents = _Contents({blob.descriptor.digest: blob for blob in question.blobs})
    tools = Tools(
        blobs=contents, engine=bench.engine, executor=bench.executor, templates={}, version="", memo=bench.memo
    )
    tries = [one for extension in question.extensions for one in _tries(extension, question)]
    found = Found()
    parts = _inflated(tries, question, tools, (), found)
    agents = [_on_member(one) for one, part in parts if _asks_for_role(part, tools)]
    parts += _inflated(agents, question, tools, (), found)
    served = tuple(sorted({api for _, part in parts for api in served_by(part.inflated.manifests)}))
    asking = [one for one, part in parts if served and _mentions("APIVersions", part, tools)]
    parts += _inflated(asking, question, tools, served, found)
    _look_through(parts, question.images, found)
    for extension in question.extensions:
        found.annotated[extension.id] = _annotated(extension, contents, found)
    return found


def _asks_for_role(part: Part, tools: Tools) -> bool:
    """True for the agent of a KubeSphere extension that may differ between host and member clusters."""
    return is_agent(part.component) and _mentions("clusterInfo", part, tools)


def _mentions(word: str, part: Part, tools: Tools) -> bool:
    """True when a template of the chart holds `word`, so that its objects may depend on it."""
    if part.request is None:
        return False
    request, key = part.request, ("mentions", word, part.component.content.digest)
    return tools.memo.get(key, lambda: any(word in text for text in tools.engine.chart_files(request).values()))


def _tries(extension: Extension, question: Question) -> Iterator[_Try]:
    """Every way in which sites may run the components of an extension, as far as the source says."""
    versions = question.kubernetes or (runs_on(extension.kubernetes),)
    for component in extension.components:
        covering = [one for one in question.value_sets if one.covers(extension, component)]
        sets = [(DEFAULT, {}, {}), *((one.name, question.values[one.name], one.labels) for one in covering)]
        for name, values, labels in sets:
            for version in versions:
                told = name if len(versions) == 1 else f"{name} with Kubernetes {version}"
                yield _Try(extension, component, told, _layered(component, values), labels, version)


def _on_member(one: _Try) -> _Try:
    """The same on a member cluster."""
    told = cluster_info("member", host=False)
    return replace(one, name=one.name + _MEMBER, values=_merged(one.values, told))


def runs_on(constraint: Constraint | None) -> Version:
    """A Kubernetes version that the constraint allows."""
    allowed = (version for version in _KUBERNETES if constraint is None or constraint.allows(version))
    return next(allowed, _KUBERNETES[0])


def _layered(component: Component, values: Mapping[str, Json]) -> Mapping[str, Json]:
    """The values of a component on a host cluster, as `renderer.stages.values` layers them for a site."""
    layers = [component.values, values]
    if is_agent(component):
        layers.append(cluster_info("host", host=True))
    return _merged(*layers, component.forced)


def _merged(*layers: Mapping[str, Json]) -> Mapping[str, Json]:
    return layer([ValuesLayer(origin="", values=one) for one in layers]).values


def _inflated(
    tries: Iterable[_Try], question: Question, tools: Tools, served: tuple[str, ...], found: Found
) -> list[tuple[_Try, Part]]:
    """The objects of each try that can be inflated; the others go to `found.failures`."""
    tries = tuple(tries)

    def one(job: _Try) -> Part | tuple[Finding, ...]:
        try:
            return inflate_component(
                job.extension,
                job.component,
                job.values,
                tools,
                kubernetes=job.kubernetes,
                api_versions=served,
                context=_context(job, question),
            )
        except InputError as error:
            return error.findings

    parts: list[tuple[_Try, Part]] = []
    for job, result in zip(tries, tools.executor.map(one, tries), strict=True):
        name = (job.extension.id, job.component.name)
        if isinstance(result, Part):
            found.inflated.add(name)
            parts.append((job, result))
        elif not served:
            found.failures.append(Failure(extension=name[0], component=name[1], values=job.name, findings=result))
    return parts


def _context(job: _Try, question: Question) -> dict[str, Json]:
    """What templates may know of a site, for a site that does not exist."""
    return {
        "site": {"name": "discovery", "labels": dict(job.labels)},
        "cluster": {
            "name": "discovery",
            "kubernetesVersion": str(job.kubernetes),
            "distribution": "other",
            "runtime": "containerd",
            "role": "host",
            "platforms": [str(platform) for platform in question.platforms],
            "apiVersions": [],
            "storageClasses": [],
        },
        "registry": {"host": "registry.invalid", "images": ImagesMode.MIRROR.value},
        "extension": {"name": job.extension.name, "version": str(job.extension.version)},
    }


def _look_through(parts: Sequence[tuple[_Try, Part]], images: Sequence[BundleImage], found: Found) -> None:
    """Every string of every object, once for objects that are equal under several value sets."""
    dictionary = {image.reference: image for image in images}
    sets: dict[tuple[Hashable, ...], tuple[list[str], Part]] = {}
    for job, part in parts:
        sets.setdefault((job.extension.id, *part.key), ([], part))[0].append(job.name)
    sightings = _Sightings(found)
    for names, part in sets.values():
        objects = part.inflated.manifests
        sightings.add(part, names, pin(objects, dictionary, mode=ImagesMode.MIRROR), dropped=False)
        hooks = tuple(_kept(part))
        sightings.add(part, names, pin(hooks, dictionary, mode=ImagesMode.MIRROR), dropped=True)
        found.objects += len(objects)
    sightings.settle()


def _kept(part: Part) -> Iterator[Manifest]:
    """The hooks that a render drops: Helm tests, and what runs before something is deleted."""
    return (hook.manifest for hook in part.inflated.dropped if hook.manifest is not None)


class _Sightings:
    """Collects where images were seen; the same string of the same object under several value sets is one sighting."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.known: dict[tuple[ImageReference, Sighting], list[str]] = {}
        self.unknown: dict[tuple[UnknownImage, Sighting], list[str]] = {}

    def add(self, part: Part, names: list[str], pinned: Pinned, *, dropped: bool) -> None:
        """What was seen in the objects of one part."""

        def seen(manifest: object, path: str, *, certain: bool) -> Sighting:
            return Sighting(
                extension=part.extension.id,
                component=part.component.name,
                object=str(manifest),
                path=path,
                values=(),
                certain=certain,
                dropped=dropped,
            )

        for use in pinned.uses:
            key = (use.reference, seen(use.object, use.path, certain=True))
            self.known.setdefault(key, []).extend(names)
        for one in pinned.unknown:
            place = seen(one.object, one.path, certain=one.certain)
            self.unknown.setdefault((one, place), []).extend(names)

    def settle(self) -> None:
        """Hand over what was collected, with the value sets."""
        for (reference, place), names in self.known.items():
            self.found.known.setdefault(reference, []).append(replace(place, values=_each_once(names)))
        for (unknown, place), names in self.unknown.items():
            self.found.unknown.append((unknown, replace(place, values=_each_once(names))))


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


class _Contents(Struct, frozen=True):
    """The blobs that the bundle will hold, by descriptor."""

    blobs: Mapping[object, Blob]

    def blob(self, descriptor: Descriptor) -> bytes:
        """The bytes of a chart or of an archive of files."""
        with self.blobs[descriptor.digest].open() as stream:
            return stream.read()


def _annotated(extension: Extension, contents: _Contents, found: Found) -> dict[ImageReference, str]:
    """The images that the annotations of an extension's charts declare."""
    declared: dict[ImageReference, str] = {}
    charts = {one.content.digest: one for one in extension.components if one.kind is ComponentKind.HELM}
    for component in charts.values():
        try:
            declared |= annotated_images(contents.blob(component.content))
        except ValueError as error:
            where = Where(subject=f"extension {extension.id}, {component.name}", path="Chart.yaml, annotations")
            found.notes.append(
                Finding(code="invalid-annotation", message=str(error), where=where, severity=Severity.WARNING)
            )
    return declared
