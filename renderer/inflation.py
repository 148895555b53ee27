"""Running the chart engine over the components of a site, once for equal input however many sites share it."""

from __future__ import annotations

import json
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from renderer.errors import Finding, InputError, Where
from renderer.model.bundles.bundle import Offer
from renderer.model.bundles.chart import ChartOutput, ChartRequest
from renderer.model.bundles.extension import Component, ComponentKind, Extension
from renderer.model.fields import Json
from renderer.model.objects.manifest import Manifest
from renderer.model.rendering import Inflated
from renderer.model.site import Site
from renderer.model.version import Version
from renderer.ports import BlobReader, ChartEngine, ChartError, Executor
from renderer.stages.chart.plan import chart_request
from renderer.stages.chart.reading import read_chart
from renderer.stages.generated import (
    KNOWN_KEYS,
    OTHER_TIME,
    Change,
    TemplateSums,
    makes_keys,
    may_invent,
    reads_clock,
    rewritten,
    scan_templates,
    template_findings,
    template_sums,
)
from renderer.stages.layout import ManifestTexts
from renderer.stages.memo import Memo
from renderer.stages.template import render_files, template_context
from renderer.stages.values import components_on, layer, layers_of
from renderer.structs import Struct, field, replace


class Tools(Struct, frozen=True, kw_only=True):
    """What a run works with; the memo and the texts make sixty sites of one bundle share what they have in common.

    `version` is that of Sitewright, `templates` are the shipped ones overlaid by the site's own.
    """

    blobs: BlobReader
    engine: ChartEngine
    executor: Executor
    templates: Mapping[str, str]
    version: str
    memo: Memo = field(default_factory=Memo)
    texts: ManifestTexts = field(default_factory=ManifestTexts)


class Part(Struct, frozen=True, kw_only=True):
    """One component, inflated. `key` holds everything that its objects depend on; `request` is a chart's."""

    extension: Extension
    component: Component
    key: tuple[Hashable, ...]
    inflated: Inflated
    request: ChartRequest | None

    def made(self, manifest: Manifest) -> bool:
        """True when `manifest` comes from this component."""
        origin = manifest.origin
        return (origin.extension, origin.component) == (self.extension.name, self.component.name)


def inflate(
    site: Site,
    enabled: Sequence[Offer],
    tools: Tools,
    api_versions: Sequence[str],
    *,
    unless: Iterable[Part] = (),
    keyless: Container[str] = (),
) -> tuple[Part, ...]:
    """The objects of every component that `site` gets, in the order of `enabled` and of their components.

    `unless` are parts that are known already, and taken as they are. `keyless` are components (`extension/component`)
    of which it is known where they put the keys that they make: they make none.
    """
    known = {(part.extension.name, part.component.name): part for part in unless}
    jobs = [(one.extension, component) for one in enabled for component in components_on(site, one.extension)]

    def one(job: tuple[Extension, Component]) -> Part:
        extension, component = job
        done = known.get((extension.name, component.name))
        changes = (KNOWN_KEYS,) if f"{extension.name}/{component.name}" in keyless else ()
        return done or _part(site, extension, component, tools, tuple(api_versions), changes)

    return tuple(tools.executor.map(one, jobs))


def _part(
    site: Site,
    extension: Extension,
    component: Component,
    tools: Tools,
    api_versions: tuple[str, ...],
    changes: tuple[Change, ...],
) -> Part:
    return inflate_component(
        extension,
        component,
        layer(layers_of(site, extension, component)).values,
        tools,
        kubernetes=site.cluster.kubernetes,
        api_versions=api_versions,
        context=template_context(site, extension),
        changes=changes,
    )


def inflate_component(
    extension: Extension,
    component: Component,
    values: Mapping[str, Json],
    tools: Tools,
    *,
    kubernetes: Version,
    api_versions: Iterable[str],
    context: Mapping[str, Json],
    changes: tuple[Change, ...] = (),
) -> Part:
    """The objects of one component under `values` (the merged layers); `context` is what Jinja templates may know.

    `changes` are made to the templates of a chart. Raises InputError when a chart or a template cannot be inflated.
    """
    archive = tools.blobs.blob(component.content)
    name = (extension.name, component.name, component.namespace, str(component.content.digest))
    request: ChartRequest | None = None
    if component.kind is ComponentKind.HELM:
        request = chart_request(component, archive, values, kubernetes=kubernetes, api_versions=api_versions)
        told = json.dumps([request.values, request.kube_version, request.api_versions], sort_keys=True)
    else:
        told = json.dumps([values, context], sort_keys=True)

    def make() -> Inflated:
        if request is None:
            text = render_files(component, extension.name, archive, values, context)
            return read_chart(text, extension.name, component)
        with _named(extension, component):
            return read_chart(_output(request, changes, tools), extension.name, component)

    key = (*name, component.release, told, changes)
    inflated = tools.memo.get(("part", *key), make)
    return Part(extension=extension, component=component, key=key, inflated=inflated, request=request)


@contextmanager
def _named(extension: Extension, component: Component) -> Iterator[None]:
    """A chart that fails is named, with Helm's own words."""
    try:
        yield
    except ChartError as error:
        raise InputError(
            Finding(
                code="chart-failed",
                message=f"Helm cannot inflate the chart of component `{component.name}`",
                where=Where(subject=f"extension {extension.id}, component {component.name}"),
                explanation=tuple(error.message.splitlines()[:20]),
                hint="a value that the chart asks for goes into the profile (`spec.extensions[].values`); "
                "anything else is for the author of the chart",
            )
        ) from error


class Again(Struct, frozen=True, kw_only=True):
    """One component once more: inflated anew if it may invent something, with what its templates say.

    `sums` are what checksums in its templates sum, `notes` what a reviewer should know of them.
    """

    part: Part
    notes: tuple[Finding, ...] = ()
    sums: TemplateSums = field(default_factory=dict)


def inflate_again(parts: Sequence[Part], tools: Tools) -> tuple[Again, ...]:
    """The same components, those whose templates may invent something anew: at another time, with other keys."""

    def one(part: Part) -> Again:
        if part.request is None:
            return Again(part=part)
        with _named(part.extension, part.component):
            files = tools.engine.chart_files(part.request)
            uses = scan_templates(files)
            notes = template_findings(uses, part.extension.name, part.component.name)
            if not may_invent(uses):
                return Again(part=part, notes=notes)
            changes = ((OTHER_TIME, reads_clock(uses)), (KNOWN_KEYS, makes_keys(uses)))
            output = _output(part.request, tuple(change for change, wanted in changes if wanted), tools)
            inflated = read_chart(output, part.extension.name, part.component)
        return Again(part=replace(part, inflated=inflated), notes=notes, sums=template_sums(files))

    return tuple(tools.executor.map(lambda part: tools.memo.get(("again", *part.key), lambda: one(part)), parts))


def _output(request: ChartRequest, changes: tuple[Change, ...], tools: Tools) -> ChartOutput:
    """What the chart yields with its templates changed; without the first of the changes where it does not bear it."""
    if not changes:
        return tools.engine.inflate(request)
    try:
        return tools.engine.inflate(request.with_archive(rewritten(request.archive, changes)))
    except ChartError:
        return _output(request, changes[1:], tools)


def asks_for_apis(part: Part, tools: Tools) -> bool:
    """True when a template of the chart looks at what the cluster serves, so that its output may depend on it."""
    if part.request is None:
        return False
    with _named(part.extension, part.component):
        return any("Capabilities" in text for text in tools.engine.chart_files(part.request).values())
