"""Documents of SOPS: a mapping whose values are sealed, its keys in clear, and a stanza `sops` that says by whom.

After `sops.go`, `stores/stores.go` and `cmd/sops/common/common.go` of https://github.com/getsops/sops, version 3.13.
Read and written: age recipients, `encrypted_regex` and its siblings for plain names, `mac_only_encrypted`. Refused:
documents with key groups (Shamir) and rules that are real regular expressions or look at comments.

Values are walked in the order of the document, because the MAC covers their order: whoever writes the document keeps
that order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, cast

from renderer.formats.sealed.age import AgeIdentity, Random, age_open, age_seal
from renderer.formats.sealed.ciphers import DoesNotOpenError
from renderer.formats.sealed.sops_values import (
    KEY_LENGTH,
    Clear,
    Scalar,
    hashed,
    open_value,
    seal_value,
    sealed_iv,
)
from renderer.model.fields import FieldError, Fields, Json, kind_of
from renderer.model.generated.recipient import AgeRecipient

__all__ = ["STANZA", "Opened", "WrongKeyError", "names_rule", "sops_open", "sops_recipients", "sops_seal"]

STANZA: Final = "sops"
"""The key at the root of a document that holds how it is sealed."""
_VERSION: Final = "3.9.0"
"""The first version of SOPS that knows `mac_only_encrypted`."""
_MAC_OF_SEALED_ONLY: Final = hashlib.sha256(b"sops").digest()
_DEEPEST: Final = 64
_MOST_RECIPIENTS: Final = 100
_LONGEST_RULE: Final = 16 * 1024
_NAMES: Final = re.compile(r"\^\(?((?:[A-Za-z0-9_/-]|\\\.)+(?:\|(?:[A-Za-z0-9_/-]|\\\.)+)*)\)?\$\Z", re.ASCII)
_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})\Z", re.ASCII
)
_RULES: Final = ("unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex")
_NOT_READ: Final = ("key_groups", "encrypted_comment_regex", "unencrypted_comment_regex")

Path = tuple[str | int, ...]
_Names = tuple[str, ...]


class WrongKeyError(ValueError):
    """None of the private keys opens the document. `recipients` are those that it is sealed to."""

    def __init__(self, recipients: Sequence[str]) -> None:
        super().__init__("none of the private keys opens this")
        self.recipients = tuple(recipients)


@dataclass(frozen=True, slots=True)
class Opened:
    """A document in clear, without its stanza. What it was sealed with is kept to seal it alike, and never shown."""

    content: Mapping[str, Json] = field(repr=False)
    recipients: tuple[str, ...]
    _key: bytes = field(repr=False)
    _wrapped: Json = field(repr=False)
    _ivs: Mapping[tuple[str, bytes], bytes] = field(repr=False)


def names_rule(names: Sequence[str]) -> str:
    """The `encrypted_regex` for what stands below keys of these names: `^(data|stringData)$`."""
    return f"^({'|'.join(name.replace('.', chr(92) + '.') for name in names)})$"


# --- sealing ---------------------------------------------------------------------------------------------------------


def sops_seal(
    document: Mapping[str, Json],
    names: Sequence[str],
    recipients: Sequence[AgeRecipient],
    when: datetime,
    random: Random,
    before: Opened | None = None,
) -> dict[str, Json]:
    """The document with everything below keys of these `names` sealed, and the stanza `sops` as its last field.

    The MAC covers what is sealed and nothing else. `before` is the same document as it was opened: where it is sealed
    to the same recipients, its data key is used again, and equal values get equal ciphertexts. Raises ValueError
    without recipients, and for a document that has a stanza.
    """
    if STANZA in document:
        raise ValueError("the document is sealed already")
    kept = before if before is not None and before.recipients == tuple(map(str, recipients)) else None
    key = kept._key if kept else random(KEY_LENGTH)
    wrapped = kept._wrapped if kept else _wrapped(key, recipients, random)
    ivs = kept._ivs if kept else {}
    mac = hashlib.sha512(_MAC_OF_SEALED_ONLY)

    def seal(value: Scalar, path: _Names) -> Json:
        plain, place = hashed(value), _spelled(path)
        mac.update(plain)
        return seal_value(value, key, place, ivs.get((place, plain), random))

    rule = names_rule(names)
    sealed = cast("dict[str, Json]", _walked(dict(document), (), (), _below(frozenset(names)), seal))
    time = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stanza: dict[str, Json] = {
        "age": wrapped,
        "encrypted_regex": rule,
        "lastmodified": time,
        "mac": seal_value(mac.hexdigest().upper(), key, time, random),
        "mac_only_encrypted": True,
        "version": _VERSION,
    }
    return {**sealed, STANZA: stanza}


def _wrapped(key: bytes, recipients: Sequence[AgeRecipient], random: Random) -> Json:
    """The data key for each recipient, as SOPS lists it."""
    if not recipients:
        raise ValueError("nothing is sealed without recipients")
    return [{"enc": age_seal(key, [one], random), "recipient": str(one)} for one in recipients]


# --- opening ---------------------------------------------------------------------------------------------------------


def sops_recipients(document: Mapping[str, Json]) -> tuple[str, ...]:
    """The recipients that a document is sealed to, in its order. Raises FieldError."""
    return tuple(recipient for recipient, _ in _keys(_stanza(document)))


def sops_open(document: Mapping[str, Json], identities: Sequence[AgeIdentity]) -> Opened:
    """The document in clear.

    Raises WrongKeyError when none of `identities` opens it; FieldError with the path of what cannot be read, has been
    changed since it was sealed, or is not read here.
    """
    stanza = _stanza(document)
    wrapped = _keys(stanza)
    key = _data_key(stanza, wrapped, identities)
    only_sealed = stanza.flag("mac_only_encrypted", default=False)
    mac = hashlib.sha512(_MAC_OF_SEALED_ONLY if only_sealed else b"")
    ivs: dict[tuple[str, bytes], bytes] = {}

    def open_(value: Scalar, path: _Names) -> Json:
        clear, place = _opened(value, key, path), _spelled(path)
        if not clear.is_comment:
            mac.update(hashed(clear.value))
        if isinstance(value, str) and value:
            ivs[place, hashed(clear.value)] = sealed_iv(value)
        return clear.value

    def pass_(value: Scalar, _path: _Names) -> Json:
        if not only_sealed:
            mac.update(hashed(value))
        return value

    body = {name: value for name, value in document.items() if name != STANZA}
    content = cast("dict[str, Json]", _walked(body, (), (), _rule(stanza), open_, pass_))
    _check_mac(stanza, key, mac.hexdigest().upper())
    return Opened(content, tuple(one for one, _ in wrapped), key, cast("Json", stanza.content["age"]), ivs)


def _stanza(document: Mapping[str, Json]) -> Fields:
    stanza = Fields.of(document.get(STANZA), (STANZA,))
    for name in _NOT_READ:
        if stanza.content.get(name):
            raise FieldError(stanza.at(name), f"documents with `{name}` are not read here")
    return stanza


def _keys(stanza: Fields) -> list[tuple[str, str]]:
    """For each recipient of age the data key in armor."""
    entries = stanza.children("age")
    if not entries:
        raise FieldError(stanza.at("age"), "the document is not sealed to any recipient of age")
    if len(entries) > _MOST_RECIPIENTS:
        raise FieldError(stanza.at("age"), f"more than {_MOST_RECIPIENTS} recipients")
    return [(entry.text("recipient"), entry.text("enc")) for entry in entries]


def _data_key(stanza: Fields, wrapped: Sequence[tuple[str, str]], identities: Sequence[AgeIdentity]) -> bytes:
    for index, (_, armored) in enumerate(wrapped):
        at = (*stanza.at("age"), index, "enc")
        try:
            key = age_open(armored, identities)
        except DoesNotOpenError:
            continue
        except ValueError as error:
            raise FieldError(at, str(error)) from None
        if len(key) != KEY_LENGTH:
            raise FieldError(at, f"a data key has {KEY_LENGTH} bytes")
        return key
    raise WrongKeyError([recipient for recipient, _ in wrapped])


def _opened(value: Scalar, key: bytes, path: _Names) -> Clear:
    if not isinstance(value, str):
        raise FieldError(path, "this value should be sealed, and is not", got=kind_of(value))
    try:
        return open_value(value, key, _spelled(path))
    except DoesNotOpenError:
        raise FieldError(path, "this value was changed or moved after it was sealed") from None
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _check_mac(stanza: Fields, key: bytes, computed: str) -> None:
    """The MAC is sealed at the time of the last change, spelled as Go spells it (RFC 3339, whole seconds)."""
    time = _TIME.match(stanza.text("lastmodified"))
    if time is None:
        raise FieldError(stanza.at("lastmodified"), "this is not a time such as `2026-01-31T12:00:00Z`")
    place = time[1] + ("Z" if time[2] == "+00:00" else time[2])
    try:
        noted = open_value(stanza.text("mac"), key, place).value
    except ValueError:
        noted = None
    if noted != computed:
        raise FieldError(stanza.at("mac"), "the document was changed after it was sealed: its MAC does not fit")


# --- the walk, and which values are sealed ---------------------------------------------------------------------------


def _rule(stanza: Fields) -> Callable[[_Names], bool]:
    """Whether a value at some path is sealed."""
    given = [name for name in _RULES if stanza.content.get(name)]
    if len(given) > 1:
        raise FieldError(stanza.at(given[1]), "a document has one rule of what is sealed", got=" and ".join(given))
    name = given[0] if given else _RULES[0]
    text = stanza.text(name, "_unencrypted")
    matches = _below(_named(stanza, name, text)) if name.endswith("regex") else _suffixed(text)
    return matches if name.startswith("encrypted") else lambda path: not matches(path)


def _named(stanza: Fields, name: str, rule: str) -> frozenset[str]:
    found = _NAMES.match(rule) if len(rule) <= _LONGEST_RULE else None
    if found is None:
        raise FieldError(
            stanza.at(name),
            "a rule of what is sealed lists plain names here; other regular expressions are not read",
            expected="`^(data|stringData)$`",
        )
    return frozenset(part.replace("\\.", ".") for part in found[1].split("|"))


def _below(names: frozenset[str]) -> Callable[[_Names], bool]:
    return lambda path: not names.isdisjoint(path)


def _suffixed(suffix: str) -> Callable[[_Names], bool]:
    return lambda path: any(name.endswith(suffix) for name in path)


def _spelled(path: _Names) -> str:
    return ":".join(path) + ":"


def _walked(
    value: Json,
    path: Path,
    names: _Names,
    is_sealed: Callable[[_Names], bool],
    inside: Callable[[Scalar, _Names], Json],
    outside: Callable[[Scalar, _Names], Json] = lambda value, _: value,
) -> Json:
    """The value with each scalar replaced: by `inside` where it is sealed, else by `outside`. Null stays null."""
    if len(path) > _DEEPEST:
        raise FieldError(path, f"nested deeper than {_DEEPEST} levels")
    if isinstance(value, Mapping):
        pairs: Iterator[tuple[str, Json]] = iter(value.items())
        return {
            name: _walked(below, (*path, name), (*names, name), is_sealed, inside, outside) for name, below in pairs
        }
    if isinstance(value, list | tuple):
        return [_walked(below, (*path, index), names, is_sealed, inside, outside) for index, below in enumerate(value)]
    if value is None:
        return None
    return inside(value, names) if is_sealed(names) else outside(value, names)
