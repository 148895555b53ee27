"""Who may vouch for which bundle, and what came of asking."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection
from datetime import date, datetime
from enum import Enum

from renderer.model.reference import Digest
from renderer.structs import Struct, field


class Algorithm(Enum):
    """Signature algorithms by the names that a trust policy uses."""

    ECDSA_P256_SHA256 = "ecdsa-p256-sha256"
    ECDSA_P384_SHA384 = "ecdsa-p384-sha384"
    ED25519 = "ed25519"
    RSA_PKCS1_SHA256 = "rsa-pkcs1v15-sha256"
    RSA_PSS_SHA256 = "rsa-pss-sha256"
    SM2_SM3 = "sm2-sm3"

    @property
    def for_runtimes(self) -> bool:
        """True when container runtimes can check a signature of this kind over an image.

        containers/image hashes with SHA-256 whatever the key, takes RSA signatures as PKCS#1 v1.5 only, and does not
        know SM2 (`signature/internal/sigstore_payload.go`, and LoadVerifier of sigstore/sigstore).
        """
        return self in {Algorithm.ECDSA_P256_SHA256, Algorithm.ED25519, Algorithm.RSA_PKCS1_SHA256}


class Revocation(Struct, frozen=True, kw_only=True):
    """A key that is not believed any more, from the UTC day `since` on; without one, it never was.

    No signature of it counts then, whenever it was made: offline nothing proves the moment of a signature.
    """

    since: date | None = None
    reason: str = ""

    def holds_on(self, day: date) -> bool:
        """True when the key is not believed on `day`."""
        return self.since is None or self.since <= day

    def __str__(self) -> str:
        since = f" since {self.since}" if self.since else ""
        return f"revoked{since}{f' ({self.reason})' if self.reason else ''}"


class TrustedKey(Struct, frozen=True, kw_only=True):
    """A public key by name. `pem` is the content of its file; validity is by whole UTC days, both ends included."""

    name: str
    pem: bytes
    valid_from: date | None = None
    valid_to: date | None = None
    revoked: Revocation | None = None

    def valid_on(self, day: date) -> bool:
        """True when the key may be used on `day`, unless it is revoked."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def revoked_on(self, day: date) -> bool:
        """True when the key is revoked on `day`."""
        return self.revoked is not None and self.revoked.holds_on(day)


class NameKind(Enum):
    """Where in a certificate a name of its subject stands: three kinds of alternative names, and the common name."""

    EMAIL = "email"
    URI = "uri"
    DNS = "dns"
    COMMON_NAME = "cn"


class SubjectName(Struct, frozen=True):
    """One name of a certificate's subject. E-mail and DNS names are compared without regard to case."""

    kind: NameKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.value}"


class SubjectPattern(Struct, frozen=True):
    """Which names of certificates a trust policy asks for; `*` stands for any characters but `@` and `/`.

    Without a kind, any alternative name may match. A common name matches only a pattern of that kind: some companies
    let people choose it themselves.
    """

    glob: str
    kind: NameKind | None = None

    def __post_init__(self) -> None:
        if not self.glob.strip():
            raise ValueError("a pattern for subjects cannot be empty")

    @classmethod
    def parse(cls, text: str) -> SubjectPattern:
        """Read `release@bank.example`, `*@bank.example`, `dns:*.bank.example`, `uri:https://…`, `cn:Release Office`.

        Raises ValueError.
        """
        prefix, colon, rest = text.partition(":")
        kinds = {kind.value: kind for kind in NameKind}
        return cls(rest, kinds[prefix]) if colon and prefix in kinds else cls(text)

    def matches(self, name: SubjectName) -> bool:
        """True when the pattern asks for `name`."""
        if self.kind is None and name.kind is NameKind.COMMON_NAME:
            return False
        if self.kind is not None and self.kind is not name.kind:
            return False
        expression = "[^@/]*".join(map(re.escape, self.glob.split("*")))
        case = re.IGNORECASE if name.kind in {NameKind.EMAIL, NameKind.DNS} else re.NOFLAG
        return re.fullmatch(expression, name.value, case | re.ASCII) is not None

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.glob}" if self.kind else self.glob


class TrustedAuthority(Struct, frozen=True, kw_only=True):
    """A company's certificate authority by name: whom it certified, and a pattern asks for, may sign.

    `pem` holds its certificates, roots and intermediates. `revoked` are serial numbers in lower-case hexadecimal
    without leading zeros; none of the certificates on a path may have one.
    """

    name: str
    pem: bytes
    subjects: tuple[SubjectPattern, ...]
    revoked: frozenset[str] = frozenset()

    def asked_for(self, names: Collection[SubjectName]) -> tuple[SubjectName, ...]:
        """Those of `names` that a pattern asks for, in their order."""
        return tuple(name for name in names if any(pattern.matches(name) for pattern in self.subjects))


class TrustRule(Struct, frozen=True, kw_only=True):
    """For bundles whose name matches the glob `bundles`: `threshold` distinct signers out of `of` must have signed.

    `of` names keys and authorities. An authority may certify several signers; each of them counts.
    """

    bundles: str
    threshold: int
    of: tuple[str, ...]
    algorithms: frozenset[Algorithm] = field(default_factory=lambda: frozenset(Algorithm))
    max_age_days: int | None = None

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise ValueError(f"a threshold of {self.threshold} asks for nobody")
        if len(set(self.of)) != len(self.of):
            raise ValueError("a signer is listed twice")

    def matches(self, bundle: str) -> bool:
        """True when this rule speaks of the bundle named `bundle`."""
        return fnmatch.fnmatchcase(bundle, self.bundles)


class TrustPolicy(Struct, frozen=True, kw_only=True):
    """Keys, authorities and rules. The first rule whose glob matches decides; without one a bundle is refused."""

    name: str
    keys: tuple[TrustedKey, ...]
    rules: tuple[TrustRule, ...]
    authorities: tuple[TrustedAuthority, ...] = ()

    def __post_init__(self) -> None:
        names = self.signers
        if len(set(names)) != len(names):
            raise ValueError("two keys or authorities have the same name")
        unknown = sorted({signer for rule in self.rules for signer in rule.of} - set(names))
        if unknown:
            raise ValueError(f"`{unknown[0]}` is not the name of a key or authority in this policy")
        for rule in self.rules:
            if not self.can_reach(rule.threshold, rule.of):
                raise ValueError(f"a threshold of {rule.threshold} cannot be reached with {len(rule.of)} signer(s)")

    @property
    def signers(self) -> tuple[str, ...]:
        """The names of all keys and authorities."""
        return (*(key.name for key in self.keys), *(authority.name for authority in self.authorities))

    def can_reach(self, threshold: int, of: Collection[str]) -> bool:
        """False when there can never be so many signers: a key is one, an authority may certify many."""
        return threshold <= len(of) or any(authority.name in of for authority in self.authorities)

    def rule_for(self, bundle: str) -> TrustRule | None:
        """The rule that decides about `bundle`, or None."""
        return next((rule for rule in self.rules if rule.matches(bundle)), None)


class SignatureFact(Struct, frozen=True, kw_only=True):
    """One signature that was found, after checking: who made it, whether it counts, and why not when it does not.

    `signer` is a key's name, or `authority/name` for a certified signer. `subject` and `serial` are those of the
    certificate, whether it is believed or not; `key` is the SHA-256 of the public key that made the signature.
    """

    form: str
    signer: str | None
    algorithm: Algorithm | None
    accepted: bool
    reason: str
    subject: str | None = None
    serial: str | None = None
    key: Digest | None = None


class Verdict(Struct, frozen=True, kw_only=True):
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
