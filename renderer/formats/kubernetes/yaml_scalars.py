"""What a scalar means to Kubernetes.

Kubernetes reads YAML with sigs.k8s.io/yaml: go-yaml v2 resolves the scalars (YAML 1.1 with exceptions), Go's
encoding/json writes the result, and the API machinery reads that JSON again. All three steps leave traces, which
`resolve_plain`, `kubernetes_number` and `key_text` repeat. Source: go.yaml.in/yaml/v2 resolve.go, sigs.k8s.io/yaml
yaml.go, and a few hundred snippets compared with the real thing (tests/unit/test_manifests.py).
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from typing import Final

__all__ = [
    "INT64_MAX",
    "INT64_MIN",
    "PLAIN_KEYS",
    "PLAIN_VALUES",
    "RefusedScalarError",
    "Scalar",
    "json_key",
    "json_scalar",
    "key_text",
    "kubernetes_number",
    "resolve_plain",
    "resolve_tagged",
]

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
_UINT64_MAX: Final = 2**64 - 1
_EXACT: Final = 2.0**53

Scalar = None | bool | int | float | str

_NAMED: Final[dict[str, bool | float | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FIRST_OF_NUMBER: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))\Z")
_BASES: Final = ((2, 16), (3, 2), (4, 8), (5, 10))
_SIGNED_BINARY: Final = re.compile(r"0b([-+][01]+)\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_BETWEEN_DIGITS: Final = re.compile(r"(?<=[0-9])_(?=[0-9])")
_LONGEST_INTEGER: Final = 64
"""Digits of the longest integer that can fit 64 bits, in base 2."""


class UnsignedInteger(int):
    """An integer above 63 bits: a number to go-yaml, but no key of a JSON object."""


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted, untagged scalar to go-yaml v2. Not-a-number and infinities come out as such floats."""
    if text in _NAMED:
        return _NAMED[text]
    first = text[0]
    if first not in _FIRST_OF_NUMBER:
        return text
    if first == ".":
        # go-yaml hands this straight to ParseFloat, which takes `_` between digits only.
        number = _float(_BETWEEN_DIGITS.sub("", text))
        return text if isinstance(number, str) else number
    plain = text.replace("_", "")
    integer = _integer(plain)
    if integer is not None:
        return integer
    number = _float(plain)
    return text if isinstance(number, str) else number


def _integer(plain: str) -> int | None:
    """Go's ParseInt, then ParseUint, with base 0; None when both refuse."""
    match = _INTEGER.match(plain)
    if match is None:
        signed = _SIGNED_BINARY.match(plain)  # go-yaml's second try at `0b`, which lets a sign through
        return int(signed[1], 2) if signed and len(signed[1]) <= _LONGEST_INTEGER else None
    for group, base in _BASES:
        if match[group]:
            digits = match[group].lstrip("0") or "0"
            if len(digits) > _LONGEST_INTEGER:
                return None
            value = int(digits, base)
            if match[1] == "-":
                value = -value
            if INT64_MIN <= value <= INT64_MAX:
                return value
            return UnsignedInteger(value) if not match[1] and value <= _UINT64_MAX else None
    return None


def _float(text: str) -> float | str:
    """Go's ParseFloat; the text itself when it is no float or too large for one."""
    if not _FLOAT.match(text):
        return text
    value = float(text)
    return text if abs(value) == float("inf") else value


def kubernetes_number(value: float) -> int | float:
    """The number the API machinery makes of a number that go-yaml read.

    Whole numbers become integers where their shortest decimal spelling fits 64 bits (`1.0` is `1`, `1e18` an
    integer); unsigned integers beyond that become floats.
    """
    if isinstance(value, int):
        return int(value) if INT64_MIN <= value <= INT64_MAX else float(value)
    if value != value or abs(value) >= 2.0**64 or not value.is_integer():
        return value
    if abs(value) < _EXACT:
        return int(value)
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    shortest = int(whole + fraction) * 10 ** (int(exponent or "0") - len(fraction))
    return shortest if INT64_MIN <= shortest <= INT64_MAX else value


