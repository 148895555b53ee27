"""age recipients: the public keys that values of a site are sealed to.

Bech32 with the prefix `age` over an X25519 point (https://age-encryption.org/v1, "The X25519 recipient type";
BIP 173 without its length limit).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from renderer.structs import Struct

__all__ = ["AgeRecipient", "bech32_decode", "bech32_encode"]

_CHARACTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH: Final = 6
_LONGEST: Final = 120
_POINT_LENGTH: Final = 32


class AgeRecipient(Struct, frozen=True, order=True):
    """Who can open what is sealed: `age1…`, the public half of what `age-keygen` makes."""

    text: str

    @classmethod
    def parse(cls, text: str) -> AgeRecipient:
        """Read `age1…`. Raises ValueError with the rule that the text breaks; it never shows a private key."""
        if text.upper().startswith("AGE-SECRET-KEY-"):
            raise ValueError("this is a private key; a recipient is the public key, `age1…` (`age-keygen -y FILE`)")
        if text.startswith(("age1pq1", "ssh-")) or text.count("1") > 1:
            raise ValueError("recipients are X25519 keys of age (`age1…`); other kinds of keys are not used here")
        prefix, point = bech32_decode(text)
        if prefix != "age" or len(point) != _POINT_LENGTH:
            raise ValueError("a recipient is a public key of age: `age1` and 58 more characters")
        return cls(text)

    @classmethod
    def of(cls, point: bytes) -> AgeRecipient:
        """The recipient with this X25519 point, 32 bytes."""
        return cls(bech32_encode("age", point))

    @property
    def point(self) -> bytes:
        """The X25519 public key, 32 bytes."""
        return bech32_decode(self.text)[1]

    def __str__(self) -> str:
        return self.text


def bech32_encode(prefix: str, content: bytes) -> str:
    """`prefix`, `1`, the content in base 32 and a checksum; in lower case."""
    values = _regrouped(content, 8, 5, pad=True)
    polymod = _polymod([*_expanded(prefix), *values, *[0] * _CHECKSUM_LENGTH]) ^ 1
    checksum = [polymod >> 5 * (_CHECKSUM_LENGTH - 1 - at) & 31 for at in range(_CHECKSUM_LENGTH)]
    return f"{prefix}1{''.join(_CHARACTERS[value] for value in (*values, *checksum))}"


def bech32_decode(text: str) -> tuple[str, bytes]:
    """The prefix in lower case, and the content. Raises ValueError; the message shows nothing of the text."""
    if len(text) > _LONGEST or not text.isascii() or text not in {text.lower(), text.upper()}:
        raise ValueError("a key of age is one word of letters and digits, all of them small or all of them capital")
    prefix, separator, data = text.lower().rpartition("1")
    if not prefix or not separator or len(data) < _CHECKSUM_LENGTH or not set(data) <= set(_CHARACTERS):
        raise ValueError("this is not a key of age")
    values = [_CHARACTERS.index(character) for character in data]
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise ValueError("the key is misspelled: its checksum does not fit")
    return prefix, bytes(_regrouped(values[:-_CHECKSUM_LENGTH], 5, 8, pad=False))


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for at, generator in enumerate(_GENERATOR):
            if top >> at & 1:
                checksum ^= generator
    return checksum


def _regrouped(values: Sequence[int], width: int, wanted: int, *, pad: bool) -> list[int]:
    """The same bits in groups of another width. Raises ValueError where padding holds anything."""
    bits, number, groups = 0, 0, []
    for value in values:
        number = number << width | value
        bits += width
        while bits >= wanted:
            bits -= wanted
            groups.append(number >> bits & ((1 << wanted) - 1))
        number &= (1 << bits) - 1
    if pad and bits:
        groups.append(number << (wanted - bits) & ((1 << wanted) - 1))
    elif not pad and (bits >= width or number):
        raise ValueError("this is not a key of age")
    return groups
