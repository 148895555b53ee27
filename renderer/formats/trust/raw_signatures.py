"""What devices answer when they are asked for a signature."""

from __future__ import annotations

from typing import Final

from renderer.formats.trust import der

_HALVES: Final = frozenset({32, 48})
"""Bytes of r and of s for the curves that are used here."""


def spellings(answer: bytes) -> tuple[bytes, ...]:
    """A signature as it came, and as DER when it may be the two numbers of ECDSA or SM2 side by side.

    PKCS#11 (CKM_ECDSA) and IEEE P1363 have them so; everybody who checks signatures wants DER (RFC 3279, section
    2.2.3). Only the public key can say which one is meant.
    """
    half = len(answer) // 2
    if len(answer) % 2 or half not in _HALVES:
        return (answer,)
    return answer, der.element(der.SEQUENCE, _integer(answer[:half]), _integer(answer[half:]))


def _integer(number: bytes) -> bytes:
    value = int.from_bytes(number)
    return der.element(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1))
