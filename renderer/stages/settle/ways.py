"""What a way of settling gets and gives: the same for all four, so that none knows another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol

from renderer.errors import Finding
from renderer.model.fields import Json
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Ruling
from renderer.model.generated.sealed import NOTHING_CAPTURED, Captured
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest
from renderer.model.rendering import ExternalObject
from renderer.structs import Struct

PLACEHOLDER: Final = "<generated>"
"""What stands where a chart invented a value, until something else is put there."""


class Settled(Struct, frozen=True, kw_only=True):
    """What stays in the tree, what stays out of it, and what nobody has settled (errors)."""

    manifests: tuple[Manifest, ...]
    external: tuple[ExternalObject, ...]
    findings: tuple[Finding, ...]


class Place(Enum):
    """Where an object ends up. REPLACED: other objects of the tree make it (a Certificate makes its Secret)."""

    TREE = "tree"
    EXTERNAL = "external"
    REPLACED = "replaced"


class Draft(Struct, frozen=True):
    """An object on its way, its generated fields (in path order), and where it will be.

    Its generated fields hold `PLACEHOLDER` from the start, or what a rule of the profile gives them: what a chart
    invented is never at hand in here.

    `summed` is what checksums and content hashes take for the object instead of its body: with something that stands
    for a secret (the revision of its group), never with the secret or its ciphertext. None: the body itself.
    """

    manifest: Manifest
    fields: tuple[GeneratedValue, ...]
    place: Place = Place.TREE
    summed: Mapping[str, Json] | None = None

    @property
    def content(self) -> Mapping[str, Json]:
        """What checksums and content hashes are made of."""
        return self.manifest.body if self.summed is None else self.summed

    @property
    def invents_name(self) -> bool:
        """True when the object's name is among its generated fields."""
        return any(value.kind is GeneratedKind.NAME for value in self.fields)


class Item(Struct, frozen=True):
    """One object, and those of its fields that one mode settles, with the rulings that say so."""

    draft: Draft
    fields: tuple[tuple[GeneratedValue, Ruling], ...]


class Task(Struct, frozen=True, kw_only=True):
    """Everything that one mode has to settle in a site, in the order of the objects.

    `groups` are those with a member in this mode, by name; `manifests` are all objects of the site, without any
    invented value in them. `captured` is what the lock captured for the site.
    """

    items: tuple[Item, ...]
    groups: Mapping[str, GeneratedGroup]
    policy: GeneratedPolicy
    manifests: Sequence[Manifest]
    captured: Captured = NOTHING_CAPTURED


class Answer(Struct, frozen=True, kw_only=True):
    """One draft for every item of the task, in the same order, and the objects that come in addition.

    `findings` are what only the objects tell, and `Way.lacking` cannot know.
    """

    drafts: tuple[Draft, ...]
    added: tuple[Manifest, ...] = ()
    findings: tuple[Finding, ...] = ()


class Way(Protocol):
    """The module of a mode."""

    def settled(self, task: Task) -> Answer:
        """Settle the fields of every item. Raises nothing: what cannot be settled holds a placeholder."""
        ...

    def lacking(
        self,
        fields: Iterable[tuple[GeneratedValue, Ruling]],
        groups: Mapping[str, GeneratedGroup],
        policy: GeneratedPolicy,
    ) -> tuple[Finding, ...]:
        """What keeps this mode from settling `fields` (of the whole site), from the lock and the profile alone."""
        ...
