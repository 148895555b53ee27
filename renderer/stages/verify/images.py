"""Who has signed the images of a bundle, for the container runtimes that check that themselves.

Nothing that Sitewright does rests on these signatures: images are vouched for by the bundle. They say what may be
demanded of nodes, which know no bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from renderer.errors import BundleRefusedError, Finding
from renderer.formats.bundle.artifact import ReadBlob
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.image_signatures import (
    find_image_signatures,
    identity,
    read_image_signatures,
    subjects_of,
)
from renderer.formats.trust.cosign import make_payload
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.trust import TrustPolicy, TrustRule
from renderer.model.reference import Digest, ImageReference
from renderer.stages.verify.signers import Signers
from renderer.structs import Struct

ImageSignatures = Mapping[Digest, tuple[StoredSignature, ...]]
"""Signatures over indexes and manifests, by what they are over."""


class ImageVerdict(Struct, frozen=True, kw_only=True):
    """What a trust policy says of signatures over the images of one bundle.

    `signed` maps the keys of the bundle's rule, by name, to the images that each has signed: their index and each
    manifest that the bundle carries. A key that has signed none is left out. `strangers` are signatures that count for
    nothing: unknown, expired or revoked keys, algorithms that the rule or container runtimes do not know.
    """

    signed: Mapping[str, tuple[ImageReference, ...]]
    strangers: int

    def signers_of(self, image: ImageReference) -> tuple[str, ...]:
        """The keys that have signed all of `image`, sorted."""
        return tuple(sorted(signer for signer, images in self.signed.items() if image in images))


def signatures_over_images(
    index: bytes, bundle: Bundle, read: ReadBlob, location: str
) -> tuple[ImageSignatures, tuple[Finding, ...]]:
    """The signatures that lie beside the images of `bundle`, unchecked, and what is wrong with their form.

    Raises BundleRefusedError when `index.json` cannot be read.
    """
    subjects = subjects_of(bundle)
    found: dict[Digest, tuple[StoredSignature, ...]] = {}
    faults: list[Finding] = []
    for digest, holder in find_image_signatures(index, subjects, location).items():
        try:
            found[digest] = read_image_signatures(holder, subjects[digest], read, location)
        except BundleRefusedError as error:
            faults += error.findings
    return found, tuple(faults)


def image_verdict(bundle: Bundle, found: ImageSignatures, policy: TrustPolicy, *, now: datetime) -> ImageVerdict:
    """Who of `policy` has signed which images of `bundle` at the moment `now`."""
    rule = policy.rule_for(bundle.name)
    made: set[tuple[str, bytes]] = set()
    strangers = 0
    if rule is not None and found:
        signers = Signers.of(policy)
        for digest, signatures in found.items():
            for stored in signatures:
                keys = _keys(signers, stored, digest, rule, now)
                made |= {(key, stored.payload) for key in keys}
                strangers += not keys
    signed: dict[str, list[ImageReference]] = {key: [] for key in sorted({key for key, _ in made})}
    for image in bundle.images:
        if is_carried(image):
            parts = (image.content, *image.platforms.values())
            wanted = {make_payload(identity(image.reference), part.digest) for part in parts}
            for key, images in signed.items():
                if all((key, payload) in made for payload in wanted):
                    images.append(image.reference)
    whole = {key: tuple(images) for key, images in signed.items()}
    return ImageVerdict(signed=whole, strangers=strangers)


def _keys(
    signers: Signers, stored: StoredSignature, subject: Digest, rule: TrustRule, now: datetime
) -> tuple[str, ...]:
    """The keys of `rule` that made a signature which runtimes can check; one key may have several names."""
    hearing = signers.hear(stored, subject, now)
    if hearing.fault is not None:
        return ()
    return tuple(
        claim.member
        for claim in hearing.claims
        if claim.objection is None
        and claim.member in rule.of
        and claim.algorithm in rule.algorithms
        and claim.algorithm.for_runtimes
    )
