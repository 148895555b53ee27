"""Which parts of which objects are sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, cast

from renderer.formats.kubernetes.manifests import dump
from renderer.formats.sealed.sops import STANZA
from renderer.model.fields import Json, read_path, spell_path
from renderer.model.generated.lines import split_path
from renderer.model.generated.policy import GeneratedPolicy, Mode, Ruling
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.reference import Digest
from renderer.structs import Struct

_SECRET_PARTS: Final = ("data", "stringData")
_TEXT_PARTS: Final = frozenset({"data", "binaryData"})

Steps = tuple[str | int, ...]


class SealedPart(Struct, frozen=True, kw_only=True):
    """What is sealed of one object: everything below these keys.

    `fields` are all its fields that the mode `sealed` settles, public ones too.
    """

    object: ObjectId
    names: tuple[str, ...]
    fields: tuple[GeneratedValue, ...]

    def contents(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """The sealed parts of the object, with their places kept and their keys sorted."""
        if self.names == _SECRET_PARTS:
            kept = {name: body[name] for name in _SECRET_PARTS if name in body}
        else:
            sections = {section: body.get(section) for section in sorted(_TEXT_PARTS) if section in body}
            kept = {
                section: {key: value for key, value in content.items() if key in self.names}
                for section, content in sections.items()
                if isinstance(content, Mapping)
            }
        return cast("dict[str, Json]", _sorted(kept))

    def fingerprint(self, body: Mapping[str, Json]) -> Digest:
        """The digest of these parts; whoever asks has stand-ins in them for what is secret."""
        content = dump({"names": list(self.names), "content": self.contents(body)})
        return Digest("sha256", hashlib.sha256(content.encode()).hexdigest())

    def clash(self, body: Mapping[str, Json]) -> str | None:
        """Where else in the object a key has one of the names, so that SOPS would take that for sealed too."""
        mine = {path for path, _ in leaves(self.contents(body))}
        for path, _ in leaves(dict(body)):
            if path not in mine and not set(self.names).isdisjoint(path):
                return spell_path(path)
        return None


def sealed_parts(
    rulings: Mapping[GeneratedValue, Ruling], policy: GeneratedPolicy, manifests: Iterable[Manifest]
) -> Mapping[ObjectId, SealedPart]:
    """What is sealed, by object, of a site with these `manifests` whose values are settled by `rulings`.

    A Secret is sealed as a whole, generated or not; where `sealed` is the default mode, also one with nothing generated
    in it, because what charts and profiles put there is as readable in git. Of a ConfigMap the values that hold
    something generated and secret are sealed.
    """
    parts = _generated_parts(rulings)
    if policy.default is not Mode.SEALED or not policy.recipients:
        return parts
    others = {
        manifest.id: SealedPart(object=manifest.id, names=_SECRET_PARTS, fields=())
        for manifest in manifests
        if manifest.id not in parts and _is_filled_secret(manifest)
    }
    return {identity: (parts.get(identity) or others[identity]) for identity in sorted({*parts, *others})}


def _is_filled_secret(manifest: Manifest) -> bool:
    """A Secret with content that nobody has sealed yet."""
    if (manifest.id.group, manifest.id.kind) != ("", "Secret") or STANZA in manifest.body:
        return False
    return any(value not in ("", None) for name in _SECRET_PARTS for _, value in leaves(manifest.body.get(name)))


def _generated_parts(rulings: Mapping[GeneratedValue, Ruling]) -> Mapping[ObjectId, SealedPart]:
    fields: dict[ObjectId, list[GeneratedValue]] = {}
    names: dict[ObjectId, set[str]] = {}
    for value, ruling in rulings.items():
        name = sealed_name(value) if ruling.mode is Mode.SEALED and not value.kind.follows else None
        if name is not None:
            fields.setdefault(value.object, []).append(value)
            names.setdefault(value.object, set()).update({name} if needs_sealing(value) else ())
    return {
        identity: SealedPart(
            object=identity,
            names=_SECRET_PARTS if identity.kind == "Secret" else tuple(sorted(names[identity])),
            fields=tuple(sorted(mine, key=lambda value: value.order)),
        )
        for identity, mine in sorted(fields.items())
        if names[identity]
    }


def needs_sealing(value: GeneratedValue) -> bool:
    """True for what may not stand in a tree in clear: anything in a Secret, and what is not public elsewhere."""
    return value.in_secret or not value.kind.is_public


def sealed_name(value: GeneratedValue) -> str | None:
    """The key below which `value` can be sealed; None where SOPS cannot single it out."""
    steps = read_path(split_path(value.path)[0])
    if value.object.name.endswith("*"):
        return None  # what is sealed is kept under a name that does not follow from its content
    if value.in_secret:
        return str(steps[0])
    in_map = (value.object.group, value.object.kind) == ("", "ConfigMap")
    if in_map and len(steps) == 2 and steps[0] in _TEXT_PARTS and isinstance(steps[1], str):
        return steps[1]
    return None


def leaves(value: Json, path: Steps = ()) -> Iterator[tuple[Steps, Json]]:
    """Every scalar with the steps to it."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves(below, (*path, index))
    else:
        yield path, value


def _sorted(value: Json) -> Json:
    """The value with the keys of all mappings in the order in which they are written."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(below) for below in value] if isinstance(value, list) else value
