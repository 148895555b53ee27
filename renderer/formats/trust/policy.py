"""Trust policies: the bytes that security writes -> `TrustPolicy`.

Public keys are read as PEM text and carried as bytes; `renderer.formats.trust.keys` says what is in them. So are the
certificates of authorities, which `renderer.formats.trust.x509` has looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from renderer.formats.documents.calendar_days import parse_day
from renderer.formats.documents.document import Path, parse_document, violations
from renderer.formats.documents.named_files import NamedFiles, ReadFile
from renderer.formats.profile.fields import Reading
from renderer.model.bundles.trust import (
    Algorithm,
    Revocation,
    SubjectPattern,
    TrustedAuthority,
    TrustedKey,
    TrustPolicy,
    TrustRule,
)
from renderer.model.fields import FieldError, Fields, Json

__all__ = ["KIND", "read_trust_policy"]

KIND: Final = "TrustPolicy"
_KEY_LIMIT: Final = 16 * 1024
_CERTIFICATES_LIMIT: Final = 256 * 1024
_LONGEST_AGE: Final = 36_500
_PUBLIC_KEY: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END PUBLIC KEY-----",
)


def read_trust_policy(path: str, read: ReadFile, schema: Mapping[str, Json]) -> TrustPolicy:
    """Load the trust policy at `path` (from the root of the repository) and the key files that it names.

    `read` is that of `renderer.ports.Files`; `schema` is the content of `trust-policy.v1.json`. Raises InputError
    with every fault.
    """
    document = parse_document(read(path), path)
    reading = Reading(document, NamedFiles(document, read))
    found = violations(document, schema, kind="trust-policy")
    if found:
        # What the readers below say is about policies of the right shape.
        reading.faults.add(*found)
        reading.faults.raise_if_any()
    root = Fields.of(document.value)
    spec = root.child("spec")
    keys, authorities = _keys(reading, spec), _authorities(reading, spec)
    _check_names(reading, spec)
    rules = _rules(reading, spec)
    reading.faults.raise_if_any()
    return TrustPolicy(name=root.child("metadata").text("name"), keys=keys, authorities=authorities, rules=rules)


def _check_names(reading: Reading, spec: Fields) -> None:
    """Rules speak of keys and authorities by name: each name is one of them."""
    seen: set[str] = set()
    for fields in (*spec.children("keys"), *spec.children("authorities")):
        name = fields.text("name")
        if name in seen:
            message = f"two keys or authorities are called `{name}`"
            reading.fault(FieldError(fields.at("name"), message, code="duplicate-key-name"))
        seen.add(name)


def _keys(reading: Reading, spec: Fields) -> tuple[TrustedKey, ...]:
    found: dict[str, TrustedKey] = {}
    content: dict[bytes, str] = {}
    for fields in reading.children(spec, "keys"):
        valid_from = reading.optional(fields, "validFrom", parse_day)
        valid_to = reading.optional(fields, "validTo", parse_day)
        _check_validity(reading, fields, valid_from, valid_to)
        name, revoked = fields.text("name"), _revocation(reading, fields)
        with reading.guard(fields.at("publicKeyFile")):
            pem, raw = _public_key(reading, fields)
            key = TrustedKey(name=name, pem=pem, valid_from=valid_from, valid_to=valid_to, revoked=revoked)
            found.setdefault(name, key)
            first = content.setdefault(raw, name)
            if first != name:
                raise FieldError(
                    fields.at("publicKeyFile"),
                    f"`{name}` is the same key as `{first}`: one signer would count as two",
                    code="same-key-twice",
                    expected="a different key under every name",
                )
    return tuple(found.values())


def _revocation(reading: Reading, fields: Fields) -> Revocation | None:
    said = fields.content.get("revoked")
    if said is True:
        return Revocation()
    if said is None or said is False:
        return None
    stated = fields.child("revoked")
    return Revocation(since=reading.optional(stated, "since", parse_day), reason=stated.text("reason", ""))


def _authorities(reading: Reading, spec: Fields) -> tuple[TrustedAuthority, ...]:
    found: dict[str, TrustedAuthority] = {}
    for fields in reading.children(spec, "authorities"):
        subjects = []
        for index, text in enumerate(fields.texts("subjects")):
            with reading.guard((*fields.at("subjects"), index)):
                subjects.append(SubjectPattern.parse(text))
        name, at = fields.text("name"), fields.at("certificateFile")
        with reading.guard(at):
            authority = TrustedAuthority(
                name=name,
                pem=_certificates(reading, fields.text("certificateFile"), at),
                subjects=tuple(subjects),
                revoked=frozenset(map(_serial, fields.texts("revoked"))),
            )
            found.setdefault(name, authority)
    return tuple(found.values())


def _certificates(reading: Reading, name: str, at: Path) -> bytes:
    """The file of an authority's certificates, all of which may issue others."""
    from renderer.formats.trust.x509 import parse_authority  # few policies name authorities

    content = reading.files.content(name, at, _CERTIFICATES_LIMIT)
    if b"PRIVATE KEY-----" in content:
        raise _private_key(name, at, "`-----BEGIN CERTIFICATE-----`", "leave the certificate alone in the file")
    try:
        parse_authority(content)
    except ValueError as error:
        raise FieldError(
            at,
            f"`{name}` does not hold the certificates of an authority: {error}",
            code="not-an-authority",
            expected="PEM certificates with `CA:TRUE`: roots, and intermediates below them",
            hint=f"openssl x509 -noout -text -in {name}",
        ) from error
    return content


