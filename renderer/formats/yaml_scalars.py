"""What a scalar means to Kubernetes, and which text has to be quoted so that everybody reads it as text.

Kubernetes reads YAML with sigs.k8s.io/yaml: go-yaml v2 resolves the scalars (YAML 1.1 with exceptions), Go's
encoding/json writes the result, and the API machinery reads that JSON again. All three steps leave traces, which
`resolve_plain`, `kubernetes_number` and `key_text` repeat. Source: go.yaml.in/yaml/v2 resolve.go, sigs.k8s.io/yaml
yaml.go, and a few hundred snippets compared with the real thing (tests/unit/test_manifests.py).
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "INT64_MAX",
    "INT64_MIN",
    "Scalar",
    "double_quoted",
    "has_hidden",
    "key_text",
    "kubernetes_number",
    "needs_quotes",
    "resolve_plain",
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


# --- quoting ---------------------------------------------------------------------------------------------------

# Text that may stand without quotes. It begins with a letter, `_`, `/` or `(`; or with digits that a unit follows
# (`128Mi`, `30s`): the letters allowed there occur in no number, date or timestamp of any YAML version.
_PLAIN: Final = re.compile(
    r"(?:[A-Za-z_/(]|[0-9]+(?:\.[0-9]+)*[GHIJKLMNQRSUVWghijklmnqrsuvw]|[\u3400-\u4dbf\u4e00-\u9fff])"
    r"(?:[A-Za-z0-9_./@%+=,;()~^$&*<>!?|'\"\\\[\]{}`\-\u3001\u3002\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]"
    r"|:(?=[^ ])|(?<! )#| (?=[^ #]))*\Z"
)
# Words that some reader takes for a boolean, a null or a number, in any case.
_WORDS: Final = frozenset(
    "y n yes no on off true false null nil none nan inf infinity".split()  # noqa: SIM905 - a list reads worse
)
# What stays as it is between double quotes: printable ASCII and letters. Everything else is escaped: what is not
# allowed in YAML, and what a reviewer could not see (zero-width, bidirectional and formatting characters).
_ESCAPED: Final = re.compile(
    r"[^\x20\x21\x23-\x5b\x5d-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0384-\u0482\u048a-\u0590"
    r"\u2010-\u2027\u2030-\u205e\u2070-\u20cf\u2100-\u2bff\u2e80-\u2fd5\u3001-\u3029\u3030-\u3098\u309b-\u30ff"
    r"\u3105-\u312f\u3131-\u3163\u3165-\u9fff\uac00-\ud7a3\uf900-\ufad9\uff01-\uff9f\uffe0-\uffee"
    r"\U0001f300-\U0001f3fa\U0001f400-\U0001faff\U00020000-\U0003134f]"
)
_SHORT_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\0": "\\0"}


def needs_quotes(text: str) -> bool:
    """Whether some YAML 1.1 or 1.2 reader could take this text, written bare on one line, for something else."""
    return _PLAIN.match(text) is None or text.lower() in _WORDS


def has_hidden(text: str) -> bool:
    r"""Whether the text holds characters, other than line feeds, `"` and `\\`, that have to be escaped."""
    return any(match not in '\n"\\' for match in _ESCAPED.findall(text))


def double_quoted(text: str) -> str:
    """The text between double quotes, on one line, understood by every YAML reader.

    Raises ValueError for a lone surrogate, which is no character and cannot be written.
    """
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError(f"\\u{code:04x} is half of a character (a lone surrogate) and cannot be written")
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
