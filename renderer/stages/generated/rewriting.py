"""Charts with other functions in some places of their templates, on the same lines of the same files.

At lock time a chart is rendered a second time with every change in it, and what differs is invented. At render time
what is invented is replaced, so keys and certificates, which take longest, are not made at all. See
docs/decisions/0012-keys-are-made-at-lock-time.md.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final

from renderer.formats.charts.archive import with_sources
from renderer.formats.stand_ins import stand_in_pair
from renderer.stages.generated.scanning import TEXT, actions
from renderer.structs import Struct

_NOW = re.compile(r"(?<![.$\w])now\b")
# In the quotes of Go that YAML gives no meaning: the source may be a string in `values.yaml`. At noon of UTC, so that
# it is the same day almost everywhere.
_LONG_AGO: Final = "(toDate `2006-01-02T15:04:05Z07:00` `2003-02-03T12:05:06Z`)"
_LONG_AGO_DIGITS: Final = ("1044273906", "20030203")
_LONG_AGO_WORDS: Final = re.compile(
    r"2003(?:0203[0-9]*)?|[0-9]{1,2}|[0-9]{4}|[0-9]{6}|0+|Feb|February|Mon|Monday|[ap]m|[A-Z]{1,4}"
)
_MAKES_KEYS: Final = re.compile(
    r"(?<![.$\w])(?:(genPrivateKey)|genCA|genCAWithKey|genSelfSignedCert|genSelfSignedCertWithKey|genSignedCert"
    r"|genSignedCertWithKey)\b"
)
"""The functions of sprig that make keys (https://masterminds.github.io/sprig/crypto.html); one makes nothing else."""


class Change(Struct, frozen=True):
    """Code in the place of other code; only actions with `word` in them can change."""

    word: str
    of: Callable[[str], str]


def _ago(code: str) -> str:
    return _NOW.sub(_LONG_AGO, code)


def _known(code: str) -> str:
    return _MAKES_KEYS.sub(lambda found: _stand_ins()[found[1] is not None], code)


OTHER_TIME: Final = Change("now", _ago)
"""A moment long ago wherever a chart calls `now`: most formats of it are the same for a second, or for a day."""
KNOWN_KEYS: Final = Change("gen", _known)
"""One well-known certificate and key wherever a chart would make new ones."""


def rewritten(archive: bytes, changes: Collection[Change]) -> bytes:
    """The chart with the code of its actions changed; their strings stay."""

    def change(source: str) -> str:
        for one in changes:
            source = _rewritten(source, one)
        return source

    return with_sources(archive, change)


def is_other_time(text: str) -> bool:
    """True for the moment of `OTHER_TIME`, in whatever form a chart prints it."""
    if text.isdecimal():
        return text.startswith(_LONG_AGO_DIGITS)
    words = re.findall(r"[A-Za-z]+|[0-9]+", text)
    return any(word.startswith("2003") for word in words) and all(_LONG_AGO_WORDS.fullmatch(word) for word in words)


@lru_cache(maxsize=1)
def _stand_ins() -> tuple[str, str]:
    """Calls that take any arguments, and give a certificate with its key (fields `Cert` and `Key`), and a key.

    `dict` makes pairs of the arguments that follow it; `%.0s` prints nothing of its own.
    """
    certificate, key = (f"(b64dec `{base64.b64encode(text.encode()).decode()}`)" for text in stand_in_pair())
    return f"dict `Cert` {certificate} `Key` {key} `_`", f"printf (print `%.0s` {key})"


def _rewritten(source: str, change: Change) -> str:
    parts: list[str] = []
    done = 0
    for action, start in actions(source) if change.word in source else ():
        if change.word in action:
            parts += [source[done : start + 2], _changed(action, change.of)]
            done = start + 2 + len(action)
    return "".join((*parts, source[done:]))


def _changed(action: str, change: Callable[[str], str]) -> str:
    """The action with its code changed; its strings stay."""
    pieces: list[str] = []
    done = 0
    for text in (*TEXT.finditer(action), None):
        end = text.start() if text else len(action)
        pieces += [change(action[done:end]), text[0] if text else ""]
        done = text.end() if text else end
    return "".join(pieces)
