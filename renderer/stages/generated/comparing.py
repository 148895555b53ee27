"""Two renders of the same input side by side: where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final, cast

from renderer.model.fields import Json, spell_path
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.lines import line_key, renamed, spell_line, split_line
from renderer.model.generated.values import GeneratedKind
from renderer.model.objects.manifest import Manifest, ObjectId

Path = tuple[str | int, ...]
_MOST_LINES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not the same in two renders, or one line of it (`line` counts from 1, 0 is the whole field).

    `manifest` is the object in the first render; in the second it may have another name, and then `object` has the
    part that both share, followed by `*`. `certain` is the kind where the place alone decides it.
    """

    manifest: Manifest = field(repr=False)
    object: ObjectId
    path: Path
    line: int = 0
    key: str = ""
    before: Hidden
    after: Hidden
    certain: GeneratedKind | None = None

    @property
    def component(self) -> str:
        """`extension/component`."""
        return f"{self.manifest.origin.extension}/{self.manifest.origin.component}"

    @property
    def spelled(self) -> str:
        """The path as in findings and in the lock."""
        field_path = spell_path(self.path)
        return spell_line(field_path, self.line, whole=not self.key) if self.line else field_path


def differences(first: Iterable[Manifest], second: Iterable[Manifest]) -> tuple[Difference, ...]:
    """The fields in which two renders of the same input differ, in the order of component, object and field.

    Objects are matched by component and identity. One that is in one render only is matched with one of the other
    render that comes from the same template and has the same kind and namespace: then its name is generated.
    """
    ones, twos = tuple(first), tuple(second)
    alone, others = _unmatched(ones, twos), _unmatched(twos, ones)
    known = {_place(manifest): manifest for manifest in twos}
    found: dict[tuple[str, ObjectId, str], Difference] = {}
    for difference in _all(ones, known, alone, others):
        found.setdefault((difference.component, difference.object, difference.spelled), difference)
    return tuple(difference for _, difference in sorted(found.items(), key=lambda item: item[0]))


def _all(
    first: Iterable[Manifest],
    known: Mapping[tuple[ObjectId, str, str], Manifest],
    alone: Iterable[Manifest],
    others: list[Manifest],
) -> Iterator[Difference]:
    for manifest in first:
        twin = known.get(_place(manifest))
        if twin is not None and twin.body != manifest.body:
            yield from _fields(manifest, manifest.body, twin.body, manifest.id)
    for manifest in alone:
        twin = max(
            (other for other in others if _alike(manifest, other)),
            key=lambda other: (len(_shared(manifest.id.name, other.id.name)), other.id.name),
            default=None,
        )
        if twin is None:
            yield _coming_and_going(manifest)
            continue
        others.remove(twin)
        yield from _named_alike(manifest, twin)
    yield from map(_coming_and_going, others)


def _unmatched(one: Iterable[Manifest], other: Iterable[Manifest]) -> list[Manifest]:
    known = {_place(manifest) for manifest in other}
    return [manifest for manifest in one if _place(manifest) not in known]


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


def _coming_and_going(manifest: Manifest) -> Difference:
    nothing = Hidden(None)
    return Difference(
        manifest=manifest, object=manifest.id, path=(), before=nothing, after=nothing, certain=GeneratedKind.OTHER
    )


def _named_alike(one: Manifest, other: Manifest) -> Iterator[Difference]:
    name = _shared(one.id.name, other.id.name) + "*"
    identity = ObjectId(one.id.group, one.id.kind, one.id.namespace, name)
    yield Difference(
        manifest=one,
        object=identity,
        path=("metadata", "name"),
        before=Hidden(one.id.name),
        after=Hidden(other.id.name),
        certain=GeneratedKind.NAME,
    )
    first, second = (renamed(dict(manifest.body), manifest.id.name, name) for manifest in (one, other))
    yield from _fields(one, first, second, identity)


def _fields(manifest: Manifest, one: object, other: object, identity: ObjectId) -> Iterator[Difference]:
    in_secret = (identity.group, identity.kind) == ("", "Secret")
    for path, before, after in _parts(one, other, ()):
        # A Secret is settled whole, so that lines of its texts tell nothing more.
        lines = () if in_secret else _lines(before, after)
        if not lines:
            yield Difference(manifest=manifest, object=identity, path=path, before=Hidden(before), after=Hidden(after))
        for number, a, b in lines:
            values = Hidden(split_line(a)[1]), Hidden(split_line(b)[1])
            yield Difference(
                manifest=manifest,
                object=identity,
                path=path,
                line=number,
                key=line_key(a),
                before=values[0],
                after=values[1],
            )


def _parts(one: object, other: object, path: Path) -> Iterator[tuple[Path, Json, Json]]:
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
        yield path, cast("Json", one), cast("Json", other)


def _lines(one: object, other: object) -> Sequence[tuple[int, str, str]]:
    """The few lines in which two texts differ, numbered from 1; none when the texts differ as a whole.

    Each has the same key in both, so that what stands behind it can be replaced without looking at it.
    """
    if not (isinstance(one, str) and isinstance(other, str) and "\n" in one.strip()):
        return ()
    first, second = one.split("\n"), other.split("\n")
    if len(first) != len(second):
        return ()
    found = [(at, a, b) for at, (a, b) in enumerate(zip(first, second, strict=True), start=1) if a != b]
    inside_pem = _pem_lines(first) if "-----BEGIN " in one else frozenset()
    usable = all(split_line(a)[0] == split_line(b)[0] and at not in inside_pem for at, a, b in found)
    return found if usable and len(found) <= _MOST_LINES else ()


def _pem_lines(lines: Sequence[str]) -> frozenset[int]:
    """The numbers (from 1) of lines that belong to PEM: a certificate is one value and not many lines."""
    found = set()
    inside = False
    for number, line in enumerate(lines, start=1):
        inside = inside or "-----BEGIN " in line
        if inside:
            found.add(number)
        inside = inside and "-----END " not in line
    return frozenset(found)
