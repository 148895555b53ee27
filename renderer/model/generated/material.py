"""Certificates and keys that charts print, as far as the lock needs to know them. No key is ever in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """One certificate, read from PEM and not judged.

    Usages are spelled as cert-manager spells them (`digital signature`, `server auth`), `algorithm` as in
    `CertificateWish`. `subject` and `issuer` are names in DER, `public_key` is the SubjectPublicKeyInfo in DER.
    """

    der: bytes = field(repr=False)
    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    key_usages: tuple[str, ...]
    extended_usages: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    is_ca: bool
    algorithm: str
    subject: bytes = field(repr=False)
    issuer: bytes = field(repr=False)
    public_key: bytes = field(repr=False)

    @property
    def days(self) -> int:
        """How long it is valid, in whole days."""
        return (self.not_after - self.not_before).days


@dataclass(frozen=True, slots=True, kw_only=True)
class PemMaterial:
    """What PEM text holds: certificates in order, and the public keys (in DER) of the private keys that could be read.

    `has_private_key` is true for any private key, also for one that cannot be read.
    """

    certificates: tuple[CertificateFacts, ...] = ()
    public_keys: tuple[bytes, ...] = field(default=(), repr=False)
    has_private_key: bool = False
