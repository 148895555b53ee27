"""One value in SOPS's form: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]`, and what the MAC of a document hashes of it.

After `aes/cipher.go` and `ToBytes` in `sops.go` of https://github.com/getsops/sops, version 3.13. A value is bound to
its place: the additional data is the path of keys (indices of lists are no part of it), each followed by `:`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from renderer.formats.sealed.age import Random
from renderer.formats.sealed.ciphers import TAG_LENGTH, gcm_open, gcm_seal
from renderer.structs import Struct

__all__ = ["KEY_LENGTH", "Clear", "Scalar", "hashed", "is_sealed", "open_value", "seal_value", "sealed_iv"]

KEY_LENGTH: Final = 32
IV_LENGTH: Final = 32
Scalar = str | int | float | bool

_BASE64: Final = "[A-Za-z0-9+/]*={0,2}"
_SEALED: Final = re.compile(
    rf"ENC\[AES256_GCM,data:({_BASE64}),iv:({_BASE64}),tag:({_BASE64}),type:([a-z]+)\]\Z", re.ASCII
)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_IV_LENGTHS: Final = range(8, 129)
_LONGEST_NUMBER: Final = 400


class Clear(Struct, frozen=True):
    """What stood in a sealed value. A comment (SOPS seals those too) is no part of the document's MAC."""

    value: Scalar
    is_comment: bool = False


def is_sealed(value: object) -> bool:
    """True when this is text in SOPS's form."""
    return isinstance(value, str) and _SEALED.match(value) is not None


def seal_value(value: Scalar, key: bytes, path: str, iv: bytes | Random) -> str:
    """The value sealed with a data key at `path` (`data:password:`). Empty text stays empty, as in SOPS."""
    if value == "":
        return ""
    drawn = iv if isinstance(iv, bytes) else iv(IV_LENGTH)
    data, tag = gcm_seal(key, drawn, hashed(value), path.encode())
    parts = (base64.b64encode(part).decode() for part in (data, drawn, tag))
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:{}]".format(*parts, _type(value))


def open_value(text: str, key: bytes, path: str) -> Clear:
    """The value again. Raises DoesNotOpenError, or ValueError when the text has not SOPS's form."""
    if text == "":
        return Clear("")
    data, iv, tag, kind = _read(text)
    content = gcm_open(key, iv, (data, tag), path.encode())
    return Clear(_typed(content, kind), is_comment=kind == "comment")


def sealed_iv(text: str) -> bytes:
    """The initialisation vector of a sealed value. Raises ValueError."""
    return _read(text)[1]


def hashed(value: Scalar) -> bytes:
    """What SOPS seals and hashes of a value."""
    if isinstance(value, bool):
        return b"True" if value else b"False"
    if isinstance(value, float):
        return _plain_decimal(value).encode()
    return str(value).encode()


def _type(value: Scalar) -> str:
    """SOPS's name of a type."""
    if isinstance(value, bool):
        return "bool"
    return "str" if isinstance(value, str) else "int" if isinstance(value, int) else "float"


def _read(text: str) -> tuple[bytes, bytes, bytes, str]:
    """Data, initialisation vector, tag and type."""
    found = _SEALED.match(text)
    if found is None:
        raise ValueError("this is not a value that SOPS sealed (`ENC[AES256_GCM,…]`)")
    try:
        data, iv, tag = (base64.b64decode(part, validate=True) for part in found.groups()[:3])
    except binascii.Error as error:
        raise ValueError("a sealed value has a part that is not base64") from error
    if len(iv) not in _IV_LENGTHS or len(tag) != TAG_LENGTH:
        raise ValueError("a sealed value has an initialisation vector or a tag of a length that SOPS does not write")
    return data, iv, tag, found[4]


def _typed(content: bytes, kind: str) -> Scalar:
    """The value of a type. `time` is text here, and so is `bytes`."""
    try:
        text = content.decode()
        match kind:
            case "str" | "bytes" | "time" | "comment":
                return text
            case "int" if len(text) <= _LONGEST_NUMBER:
                return int(text)
            case "float" if len(text) <= _LONGEST_NUMBER:
                return float(text)
            case "bool" if text in _TRUE | _FALSE:
                return text in _TRUE
    except ValueError:
        pass
    raise ValueError(f"a sealed value is not of its type `{kind}`")


def _plain_decimal(value: float) -> str:
    """The shortest decimal without exponent that reads as `value`: Go's `FormatFloat(value, 'f', -1, 64)`."""
    mantissa, _, exponent = repr(value).partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    point = len(whole) + int(exponent or 0)
    figures = whole + fraction
    padded = "0" * max(0, 1 - point) + figures + "0" * max(0, point - len(figures))
    point = max(point, 1)
    left, right = padded[:point].lstrip("0") or "0", padded[point:].rstrip("0")
    return f"{sign}{left}.{right}" if right else f"{sign}{left}"
