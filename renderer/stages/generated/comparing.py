"""Two renders of the same input side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from renderer.model.fields import Json, spell_path
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.rendering import Inflated

Path = tuple[str | int, ...]
_MOST_LINES: Final = 8


def differences(first: Inflated, second: Inflated) -> tuple[GeneratedValue, ...]:
    """The fields in which two renders of the same input differ, sorted.

    Objects are matched by component and identity. One that is in one render only is matched with one of the other
    render that comes from the same template and has the same kind and namespace: then its name is generated.
    """
    alone, others = _unmatched(first, second), _unmatched(second, first)
    known = {_place(manifest): manifest for manifest in second.manifests}
    found: set[GeneratedValue] = set()
    for manifest in first.manifests:
        twin = known.get(_place(manifest))
        if twin is not None and twin.body != manifest.body:
            found.update(_fields(manifest, manifest.body, twin.body, manifest.id))
    for manifest in alone:
        twin = max(
            (other for other in others if _alike(manifest, other)),
            key=lambda other: (len(_shared(manifest.id.name, other.id.name)), other.id.name),
            default=None,
        )
        if twin is None:
            found.add(_value(manifest, manifest.id, (), GeneratedKind.OTHER))
            continue
        others.remove(twin)
        found.update(_named_alike(manifest, twin))
    found.update(_value(manifest, manifest.id, (), GeneratedKind.OTHER) for manifest in others)
    return tuple(sorted(found, key=lambda value: value.order))


def _unmatched(one: Inflated, other: Inflated) -> list[Manifest]:
    known = {_place(manifest) for manifest in other.manifests}
    return [manifest for manifest in one.manifests if _place(manifest) not in known]


def _place(manifest: Manifest) -> tuple[ObjectId, str, str]:
    """The identity within a component: objects may have no namespace of their own yet."""
    return manifest.id, manifest.origin.extension, manifest.origin.component


def _alike(one: Manifest, other: Manifest) -> bool:
    """Whether two objects can be one under two generated names."""
    places = {(m.id.group, m.id.kind, m.id.namespace, m.origin) for m in (one, other)}
    return len(places) == 1 and bool(_shared(one.id.name, other.id.name))


def _shared(one: str, other: str) -> str:
    """What two names share, up to the last separator: by chance, random parts may begin alike."""
    length = next((at for at, (a, b) in enumerate(zip_longest(one, other)) if a != b), len(one))
    return one[: max(one.rfind("-", 0, length), one.rfind(".", 0, length)) + 1]


def _named_alike(one: Manifest, other: Manifest) -> Iterator[GeneratedValue]:
    name = _shared(one.id.name, other.id.name) + "*"
    identity = ObjectId(one.id.group, one.id.kind, one.id.namespace, name)
    yield _value(one, identity, ("metadata", "name"), GeneratedKind.NAME)
    first, second = (_replaced(dict(manifest.body), manifest.id.name, name) for manifest in (one, other))
    yield from _fields(one, first, second, identity)


def _replaced(value: Json, old: str, new: str) -> Json:
    """The value with one text for another in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: _replaced(below, old, new) for key, below in value.items()}
    return [_replaced(below, old, new) for below in value] if isinstance(value, list) else value


def _fields(manifest: Manifest, one: object, other: object, identity: ObjectId) -> Iterator[GeneratedValue]:
    for path, before, after in _parts(one, other, ()):
        kind = _kind(identity, path)
        whole = _value(manifest, identity, path, kind)
        lines = _lines(before, after) if kind is GeneratedKind.OTHER else ()
        yield from (replace(whole, path=f"{whole.path}#{line}") for line in lines)
        if not lines:
            yield whole


def _parts(one: object, other: object, path: Path) -> Iterator[tuple[Path, object, object]]:
    """The smallest parts that differ: where, and what stands there in each; None where nothing does."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            if key in one and key in other:
                yield from _parts(one[key], other[key], (*path, key))
            else:
                yield (*path, key), None, None
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _parts(a, b, (*path, index))
    elif one != other or type(one) is not type(other):
        yield path, one, other


def _lines(one: object, other: object) -> Sequence[int]:
    """The numbers (from 1) of the few lines in which two texts differ; empty when they differ as a whole."""
    if not (isinstance(one, str) and isinstance(other, str) and "\n" in one.strip()):
        return ()
    first, second = one.split("\n"), other.split("\n")
    if len(first) != len(second):
        return ()
    numbers = [number for number, (a, b) in enumerate(zip(first, second, strict=True), start=1) if a != b]
    return numbers if len(numbers) <= _MOST_LINES else ()


def _kind(identity: ObjectId, path: Path) -> GeneratedKind:
    """What a field is for, by where it stands."""
    if path and path[-1] == "caBundle":
        return GeneratedKind.CA_BUNDLE
    if (identity.group, identity.kind) == ("", "Secret") and path[:1] in {("data",), ("stringData",)}:
        return GeneratedKind.SECRET
    key = str(path[-1]).lower() if path else ""
    if len(path) > 1 and path[-2] == "annotations" and ("checksum" in key or "hash" in key):
        return GeneratedKind.CHECKSUM
    return GeneratedKind.OTHER


def _value(manifest: Manifest, identity: ObjectId, path: Path, kind: GeneratedKind) -> GeneratedValue:
    return GeneratedValue(
        component=f"{manifest.origin.extension}/{manifest.origin.component}",
        object=identity,
        path=spell_path(path),
        kind=kind,
        source=manifest.origin.source,
    )
