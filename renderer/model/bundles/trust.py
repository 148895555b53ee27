"""Who may vouch for which bundle, and what came of asking."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

from renderer.model.reference import Digest


class Algorithm(Enum):
    """Signature algorithms by the names that a trust policy uses."""

    ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
    ECDSA_P384_SHA384 = "ecdsa-p384-sha384"
    ED25519 = "ed25519"
    RSA_PKCS1_SHA256 = "rsa-pkcs1v15-sha256"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    SM2_SM3 = "sm2-sm3"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key by name. `pem` is the content of its file; validity is by whole UTC days, both ends included."""

    name: str
    pem: bytes
    valid_from: date | None = None
    valid_to: date | None = None

    def valid_on(self, day: date) -> bool:
        """True when the key may be used on `day`."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRule:
    """For bundles whose name matches the glob `bundles`: `threshold` distinct signers out of `of` must have signed."""

    bundles: str
    threshold: int
    of: tuple[str, ...]
    algorithms: frozenset[Algorithm] = field(default_factory=lambda: frozenset(Algorithm))
    max_age_days: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= len(self.of):
            raise ValueError(f"a threshold of {self.threshold} cannot be reached with {len(self.of)} signer(s)")
        if len(set(self.of)) != len(self.of):
            raise ValueError("a signer is listed twice")

    def matches(self, bundle: str) -> bool:
        """True when this rule speaks of the bundle named `bundle`."""
        return fnmatch.fnmatchcase(bundle, self.bundles)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """Keys and rules. The first rule whose glob matches decides; a bundle that no rule matches is refused."""

    name: str
    keys: tuple[TrustedKey, ...]
    rules: tuple[TrustRule, ...]

    def __post_init__(self) -> None:
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            raise ValueError("two keys have the same name")
        unknown = sorted({signer for rule in self.rules for signer in rule.of} - set(names))
        if unknown:
            raise ValueError(f"`{unknown[0]}` is not the name of a key in this policy")

    def rule_for(self, bundle: str) -> TrustRule | None:
        """The rule that decides about `bundle`, or None."""
        return next((rule for rule in self.rules if rule.matches(bundle)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFact:
    """One signature that was found, after checking: who made it, whether it counts, and why not when it does not."""

    form: str
    signer: str | None
    algorithm: Algorithm | None
    accepted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a trust policy says of one bundle: the rule asked, every signature found, the distinct signers accepted."""

    bundle: str
    manifest: Digest
    policy: str
    threshold: int
    signatures: tuple[SignatureFact, ...]
    verified_at: datetime

    @property
    def signers(self) -> tuple[str, ...]:
        """Distinct accepted signers, sorted."""
        return tuple(sorted({fact.signer for fact in self.signatures if fact.accepted and fact.signer}))

    @property
    def satisfied(self) -> bool:
        """True when enough distinct signers were accepted."""
        return len(self.signers) >= self.threshold
