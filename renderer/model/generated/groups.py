"""Generated values that belong together: a key and its certificate, an authority and everything that trusts it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.structs import Struct

_HOST_NAME: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,250}[A-Za-z0-9])?\Z")


class CertificateWish(Struct, frozen=True, kw_only=True):
    """What a chart wanted of a certificate, read from the one that it made.

    `name` is unique in the group. `key_usages` and `extended_usages` are spelled as cert-manager spells them (`digital
    signature`, `server auth`). `issuer` is the name of the certificate of the same group that signs this one: its own
    when it signs itself, empty when its authority appears in no object. `algorithm` is `rsa-2048`, `ecdsa-256` or
    `ed25519`; `days` is how long it is valid.
    """

    group: str
    name: str
    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    key_usages: tuple[str, ...] = ()
    extended_usages: tuple[str, ...] = ()
    days: int
    is_ca: bool
    issuer: str
    algorithm: str

    @property
    def order(self) -> tuple[str, str]:
        """The key by which certificates are sorted."""
        return self.group, self.name

    @property
    def host_names(self) -> tuple[str, ...]:
        """Its DNS names, without those that no client can ask for: templates that misspell a format print such."""
        return tuple(name for name in self.dns_names if _HOST_NAME.match(name))

    @property
    def is_self_signed(self) -> bool:
        """True when the certificate signs itself."""
        return self.issuer == self.name


class GeneratedGroup(Struct, frozen=True, kw_only=True):
    """What is settled and renewed together. `name` is unique in a site and the same at every render.

    `members` are sorted; values are equal, or keys and certificates of one another. `certificates` are sorted by name.
    """

    name: str
    component: str
    members: tuple[GeneratedValue, ...]
    certificates: tuple[CertificateWish, ...] = ()

    @property
    def kinds(self) -> tuple[GeneratedKind, ...]:
        """The kinds of its members, each once, in the order of `GeneratedKind`."""
        mine = {member.kind for member in self.members}
        return tuple(kind for kind in GeneratedKind if kind in mine)

    @property
    def is_public(self) -> bool:
        """True when everybody may read all of it."""
        return all(kind.is_public for kind in self.kinds)

    def certificate(self, name: str) -> CertificateWish | None:
        """The certificate of this name, or None."""
        return next((one for one in self.certificates if one.name == name), None)


def groups_of(values: Iterable[GeneratedValue], certificates: Sequence[CertificateWish]) -> tuple[GeneratedGroup, ...]:
    """The groups that `values` name, sorted by name."""
    members: dict[str, list[GeneratedValue]] = {}
    for value in values:
        if value.group:
            members.setdefault(value.group, []).append(value)
    wishes: dict[str, list[CertificateWish]] = {}
    for wish in certificates:
        wishes.setdefault(wish.group, []).append(wish)
    return tuple(
        GeneratedGroup(
            name=name,
            component=min(one.component for one in mine),
            members=tuple(sorted(mine, key=lambda one: one.order)),
            certificates=tuple(sorted(wishes.get(name, ()), key=lambda one: one.order)),
        )
        for name, mine in sorted(members.items())
    )
