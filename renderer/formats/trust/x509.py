"""Certificates of a company's own authority, and the path from a signer's to a root.

RFC 5280, section 6.1, as far as it can be held behind an air gap: names, signatures, validity, basic constraints,
path lengths, key usage, and that nothing critical is left out of sight. What is not understood is refused. There are
no revocation lists (a trust policy names serial numbers) and no policies. A home of `cryptography`; its own path
validation (`cryptography.x509.verification`) is for TLS and asks for what companies' roots do not have.

Validity is judged at one moment that the caller gives: the moment of verification, because offline nothing proves when
a signature was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from renderer.formats.trust.certificate import Certificate, parse_certificate
from renderer.formats.trust.pem import certificates_of
from renderer.structs import Struct

PATH_LIMIT: Final = 6
"""Certificates on a path, the signer's and the root's included."""
_CHECK_LIMIT: Final = 24
_RSA_BITS: Final = 2048
_CODE_SIGNING: Final = "1.3.6.1.5.5.7.3.3"
_ANY_PURPOSE: Final = "2.5.29.37.0"
_SIGNED_WITH: Final = {
    "1.2.840.113549.1.1.11": "SHA-256",  # RSA, PKCS#1 v1.5
    "1.2.840.113549.1.1.12": "SHA-384",
    "1.2.840.113549.1.1.13": "SHA-512",
    "1.2.840.113549.1.1.10": "PSS",  # the hash is a parameter
    "1.2.840.10045.4.3.2": "SHA-256",  # ECDSA
    "1.2.840.10045.4.3.3": "SHA-384",
    "1.2.840.10045.4.3.4": "SHA-512",
    "1.3.101.112": "Ed25519",
    "1.2.156.10197.1.501": "SM3",  # SM2
}
"""The signature algorithms of certificates that are believed, by object identifier. SHA-1 and MD5 are not there."""
_PSS_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})


class Authority(Struct, frozen=True):
    """A company's certificates: `roots` are believed by themselves, `intermediates` only when a root leads to them."""

    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...]


def parse_authority(pem: bytes) -> Authority:
    """The certificates of an authority, as a trust policy names them: roots, and intermediates below them.

    Self-issued certificates are the roots. Where there is none, every certificate of the file is believed by itself.
    Raises ValueError with what makes a certificate unfit for it.
    """
    found = []
    for number, content in enumerate(certificates_of(pem), start=1):
        try:
            certificate = parse_certificate(content)
        except ValueError as error:
            raise ValueError(f"certificate {number}: {error}") from error
        fault = _unfit_to_issue(certificate, below=0)
        if fault:
            raise ValueError(f"certificate {number} (`{certificate.subject}`) is not that of an authority: {fault}")
        found.append(certificate)
    if not found:
        raise ValueError("there is no certificate in it (`-----BEGIN CERTIFICATE-----`)")
    roots = tuple(one for one in found if one.self_issued)
    if not roots:
        return Authority(tuple(found), ())
    return Authority(roots, tuple(one for one in found if not one.self_issued))


def find_path(chain: Sequence[Certificate], authority: Authority, now: datetime) -> tuple[Certificate, ...]:
    """The certificates that lead from the signer's, the first of `chain`, to a root of `authority`, all of them sound.

    The rest of `chain` may help and is not believed by itself. Raises ValueError with why no path holds.
    """
    signer = chain[0]
    known = {one.der: one for one in (*chain[1:], *authority.intermediates)}
    fault = _unfit_to_sign(signer)
    if fault:
        raise ValueError(fault)
    faults: list[str] = []
    issued = _budgeted(_issued, _CHECK_LIMIT)
    for path in _paths((signer,), tuple(known.values()), authority.roots, issued, faults):
        fault = _fault(path, now)
        if fault is None:
            return path
        faults.append(fault)
    raise ValueError(faults[0] if faults else f"`{signer.issuer}`, which issued the certificate, leads to no root")


Issued = Callable[[Certificate, Certificate], bool]


def _budgeted(issued: Issued, limit: int) -> Issued:
    """`issued`, asked once for each pair and `limit` times at most: a chain from elsewhere may be a maze."""
    asked = 0

    @cache
    def ask(certificate: Certificate, issuer: Certificate) -> bool:
        nonlocal asked
        asked += 1
        if asked > limit:
            raise ValueError(f"finding a path takes more than {limit} signatures of certificates")
        return issued(certificate, issuer)

    return ask


