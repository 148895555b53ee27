"""Key material and passwords anywhere in what is about to be written: objects, agent, node files, records.

The other rules look at fields that are known to hold secrets. This one reads every file as text, as somebody who
stole the repository would. It knows keys by their shape, and passwords by the word before them and by how random they
look; certificates, digests and what SOPS has encrypted are public. It never shows what it found.
"""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.trees.tree import FileTree
from renderer.structs import Struct

_SHAPES: Final = (
    ("a private key", b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("an age identity", b"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    ("a signed token (JWT)", b"eyJ", rb"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"),
    ("a key of a cloud", b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b"),
    ("a key of a cloud", b"LTAI", rb"\bLTAI[0-9A-Za-z]{16,20}\b"),
    ("a token of a forge", b"glpat-", rb"\bglpat-[\w-]{16,}"),
    ("a token of a forge", b"ghp_", rb"\bghp_\w{16,}"),
)
"""What a secret is, bytes that it always holds (they are searched for first), and its shape."""
_KNOWN: Final = tuple((what, anchor, re.compile(shape)) for what, anchor, shape in _SHAPES)
_ENCODED: Final = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]{20,64}")
"""The start of `-----BEGIN ` in base64, with enough behind it to tell a key from a certificate."""
_WORDS: Final = (b"passwd", b"password", b"passphrase", b"secret", b"token", b"apikey", b"api_key", b"api-key")
"""Words that promise a secret."""
_BEHIND: Final = re.compile(rb"[\w.-]*[\"']?[ \t]*[:=][ \t]*[\"']?([^\s\"',;{}\[\]]{12,128})")
"""What stands behind the colon or equals sign of such a word."""
_PUBLIC: Final = re.compile(
    rb"ENC\[|[$<(%/]|.*(?:\.|://|::)|[a-z0-9]+(?:[-_/][a-z0-9]+)+\Z"
    rb"|[A-Z]+(?:_[A-Z]+)+\Z|[A-Z][a-z]+(?:[A-Z][a-z]+)+\Z"
)
"""What may stand there in clear: ciphertext, variables, placeholders, paths, names (of variables too), host names."""
_RANDOM_BITS: Final = 3.3
"""Shannon entropy per character. Words lie below; 16 random letters and digits nearly always above."""
_RANDOM: Final = "random text behind a word like `password`"
_SHOWN: Final = 6


class Sighting(Struct, frozen=True):
    """What looks like a secret in one file: on which lines, what it is, and how sure that is."""

    lines: tuple[int, ...]
    what: tuple[str, ...]
    severity: Severity


def look_through(content: bytes) -> Sighting | None:
    """What in a file looks like a secret, or None. About 10 ms for a MiB."""
    known = set(_known(content))
    if known:
        lines = sorted({line for line, _ in known})
        return Sighting(tuple(lines), tuple(sorted({what for _, what in known})), Severity.ERROR)
    random = sorted(set(_random(content)))
    return Sighting(tuple(random), (_RANDOM,), Severity.WARNING) if random else None


def secrets_in_output(tree: FileTree, look: Callable[[bytes], Sighting | None] = look_through) -> Iterator[Finding]:
    """One finding for each file of a tree that holds what looks like a secret (`secret-in-output`).

    Keys and tokens of a known shape are errors; random-looking text behind a word such as `password` is a warning.
    Definitions hold schemas, megabytes of them, and no values. `look` may be `look_through` with a memory.
    """
    for path, content in tree.items():
        seen = None if "/customresourcedefinition-" in path else look(content)
        if seen is not None:
            yield _finding(path, seen)


def _known(content: bytes) -> Iterator[tuple[int, str]]:
    """The lines that hold something of a known shape, and what it is."""
    for what, anchor, shape in _KNOWN:
        if anchor in content:
            yield from ((_line(content, found.start()), what) for found in shape.finditer(content))
    for found in _ENCODED.finditer(content):
        text = found[0][: len(found[0]) // 4 * 4]
        if b"PRIVATE KEY" in base64.b64decode(text):
            yield _line(content, found.start()), _SHAPES[0][0]


def _random(content: bytes) -> Iterator[int]:
    """The lines with random-looking text behind a word that promises a secret."""
    lowered = content.lower()
    for word in _WORDS:
        position = lowered.find(word)
        while position >= 0:
            position += len(word)
            found = _BEHIND.match(content, position)
            summed = b"checksum" in lowered[lowered.rfind(b"\n", 0, position) + 1 : position]
            if found and not summed and not _PUBLIC.match(found[1]) and _entropy(found[1]) >= _RANDOM_BITS:
                yield _line(content, position)
            position = lowered.find(word, position)


def _entropy(text: bytes) -> float:
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _finding(path: str, seen: Sighting) -> Finding:
    lines = seen.lines
    more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return Finding(
        code="secret-in-output",
        message=f"`{path}` would put into git what looks like {' and '.join(seen.what)}",
        where=Where(subject=path),
        severity=seen.severity,
        expected="a reference to a Secret, or an object that SOPS has encrypted",
        got=f"line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines[:_SHOWN]))}{more}",
        hint="settle it below `spec.generated`, take it from the values of the extension, "
        "or accept it below `checks.ignore` with the path as the object",
    )
