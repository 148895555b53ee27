"""What nodes may demand of the images of a site: (lock, trust policy, day) -> keys whose signatures must be there.

The rule of a bundle says who must have signed it. Of those, container runtimes can demand who signed its images, too
(`bundle sign --images`). containers-policy.json(5) knows "each of these" (several requirements) and "one of these"
(several keys of one requirement). What it cannot say is said more strictly or not at all, and never more loosely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.formats.canonical_json import canonical_json
from renderer.formats.documents.wording import count, some
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.model.bundles.trust import Algorithm, TrustedKey, TrustPolicy, TrustRule
from renderer.model.fields import Json
from renderer.model.images.demands import SignatureDemand
from renderer.model.lock import Lock, LockedImage
from renderer.model.reference import Digest, ImageReference
from renderer.structs import Struct

_KINDS: Final = (
    ("ECDSA P-256", Algorithm.ECDSA_P256_SHA256),
    ("Ed25519", Algorithm.ED25519),
    ("RSA", Algorithm.RSA_PKCS1_SHA256),
)


class ImageDemands(Struct, frozen=True, kw_only=True):
    """By the pinned names of images: what nodes demand of them. An image that is not there is taken by its digest."""

    demands: Mapping[ImageReference, SignatureDemand]
    findings: tuple[Finding, ...]

    @property
    def digest(self) -> Digest:
        """The same for the same demands, whatever is said about them."""
        told: dict[str, Json] = {
            str(image): [[str(Digest.of(key)) for key in keys] for keys in demand.keys]
            for image, demand in self.demands.items()
        }
        return Digest.of(canonical_json(told))


def image_demands(lock: Lock, policy: TrustPolicy, *, today: date, profile: str) -> ImageDemands:
    """What nodes demand on the UTC day `today`, and where that is not what the policy asks for.

    Findings: `image-by-digest`, `policy-cannot-ask` (warnings), `policy-asks-for-more` (a note).
    """
    rules = {bundle.name: policy.rule_for(bundle.name) for bundle in lock.bundles}
    asked = {name: _Asked.of(policy, rule, today) for name, rule in rules.items() if rule is not None}
    demands: dict[ImageReference, SignatureDemand] = {}
    by_digest: list[LockedImage] = []
    stricter: set[str] = set()
    for image in lock.images:
        signatures = image.signatures
        wanted = asked.get(signatures.bundle) if signatures else None
        demand = wanted.demand(signatures.keys) if wanted and signatures else None
        if demand is None or wanted is None or signatures is None:
            by_digest.append(image)
            continue
        demands[image.reference.pinned(image.digest)] = demand
        if 1 < wanted.rule.threshold < len(wanted.rule.of):
            stricter.add(signatures.bundle)
    findings = [_cannot_ask(name, one, policy) for name, one in asked.items() if by_digest and not one.can_ask]
    findings += [_stricter(name, asked[name], policy) for name in sorted(stricter)]
    if by_digest:
        findings.append(_by_digest(by_digest, len(lock.images), profile))
    return ImageDemands(demands=demands, findings=tuple(findings))


class _Key(Struct, frozen=True):
    trusted: TrustedKey
    public: PublicKey


class _Asked(Struct, frozen=True):
    """A rule, and those of its keys whose signatures nodes can check today."""

    rule: TrustRule
    keys: tuple[_Key, ...]

    @classmethod
    def of(cls, policy: TrustPolicy, rule: TrustRule, today: date) -> _Asked:
        known = [_Key(key, parse_public_key(key.pem)) for key in policy.keys]
        revoked = {key.public.fingerprint for key in known if key.trusted.revoked_on(today)}
        usable = (
            key
            for key in known
            if key.trusted.name in rule.of
            and key.trusted.valid_on(today)
            and key.public.fingerprint not in revoked
            and any(key.public.kind.startswith(kind) and one in rule.algorithms for kind, one in _KINDS)
        )
        return cls(rule, tuple({key.public.fingerprint: key for key in usable}.values()))

    @property
    def can_ask(self) -> bool:
        """False when the rule cannot be fulfilled by keys whose signatures nodes can check."""
        return len(self.keys) >= self.rule.threshold

    def demand(self, signed: Sequence[str]) -> SignatureDemand | None:
        """What nodes demand of an image that the keys `signed` have signed; None when the rule asks for more."""
        have = [key for key in self.keys if key.trusted.name in signed]
        if len(have) < self.rule.threshold:
            return None
        if self.rule.threshold == 1:
            return SignatureDemand((tuple(key.trusted.pem for key in self.keys),))
        return SignatureDemand(tuple((key.trusted.pem,) for key in have))


def _by_digest(images: Sequence[LockedImage], total: int, profile: str) -> Finding:
    return Finding(
        code="image-by-digest",
        message=f"nodes take {len(images)} of {count(total, 'image')} by digest and ask for no signature: too few of "
        "those whom the trust policy asks for have signed them",
        where=Where(file=profile, path="spec.trust"),
        severity=Severity.WARNING,
        expected="signatures over the images by as many keys as must sign their bundle",
        explanation=(
            "Podman and CRI-O run these by the digests of the lock only: after a render that changes one, the new",
            "`policy.json` must be on a node before the new image starts there",
            *some([str(image.reference) for image in images]),
        ),
        hint=f"sitewright bundle sign --images --key KEY BUNDLE; sitewright lock {profile}; "
        f"sitewright images sync {profile}",
    )


def _cannot_ask(bundle: str, asked: _Asked, policy: TrustPolicy) -> Finding:
    usable = {key.trusted.name for key in asked.keys}
    left_out = [f"`{name}`" for name in asked.rule.of if name not in usable]
    return Finding(
        code="policy-cannot-ask",
        message=f"nodes cannot be told to ask for the signers of bundle `{bundle}`",
        where=Where(subject=f"trust policy {policy.name}, rule `{asked.rule.bundles}`"),
        severity=Severity.WARNING,
        expected=f"{asked.rule.threshold} of its keys that are valid today, of ECDSA P-256, Ed25519 or RSA",
        got=", ".join(f"`{name}`" for name in sorted(usable)) or "none",
        explanation=(
            f"left out: {', '.join(left_out)}",
            "containers/image knows no authorities as we do, no signatures of P-384 and SM2, and no days of validity",
        ),
        hint="add a key for images to the trust policy (sitewright bundle keygen keys/images.key) and to this rule",
    )


def _stricter(bundle: str, asked: _Asked, policy: TrustPolicy) -> Finding:
    return Finding(
        code="policy-asks-for-more",
        message=f"nodes ask for every key that has signed the images of bundle `{bundle}`, not for any "
        f"{asked.rule.threshold}",
        where=Where(subject=f"trust policy {policy.name}, rule `{asked.rule.bundles}`"),
        severity=Severity.NOTE,
        explanation=(
            f"the rule asks for {asked.rule.threshold} of {', '.join(f'`{name}`' for name in asked.rule.of)}",
            "`policy.json` knows `each of these` and `one of these` only",
        ),
        hint="write it anew after signers have changed: sitewright lock, then sitewright mirrors --runtime policy",
    )
