"""What `sitewright lock` captured of a site's generated values: all that a render needs of them, and nothing secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final

from renderer.model.fields import Json
from renderer.model.generated.recipient import AgeRecipient
from renderer.model.generated.values import GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest
from renderer.structs import Struct, field

__all__ = ["NOTHING_CAPTURED", "Captured", "CapturedGroup", "SealedObject", "field_name"]


def field_name(value: GeneratedValue) -> str:
    """How a captured field is called: `Secret shop/web data.password`."""
    return f"{value.object} {value.path}"


class CapturedGroup(Struct, frozen=True, kw_only=True):
    """One group of generated values as it was captured. `revision` begins with 1 and grows when it is renewed.

    `captured` is the day (UTC) of this revision. `ends` is the moment at which the first of its certificates ends,
    None without any. `public` maps names of fields (`field_name`) to what stands there; `secret` names the fields
    whose values are sealed.
    """

    name: str
    revision: int
    captured: date
    ends: datetime | None = None
    public: Mapping[str, Json] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()

    @property
    def fields(self) -> frozenset[str]:
        """The names of all fields that it has a value for."""
        return self.secret | self.public.keys()

    @property
    def stand_in(self) -> str:
        """What stands for its secrets wherever they may not: in objects that are still to be sealed, in checksums.

        It changes when the group is renewed, and tells nothing about the secrets.
        """
        return f"<sealed: {self.name}, revision {self.revision}>"


class SealedObject(Struct, frozen=True, kw_only=True):
    """An object whose secret parts are sealed, ready for the tree: ciphertexts and SOPS's stanza.

    `names` are the keys below which everything is sealed (`data`, `stringData`; the keys of a ConfigMap). `values` maps
    paths (`data["tls.key"]`) to ciphertexts. `fingerprint` is over what the chart made of these parts, with stand-ins
    for what it invented: with another one, the ciphertexts belong to something else.
    """

    object: ObjectId
    names: tuple[str, ...]
    fingerprint: Digest
    values: Mapping[str, str]
    stanza: Mapping[str, Json]


class Captured(Struct, frozen=True, kw_only=True):
    """Everything captured for one site, groups by name and objects by identity, and the recipients, sorted."""

    recipients: tuple[AgeRecipient, ...] = ()
    groups: Mapping[str, CapturedGroup] = field(default_factory=dict)
    objects: Mapping[ObjectId, SealedObject] = field(default_factory=dict)

    @classmethod
    def of(
        cls, recipients: Iterable[AgeRecipient], groups: Iterable[CapturedGroup], objects: Iterable[SealedObject]
    ) -> Captured:
        """All of it, sorted."""
        by_name = {group.name: group for group in sorted(groups, key=lambda group: group.name)}
        by_id = {one.object: one for one in sorted(objects, key=lambda one: one.object)}
        return cls(
            recipients=tuple(sorted(recipients)),
            groups=MappingProxyType(by_name),
            objects=MappingProxyType(by_id),
        )


NOTHING_CAPTURED: Final = Captured()
"""Where nothing has been captured yet."""
