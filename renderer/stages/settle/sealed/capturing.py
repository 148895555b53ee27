"""What `sitewright lock` captures: which groups are new, kept, renewed, moved or gone. Nothing is sealed here.

A group that was captured is never asked anew: its values stay as they are, whatever the chart makes of them today,
until somebody has it renewed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime

from renderer.errors import Finding
from renderer.formats.certificates import read_pem
from renderer.formats.sealed.generated_values import Secret
from renderer.model.fields import Json
from renderer.model.generated.discovered import Discovered
from renderer.model.generated.hidden import Hidden
from renderer.model.generated.policy import Mode, Ruling
from renderer.model.generated.sealed import NOTHING_CAPTURED, Captured, CapturedGroup, field_name
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.stages.settle.open_fields import open_fields_finding
from renderer.stages.settle.sealed.changes import gone_or_moved, reshaped
from renderer.stages.settle.sealed.derived import Derived, derived_from, unwrapped
from renderer.structs import Struct, field


class Wish(Struct, frozen=True, kw_only=True):
    """What was captured before, and what a person asks of `sitewright lock` beside the lock itself.

    `renew` are names of groups; `moves` maps names of groups that are gone to those that take their values. `today` is
    the day (UTC) on which values are captured.
    """

    today: date
    before: Captured = NOTHING_CAPTURED
    renew: frozenset[str] = frozenset()
    moves: Mapping[str, str] = field(default_factory=dict)


class Capture(Struct, frozen=True, kw_only=True):
    """The groups as they will be, and where the values of their secrets come from.

    `fresh` are secrets captured now. `derived` are fields of kept groups that are new in the chart and hold what
    another field of the group holds. `moves` is that of the wish. `renewed` and `added` name groups, `gone` those whose
    values go, because no chart makes them any more. `changes` is true when the groups are not those that were captured
    before. `findings` say what a person has to decide or should know.
    """

    groups: Mapping[str, CapturedGroup]
    fresh: tuple[Secret, ...] = ()
    derived: tuple[Derived, ...] = ()
    moves: Mapping[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    changes: bool = False
    findings: tuple[Finding, ...] = ()


def capture(discovered: Discovered, rulings: Mapping[GeneratedValue, Ruling], wish: Wish, profile: str) -> Capture:
    """What becomes of every group that the mode `sealed` settles. `profile` is named in hints.

    Findings: `generated-moved` (an error: the values of a group would be lost), `generated-gone` (a warning),
    `generated-value` (an error: what was invented is no text).
    """
    sealed = _sealed(discovered, rulings)
    before, members = wish.before, _members(value for value in sealed if _fits_a_line(discovered, value))
    moved = {new: before.groups[old] for old, new in wish.moves.items() if old in before.groups and new in members}
    decided = {*wish.renew, *wish.moves, *wish.moves.values()}
    elsewhere = {value.group for value in discovered.values if value.group not in members}
    lost, findings = gone_or_moved(before, members, decided | elsewhere, profile)
    findings += _unfit(value for value in sealed if not _fits_a_line(discovered, value))
    taking = _Taking(discovered, wish.today)
    for name, mine in members.items():
        known = before.groups.get(name) or moved.get(name)
        if known is None or name in wish.renew:
            taking.anew(name, mine, known)
        else:
            findings += taking.keep(name, mine, known, profile)
    return Capture(
        groups=taking.groups,
        fresh=tuple(taking.fresh),
        derived=tuple(taking.derived),
        moves={old.name: new for new, old in moved.items() if new not in wish.renew},
        added=tuple(name for name in members if name not in before.groups and name not in moved),
        renewed=tuple(name for name in members if name in wish.renew and name in before.groups),
        gone=tuple(name for name in lost if name not in wish.moves and name not in elsewhere),
        changes=taking.groups != dict(before.groups),
        findings=tuple(findings),
    )


def _sealed(discovered: Discovered, rulings: Mapping[GeneratedValue, Ruling]) -> tuple[GeneratedValue, ...]:
    """The values that the mode `sealed` settles."""
    return tuple(
        value
        for value in discovered.values
        if value in discovered.captured and value.group and rulings[value].mode is Mode.SEALED
    )


def _fits_a_line(discovered: Discovered, value: GeneratedValue) -> bool:
    """True for text, numbers and booleans: what SOPS seals, and what the file of captured values holds."""
    return isinstance(discovered.captured[value].reveal(), str | int | float)


def _unfit(values: Iterable[GeneratedValue]) -> list[Finding]:
    """Fields that are in some renders only, or lists and mappings that are of another size each time."""
    by_object: dict[tuple[str, ObjectId], list[GeneratedValue]] = {}
    for value in values:
        by_object.setdefault((value.component, value.object), []).append(value)
    return [open_fields_finding(mine) for _, mine in sorted(by_object.items())]


def _members(values: Iterable[GeneratedValue]) -> Mapping[str, tuple[GeneratedValue, ...]]:
    """The values of every group that is captured, by name."""
    found: dict[str, list[GeneratedValue]] = {}
    for value in values:
        found.setdefault(value.group, []).append(value)
    return {name: tuple(mine) for name, mine in sorted(found.items())}


class _Taking:
    """Gathers groups and secrets, group by group."""

    def __init__(self, discovered: Discovered, today: date) -> None:
        self.groups: dict[str, CapturedGroup] = {}
        self.fresh: list[Secret] = []
        self.derived: list[Derived] = []
        self._discovered = discovered
        self._today = today

    def anew(self, name: str, members: Sequence[GeneratedValue], known: CapturedGroup | None) -> None:
        """Take the values of this render."""
        revision = known.revision + 1 if known else 1
        public: dict[str, Json] = {}
        secret: list[tuple[Hidden, str]] = []
        for value in members:
            content = self._discovered.captured[value]
            if value.kind.is_public:
                public[field_name(value)] = content.reveal()
            else:
                secret.append((content, field_name(value)))
        self.groups[name] = CapturedGroup(
            name=name,
            revision=revision,
            captured=self._today,
            ends=first_end(public.values()),
            public=public,
            secret=frozenset(where for _, where in secret),
        )
        for content, fields in _each_once(secret):
            self.fresh.append(Secret(group=name, revision=revision, fields=fields, value=content))

    def keep(
        self, name: str, members: Sequence[GeneratedValue], known: CapturedGroup, profile: str
    ) -> tuple[Finding, ...]:
        """Keep what was captured, for the fields that there are today."""
        fields = {field_name(value): value for value in members}
        known = known if known.name == name else reshaped(known, name, fields)
        fresh = {where: self._discovered.captured[value] for where, value in fields.items()}
        public = {where: content for where, content in known.public.items() if where in fields}
        secret = {where for where in known.secret if where in fields}
        derived, findings = derived_from(name, fields, fresh, known, profile)
        for one in derived:
            if one.is_public:
                public[one.field] = one.applied(known.public[one.source])
            else:
                secret.add(one.field)
        self.derived.extend(one for one in derived if not one.is_public)
        self.groups[name] = CapturedGroup(
            name=name,
            revision=known.revision,
            captured=known.captured,
            ends=known.ends,
            public=public,
            secret=frozenset(secret),
        )
        return findings


def _each_once(secrets: Iterable[tuple[Hidden, str]]) -> list[tuple[Hidden, tuple[str, ...]]]:
    """Equal secrets once, with all the fields that they stand in."""
    found: list[tuple[Hidden, list[str]]] = []
    for content, where in secrets:
        same = next((fields for one, fields in found if one == content), None)
        if same is None:
            found.append((content, [where]))
        else:
            same.append(where)
    return [(content, tuple(sorted(fields))) for content, fields in found]


def first_end(values: Collection[Json]) -> datetime | None:
    """The moment at which the first certificate among `values` ends; None when there is none."""
    ends = [
        one.not_after for value in values if isinstance(value, str) for one in read_pem(unwrapped(value)).certificates
    ]
    return min(ends, default=None)
