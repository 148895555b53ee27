"""Which text may stand bare in YAML, and how the rest is written between double quotes.

Every reader must see the same text: YAML 1.1 and 1.2 parsers, go-yaml v2 above all, and the eyes of a reviewer.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["double_quoted", "has_hidden", "needs_quotes"]

# Text that may stand without quotes. It begins with a letter, `_`, `/` or `(`; or with digits that a unit follows
# (`128Mi`, `30s`): the letters allowed there occur in no number, date or timestamp of any YAML version.
_BARE: Final = re.compile(
    r"(?:[A-Za-z_/(]|[0-9]+(?:\.[0-9]+)*[GHIJKLMNQRSUVWghijklmnqrsuvw]|[\u3400-\u4dbf\u4e00-\u9fff])"
    r"(?:[A-Za-z0-9_./@%+=,;()~^$&*<>!?|'\"\\\[\]{}`\-\u3001\u3002\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e]++"
    r"|:(?=[^ ])|(?<! )#| (?=[^ #]))*+\Z"
)
# Words that some reader takes for a boolean, a null or a number, in any case.
_WORDS: Final = frozenset(
    ("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nil", "none", "nan", "inf", "infinity")
)
_LONGEST_WORD: Final = 8
# What stays as it is between double quotes: printable ASCII and letters. Everything else is escaped: what is not
# allowed in YAML, and what a reviewer could not see (zero-width, bidirectional and formatting characters).
_SHOWN: Final = (
    r"\x20\x21\x23-\x5b\x5d-\x7e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0384-\u0482\u048a-\u0590"
    r"\u2010-\u2027\u2030-\u205e\u2070-\u20cf\u2100-\u2bff\u2e80-\u2fd5\u3001-\u3029\u3030-\u3098\u309b-\u30ff"
    r"\u3105-\u312f\u3131-\u3163\u3165-\u9fff\uac00-\ud7a3\uf900-\ufad9\uff01-\uff9f\uffe0-\uffee"
    r"\U0001f300-\U0001f3fa\U0001f400-\U0001faff\U00020000-\U0003134f"
)
_ESCAPED: Final = re.compile(f"[^{_SHOWN}]")
_HIDDEN: Final = re.compile(f'[^{_SHOWN}\\n\\t"\\\\]')
_SHORT_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\0": "\\0"}


def needs_quotes(text: str) -> bool:
    """Whether some YAML 1.1 or 1.2 reader could take this text, written bare on one line, for something else."""
    return _BARE.match(text) is None or (len(text) <= _LONGEST_WORD and text.lower() in _WORDS)


def has_hidden(text: str) -> bool:
    """Whether the text holds characters, other than line feeds and tabs, that only an escape can show or write."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return False
    return _HIDDEN.search(text) is not None


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
