"""A chart to inflate, and what inflating it gave: the values that pass through the `ChartEngine` port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace  # noqa: TID251 - for a dataclass

from renderer.model.fields import Json
from renderer.model.reference import Digest
from renderer.structs import Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRequest:
    """One chart to inflate. Everything that its output may depend on is in here.

    `archive` is the verified chart archive (`.tgz`), `chart` its digest. `values` are what `--values` would carry:
    Helm itself lays them over the chart's own values. `kube_version` is full semver without `v`. `api_versions` are
    added to what Helm knows (`group/version` and `group/version/Kind`).
    """

    chart: Digest
    archive: bytes = field(repr=False, compare=False)
    release: str
    namespace: str
    values: Mapping[str, Json]
    kube_version: str
    api_versions: tuple[str, ...] = ()

    def with_archive(self, archive: bytes) -> ChartRequest:
        """The same request for a changed archive of the chart."""
        return replace(self, archive=archive)


class ChartFile(Struct, frozen=True, kw_only=True):
    """The text that one template (or one file of `crds/`) yielded.

    `path` starts with the chart's name, as in Helm's `# Source:` comments. Hooks are included, `NOTES.txt` is not.
    """

    path: str
    text: str


class ChartOutput(Struct, frozen=True, kw_only=True):
    """What inflating a chart gave: rendered templates and CRD files, each in path order."""

    templates: tuple[ChartFile, ...]
    crds: tuple[ChartFile, ...]
