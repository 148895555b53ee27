"""What a generated field looks like, as far as another program must know it to make one of its kind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from renderer.model.objects.manifest import ObjectId
from renderer.stages.generated.content import Content

_PEM: Final = re.compile(r"\s*-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----\s*\Z")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")
_WORDS: Final = (
    ("digits", 6, re.compile(r"[0-9]+\Z")),
    ("hex", 16, re.compile(r"[0-9a-f]+\Z")),
    ("lower", 12, re.compile(r"[a-z0-9]+\Z")),
    ("upper", 12, re.compile(r"[A-Z0-9]+\Z")),
    ("alphanumeric", 1, re.compile(r"[A-Za-z0-9]+\Z")),
)
"""Alphabets, the smallest first, and from which length on two samples tell that it is not a larger one."""
_SPECIAL: Final = re.compile(r"[!-~]+\Z")


def forms(group: Sequence[Content]) -> tuple[str, ...]:
    """The form of every field of one group (`GeneratedValue.form`); empty where nobody else could make it.

    Random texts have one only when they are all the same text: one that is the hash of another, or has it within it,
    follows from it in a way that only the chart knows.
    """
    first: dict[tuple[ObjectId, str], tuple[str, str]] = {}
    for content in group:  # of a field that two components define, the first of them decides
        if not content.has_pem:
            first.setdefault((content.difference.object, content.difference.spelled), content.texts)
    texts = set(first.values())
    return tuple(
        _pem(content) if content.has_pem else _random(min(texts)) if len(texts) == 1 else "" for content in group
    )


def _pem(content: Content) -> str:
    """The one thing that stands there, as the chart makes it: `certificate`, `rsa-private-key`."""
    found = [_PEM.match(text) for text in content.texts]
    return found[0][1].lower().replace(" ", "-") if found[0] and all(found) else ""


def _random(texts: tuple[str, str]) -> str:
    """`alphanumeric-16`: alphabet and length. `base64-32` counts the bytes in it."""
    lengths = {len(text) for text in texts}
    if len(lengths) != 1 or 0 in lengths:
        return ""
    if all(map(_UUID.match, texts)):
        return "uuid"
    for name, shortest, pattern in _WORDS:
        if min(lengths) >= shortest and all(map(pattern.match, texts)):
            return f"{name}-{lengths.pop()}"
    if all(map(_BASE64.match, texts)):
        paddings = {text.count("=") for text in texts}
        return f"base64-{lengths.pop() // 4 * 3 - paddings.pop()}" if len(paddings) == 1 else ""
    return f"special-{lengths.pop()}" if all(map(_SPECIAL.match, texts)) else ""
