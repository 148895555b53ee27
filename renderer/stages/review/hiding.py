"""What a diff shows of secrets: that they differ, and nothing of them; and of certificates, what people ask for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final

from renderer.formats.certificates import read_pem
from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest
from renderer.model.trees.change import FieldChange
from renderer.structs import replace

_LAST_APPLIED: Final = 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]'
_IN_SECRETS: Final = ("data", "stringData", _LAST_APPLIED, "metadata.annotations")
_STANZA: Final = "sops"
_CIPHERTEXT: Final = "ENC["
_ANEW: Final = "(sealed anew)"
_CERTIFICATE: Final = ("-----BEGIN CERTIFICATE", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS")


def without_secrets(identity: ObjectId, fields: Sequence[FieldChange], *, sealed: bool) -> tuple[FieldChange, ...]:
    """The changes of one object's fields as they may be shown.

    `sealed` objects (SOPS) lose their stanza, which changes with every sealing, unless it is all that differs.
    """
    if (identity.group, identity.kind) == ("", "Secret"):
        fields = [_hidden(change) for change in fields]
    if not sealed:
        return tuple(map(_readable, fields))
    told = tuple(_sealed(change) for change in fields if change.path.partition(".")[0] != _STANZA)
    if fields and not told:
        return (FieldChange(path=_STANZA, before="(sealed)", after=_ANEW),)
    return told


def _hidden(change: FieldChange) -> FieldChange:
    """A field of a Secret without what it holds."""
    if change.path.startswith(_IN_SECRETS):
        return replace(change, before=_mask(change.before), after=_mask(change.after))
    return change


def _mask(value: Json) -> Json:
    if isinstance(value, dict):
        return dict.fromkeys(value, "(hidden)")
    return None if value is None else "(hidden)"


def _sealed(change: FieldChange) -> FieldChange:
    """Ciphertexts say nothing to anybody."""
    before, after = (
        "(sealed)" if isinstance(value, str) and value.startswith(_CIPHERTEXT) else value
        for value in (change.before, change.after)
    )
    return _readable(replace(change, before=before, after=_ANEW if before == after else after))


def _readable(change: FieldChange) -> FieldChange:
    """Certificates by their names and days instead of as base64."""
    before, after = _described(change.before), _described(change.after)
    return change if before == after else replace(change, before=before, after=after)


def _described(value: Json) -> Json:
    if not isinstance(value, str) or not value.lstrip().startswith(_CERTIFICATE):
        return value
    try:
        text = value if "-----" in value else base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value
    found = read_pem(text).certificates
    told = [
        f"certificate of {one.common_name or ', '.join(one.dns_names)}, valid {one.not_before:%Y-%m-%d} "
        f"to {one.not_after:%Y-%m-%d}, {Digest.of(one.der).hex[:12]}"
        for one in found
    ]
    return "; ".join(told) or value
