"""Certificates with anything right or wrong about them, made in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
Extensions = Sequence[tuple[x509.ExtensionType, bool]]
"""Extensions, each with whether it is critical."""


def usage(*names: str) -> x509.KeyUsage:
    """A key usage that admits these and nothing else."""
    known = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: name in names for name in known})


def authority(path_length: int | None = None) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions of an authority's certificate."""
    return [(x509.BasicConstraints(ca=True, path_length=path_length), True), (usage("key_cert_sign", "crl_sign"), True)]


def signer(*names: x509.GeneralName) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions of a certificate for signing bundles."""
    return [
        (x509.SubjectAlternativeName(names or (x509.RFC822Name("release@bank.example"),)), False),
        (usage("digital_signature"), True),
        (x509.ExtendedKeyUsage([CODE_SIGNING]), False),
    ]


def new_key(kind: str = "p256") -> Any:
    """A private key."""
    match kind:
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "p521":
            return ec.generate_private_key(ec.SECP521R1())
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Holder:
    """Somebody with a key and a certificate, who can issue others whether that is allowed or not."""

    name: x509.Name
    key: Any = field(repr=False)
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def private_pem(self) -> bytes:
        pem: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return pem

    @property
    def public_pem(self) -> bytes:
        pem: bytes = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    def issue(
        self,
        name: str,
        extensions: Extensions,
        *,
        key: Any = None,
        start: datetime = NOW - YEAR,
        end: datetime = NOW + YEAR,
        algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
        **more: Any,
    ) -> Holder:
        """Certify a key under a common name."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return made(subject, key or new_key(), self.name, self.key, extensions, start, end, algorithm, **more)


def root(
    name: str = "Bank Root",
    extensions: Extensions | None = None,
    *,
    kind: str = "p256",
    start: datetime = NOW - 9 * YEAR,
    end: datetime = NOW + 9 * YEAR,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
) -> Holder:
    """A root."""
    subject, key = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), new_key(kind)
    return made(subject, key, subject, key, authority() if extensions is None else extensions, start, end, algorithm)


def made(
    subject: x509.Name,
    key: Any,
    issuer: x509.Name,
    issuer_key: Any,
    extensions: Extensions,
    start: datetime,
    end: datetime,
    algorithm: hashes.SHA256 | hashes.SHA384 | None = None,
    **more: Any,
) -> Holder:
    """A certificate over `key`, signed with `issuer_key`."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    chosen = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else algorithm or hashes.SHA256()
    return Holder(subject, key, builder.sign(issuer_key, chosen, **more))
