"""Fields that are new in a chart and hold what another field of their group holds: one more webhook, one more copy."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from renderer.errors import Finding, Where
from renderer.model.fields import Json
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.sealed import CapturedGroup
from renderer.model.generated.values import GeneratedValue
from renderer.structs import Struct


class How(Enum):
    """What makes the value of the one field out of that of the other."""

    SAME = "same"
    ENCODED = "encoded"
    DECODED = "decoded"


class Derived(Struct, frozen=True, kw_only=True):
    """`field` of a group holds what `source` holds, in the same or in another spelling."""

    group: str
    revision: int
    field: str
    source: str
    how: How
    is_public: bool

    def applied(self, value: Json) -> Json:
        """The value of `field`, given that of `source`."""
        return _SPELLINGS[self.how](value) if isinstance(value, str) else value


def derived_from(
    name: str,
    fields: Mapping[str, GeneratedValue],
    fresh: Mapping[str, Hidden],
    known: CapturedGroup,
    profile: str,
) -> tuple[list[Derived], tuple[Finding, ...]]:
    """The fields of today that nothing was captured for, each with the captured field that says what it holds.

    Where there is no such field, the group has to be renewed (`generated-moved`).
    """
    derived, open_ = [], []
    for where in sorted(fields.keys() - known.fields):
        found = _source(where, fields, fresh, known)
        if found is None:
            open_.append(where)
        else:
            source, how = found
            public = fields[where].kind.is_public
            derived.append(
                Derived(group=name, revision=known.revision, field=where, source=source, how=how, is_public=public)
            )
    return derived, tuple([_grown(name, open_, profile)] if open_ else [])


def _source(
    where: str, fields: Mapping[str, GeneratedValue], fresh: Mapping[str, Hidden], known: CapturedGroup
) -> tuple[str, How] | None:
    public = fields[where].kind.is_public
    for source in sorted(known.fields & fields.keys()):
        if (source in known.public) is not public:
            continue
        theirs, mine = fresh[source].reveal(), fresh[where].reveal()
        if theirs == mine:
            return source, How.SAME
        for how in (How.ENCODED, How.DECODED):
            if isinstance(theirs, str) and isinstance(mine, str) and _SPELLINGS[how](theirs) == mine:
                return source, how
    return None


def _grown(name: str, fields: list[str], profile: str) -> Finding:
    return Finding(
        code="generated-moved",
        message=f"the chart invents more for `{name}` than was captured, and nothing captured says what",
        where=Where(subject=f"group {name}"),
        expected="the fields that were captured, or copies of them",
        explanation=tuple(f"new: {where}" for where in fields),
        hint=f"sitewright lock {profile} --rotate {name}",
    )


def unwrapped(text: str) -> str:
    """PEM text, also where it stands in base64; any other text as it is."""
    return _decoded(text) if text.lstrip().startswith("LS0tLS1CRUdJTi") else text


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def _decoded(text: str) -> str:
    """The text in base64; the text itself where it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return text


_SPELLINGS: Final[Mapping[How, Callable[[str], str]]] = {
    How.SAME: str,
    How.ENCODED: _encoded,
    How.DECODED: _decoded,
}
