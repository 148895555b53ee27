"""Every image is the one that a bundle vouches for, and nodes can get it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.workload import container_images
from renderer.model.reference import Digest, ImageReference
from renderer.model.rendering import Composed
from renderer.model.site import Distribution, Fallback, ImagesMode, Runtime, Site

_SHOWN: Final = 3


def unpinned_images(composed: Composed) -> Iterator[Finding]:
    """Container images without a digest, or with one that the lock does not have."""
    locked: set[Digest] = set()
    for entry in composed.lock.images:
        locked |= {entry.digest, *entry.platforms.values()}
    for manifest, path, text in container_images(composed.plan.manifests()):
        try:
            image = ImageReference.parse(text)
        except ValueError as error:
            yield _image_finding("unpinned-image", manifest, path, f"`{text}` is no image reference: {error}", text)
            continue
        if image.digest is None:
            yield _image_finding("unpinned-image", manifest, path, f"`{text}` has no digest: a tag can move", text)
        elif image.digest not in locked:
            message = f"`{text}` has a digest that the lock does not list: no bundle vouches for it"
            yield _image_finding("unpinned-image", manifest, path, message, text)


def stray_hosts(composed: Composed) -> Iterator[Finding]:
    """With `images: rewrite`, container images that do not name the site registry."""
    if composed.site.registry.images is not ImagesMode.REWRITE:
        return
    host = composed.mirrors.host
    for manifest, path, text in container_images(composed.plan.manifests()):
        if not text.startswith(f"{host}/"):
            message = f"`{text}` does not come from the site registry, although the profile says `images: rewrite`"
            yield _image_finding("stray-registry-host", manifest, path, message, text, expected=f"`{host}/…`")


def unmirrored_registries(composed: Composed) -> Iterator[Finding]:
    """Source registries that no project of the site registry stands in for."""
    plan = composed.mirrors
    missing: defaultdict[str, list[ImageReference]] = defaultdict(list)
    for image in plan.images:
        if image.registry != plan.host and plan.location(image) is None:
            missing[image.registry].append(image)
    for registry, images in sorted(missing.items()):
        closed = plan.fallback is Fallback.NEVER
        yield Finding(
            code="no-mirror-for-registry",
            message=f"no project of the site registry holds the images of `{registry}`"
            + (", and nodes may not ask it themselves" if closed else ""),
            where=Where(file=composed.site.profile, path=f'spec.registry.projects["{registry}"]'),
            severity=Severity.ERROR if closed else Severity.WARNING,
            expected=f"a project for `{registry}`, or for `*`",
            explanation=_some([str(image) for image in images]),
            hint=f"add `{registry}: <project>` below `spec.registry.projects`",
        )


def mirror_collisions(composed: Composed) -> Iterator[Finding]:
    """Different images of different registries that would have one place in the site registry.

    With mirrors the place is a name and tag; with `images: rewrite` it is the path alone, since afterwards nothing
    tells where an image came from.
    """
    rewrite = composed.site.registry.images is ImagesMode.REWRITE
    places: defaultdict[str, set[ImageReference]] = defaultdict(set)
    for image in composed.mirrors.images:
        location = composed.mirrors.location(image)
        if location is not None and (rewrite or image.tag is not None):
            places[location if rewrite else f"{location}:{image.tag}"].add(image)
    for place, images in sorted(places.items()):
        if len({image.name for image in images}) > 1 and len({image.digest for image in images}) > 1:
            yield Finding(
                code="mirror-collision",
                message=f"{len(images)} different images would all be `{place}`"
                + ("" if rewrite else ": the last one copied takes the tag"),
                where=Where(file=composed.site.profile, path="spec.registry.projects"),
                explanation=tuple(sorted(str(image.without_digest()) if image.tag else str(image) for image in images)),
                hint="give each of these registries a project of its own",
            )


def docker_without_mirrors(composed: Composed) -> Iterator[Finding]:
    """Docker nodes, of which only newer ones can be given mirrors; a profile does not say which release they run."""
    cluster = composed.site.cluster
    own = cluster.distribution in {Distribution.K3S, Distribution.RKE2, Distribution.OPENSHIFT, Distribution.TALOS}
    if not own and cluster.runtime is Runtime.DOCKER and composed.site.registry.images is not ImagesMode.REWRITE:
        yield cannot_mirror(composed.site)


def cannot_mirror(site: Site) -> Finding:
    """What Docker makes of the files of `nodes/docker/`."""
    return Finding(
        code="docker-cannot-mirror",
        message="Docker before 29 mirrors `docker.io` only, not to a project, and asks the upstream registry after it",
        where=Where(file=site.profile, path="spec.cluster.runtime"),
        severity=Severity.WARNING if site.registry.fallback is Fallback.NEVER else Severity.NOTE,
        expected="Docker 29 or later with its containerd image store on every node",
        hint="set `spec.registry.images: rewrite`, or accept this in `spec.checks.ignore` when all nodes have it",
    )


def _image_finding(
    code: str, manifest: Manifest, path: str, message: str, text: str, *, expected: str = "`name:tag@sha256:…`"
) -> Finding:
    return Finding(
        code=code,
        message=message,
        where=Where(subject=str(manifest.id), path=path),
        expected=expected,
        got=f"`{text}`",
        explanation=(f"from {manifest.origin}",),
        hint="sitewright lock, when the bundle holds the image; otherwise add the image to the bundle",
    )


def _some(names: list[str]) -> tuple[str, ...]:
    more = len(names) - _SHOWN
    return (*names[:_SHOWN], f"and {more} more") if more > 0 else tuple(names)


RULES: Final = (
    Rule(
        code="unpinned-image",
        title="Every container image has a digest that the lock lists",
        why="A tag can be moved to another image; only a digest is what the bundle's signers saw.",
        severity=Severity.ERROR,
        check=unpinned_images,
    ),
    Rule(
        code="stray-registry-host",
        title="With `images: rewrite` every container image names the site registry",
        why="Inside the air gap an upstream name cannot be pulled unless nodes are configured for it.",
        severity=Severity.ERROR,
        check=stray_hosts,
    ),
    Rule(
        code="no-mirror-for-registry",
        title="Every source registry has a project in the site registry",
        why="Without one, nodes ask the internet: inside the air gap the pull hangs and fails.",
        severity=Severity.ERROR,
        check=unmirrored_registries,
    ),
    Rule(
        code="mirror-collision",
        title="No two images share a place in the site registry",
        why="The tag shows only the image that was copied last; a clean-up may delete the other.",
        severity=Severity.ERROR,
        check=mirror_collisions,
    ),
    Rule(
        code="docker-cannot-mirror",
        title="Docker nodes can use the site registry",
        why="Docker before 29 cannot be told to: nodes look for images upstream.",
        severity=Severity.WARNING,
        check=docker_without_mirrors,
    ),
)
"""The rules of this module."""
