"""A certificate and its key that stand for those of charts: valid, always the same, and known to everybody.

Everybody who reads this can make the key, so it protects nothing. It is made where it is asked for, because a key in a
source file looks like a leak, to people and to scanners.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_SEED: Final = b"sitewright: everybody knows this"  # 32 bytes, as Ed25519 wants them (RFC 8032)
_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2100, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1)
def stand_in_pair() -> tuple[str, str]:
    """A self-signed authority in PEM, and its private key in PEM (PKCS #8): the same text on every machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.from_private_bytes(_SEED)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)  # a signature of Ed25519 is a function of key and content
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), private.decode()
