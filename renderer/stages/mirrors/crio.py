"""CRI-O, Podman, skopeo: a drop-in for `registries.conf`.

Format: containers-registries.conf(5). `blocked = true` with a mirror means that only the mirror is contacted. There
is no rule for every other registry, so the source `*` of a plan cannot be expressed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.reference import DEFAULT_REGISTRY
from renderer.stages.mirrors.texts import text, toml


def crio_files(
    plan: MirrorPlan, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/crio/`. `values` is what all templates of `mirrors/` get."""
    catch_all = next((f"{plan.host}/{mirror.project}" for mirror in plan.mirrors if mirror.source == "*"), None)
    known: dict[str, Json] = {
        **values,
        "mirrors": [{"source": one.source, "project": one.project} for one in plan.mirrors if one.source != "*"],
        "short_names": any(mirror.source == DEFAULT_REGISTRY for mirror in plan.mirrors),
        "catch_all": catch_all,
    }
    yield "registries.conf.d/50-sitewright.conf", toml("crio/50-sitewright.conf", known, templates)
    if plan.ca:
        yield "ca.crt", plan.ca
    yield "README.md", text("crio/README.md", known, templates)
