"""Who made a signature, as far as a trust policy knows: one of its keys, or somebody whom an authority certified."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from renderer.errors import Finding, InputError, Where
from renderer.formats.trust.certificate import Certificate, parse_certificate
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.formats.trust.sm2 import ExtraMissingError
from renderer.formats.trust.stored import StoredSignature
from renderer.formats.trust.x509 import Authority, find_path, parse_authority
from renderer.model.bundles.trust import Algorithm, SubjectName, TrustedAuthority, TrustedKey, TrustPolicy
from renderer.model.reference import Digest
from renderer.structs import Struct


class Claim(Struct, frozen=True, kw_only=True):
    """One way to read a signature that holds: `member` of the policy, a key or an authority, stands behind it.

    `signer` is what the signer is called, or None when `objection` leaves that open. `identities` are what counts
    once, however often it signs: the key, and the certified names. `objection` is what the policy has against it,
    whatever rule applies.
    """

    member: str
    signer: str | None
    algorithm: Algorithm
    key: PublicKey
    identities: frozenset[str]
    objection: str | None = None


class Hearing(Struct, frozen=True, kw_only=True):
    """What came of asking about one signature. `fault` says why it is worth nothing, whoever made it."""

    stored: StoredSignature
    claims: tuple[Claim, ...] = ()
    certificate: Certificate | None = None
    fault: str | None = None

    @property
    def credible(self) -> bool:
        """True when somebody of the policy vouches for this manifest, under one rule or another."""
        return self.fault is None and any(claim.objection is None for claim in self.claims)


class _Key(Struct, frozen=True):
    trusted: TrustedKey
    public: PublicKey


class _Authority(Struct, frozen=True):
    trusted: TrustedAuthority
    certificates: Authority


class Signers(Struct, frozen=True):
    """The keys and authorities of a policy, ready to be asked about signatures."""

    keys: tuple[_Key, ...]
    authorities: tuple[_Authority, ...]

    @classmethod
    def of(cls, policy: TrustPolicy) -> Signers:
        """Read the keys and certificates of `policy`. Raises InputError with every one that cannot be used."""
        keys: list[_Key] = []
        authorities: list[_Authority] = []
        faults: list[Finding] = []
        for key in policy.keys:
            try:
                keys.append(_Key(key, parse_public_key(key.pem)))
            except ValueError as error:
                faults.append(_unusable(error, policy, f"key {key.name}", f"the key `{key.name}`"))
        for authority in policy.authorities:
            try:
                authorities.append(_Authority(authority, parse_authority(authority.pem)))
            except ValueError as error:
                name = f"authority {authority.name}"
                faults.append(_unusable(error, policy, name, f"the authority `{authority.name}`"))
        if faults:
            raise InputError(*faults)
        return cls(tuple(keys), tuple(authorities))

    def hear(self, stored: StoredSignature, manifest: Digest, now: datetime) -> Hearing:
        """Everybody who may stand behind a signature over `manifest`. Raises nothing: what is wrong is the answer."""
        try:
            signature = stored.signature()
            certificate = parse_certificate(stored.certificates[0]) if stored.certificates else None
        except ValueError as error:
            return Hearing(stored=stored, fault=str(error))
        claims = tuple(self._by_keys(stored.signed_bytes, signature, now.astimezone(UTC).date()))
        nobody = "no key of the trust policy made it"
        if certificate is not None:
            try:
                claims += tuple(self._by_certificate(stored, signature, certificate, now))
                nobody = f"{nobody}, and the policy names no authority"
            except ValueError as error:
                nobody = str(error)
        fault = _about_something_else(stored, manifest) if claims else nobody
        return Hearing(stored=stored, claims=claims, certificate=certificate, fault=fault)

    def _by_keys(self, signed: bytes, signature: bytes, today: date) -> Iterator[Claim]:
        for key in self.keys:
            algorithm = key.public.check(signed, signature)
            if algorithm is not None:
                yield Claim(
                    member=key.trusted.name,
                    signer=key.trusted.name,
                    algorithm=algorithm,
                    key=key.public,
                    identities=frozenset({str(key.public.fingerprint)}),
                    objection=self._revoked(key.public, today) or _not_valid(key.trusted, today),
                )

    def _by_certificate(
        self, stored: StoredSignature, signature: bytes, certificate: Certificate, now: datetime
    ) -> Iterator[Claim]:
        """What each authority says. Raises ValueError when certificate and signature do not belong together."""
        key = certificate.public_key()
        algorithm = key.check(stored.signed_bytes, signature)
        if algorithm is None:
            raise ValueError("it is not by the key in its certificate")
        chain = (certificate, *map(parse_certificate, stored.certificates[1:]))
        today = now.astimezone(UTC).date()
        for authority in self.authorities:
            member, names = authority.trusted.name, authority.trusted.asked_for(certificate.names)
            try:
                path = find_path(chain, authority.certificates, now)
            except ValueError as error:
                yield _certified(member, (), algorithm, key, f"not certified by `{member}`: {error}")
                continue
            objection = _not_asked_for(certificate, authority) or self._revoked(key, today)
            yield _certified(member, names, algorithm, key, objection or _revoked_on(path, authority))

    def _revoked(self, key: PublicKey, today: date) -> str | None:
        """A revoked key does not count under any name, nor with any certificate."""
        for one in self.keys:
            if one.public.fingerprint == key.fingerprint and one.trusted.revoked_on(today):
                return f"the key `{one.trusted.name}` is {one.trusted.revoked}"
        return None


def public_keys(policy: TrustPolicy) -> dict[str, PublicKey]:
    """The keys of `policy` by name. Raises InputError (`invalid-public-key`) with every one that cannot be used."""
    return {key.trusted.name: key.public for key in Signers.of(policy).keys}


def _about_something_else(stored: StoredSignature, manifest: Digest) -> str | None:
    """What a signature that holds speaks of, when it is not `manifest`."""
    try:
        spoken_of = stored.digest()
    except ValueError as error:
        return str(error)
    return None if spoken_of == manifest else f"it is for another manifest, {spoken_of}"


def _not_valid(key: TrustedKey, today: date) -> str | None:
    if key.valid_on(today):
        return None
    start = f"from {key.valid_from}" if key.valid_from else ""
    end = f"to {key.valid_to}" if key.valid_to else ""
    return f"the key is valid {' '.join(part for part in (start, end) if part)} only"


def _certified(
    member: str, names: tuple[SubjectName, ...], algorithm: Algorithm, key: PublicKey, objection: str | None
) -> Claim:
    """The claim that an authority stands behind a key, under the names that the policy asks for."""
    return Claim(
        member=member,
        signer=f"{member}/{names[0].value}" if names else None,
        algorithm=algorithm,
        key=key,
        identities=frozenset({str(key.fingerprint), *(str(name).casefold() for name in names)}),
        objection=objection,
    )


def _not_asked_for(certificate: Certificate, authority: _Authority) -> str | None:
    """Why a signer whom an authority certified is none that the policy asks for; None for one that it does."""
    if authority.trusted.asked_for(certificate.names):
        return None
    has = ", ".join(f"`{name}`" for name in certificate.names) or "no name"
    return f"`{authority.trusted.name}` certified it, but its subjects do not include {has}"


def _revoked_on(path: tuple[Certificate, ...], authority: _Authority) -> str | None:
    """The certificate on a path that the policy has revoked, or None."""
    for certificate in path:
        if certificate.serial in authority.trusted.revoked:
            return f"the certificate `{certificate.subject}` with serial number {certificate.serial} is revoked"
    return None


def _unusable(error: ValueError, policy: TrustPolicy, name: str, called: str) -> Finding:
    where = Where(subject=f"trust policy {policy.name}, {name}")
    if isinstance(error, ExtraMissingError):
        message = f"{called} is for SM2, and the extra `sm` of Sitewright is not installed"
        return Finding(code="extra-missing", message=message, where=where, hint=error.hint)
    if name.startswith("authority"):
        message = f"{called} cannot be used: {error}"
        return Finding(code="not-an-authority", message=message, where=where)
    return Finding(
        code="invalid-public-key",
        message=f"{called} cannot be used: {error}",
        where=where,
        hint="openssl pkey -in PRIVATE.pem -pubout -out PUBLIC.pem",
    )
