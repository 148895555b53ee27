"""Which project of the site registry stands in for which source registry."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from renderer.model.images.mirror import Mirror, MirrorPlan
from renderer.model.reference import ImageReference
from renderer.model.site import SiteRegistry


def plan_mirrors(registry: SiteRegistry, references: Iterable[ImageReference]) -> MirrorPlan:
    """One mirror for every source registry that `references` name and every project that the profile lists.

    `*` in the profile covers the sources that it does not list, and stays in the plan as a mirror of source `*` for
    the runtimes that know such a rule. A source that no project covers gets no mirror: `MirrorPlan.location` is None
    for its images, and the rule `no-mirror-for-registry` says so. The site registry itself needs no mirror.
    """
    images = tuple(sorted(set(references), key=str))
    sources = ({image.registry for image in images} | registry.projects.keys()) - {registry.host}
    planned = ((source, registry.project_for(source)) for source in sources)
    return MirrorPlan(
        scheme=urlsplit(registry.url).scheme,
        host=registry.host,
        mirrors=tuple(sorted(Mirror(source=source, project=project) for source, project in planned if project)),
        fallback=registry.fallback,
        ca=registry.ca,
        images=images,
    )
