"""The little of DER (X.690) that libraries keep to themselves: elements one after another, lengths in one spelling.

Only what `cryptography` cannot read is read with this: keys and certificates of curves that it does not know.
"""

from __future__ import annotations

from typing import Final, NamedTuple

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
EXPLICIT_0: Final = 0xA0
EXPLICIT_1: Final = 0xA1


class Element(NamedTuple):
    """One element: its tag, its content, and its whole encoding."""

    tag: int
    content: bytes
    encoded: bytes


def elements(content: bytes) -> tuple[Element, ...]:
    """The elements that `content` consists of. Raises ValueError."""
    found = []
    while content:
        one = _first(content)
        found.append(one)
        content = content[len(one.encoded) :]
    return tuple(found)


def inside(encoded: bytes, tag: int = SEQUENCE) -> bytes:
    """The content of `encoded`, which is one element with this tag and nothing behind it. Raises ValueError."""
    one = _first(encoded)
    if one.tag != tag or len(one.encoded) != len(encoded):
        raise ValueError("this is not the DER that was expected")
    return one.content


def element(tag: int, *contents: bytes) -> bytes:
    """An element with this tag around `contents`."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _first(content: bytes) -> Element:
    if len(content) < 2 or content[0] & 0x1F == 0x1F:
        raise ValueError("this is not DER")
    size, start = content[1], 2
    if size >= 0x80:
        octets = size & 0x7F
        start += octets
        size = int.from_bytes(content[2:start])
        if not 1 <= octets <= 4 or size < 0x80 or size.bit_length() <= 8 * (octets - 1):
            raise ValueError("this is not DER: a length is spelled in a way that DER does not admit")
    if start + size > len(content):
        raise ValueError("this is not DER: it ends too early")
    return Element(content[0], content[start : start + size], content[: start + size])
