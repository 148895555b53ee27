"""Two contents that would share one name and tag in the site registry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from renderer.errors import Finding, Where
from renderer.formats.documents.wording import some
from renderer.model.images.transfer import ImageTarget
from renderer.model.reference import Digest, ImageReference


def collisions(targets: Iterable[ImageTarget], where: Where) -> list[Finding]:
    """`mirror-collision` for every name and tag of different contents: the one that is copied last would win."""
    places: defaultdict[str, dict[Digest, ImageReference]] = defaultdict(dict)
    for target in targets:
        if target.tag is not None:
            places[f"{target.repository}:{target.tag}"][target.digest] = target.reference
    return [
        Finding(
            code="mirror-collision",
            message=f"{len(images)} different images would all be `{place}` in the site registry",
            where=where,
            explanation=some([f"`{reference}` is {digest}" for digest, reference in sorted(images.items())]),
            hint="give each of their registries a project of its own",
        )
        for place, images in sorted(places.items())
        if len(images) > 1
    ]
