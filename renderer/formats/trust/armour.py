"""PEM (RFC 7468): one value in DER as text, and back."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_BLOCK: Final = rb"-----BEGIN %b-----\s([A-Za-z0-9+/=\s]*)-----END %b-----"
_WIDTH: Final = 64


def wrapped(label: str, content: bytes) -> bytes:
    """`content` as PEM with this label, such as `PUBLIC KEY`."""
    text = base64.b64encode(content).decode()
    lines = (text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH))
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def unwrapped(label: str, pem: bytes) -> bytes | None:
    """What lies in the only block of `pem`; None when there is none with this label, or several of any."""
    name = label.encode()
    found = re.search(_BLOCK % (name, name), pem)
    if found is None or pem.count(b"-----BEGIN ") != 1:
        return None
    try:
        return base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error:
        return None
