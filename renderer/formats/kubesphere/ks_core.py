"""The chart of ks-core as an extension: what KubeSphere itself is made of.

https://github.com/kubesphere/kubesphere, config/ks-core. The version of KubeSphere is the chart's `appVersion`; the
chart refuses any namespace but `kubesphere-system`.
"""

from __future__ import annotations

from typing import Final

from renderer.formats.kubesphere.package import KUBESPHERE
from renderer.model.bundles.extension import Extension
from renderer.model.fields import FieldError, Fields
from renderer.model.version import Constraint, Version

__all__ = ["KS_CORE", "KS_CORE_NAMESPACE", "read_ks_core"]

KS_CORE: Final = "ks-core"
KS_CORE_NAMESPACE: Final = "kubesphere-system"


def read_ks_core(chart: Fields) -> Extension | None:
    """The extension, without components, that the `Chart.yaml` of ks-core describes; None for another chart.

    Raises FieldError.
    """
    if chart.text("name", "") != KS_CORE:
        return None
    key = "appVersion" if chart.content.get("appVersion") else "version"
    version = chart.parsed(key, Version.parse)
    if version.build or version.prerelease != version.prerelease.lower():
        raise FieldError(chart.at(key), "this is not a version of KubeSphere", got=f"`{version}`")
    return Extension(
        name=KS_CORE,
        version=version,
        titles={"en": "KubeSphere core", "zh": "KubeSphere 核心"},
        provides={KUBESPHERE: version},
        kubernetes=chart.optional("kubeVersion", Constraint.parse),
    )
