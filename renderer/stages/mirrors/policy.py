"""containers `policy.json` and `registries.d`: nodes run nothing but the images that a verified bundle lists.

Format: containers-policy.json(5), containers-registries.d(5); Podman, CRI-O and skopeo read it. The signatures of a
bundle cover the digests of its images, not the images themselves, so nodes cannot be given a key. What they can be
given is the result: every other image is rejected, by the name and digest that manifests use. A policy is looked up
by the name that was asked for, a signature in the repository of the mirror that answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from renderer.model.fields import Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.reference import ImageReference
from renderer.model.site import ImagesMode, Site
from renderer.stages.mirrors.texts import json_text, text, yaml


def policy_files(
    plan: MirrorPlan, site: Site, values: Mapping[str, Json], templates: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """The files of `nodes/policy/`. `values` is what all templates of `mirrors/` get."""
    rewrite = site.registry.images is ImagesMode.REWRITE
    named = {_scope(plan, image, rewrite=rewrite) for image in plan.images if image.digest}
    known: dict[str, Json] = {**values, "images": [*sorted(named)]}
    yield "policy.json", json_text("policy/policy.json", known, templates)
    yield "registries.d/50-sitewright.yaml", yaml("policy/50-sitewright.yaml", known, templates)
    yield "README.md", text("policy/README.md", known, templates)


def _scope(plan: MirrorPlan, image: ImageReference, *, rewrite: bool) -> str:
    """`registry/repository@digest` as manifests name it: runtimes drop the tag before they look into a policy."""
    place = plan.location(image) if rewrite else None
    return f"{place}@{image.digest}" if place else str(image.untagged())
