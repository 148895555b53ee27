"""From a lock to what must lie where in the site registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from renderer.commands.images.collisions import collisions
from renderer.errors import Finding, InputError, Where
from renderer.formats.documents.wording import some
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.images.mirror import MirrorPlan
from renderer.model.images.referrers import speaking_of
from renderer.model.images.transfer import ImageTarget
from renderer.model.lock import Lock
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.site import IndexesMode, Site
from renderer.stages.mirrors.plan import plan_mirrors


def targets_of_site(site: Site, lock: Lock) -> tuple[ImageTarget, ...]:
    """Every image of `lock` with its place in the registry of `site`, for the platforms of the site, by reference.

    Raises InputError with every image that has no place (`no-mirror-for-registry`), shares its place and tag with
    another content (`mirror-collision`), or does not exist for a platform of the site (`platform-missing`).
    """
    plan = plan_mirrors(site.registry, (image.reference for image in lock.images))
    wanted = site.cluster.platforms
    faults: list[Finding] = []
    targets = []
    homeless: defaultdict[str, list[ImageReference]] = defaultdict(list)
    for image in sorted(lock.images, key=lambda one: str(one.reference)):
        repository = _repository(plan, image.reference)
        if repository is None:
            homeless[image.reference.registry].append(image.reference)
            continue
        platforms, missing = _for_site(image.platforms, wanted)
        if missing:
            faults.append(_no_platform(image.reference, missing, image.platforms, site))
        targets.append(
            ImageTarget(
                reference=image.reference,
                repository=repository,
                digest=image.digest,
                platforms=platforms,
                referrers=speaking_of(image.referrers, (image.digest, *platforms.values())),
                signers=image.signatures.keys if image.signatures else (),
                whole=site.registry.indexes is IndexesMode.WHOLE,
            )
        )
    faults += [_homeless(registry, images, site) for registry, images in sorted(homeless.items())]
    faults += collisions(targets, Where(file=site.profile, path="spec.registry.projects"))
    if faults:
        raise InputError(*faults)
    return tuple(targets)


def same_bundles(bundles: Iterable[VerifiedBundle], lock: Lock, profile: str) -> None:
    """Refuse bundles that are not those of the lock: they carry other images. Raises InputError."""
    faults = []
    for bundle in bundles:
        locked = lock.bundle(bundle.bundle.name)
        if locked is None or locked.digest != bundle.manifest.digest:
            faults.append(
                Finding(
                    code="lock-drift-bundle",
                    message=f"the bundle `{bundle.bundle.name}` is not the one that the lock was written for",
                    where=Where(file=bundle.source, subject=f"bundle {bundle.id}"),
                    expected=str(locked.digest) if locked else "a bundle that the lock names",
                    got=str(bundle.manifest.digest),
                    hint=f"sitewright lock {profile}",
                )
            )
    if faults:
        raise InputError(*faults)


def _repository(plan: MirrorPlan, reference: ImageReference) -> str | None:
    """The repository of an image in the site registry; images that name the site registry stay where they are."""
    if reference.registry == plan.host:
        return reference.repository
    location = plan.location(reference)
    return None if location is None else location.removeprefix(f"{plan.host}/")


def _for_site(
    have: Mapping[Platform, Digest], wanted: Iterable[Platform]
) -> tuple[dict[Platform, Digest], list[Platform]]:
    """The manifests that the site's nodes need, and the platforms that none of them serves."""
    chosen: dict[Platform, Digest] = {}
    missing = []
    for platform in wanted:
        serving = [one for one in sorted(have) if one.serves(platform)]
        if not serving:
            missing.append(platform)
        chosen.update({one: have[one] for one in serving})
    return chosen, missing


def _no_platform(
    reference: ImageReference, missing: list[Platform], have: Mapping[Platform, Digest], site: Site
) -> Finding:
    return Finding(
        code="platform-missing",
        message=f"`{reference}` does not exist for {', '.join(map(str, missing))}",
        where=Where(file=site.profile, path="spec.cluster.platforms"),
        expected=f"an image for {', '.join(map(str, site.cluster.platforms))}",
        got=", ".join(map(str, sorted(have))) or "no platform at all",
        hint="take a bundle that was built for these platforms",
    )


def _homeless(registry: str, images: list[ImageReference], site: Site) -> Finding:
    return Finding(
        code="no-mirror-for-registry",
        message=f"no project of the site registry holds the images of `{registry}`",
        where=Where(file=site.profile, path=f'spec.registry.projects["{registry}"]'),
        expected=f"a project for `{registry}`, or for `*`",
        explanation=some([f"`{image}`" for image in images]),
        hint=f"add `{registry}: <project>` below `spec.registry.projects`",
    )
