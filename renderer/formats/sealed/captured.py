"""The clear parts of a file of captured values: groups and objects, to plain values and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from renderer.formats.bundle.document import only
from renderer.formats.documents.calendar_days import parse_day
from renderer.formats.object_identity import read_object, written_object
from renderer.formats.sealed.sops_values import is_sealed
from renderer.model.fields import FieldError, Fields, Json, read_path
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.generated.sealed import Captured, CapturedGroup, SealedObject
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest

__all__ = ["captured_json", "read_captured"]

_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z", re.ASCII)


def captured_json(captured: Captured) -> dict[str, Json]:
    """The fields `recipients`, `groups` and `objects`."""
    return {
        "recipients": [str(one) for one in captured.recipients],
        "groups": {name: _group_json(group) for name, group in captured.groups.items()},
        "objects": [_sealed_json(one) for one in captured.objects.values()],
    }


def _group_json(group: CapturedGroup) -> Json:
    told: dict[str, Json] = {"revision": group.revision, "captured": group.captured.isoformat()}
    if group.ends is not None:
        told["ends"] = group.ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if group.public:
        told["public"] = _by_value(group.public)
    if group.secret:
        told["secret"] = cast("Json", sorted(group.secret))
    return told


def _by_value(public: Mapping[str, Json]) -> Json:
    """Each value once, with all the fields that it stands in."""
    fields: dict[tuple[str, str], list[str]] = {}
    values: dict[tuple[str, str], Json] = {}
    for name, value in sorted(public.items()):
        key = (type(value).__name__, repr(value))
        fields.setdefault(key, []).append(name)
        values[key] = value
    return [{"fields": cast("Json", names), "value": values[key]} for key, names in fields.items()]


def _sealed_json(one: SealedObject) -> Json:
    return {
        "object": cast("Json", written_object(one.object)),
        "names": list(one.names),
        "fingerprint": str(one.fingerprint),
        "values": dict(one.values),
        "stanza": dict(one.stanza),
    }


def read_captured(spec: Fields) -> Captured:
    """What `captured_json` wrote. Raises FieldError."""
    recipients = [
        Fields.parse(text, AgeRecipient.parse, (*spec.at("recipients"), index))
        for index, text in enumerate(spec.texts("recipients"))
    ]
    groups = spec.child("groups")
    return Captured.of(
        recipients,
        [_read_group(name, groups.child(name)) for name in groups.content],
        _each_once(spec.children("objects")),
    )


def _read_group(name: str, fields: Fields) -> CapturedGroup:
    only(fields, "revision captured ends public secret")
    revision = fields.integer("revision")
    if revision < 1:
        raise FieldError(fields.at("revision"), "revisions begin with 1", got=f"`{revision}`")
    public: dict[str, Json] = {}
    for entry in fields.children("public"):
        only(entry, "fields value")
        value = entry.content.get("value")
        if not isinstance(value, str | int | float):
            raise FieldError(entry.at("value"), "a public value is text, a number or a boolean")
        public |= dict.fromkeys(entry.texts("fields"), value)
    return CapturedGroup(
        name=name,
        revision=revision,
        captured=fields.parsed("captured", parse_day),
        ends=fields.optional("ends", _moment),
        public=public,
        secret=frozenset(fields.texts("secret")),
    )


def _moment(text: str) -> datetime:
    if _MOMENT.match(text) is None:
        raise ValueError(f"`{text}` is not a moment such as `2026-01-31T12:00:00Z`")
    return datetime.fromisoformat(text)


def _each_once(entries: Iterable[Fields]) -> list[SealedObject]:
    found: dict[ObjectId, SealedObject] = {}
    for entry in entries:
        one = _read_sealed(entry)
        if one.object in found:
            raise FieldError(entry.at("object"), f"`{one.object}` is in the file twice", code="duplicate-object")
        found[one.object] = one
    return list(found.values())


def _read_sealed(fields: Fields) -> SealedObject:
    only(fields, "object names fingerprint values stanza")
    values = fields.text_map("values")
    for path, text in values.items():
        at = (*fields.at("values"), path)
        Fields.parse(path, read_path, at)
        if text and not is_sealed(text):
            # never shown: what stands here by mistake may be the secret
            raise FieldError(at, "this must be a ciphertext of SOPS", code="secret-in-clear", expected="`ENC[…]`")
    return SealedObject(
        object=read_object(fields.child("object")),
        names=fields.texts("names"),
        fingerprint=fields.parsed("fingerprint", Digest.parse),
        values=values,
        stanza=fields.mapping("stanza"),
    )
