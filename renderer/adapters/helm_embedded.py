"""Helm in this process: PyPI `helm-python-sdk`, which embeds Helm's own Go code.

Seen with helm-python-sdk 0.2.2 (Helm v4.2.3), and what this module makes of it:

- Rendering changes the loaded chart: Helm removes disabled subcharts from it and renames aliased ones. A chart is
  therefore loaded anew for every request (1 to 30 ms) and never shared between requests or threads; in return the
  chart that has been rendered knows exactly the custom resource definitions of the subcharts that are enabled.
- `helm_render` knows `kube_version` and `api_versions`, which the package's Python methods do not pass on.
- `helm_render` checks values against `values.schema.json`, but leaves out four checks that `helm template` makes
  first: release name, library chart, missing dependencies, `kubeVersion`. They are made here, in Helm's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from renderer.model.version import Constraint, Version
from renderer.ports import ChartError

if TYPE_CHECKING:  # every command over sites has an engine, and few of them inflate a chart
    from renderer.model.bundles.chart import ChartOutput, ChartRequest

__all__ = ["EmbeddedHelm"]

# https://github.com/helm/helm/blob/main/pkg/chart/common/util/validate_name.go
_RELEASE_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_RELEASE_NAME_LIMIT: Final = 53


BUILT_IN: Final = "v4.2.3"
"""The Helm of helm-python-sdk 0.2.2, which pyproject.toml pins."""


class EmbeddedHelm:
    """The chart engine that needs nothing but a plain install. Thread-safe."""

    @property
    def name(self) -> str:
        """`embedded`."""
        return "embedded"

    @property
    def helm_version(self) -> str:
        """The version of the Helm that is built in.

        It is known without loading the library, which takes 50 ms that an unchanged render need not spend.
        """
        return BUILT_IN

    def inflate(self, request: ChartRequest) -> ChartOutput:
        """Inflate one chart without cluster or network. Raises ChartError."""
        from helm_python.chart import Chart
        from helm_python.errors import HelmError

        from renderer.model.bundles.chart import ChartFile, ChartOutput

        _check_library()
        try:
            with Chart.load_archive(request.archive) as chart:
                _check(chart, request)
                rendered = _render(chart, request)
                crds = chart.crds
        except HelmError as error:
            raise ChartError(str(error.detail).strip()) from error
        return ChartOutput(
            templates=tuple(
                ChartFile(path=path, text=text)
                for path, text in sorted(rendered.items())
                if not path.endswith("NOTES.txt") and text.strip()
            ),
            crds=tuple(
                ChartFile(path=crd["filename"], text=crd["data"])
                for crd in sorted(crds, key=lambda crd: str(crd["filename"]))
            ),
        )

    def chart_files(self, request: ChartRequest) -> Mapping[str, str]:
        """The template sources of the chart and its subcharts by path. Raises ChartError."""
        from renderer.formats.charts.archive import ChartArchiveError, template_sources

        try:
            return template_sources(request.archive)
        except ChartArchiveError as error:
            raise ChartError(str(error)) from error


def _check_library() -> None:
    """Another library than the pinned one would make the lock's engine a lie. Raises ChartError."""
    from helm_python import _native

    loaded = str(_native.helm_sdk_version())
    if loaded != BUILT_IN:
        raise ChartError(
            f"the library of helm-python-sdk holds Helm {loaded}, and not {BUILT_IN} as the pinned package does: "
            "install Sitewright anew, and unset HELM_C_LIB"
        )


def _render(chart: Any, request: ChartRequest) -> dict[str, str]:
    """Path -> text of every template of the chart and its enabled subcharts, hooks and NOTES.txt included."""
    from helm_python import _native

    options = {
        "name": request.release,
        "namespace": request.namespace,
        "kube_version": request.kube_version,
        "api_versions": list(request.api_versions),
    }
    # The package's only way to these two options: its own call, with the argument that its method would build.
    text = _native.call_string("helm_render", chart._raw(), json.dumps(request.values), json.dumps(options))
    rendered: dict[str, str] = json.loads(text)
    return rendered


def _check(chart: Any, request: ChartRequest) -> None:
    """The checks of `helm template` that rendering alone leaves out (pkg/cmd/install.go, pkg/action/action.go)."""
    if len(request.release) > _RELEASE_NAME_LIMIT or not _RELEASE_NAME.match(request.release):
        raise ChartError(
            f'release name check failed: release name "{request.release}": invalid release name, '
            f"must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ "
            f"and the length must not be longer than {_RELEASE_NAME_LIMIT}"
        )
    metadata = chart.metadata
    if metadata.get("type", "") not in ("", "application"):
        raise ChartError(f"{metadata['type']} charts are not installable")
    loaded = {dependency.get("name") for dependency in chart.dependencies}
    missing = [entry["name"] for entry in metadata.get("dependencies") or () if entry["name"] not in loaded]
    if missing:
        raise ChartError(f"found in Chart.yaml, but missing in charts/ directory: {', '.join(missing)}")
    _check_kubernetes(str(metadata.get("kubeVersion") or ""), request.kube_version)


def _check_kubernetes(wanted: str, kube_version: str) -> None:
    """Whether the chart's `kubeVersion` admits the cluster; an unreadable range admits nothing, as in Helm."""
    if not wanted:
        return
    try:
        admitted = Constraint.parse(wanted).allows(Version.parse(kube_version))
    except ValueError:
        admitted = False
    if not admitted:
        raise ChartError(
            f"chart requires kubeVersion: {wanted} which is incompatible with Kubernetes v{kube_version.lstrip('v')}"
        )
