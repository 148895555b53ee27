"""Which generated fields belong together, because one cannot be renewed without the other."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from renderer.formats.certificates import signs
from renderer.model.generated.material import CertificateFacts
from renderer.model.generated.values import GeneratedKind
from renderer.stages.generated.content import Content, is_digest, is_password_hash

_SHORTEST_EQUAL: Final = 5
"""Shorter texts can be equal by chance, even in two renders."""
_SHORTEST_PART: Final = 8
"""Shorter texts can stand in another one by chance."""
_LONGEST: Final = 64 * 1024
"""Longer texts are not looked through for others."""
_MOST_COMPARED: Final = 2_000
"""With more fields, or certificates, than this no chart of this world is met, and not each is held against each."""
_BASE64_RUN: Final = re.compile(r"[A-Za-z0-9+/]{12,}={0,2}")
_HASHES: Final = ("md5", "sha1", "sha256", "sha512")


def related(contents: Sequence[Content]) -> tuple[tuple[int, ...], ...]:
    """The fields by index, grouped: each in one group, groups and members in order.

    Together are: one field of one object that two components define; equal text, and text that stands in another; a
    key and its certificate; a certificate and the one that signed it; a password and its hash.
    """
    groups = _Groups(len(contents))
    for together in _equal(contents):
        groups.unite(together)
    for pair in (*_signed(contents), *_parts(contents), *_hashed(contents)):
        groups.unite(pair)
    return groups.found()


def sums(contents: Sequence[Content]) -> dict[int, tuple[int, ...]]:
    """For each field with a digest, by index, the fields whose text it is the digest of; in both renders."""
    known: dict[tuple[str, str], list[int]] = {}
    for index, content in enumerate(contents):
        if not is_digest(content.texts[0]):
            for pair in {content.texts, _bare(content)} - {("", "")}:
                for digests in _digests(pair):
                    known.setdefault(digests, []).append(index)
    found = {index: known.get(content.texts) for index, content in enumerate(contents) if is_digest(content.texts[0])}
    return {index: tuple(sorted(set(sources))) for index, sources in found.items() if sources}


def _digests(pair: tuple[str, str]) -> Iterator[tuple[str, str]]:
    before, after = (text.encode("utf-8", errors="surrogateescape") for text in pair)
    if len(before) <= _LONGEST:
        for name in _HASHES:
            yield _hex(name, before), _hex(name, after)


def _hex(name: str, content: bytes) -> str:
    return hashlib.new(name, content, usedforsecurity=False).hexdigest()


class _Groups:
    """Sets that are united step by step (union-find); the smallest index stands for its set."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def _top(self, index: int) -> int:
        while self._above[index] != index:
            self._above[index] = self._above[self._above[index]]
            index = self._above[index]
        return index

    def unite(self, together: Iterable[int]) -> None:
        """Let all of `together` be one set."""
        tops = sorted({self._top(index) for index in together})
        for top in tops[1:]:
            self._above[top] = tops[0]

    def found(self) -> tuple[tuple[int, ...], ...]:
        """The sets."""
        members: dict[int, list[int]] = {}
        for index in range(len(self._above)):
            members.setdefault(self._top(index), []).append(index)
        return tuple(tuple(mine) for _, mine in sorted(members.items()))


def _equal(contents: Sequence[Content]) -> Iterator[list[int]]:
    """Fields that hold the same in the first render, and the same in the second."""
    places: dict[object, list[int]] = {}
    for index, content in enumerate(contents):
        for token in _tokens(content):
            places.setdefault(token, []).append(index)
    yield from places.values()


def _tokens(content: Content) -> Iterator[object]:
    """What two fields of one group share. A key and its certificates share the public key."""
    difference = content.difference
    yield "field", difference.object, difference.spelled
    before, after = content.pem
    for one, other in zip(before.certificates, after.certificates, strict=False):
        yield "certificate", one.der, other.der
        yield "key", one.public_key
    for public in before.public_keys:
        yield "key", public
    if _speaks(content) and min(map(len, _bare(content))) >= _SHORTEST_EQUAL:
        yield "text", _bare(content)


def _speaks(content: Content) -> bool:
    """True when equal text elsewhere is no accident: digests follow from content, and all see the same clock."""
    return not (content.has_pem or content.kind.follows or content.kind is GeneratedKind.TIME)


def _bare(content: Content) -> tuple[str, str]:
    return content.texts[0].strip(), content.texts[1].strip()


def _signed(contents: Sequence[Content]) -> Iterator[tuple[int, int]]:
    """Certificates and those that signed them."""
    known: dict[bytes, tuple[int, CertificateFacts]] = {}
    for index, content in enumerate(contents):
        for facts in content.pem[0].certificates:
            known.setdefault(facts.der, (index, facts))
    if len(known) > _MOST_COMPARED // 8:
        return
    for at, facts in known.values():
        for by, issuer in known.values():
            if at != by and issuer.is_ca and signs(issuer, facts):
                yield at, by


def _parts(contents: Sequence[Content]) -> Iterator[tuple[int, int]]:
    """Texts and those that contain them, as they are or in base64: a password in a connection string."""
    needles: dict[tuple[str, str], int] = {}
    for index, content in enumerate(contents):
        if _speaks(content) and min(map(len, _bare(content))) >= _SHORTEST_PART:
            needles.setdefault(_bare(content), index)
    for index, content in enumerate(contents if len(contents) <= _MOST_COMPARED else ()):
        if content.kind.follows or max(map(len, content.texts)) > _LONGEST:
            continue
        one, other = (_spread(text) for text in content.texts)
        for (before, after), at in needles.items():
            if at != index and before in one and after in other:
                yield at, index


def _spread(text: str) -> str:
    """The text, and what its runs of base64 hold."""
    found = [text]
    for run in _BASE64_RUN.findall(text):
        try:
            found.append(base64.b64decode(run, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue
    return "\n".join(found)


def _hashed(contents: Sequence[Content]) -> Iterator[tuple[int, int]]:
    """Digests and what they are of; salted hashes of passwords and the passwords beside them."""
    for index, sources in sums(contents).items():
        if contents[index].kind is not GeneratedKind.CHECKSUM:
            yield from ((source, index) for source in sources)
    passwords: dict[object, list[int]] = {}
    for index, content in enumerate(contents):
        if content.kind is GeneratedKind.PASSWORD:
            passwords.setdefault((content.difference.component, content.difference.object), []).append(index)
    for beside in passwords.values():
        # Whose hash it is cannot be told without trying each, which bcrypt makes slow: together they fit for certain.
        if any(is_password_hash(contents[index].texts[0].strip()) for index in beside):
            yield from ((beside[0], index) for index in beside[1:])
