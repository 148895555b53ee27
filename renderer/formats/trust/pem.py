"""Certificates out of PEM text (RFC 7468), as DER bytes that nobody has looked into."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from renderer.formats.trust.armour import wrapped

CERTIFICATE_LIMIT: Final = 16 * 1024
CHAIN_LIMIT: Final = 10
_TEXT_LIMIT: Final = CHAIN_LIMIT * CERTIFICATE_LIMIT * 2
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----")


def certificates_of(pem: bytes) -> tuple[bytes, ...]:
    """Every certificate in `pem`, in its order: at most 10, each of at most 16 KiB. Raises ValueError."""
    if len(pem) > _TEXT_LIMIT:
        raise ValueError(f"certificates take at most {_TEXT_LIMIT // 1024} KiB")
    found = []
    for block in _BLOCK.finditer(pem):
        try:
            found.append(base64.b64decode(b"".join(block[1].split()), validate=True))
        except binascii.Error as error:
            raise ValueError("a certificate is not base64") from error
    bounded_chain(found)
    if len(found) != pem.count(b"-----BEGIN "):
        raise ValueError("there is something else than certificates (`-----BEGIN CERTIFICATE-----`)")
    return tuple(found)


def pem_of(certificates: Sequence[bytes]) -> str:
    """Certificates as PEM text, in their order."""
    return b"".join(wrapped("CERTIFICATE", one) for one in certificates).decode()


def bounded_chain(certificates: Sequence[bytes]) -> None:
    """Refuse a chain that no honest signer needs. Raises ValueError."""
    if len(certificates) > CHAIN_LIMIT:
        raise ValueError(f"there are {len(certificates)} certificates; {CHAIN_LIMIT} are allowed")
    if any(not 0 < len(one) <= CERTIFICATE_LIMIT for one in certificates):
        raise ValueError(f"a certificate has 1 to {CERTIFICATE_LIMIT} bytes")