def _paths(
    path: tuple[Certificate, ...],
    known: tuple[Certificate, ...],
    roots: tuple[Certificate, ...],
    issued: Issued,
    faults: list[str],
) -> Iterator[tuple[Certificate, ...]]:
    """Every way on from the last of `path` to a root, over certificates that are `known`."""
    last = path[-1]
    above = [one for one in (*roots, *known) if one.read.subject == last.read.issuer and one not in path]
    weak = _weak_signature(last)
    if weak and above:
        faults.append(weak)
        return
    for one in above:
        if not issued(last, one):
            continue
        if one in roots:
            yield (*path, one)
        elif len(path) + 2 > PATH_LIMIT:
            faults.append(f"the path to a root has more than {PATH_LIMIT} certificates")
        else:
            yield from _paths((*path, one), known, roots, issued, faults)


def _weak_signature(certificate: Certificate) -> str | None:
    """Why the signature of an authority under a certificate is worth nothing, or None."""
    identifier = certificate.read.signature_algorithm_oid.dotted_string
    if identifier in _SIGNED_WITH and (_SIGNED_WITH[identifier] != "PSS" or _strong_pss(certificate)):
        return None
    return f"the certificate `{certificate.subject}` is signed with an algorithm that is not believed ({identifier})"


def _strong_pss(certificate: Certificate) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.read.signature_hash_algorithm.name in _PSS_HASHES
    except (UnsupportedAlgorithm, ValueError):
        return False


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    """True when the key of `issuer` signed `certificate`."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    try:
        if _SIGNED_WITH[certificate.read.signature_algorithm_oid.dotted_string] == "SM3":
            signed, signature = certificate.read.tbs_certificate_bytes, certificate.read.signature
            return issuer.public_key().check(signed, signature) is not None
        certificate.read.verify_directly_issued_by(issuer.read)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _fault(path: tuple[Certificate, ...], now: datetime) -> str | None:
    """What is wrong with a path whose signatures hold, or None."""
    below = 0
    for position, certificate in enumerate(path):
        fault = _outside_validity(certificate, now)
        if fault is None and position:
            fault = _unfit_to_issue(certificate, below)
            below += not certificate.self_issued
        if fault:
            return fault if position == 0 else f"the authority's certificate `{certificate.subject}`: {fault}"
    return None


def _outside_validity(certificate: Certificate, now: datetime) -> str | None:
    start, end = certificate.read.not_valid_before_utc, certificate.read.not_valid_after_utc
    if start <= now <= end:
        return None
    return f"the certificate is valid from {start:%Y-%m-%d} to {end:%Y-%m-%d} only"


def _extension(certificate: Certificate, kind: type) -> Any:
    return next((one.value for one in certificate.read.extensions if isinstance(one.value, kind)), None)


def _unfit_to_sign(certificate: Certificate) -> str | None:
    """Why the certificate's holder may not sign bundles, or None."""
    from cryptography import x509

    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if constraints is not None and constraints.ca:
        return "the certificate is that of an authority, which signs certificates and not bundles"
    if usage is not None and not usage.digital_signature:
        return "the certificate's key usage does not admit digital signatures"
    if purposes is not None and _CODE_SIGNING not in {one.dotted_string for one in purposes}:
        return "the certificate's extended key usage does not admit code signing"
    return _out_of_sight(certificate)


def _unfit_to_issue(certificate: Certificate, below: int) -> str | None:
    """Why a certificate may not stand above others, `below` of them intermediates; None when it may."""
    from cryptography import x509

    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    purposes = _extension(certificate, x509.ExtendedKeyUsage)
    if constraints is None or not constraints.ca:
        return "its basic constraints do not say `CA:TRUE`"
    if _weak_key(certificate):
        return "its key is weak: RSA keys have 2048 bits or more"
    if constraints.path_length is not None and below > constraints.path_length:
        return f"it admits {constraints.path_length} authorities below itself, and there are {below}"
    if usage is not None and not usage.key_cert_sign:
        return "its key usage does not admit signing certificates"
    if purposes is not None and not {_CODE_SIGNING, _ANY_PURPOSE} & {one.dotted_string for one in purposes}:
        return "its extended key usage does not admit code signing"
    return _out_of_sight(certificate)


def _weak_key(certificate: Certificate) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        key = certificate.read.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return False  # SM2, or one whose signatures will not hold
    return isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS


def _out_of_sight(certificate: Certificate) -> str | None:
    """A restriction that is not understood here, and that nobody may ignore; None when there is none."""
    from cryptography import x509

    understood = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)
    for extension in certificate.read.extensions:
        if isinstance(extension.value, x509.NameConstraints):
            return "it has name constraints, which are not understood here"
        if extension.critical and not isinstance(extension.value, understood):
            return f"it has a critical extension that is not understood here ({extension.oid.dotted_string})"
    if certificate.read.version is not x509.Version.v3:
        return "it is not of version 3"
    return None
