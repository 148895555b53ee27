"""Manifests that speak of an image: signatures, attestations, SBOMs."""

from __future__ import annotations

from collections.abc import Iterable

from renderer.model.bundles.bundle import Referrer
from renderer.model.reference import Digest
from renderer.structs import Struct


class PinnedReferrer(Struct, frozen=True, kw_only=True):
    """A referrer as a lock pins it: its digest, and that of what it speaks of; `tag` is where cosign looks for it."""

    digest: Digest
    subject: Digest
    tag: str | None = None

    @classmethod
    def of(cls, referrer: Referrer) -> PinnedReferrer:
        """A referrer of a bundle, pinned."""
        return cls(digest=referrer.content.digest, subject=referrer.subject, tag=referrer.tag)


def speaking_of(referrers: Iterable[PinnedReferrer], subjects: Iterable[Digest]) -> tuple[PinnedReferrer, ...]:
    """Those of `referrers` that speak of `subjects`, or of one that does; each behind what it speaks of."""
    waiting = list(referrers)
    known = set(subjects)
    found: list[PinnedReferrer] = []
    while fresh := [one for one in waiting if one.subject in known]:
        waiting = [one for one in waiting if one.subject not in known]
        known.update(one.digest for one in fresh)
        found += fresh
    return tuple(found)
