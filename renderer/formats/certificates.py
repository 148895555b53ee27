"""PEM text that charts print -> what its certificates and keys say (RFC 7468, RFC 5280).

Read, not judged: a chart may make what it likes, and nobody trusts anything because of it. A home of `cryptography`,
which is loaded only where PEM text turns up. Signatures that authorise bundles are read in `renderer.formats.trust`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from renderer.formats.trust import der
from renderer.model.generated.material import CertificateFacts, PemMaterial

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

__all__ = ["holds_pem", "read_pem", "signs"]

E = TypeVar("E", bound="x509.ExtensionType")

_COMMON_NAME: Final = bytes((0x55, 4, 3))
_ORGANIZATION: Final = bytes((0x55, 4, 10))
_ENCODINGS: Final = {0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""Strings of DER that are not UTF-8 (or its part ASCII): T61String, UniversalString, BMPString."""

_LIMIT: Final = 256 * 1024
"""Longer text is no certificate of a chart, and is not looked through for any."""
_MOST_BLOCKS: Final = 64
_BLOCK: Final = re.compile(
    r"-----BEGIN ([A-Z0-9 ]{1,40})-----\s*([A-Za-z0-9+/=\s:,.\-]*?)-----END \1-----", re.ASCII | re.DOTALL
)
# Names of key usages as cert-manager spells them (cert-manager.io/v1, KeyUsage).
_KEY_USAGES: Final = {
    "digital_signature": "digital signature",
    "content_commitment": "content commitment",
    "key_encipherment": "key encipherment",
    "data_encipherment": "data encipherment",
    "key_agreement": "key agreement",
    "key_cert_sign": "cert sign",
    "crl_sign": "crl sign",
}
_EXTENDED_USAGES: Final = {
    "2.5.29.37.0": "any",
    "1.3.6.1.5.5.7.3.1": "server auth",
    "1.3.6.1.5.5.7.3.2": "client auth",
    "1.3.6.1.5.5.7.3.3": "code signing",
    "1.3.6.1.5.5.7.3.4": "email protection",
    "1.3.6.1.5.5.7.3.8": "timestamping",
    "1.3.6.1.5.5.7.3.9": "ocsp signing",
}


def holds_pem(text: str) -> bool:
    """True when `text` may hold PEM: a quick look."""
    return "-----BEGIN " in text


def read_pem(text: str) -> PemMaterial:
    """The certificates and private keys in `text`, whatever stands around them and however deep it is indented.

    Blocks that cannot be read are passed over; a private key among them is still told.
    """
    certificates: list[CertificateFacts] = []
    keys: list[bytes] = []
    has_key = False
    for label, block in _blocks(text):
        if label in {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}:
            facts = _certificate(block)
            certificates += [facts] if facts else []
        elif label.endswith("PRIVATE KEY"):
            has_key = True
            public = _public_half(block)
            keys += [public] if public else []
    return PemMaterial(certificates=tuple(certificates), public_keys=tuple(keys), has_private_key=has_key)


def signs(issuer: CertificateFacts, subject: CertificateFacts) -> bool:
    """True when the key of `issuer` made the signature of `subject`, and the names say so too."""
    if subject.issuer != issuer.subject:
        return False
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        one, other = (x509.load_der_x509_certificate(facts.der) for facts in (subject, issuer))
        key, how = other.public_key(), one.signature_algorithm_parameters
        if isinstance(key, rsa.RSAPublicKey) and one.signature_hash_algorithm and not isinstance(how, ec.ECDSA | None):
            key.verify(one.signature, one.tbs_certificate_bytes, how, one.signature_hash_algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(how, ec.ECDSA):
            key.verify(one.signature, one.tbs_certificate_bytes, how)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(one.signature, one.tbs_certificate_bytes)
        else:
            return False
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _blocks(text: str) -> Iterator[tuple[str, bytes]]:
    """Each PEM block by its label, as PEM without indentation."""
    if not holds_pem(text) or len(text) > _LIMIT:
        return
    for count, found in enumerate(_BLOCK.finditer(text)):
        if count >= _MOST_BLOCKS:
            return
        lines = [line.strip() for line in found[0].splitlines()]
        yield found[1], "\n".join([*lines, ""]).encode()


def _certificate(block: bytes) -> CertificateFacts | None:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        read = x509.load_pem_x509_certificate(block)
        public = read.public_key()
        issuer, subject = _names(read.tbs_certificate_bytes)
        names = _extension(read, x509.SubjectAlternativeName)
        constraints = _extension(read, x509.BasicConstraints)
        return CertificateFacts(
            der=read.public_bytes(Encoding.DER),
            common_name=next(_parts(subject, _COMMON_NAME), ""),
            organizations=tuple(_parts(subject, _ORGANIZATION)),
            dns_names=tuple(names.get_values_for_type(x509.DNSName)) if names else (),
            ip_addresses=tuple(str(one) for one in names.get_values_for_type(x509.IPAddress)) if names else (),
            key_usages=_key_usages(_extension(read, x509.KeyUsage)),
            extended_usages=_extended_usages(_extension(read, x509.ExtendedKeyUsage)),
            not_before=read.not_valid_before_utc,
            not_after=read.not_valid_after_utc,
            is_ca=bool(constraints and constraints.ca),
            algorithm=_algorithm(public),
            subject=subject,
            issuer=issuer,
            public_key=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.UnsupportedGeneralNameType, x509.DuplicateExtension):
        return None


def _names(to_be_signed: bytes) -> tuple[bytes, bytes]:
    """Issuer and subject in DER. Charts make names that are too long, and the library warns on the terminal of those.

    A certificate to be signed is [version], serial, algorithm, issuer, validity, subject (RFC 5280, section 4.1).
    """
    parts = der.elements(der.inside(to_be_signed))
    start = 1 if parts[0].tag == der.EXPLICIT_0 else 0
    return parts[start + 2].encoded, parts[start + 4].encoded


def _parts(name: bytes, kind: bytes) -> Iterator[str]:
    """The values of one kind in a name: a sequence of sets of (kind, text)."""
    for relative in der.elements(der.inside(name)):
        for part in der.elements(relative.content):
            kind_of_part, value = der.elements(part.content)
            if kind_of_part.content == kind:
                yield value.content.decode(_ENCODINGS.get(value.tag, "utf-8"), errors="replace")


def _extension(read: x509.Certificate, kind: type[E]) -> E | None:
    from cryptography.x509 import ExtensionNotFound

    try:
        return read.extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def _key_usages(usage: x509.KeyUsage | None) -> tuple[str, ...]:
    return tuple(word for flag, word in _KEY_USAGES.items() if usage is not None and getattr(usage, flag))


def _extended_usages(usage: x509.ExtendedKeyUsage | None) -> tuple[str, ...]:
    """The purposes in the order of the certificate; one without a name by its number."""
    numbers = (one.dotted_string for one in usage or ())
    return tuple(_EXTENDED_USAGES.get(number, number) for number in numbers)


def _algorithm(public: PublicKeyTypes) -> str:
    """`rsa-2048`, `ecdsa-256`, `ed25519`; the name of any other type of key."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(public, rsa.RSAPublicKey):
        return f"rsa-{public.key_size}"
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ecdsa-{public.curve.key_size}"
    return type(public).__name__.removesuffix("PublicKey").lower()


def _public_half(block: bytes) -> bytes | None:
    """The public key of a private key; None when the key is encrypted or of no type that certificates have."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        # Whether an RSA key is sound takes long to find out and does not matter here: it is only compared.
        key: PrivateKeyTypes = load_pem_private_key(block, password=None, unsafe_skip_rsa_key_validation=True)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
