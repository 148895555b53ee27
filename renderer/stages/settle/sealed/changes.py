"""Captured groups that no chart makes any more, and groups that look like them under another name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from renderer.errors import Finding, Severity, Where
from renderer.model.generated.sealed import Captured, CapturedGroup, field_name
from renderer.model.generated.values import GeneratedValue
from renderer.structs import replace

Shape = tuple[tuple[str, str], ...]
"""Kind of object and path of every field: what is left of a group when objects get other names."""


def gone_or_moved(
    before: Captured, members: Mapping[str, Sequence[GeneratedValue]], decided: Collection[str], profile: str
) -> tuple[list[str], list[Finding]]:
    """The captured groups that are not among `members`, and what is to be said about them.

    `decided` are names of groups, old and new, that somebody has decided about. `generated-moved` (an error) for one
    that a new group looks like: somebody has to say whether it is the same one. `generated-gone` (a warning) for any
    other.
    """
    lost = [name for name in before.groups if name not in members]
    new = [name for name in members if name not in before.groups and name not in decided]
    findings = []
    for name in lost:
        if name in decided:
            continue
        heir = next((one for one in new if _alike(before.groups[name], name, one, members[one])), None)
        if heir is None:
            findings.append(_gone(name, before.groups[name]))
        else:
            new.remove(heir)
            findings.append(_moved(name, heir, profile))
    return lost, findings


def reshaped(group: CapturedGroup, name: str, fields: Collection[str]) -> CapturedGroup:
    """What was captured for a group, under the name and with the fields of the one that takes it over."""
    by_shape = {_place(where): where for where in fields}
    return replace(
        group,
        name=name,
        public={by_shape.get(_place(where), where): value for where, value in group.public.items()},
        secret=frozenset(by_shape.get(_place(where), where) for where in group.secret),
    )


def renamed_fields(fields: Collection[str], group: CapturedGroup) -> tuple[str, ...]:
    """The fields of a secret under the names that they have in the group that takes it over."""
    by_shape = {_place(where): where for where in group.secret}
    return tuple(sorted(by_shape[_place(where)] for where in fields if _place(where) in by_shape))


def _alike(old: CapturedGroup, name: str, heir: str, members: Sequence[GeneratedValue]) -> bool:
    """The same component, and the same fields of the same kinds of objects."""
    same_component = name.partition("/")[0] == heir.partition("/")[0]
    return same_component and _shape(old.fields) == _shape([field_name(value) for value in members])


def _shape(fields: Collection[str]) -> Shape:
    return tuple(sorted(map(_place, fields)))


def _place(where: str) -> tuple[str, str]:
    """`Secret shop/web data.password` without the name of the object."""
    kind, _, rest = where.partition(" ")
    return kind, rest.partition(" ")[2]


def _gone(name: str, group: CapturedGroup) -> Finding:
    return Finding(
        code="generated-gone",
        message=f"no chart makes `{name}` any more; what was captured of it is removed",
        where=Where(subject=f"group {name}"),
        severity=Severity.WARNING,
        explanation=tuple(f"captured on {group.captured}: {where}" for where in sorted(group.fields)),
        hint="if it is needed still, take the file of captured values back from git and keep the old version",
    )


def _moved(name: str, heir: str, profile: str) -> Finding:
    return Finding(
        code="generated-moved",
        message=f"no chart makes `{name}` any more, and `{heir}` looks like it under another name",
        where=Where(subject=f"group {name}"),
        expected="a decision: the value stays, or a new one is made",
        explanation=(f"a new value instead: sitewright lock {profile} --rotate {heir}",),
        hint=f"sitewright lock {profile} --move {name}={heir}",
    )
