"""How a profile settles what charts invent: `spec.generated`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from renderer.model.fields import Json
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.generated.values import GeneratedValue
from renderer.structs import Struct


class Mode(Enum):
    """Where settled values come from, and who makes them."""

    SEALED = "sealed"
    CERT_MANAGER = "cert-manager"
    IN_CLUSTER = "in-cluster"
    EXTERNAL = "external"


class GeneratedRule(Struct, frozen=True, kw_only=True):
    """One item of `spec.generated.rules`: which values it speaks of, and how they are settled.

    What is None selects everything; at least one selector is given. `object` is a glob over `Kind namespace/name`,
    `field` a glob over the field path, `group` one over the name of the group; each may also be written out, brackets
    and all. A rule has either a `mode`, or (when `mode` is None) the public `value` to use.
    """

    extension: str | None = None
    group: str | None = None
    object: str | None = None
    field: str | None = None
    mode: Mode | None = None
    value: Json = None
    reason: str

    def matches(self, value: GeneratedValue) -> bool:
        """True when this rule speaks of `value`."""
        pairs = (
            (value.extension, self.extension),
            (value.group, self.group),
            (str(value.object), self.object),
            (value.path, self.field),
        )
        return all(glob is None or text == glob or fnmatch.fnmatchcase(text, glob) for text, glob in pairs)


class Ruling(Struct, frozen=True, kw_only=True):
    """How one value is settled. `mode` is None for a public value, which `rule` holds.

    `rule` is the rule that decides, None when the default does, and `number` its place in the profile (from 0).
    `direct` says that this rule names the object of the value itself, and not only another member of its group.
    """

    mode: Mode | None
    rule: GeneratedRule | None = None
    number: int | None = None
    direct: bool = False


EXPIRING_DAYS: Final = 30


class GeneratedPolicy(Struct, frozen=True, kw_only=True):
    """`spec.generated`: the mode where no rule says another, what modes need, and the rules in their order.

    `recipients` can open what is sealed; `expiring` is in days; `image` is what in-cluster Jobs run.
    """

    default: Mode = Mode.SEALED
    recipients: tuple[AgeRecipient, ...] = ()
    expiring: int = EXPIRING_DAYS
    image: str | None = None
    rules: tuple[GeneratedRule, ...] = ()

    def rulings(self, values: Iterable[GeneratedValue]) -> Mapping[GeneratedValue, Ruling]:
        """How each of `values` is settled.

        The first rule that matches a value decides. A mode is decided for a whole group, because its values fit each
        other only together: by the first such rule among those of its members. What follows from content (names,
        checksums) takes a value only, since no mode makes it.
        """
        everything = tuple(values)
        first = {value: self._first(value) for value in everything}
        groups: dict[str, int] = {}
        for value, number in first.items():
            if number is not None and self.rules[number].mode is not None and value.group:
                groups[value.group] = min(number, groups.get(value.group, number))
        return {value: self._ruling(value, first[value], groups.get(value.group)) for value in everything}

    def _first(self, value: GeneratedValue) -> int | None:
        return next(
            (
                number
                for number, rule in enumerate(self.rules)
                if rule.matches(value) and not (value.kind.follows and rule.mode is not None)
            ),
            None,
        )

    def _ruling(self, value: GeneratedValue, mine: int | None, group: int | None) -> Ruling:
        if mine is not None and self.rules[mine].mode is None:
            return Ruling(mode=None, rule=self.rules[mine], number=mine, direct=True)
        number = group if group is not None else mine
        if number is None:
            return Ruling(mode=self.default)
        rule = self.rules[number]
        return Ruling(mode=rule.mode, rule=rule, number=number, direct=rule.object is not None and rule.matches(value))
