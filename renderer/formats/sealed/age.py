"""Files of age, version 1 (https://age-encryption.org/v1): small content for X25519 recipients, in armor.

What SOPS keeps in `sops.age[].enc` is such a file around a data key. Files of more than one chunk (64 KiB), of other
kinds of recipients, and binary ones are not read here. Randomness is a value: `Random` yields so many bytes of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from renderer.formats.sealed.ciphers import DoesNotOpenError, chacha, hkdf, hmac, x25519, x25519_public
from renderer.model.generated.recipient import AgeRecipient, bech32_decode

__all__ = ["AgeIdentity", "DoesNotOpenError", "Random", "age_open", "age_seal", "parse_identities"]

Random = Callable[[int], bytes]
"""So many bytes that nobody can guess; only adapters have them."""

_FIRST_LINE: Final = "-----BEGIN AGE ENCRYPTED FILE-----"
_LAST_LINE: Final = "-----END AGE ENCRYPTED FILE-----"
_INTRO: Final = b"age-encryption.org/v1"
_LABEL: Final = b"age-encryption.org/v1/X25519"
_COLUMNS: Final = 64
_FILE_KEY: Final = 16
_NONCE: Final = 16
_POINT: Final = 32
_WRAPPED_KEY: Final = 32
_ONCE: Final = bytes(12)
"""The nonce under a key that is used once."""
_LAST_CHUNK: Final = bytes(11) + b"\x01"
_CHUNK: Final = 64 * 1024
_LONGEST_ARMOR: Final = 128 * 1024
_MOST_STANZAS: Final = 100
_LONGEST_KEY_FILE: Final = 64 * 1024
_MOST_IDENTITIES: Final = 100


@dataclass(frozen=True, slots=True)
class AgeIdentity:
    """A private key: what opens for its recipient. The key is never shown, also not in a repr."""

    recipient: AgeRecipient
    _secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> AgeIdentity:
        """Read `AGE-SECRET-KEY-1…`. Raises ValueError; the message shows nothing of the text."""
        try:
            prefix, secret = bech32_decode(text)
        except ValueError as error:
            raise ValueError(str(error)) from None
        if prefix != "age-secret-key-" or len(secret) != _POINT:
            raise ValueError("a private key of age begins with `AGE-SECRET-KEY-1`; other kinds are not used here")
        return cls(AgeRecipient.of(x25519_public(secret)), secret)

    def unwrap(self, share: bytes, wrapped: bytes) -> bytes:
        """The file key out of an X25519 stanza. Raises DoesNotOpenError when the stanza is for somebody else."""
        try:
            shared = x25519(self._secret, share)
        except ValueError:
            raise DoesNotOpenError from None
        return chacha(hkdf(shared, share + self.recipient.point, _LABEL), _ONCE, wrapped, seal=False)


def parse_identities(text: str) -> tuple[AgeIdentity, ...]:
    """The private keys in a file of `age-keygen`: one a line (or several, parted by spaces); `#` begins a comment.

    Raises ValueError that names the line, and shows nothing of it.
    """
    if len(text) > _LONGEST_KEY_FILE:
        raise ValueError("a file of private keys has at most 64 KiB")
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in () if line.startswith("#") else line.split():
            try:
                found.append(AgeIdentity.parse(word))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
    if len(found) > _MOST_IDENTITIES:
        raise ValueError(f"a file of private keys has at most {_MOST_IDENTITIES}")
    return tuple(found)


def age_seal(content: bytes, recipients: Sequence[AgeRecipient], random: Random) -> str:
    """An armored age file that each of `recipients` can open; `content` has at most 64 KiB. Raises ValueError."""
    if not recipients or len(content) > _CHUNK:
        raise ValueError("at least one recipient, and at most 64 KiB")
    file_key = random(_FILE_KEY)
    header = _INTRO + b"\n" + b"".join(_stanza(file_key, recipient, random) for recipient in recipients) + b"---"
    mac = hmac(hkdf(file_key, b"", b"header"), header)
    nonce = random(_NONCE)
    payload = chacha(hkdf(file_key, nonce, b"payload"), _LAST_CHUNK, content, seal=True)
    return _armor(header + b" " + _unpadded(mac) + b"\n" + nonce + payload)


def _stanza(file_key: bytes, recipient: AgeRecipient, random: Random) -> bytes:
    secret = random(_POINT)
    share = x25519_public(secret)
    wrapping_key = hkdf(x25519(secret, recipient.point), share + recipient.point, _LABEL)
    return b"-> X25519 %s\n%s\n" % (_unpadded(share), _unpadded(chacha(wrapping_key, _ONCE, file_key, seal=True)))


def age_open(armored: str, identities: Iterable[AgeIdentity]) -> bytes:
    """The content of an armored age file.

    Raises DoesNotOpenError when none of `identities` opens it, or it was changed; ValueError when it is no such file.
    """
    content = _unarmored(armored)
    header, stanzas, mac, payload = _parts(content)
    for identity in identities:
        for share, wrapped in stanzas:
            try:
                file_key = identity.unwrap(share, wrapped)
            except DoesNotOpenError:
                continue
            if hmac(hkdf(file_key, b"", b"header"), header) != mac or len(payload) < _NONCE:
                raise DoesNotOpenError
            return chacha(hkdf(file_key, payload[:_NONCE], b"payload"), _LAST_CHUNK, payload[_NONCE:], seal=False)
    raise DoesNotOpenError


# --- header and armor ------------------------------------------------------------------------------------------------


def _parts(content: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes, bytes]:
    """What the MAC covers, the X25519 stanzas, the MAC, and what follows the header."""
    if not content.startswith(_INTRO + b"\n"):
        raise ValueError("this is not a file of age, version 1")
    position = len(_INTRO) + 1
    stanzas: list[tuple[bytes, bytes]] = []
    for _ in range(_MOST_STANZAS):
        line, after = _line(content, position)
        if line.startswith(b"--- "):
            return content[: position + 3], stanzas, _decoded(line[4:]), content[after:]
        arguments, body, position = _read_stanza(content, line, after)
        if arguments[0] == b"X25519":
            share = _decoded(arguments[1]) if len(arguments) == 2 else b""
            if len(share) != _POINT or len(body) != _WRAPPED_KEY:
                raise ValueError("an X25519 stanza of the age file is malformed")
            stanzas.append((share, body))
    raise ValueError(f"the age file has more than {_MOST_STANZAS} recipients")


def _read_stanza(content: bytes, line: bytes, position: int) -> tuple[list[bytes], bytes, int]:
    """The arguments and the body of a stanza, and where it ends: with the first line that is not full."""
    if not line.startswith(b"-> ") or not line[3:]:
        raise ValueError("the header of the age file is malformed")
    body = b""
    while True:
        text, position = _line(content, position)
        if len(text) > _COLUMNS:
            raise ValueError("the header of the age file has a line that is too long")
        body += _decoded(text)
        if len(text) < _COLUMNS:
            return line[3:].split(b" "), body, position


def _line(content: bytes, start: int) -> tuple[bytes, int]:
    """A line, and where the next one begins."""
    end = content.find(b"\n", start)
    if end < 0:
        raise ValueError("the header of the age file breaks off")
    return content[start:end], end + 1


def _unpadded(content: bytes) -> bytes:
    return base64.b64encode(content).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    """Base64 without padding, in its one canonical spelling."""
    try:
        content = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("the age file has a part that is not base64") from error
    if _unpadded(content) != text:
        raise ValueError("the age file has a part that is not canonical base64")
    return content


def _armor(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = (text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS))
    return "\n".join([_FIRST_LINE, *lines, _LAST_LINE]) + "\n"


def _unarmored(armored: str) -> bytes:
    if len(armored) > _LONGEST_ARMOR:
        raise ValueError(f"the age file is longer than {_LONGEST_ARMOR} characters")
    lines = armored.strip().splitlines()
    if len(lines) < 2 or (lines[0], lines[-1]) != (_FIRST_LINE, _LAST_LINE):
        raise ValueError(f"this is not an age file in armor (`{_FIRST_LINE}`)")
    return b"".join(_full_lines(lines[1:-1]))


def _full_lines(lines: Sequence[str]) -> Iterator[bytes]:
    """The content of each line; all but the last are full."""
    for number, line in enumerate(lines, start=1):
        if not line or len(line) > _COLUMNS or (len(line) < _COLUMNS and number < len(lines)):
            raise ValueError("the armor of the age file is malformed")
        try:
            yield base64.b64decode(line.encode(), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ValueError("the armor of the age file is not base64") from error
