"""From a bundle alone, without a site, to what must lie where in a registry."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.commands.images.collisions import collisions
from renderer.errors import Finding, InputError, Where
from renderer.model.bundles.bundle import Bundle, BundleImage
from renderer.model.images.referrers import PinnedReferrer, speaking_of
from renderer.model.images.transfer import ImageTarget


def targets_of_bundle(bundle: Bundle, projects: Mapping[str, str]) -> tuple[ImageTarget, ...]:
    """Every image of `bundle` with all its platforms. `projects` maps source registries to projects, `*` the rest.

    A source registry that no project covers becomes a project of its own name (`docker.io/library/nginx`). Raises
    InputError (`no-mirror-for-registry`, `mirror-collision`).
    """
    where = Where(subject=f"bundle {bundle.name} {bundle.version}")
    targets, faults = [], []
    for image in sorted(bundle.images, key=lambda one: str(one.reference)):
        registry = image.reference.registry
        project = projects.get(registry, projects.get("*", registry))
        if ":" in project or "[" in project:
            faults.append(
                Finding(
                    code="no-mirror-for-registry",
                    message=f"`{registry}` cannot name a project: a repository path has no `:`",
                    where=where,
                    expected=f"a project for the images of `{registry}`",
                    hint=f"--project {registry}=PROJECT",
                )
            )
            continue
        targets.append(
            ImageTarget(
                reference=image.reference,
                repository=f"{project}/{image.reference.repository}",
                digest=image.digest,
                platforms={platform: entry.digest for platform, entry in image.platforms.items()},
                referrers=_referrers(image),
            )
        )
    faults += collisions(targets, where)
    if faults:
        raise InputError(*faults)
    return tuple(targets)


def _referrers(image: BundleImage) -> tuple[PinnedReferrer, ...]:
    subjects = (image.digest, *(entry.digest for entry in image.platforms.values()))
    return speaking_of(map(PinnedReferrer.of, image.referrers), subjects)