def key_text(value: Scalar) -> str | None:
    """How sigs.k8s.io/yaml spells a resolved key as the key of a JSON object; None when it refuses it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, UnsignedInteger):
        return None
    return str(value) if isinstance(value, int) else _float32_text(value)


def _float32_text(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32): the shortest decimal that names the same 32-bit float."""
    cell = memoryview(bytearray(4)).cast("f")

    def single(number: float) -> float:
        try:
            cell[0] = number
        except (OverflowError, ValueError):
            return float("inf") if number > 0 else float("-inf")
        return cell[0]

    wanted = single(value)
    if wanted != wanted:
        return ".nan"
    if abs(wanted) == float("inf"):
        return ".inf" if wanted > 0 else "-.inf"
    digits = next((text for text in (f"{wanted:.{size}e}" for size in range(9)) if single(float(text)) == wanted), "")
    mantissa, _, exponent = digits.partition("e")
    power = int(exponent)
    if power < -4 or power >= 6:
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{wanted:.{max(0, len(mantissa.lstrip('-').replace('.', '')) - 1 - power)}f}"


# --- tags --------------------------------------------------------------------------------------------------------

_TAG: Final = "tag:yaml.org,2002:"
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt](?P<z>)| )[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]+)?(?(z)(?:Z|[-+][0-9]{2}:[0-9]{2})))?\Z"
)


def resolve_tagged(text: str, tag: str) -> Scalar:
    """What go-yaml v2 makes of a scalar with a tag; tags it does not know are dropped.

    Raises ValueError where the text is not of the type that the tag names.
    """
    name = tag.removeprefix(_TAG)
    if name == "binary":
        return _decoded(text)
    if name not in {"bool", "int", "float", "null", "timestamp"}:
        return text
    value = resolve_plain(text)
    kind = {bool: "bool", int: "int", UnsignedInteger: "int", float: "float", type(None): "null"}.get(type(value))
    if kind == name:
        return value
    if name == "float" and type(value) is int:
        return float(value)
    if name == "timestamp" and _is_timestamp(text):
        return text
    raise ValueError(f"`{text[:40]}` is no {name}")


def _decoded(text: str) -> str:
    try:
        raw = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except ValueError:
        raise ValueError("`!!binary` holds invalid base64") from None
    # Go writes one replacement character for each byte that is not UTF-8.
    decoded = raw.decode(errors="surrogateescape")
    return "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in decoded)


def _is_timestamp(text: str) -> bool:
    match = _TIMESTAMP.match(text)
    try:
        return match is not None and bool(dt.date(int(match[1]), int(match[2]), int(match[3])))
    except ValueError:
        return False


# --- remembered: the same few thousand scalars repeat in every stream -----------------------------------------------

_REMEMBERED: Final = 50_000
_LONGEST_REMEMBERED: Final = 120


class RefusedScalarError(Exception):
    """A scalar that cannot be JSON; whoever reads the stream knows where it stands."""


class _PlainValues(dict[str, Scalar]):
    """The value of each plain scalar seen."""

    def __missing__(self, text: str) -> Scalar:
        value = json_scalar(resolve_plain(text))
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = value
        return value


class _PlainKeys(dict[str, str]):
    """The JSON key that each plain scalar seen becomes."""

    def __missing__(self, text: str) -> str:
        key = json_key(resolve_plain(text))
        if len(text) <= _LONGEST_REMEMBERED:
            if len(self) >= _REMEMBERED:
                self.clear()
            self[text] = key
        return key


PLAIN_VALUES: Final = _PlainValues()
PLAIN_KEYS: Final = _PlainKeys()


def json_scalar(value: Scalar) -> Scalar:
    """A resolved scalar as a JSON value. Raises RefusedScalarError."""
    if isinstance(value, str | bool) or value is None:
        return value
    if value != value or value in (float("inf"), float("-inf")):
        raise RefusedScalarError("`.inf` and `.nan` are no JSON numbers; Kubernetes refuses them")
    return kubernetes_number(value)


def json_key(value: Scalar) -> str:
    """A resolved scalar as the key of a JSON object. Raises RefusedScalarError."""
    key = key_text(value)
    if key is None:
        raise RefusedScalarError(
            "this cannot be the key of a mapping: Kubernetes refuses null and integers above 63 bits"
        )
    return key
