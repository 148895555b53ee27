"""Running the chart engine over the components of a site, once for equal input however many sites share it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from renderer.errors import Finding, InputError, Where
from renderer.model.bundle import Offer
from renderer.model.chart import ChartRequest
from renderer.model.extension import Component, ComponentKind, Extension
from renderer.model.generated import GeneratedValue
from renderer.model.rendering import Inflated
from renderer.model.site import Site
from renderer.ports import BlobReader, ChartEngine, ChartError, Executor
from renderer.stages.chart.plan import chart_request
from renderer.stages.chart.reading import read_chart
from renderer.stages.generated import differences, may_invent, scan_templates, template_findings
from renderer.stages.layout import ManifestTexts
from renderer.stages.template import render_files, template_context
from renderer.stages.values import components_on, layer, layers_of

T = TypeVar("T")


class Memo:
    """Results of pure functions by key. Two threads may both compute one; the results are equal."""

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result remembered for `key`, made now if there is none."""
        if key not in self._results:
            self._results[key] = make()
        return cast("T", self._results[key])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component, inflated. `key` holds everything that its objects depend on; `request` is a chart's."""

    extension: Extension
    component: Component
    key: tuple[Hashable, ...]
    inflated: Inflated
    request: ChartRequest | None


def inflate(site: Site, enabled: Sequence[Offer], tools: Tools, api_versions: Sequence[str]) -> tuple[Part, ...]:
    """The objects of every component that `site` gets, in the order of `enabled` and of their components."""
    jobs = [(one.extension, component) for one in enabled for component in components_on(site, one.extension)]
    return tuple(tools.executor.map(lambda job: _part(site, *job, tools, tuple(api_versions)), jobs))


def _part(site: Site, extension: Extension, component: Component, tools: Tools, api_versions: tuple[str, ...]) -> Part:
    values = layer(layers_of(site, extension, component)).values
    archive = tools.blobs.blob(component.content)
    name = (extension.name, component.name, component.namespace, str(component.content.digest))
    request: ChartRequest | None = None
    if component.kind is ComponentKind.HELM:
        kubernetes = site.cluster.kubernetes
        request = chart_request(component, archive, values, kubernetes=kubernetes, api_versions=api_versions)
        told = json.dumps([request.values, request.kube_version, request.api_versions], sort_keys=True)
    else:
        context = template_context(site, extension)
        told = json.dumps([values, context], sort_keys=True)

    def make() -> Inflated:
        if request is None:
            text = render_files(component, extension.name, archive, values, context)
            return read_chart(text, extension.name, component)
        with _named(extension, component):
            return read_chart(tools.engine.inflate(request), extension.name, component)

    key = (*name, component.release, told)
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
                hint="set the values that the chart asks for in the profile (`spec.extensions[].values`)",
            )
        ) from error


def invented_by(parts: Sequence[Part], tools: Tools) -> tuple[tuple[GeneratedValue, ...], tuple[Finding, ...]]:
    """What differs when the charts that may invent values are inflated once more, and notes on their templates."""
    values: set[GeneratedValue] = set()
    notes: list[Finding] = []
    for part in parts:
        if part.request is None:
            continue
        with _named(part.extension, part.component):
            uses = scan_templates(tools.engine.chart_files(part.request))
            notes.extend(template_findings(uses, part.extension.name, part.component.name))
            if may_invent(uses):
                again = read_chart(tools.engine.inflate(part.request), part.extension.name, part.component)
                values.update(differences(part.inflated, again))
    return tuple(sorted(values, key=lambda value: (value.component, value.object, value.path, value.kind.value))), (
        *notes,
    )