def _serial(text: str) -> str:
    """A serial number as certificates are compared: `0x0A:1B` is `a1b`."""
    return text.lower().removeprefix("0x").replace(":", "").lstrip("0") or "0"


def _check_validity(reading: Reading, fields: Fields, valid_from: date | None, valid_to: date | None) -> None:
    if valid_from is not None and valid_to is not None and valid_to < valid_from:
        reading.fault(
            FieldError(
                fields.at("validTo"),
                "the key ends before it begins",
                expected=f"a day from {valid_from} on",
                got=f"`{valid_to}`",
            )
        )


def _public_key(reading: Reading, fields: Fields) -> tuple[bytes, bytes]:
    """The key file, and the bytes between its PEM lines."""
    at, name = fields.at("publicKeyFile"), fields.text("publicKeyFile")
    content = reading.files.content(name, at, _KEY_LIMIT)
    if b"PRIVATE KEY-----" in content:
        hint = "make a new key pair, and put its public key here: openssl pkey -in KEY -pubout"
        raise _private_key(name, at, "`-----BEGIN PUBLIC KEY-----`", hint)
    blocks = _PUBLIC_KEY.findall(content)
    try:
        (block,) = blocks
        return content, base64.b64decode(b"".join(block.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise FieldError(
            at,
            f"`{name}` is no PEM file of one public key",
            code="not-a-public-key",
            expected="one block `-----BEGIN PUBLIC KEY-----`",
            got=f"{len(blocks)} of them" if blocks else None,
            hint=f"openssl pkey -pubin -inform der -in {name}, for a key in DER",
        ) from error


def _private_key(name: str, at: Path, expected: str, hint: str) -> FieldError:
    message = f"`{name}` holds a private key; keep it out of the repository and consider it lost"
    return FieldError(at, message, code="private-key", expected=expected, hint=hint)


def _rules(reading: Reading, spec: Fields) -> tuple[TrustRule, ...]:
    authorities = {fields.text("name") for fields in spec.children("authorities")}
    known = {fields.text("name") for fields in spec.children("keys")} | authorities
    found = []
    for fields in reading.children(spec, "rules"):
        with reading.guard(fields.path):
            require = fields.child("require")
            signers = require.texts("of")
            for index, signer in enumerate(signers):
                if signer not in known:
                    at: Path = (*require.at("of"), index)
                    reading.fault(_unknown_signer(at, signer, known))
            found.append(
                TrustRule(
                    bundles=fields.text("bundles"),
                    threshold=_threshold(require, None if authorities & set(signers) else len(signers)),
                    of=signers,
                    algorithms=_algorithms(fields),
                    max_age_days=_max_age(fields),
                )
            )
    return tuple(found)


def _unknown_signer(at: Path, signer: str, known: set[str]) -> FieldError:
    return FieldError(
        at,
        f"`{signer}` is not the name of a key or authority in this policy",
        code="unknown-signer",
        expected=", ".join(f"`{name}`" for name in sorted(known)),
        got=f"`{signer}`",
    )


def _threshold(require: Fields, signers: int | None) -> int:
    """The threshold, at most `signers`; an authority may certify any number of them (None)."""
    threshold = require.integer("threshold")
    if signers is not None and threshold > signers:
        raise FieldError(
            require.at("threshold"),
            f"a threshold of {threshold} cannot be reached with {signers} signer(s)",
            expected=f"at most {signers}",
            got=f"`{threshold}`",
        )
    return threshold


def _algorithms(fields: Fields) -> frozenset[Algorithm]:
    names = fields.texts("algorithms")
    return frozenset(Algorithm(name) for name in names) if names else frozenset(Algorithm)


def _max_age(fields: Fields) -> int | None:
    if "maxAgeDays" not in fields:
        return None
    days = fields.integer("maxAgeDays")
    if days > _LONGEST_AGE:
        raise FieldError(fields.at("maxAgeDays"), "this is longer than anybody keeps a bundle", expected="days")
    return days
