"""What a generated field holds: its text without the wrapping, its certificates, its kind.

Kinds come from the content first (PEM, digests, tokens, times) and from names second; where both are silent, what
stands in a Secret is secret, and anything else tells nothing (`OTHER`).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from renderer.formats.certificates import holds_pem, read_pem
from renderer.model.fields import Json
from renderer.model.generated.lines import unquoted
from renderer.model.generated.material import PemMaterial
from renderer.model.generated.values import GeneratedKind
from renderer.stages.generated.comparing import Difference
from renderer.stages.generated.rewriting import is_other_time

_BASE64_PEM: Final = "LS0tLS1CRUdJTi"
"""`-----BEGIN` in base64: how PEM text stands in a `caBundle`."""
_DIGEST: Final = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\Z")
_JWT: Final = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\Z")
_PASSWORD_HASH: Final = re.compile(r"(?:\S+:\s*)?(?:\$2[abxy]\$[0-9]{2}\$|\$apr1\$|\$[156]\$|\{SHA\})\S+\s*\Z")
_TIME: Final = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9](?:[Tt _][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
    r"(?:\s?(?:Z|[+-][0-9]{2}:?[0-9]{2}|[A-Z]{3,4}))*(?: m=[+-][0-9.]+)?\Z"
)
_NAMED: Final = (
    (GeneratedKind.PASSWORD, re.compile(r"passw|pass-?phrase|\bpass\b|pwd|requirepass|masterauth|\bauth\b")),
    (GeneratedKind.SECRET, re.compile(r"secret")),
    (GeneratedKind.TOKEN, re.compile(r"token|bearer|\bjwt\b|api-?key")),
    (GeneratedKind.SECRET, re.compile(r"key|\biv\b|salt|seed|cookie|credential|private|signature")),
)
_CHECKSUM_NAME: Final = re.compile(r"checksum|hash|digest|sha256|md5")
_POD_ANNOTATIONS: Final = ("template", "metadata", "annotations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """One generated field of both renders, looked into. Nothing of it is ever shown.

    `texts` are what stands there, unwrapped; empty where it is no text.
    """

    difference: Difference
    kind: GeneratedKind
    texts: tuple[str, str] = field(default=("", ""), repr=False)
    pem: tuple[PemMaterial, PemMaterial] = field(default=(PemMaterial(), PemMaterial()), repr=False)

    @property
    def has_pem(self) -> bool:
        """True when certificates or keys stand in the field."""
        return bool(self.pem[0].certificates) or self.pem[0].has_private_key


def examined(difference: Difference) -> Content:
    """What stands in the field of `difference`."""
    if difference.certain is not None:
        return Content(difference=difference, kind=difference.certain)
    before, after = (_unwrapped(difference, hidden.reveal()) for hidden in (difference.before, difference.after))
    pem = (read_pem(before), read_pem(after)) if holds_pem(before) else (PemMaterial(), PemMaterial())
    return Content(
        difference=difference, kind=_kind(difference, (before, after), pem[0]), texts=(before, after), pem=pem
    )


def is_digest(text: str) -> bool:
    """True for what `md5sum`, `sha1sum`, `sha256sum` and `sha512sum` print."""
    return _DIGEST.match(text) is not None


def is_password_hash(text: str) -> bool:
    """True for a hash of a password with salt: bcrypt, as a line of htpasswd or alone."""
    return _PASSWORD_HASH.match(text) is not None


def _unwrapped(difference: Difference, value: Json) -> str:
    """The text that a person would see: out of base64 where it stands in base64, out of its quotes in a line."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return ""
    text = unquoted(value) if difference.line else value
    in_data = (difference.object.group, difference.object.kind, *difference.path[:1]) == ("", "Secret", "data")
    if not in_data and not text.lstrip().startswith(_BASE64_PEM):
        return text
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", errors="surrogateescape")
    except (binascii.Error, ValueError):
        return text


def _kind(difference: Difference, texts: tuple[str, str], pem: PemMaterial) -> GeneratedKind:
    path, text = difference.path, texts[0].strip()
    if path[-1:] == ("caBundle",):
        return GeneratedKind.CA_BUNDLE
    if _is_checksum(difference, text):
        return GeneratedKind.CHECKSUM
    if pem.has_private_key:
        return GeneratedKind.PRIVATE_KEY
    if pem.certificates:
        return GeneratedKind.CA if pem.certificates[0].is_ca else GeneratedKind.CERTIFICATE
    if is_password_hash(text):
        return GeneratedKind.PASSWORD
    if _JWT.match(text):
        return GeneratedKind.TOKEN
    if _is_time(texts):
        return GeneratedKind.TIME
    return _kind_by_name(difference)


def _is_checksum(difference: Difference, text: str) -> bool:
    """A digest or a random word in an annotation that changes to make Pods start again."""
    if len(difference.path) < 2 or difference.path[-2] != "annotations":
        return False
    name = str(difference.path[-1]).lower()
    rolls_pods = difference.path[-4:-1] == _POD_ANNOTATIONS
    return bool(_CHECKSUM_NAME.search(name)) or is_digest(text) or (rolls_pods and "\n" not in text)


def _is_time(texts: tuple[str, str]) -> bool:
    """A moment in both renders, or in the second one the moment at which it was made."""
    before, after = (text.strip() for text in texts)
    return is_other_time(after) or all(_TIME.match(text) is not None for text in (before, after))


def _kind_by_name(difference: Difference) -> GeneratedKind:
    """By the key of the line, else by the last key of the path."""
    names = [difference.key] if difference.line else [step for step in difference.path if isinstance(step, str)][-1:]
    for name in names:
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.\s]", "-", name).lower()
        for kind, pattern in _NAMED:
            if pattern.search(spaced):
                return kind
    in_secret = (difference.object.group, difference.object.kind) == ("", "Secret")
    return GeneratedKind.SECRET if in_secret and difference.path[:1] != ("metadata",) else GeneratedKind.OTHER
