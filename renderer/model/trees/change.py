"""What review speaks of: changes of objects between two trees, and the risks in them."""

from __future__ import annotations

from enum import Enum

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId
from renderer.structs import Struct


class ChangeKind(Enum):
    """What happens to an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


class FieldChange(Struct, frozen=True, kw_only=True):
    """One field of an object: its path, the value before and after (None: absent)."""

    path: str
    before: Json
    after: Json


class Change(Struct, frozen=True, kw_only=True):
    """One object that differs between two trees. Waves are directory names; MOVED means that only the wave differs."""

    kind: ChangeKind
    id: ObjectId
    wave_before: str | None = None
    wave_after: str | None = None
    fields: tuple[FieldChange, ...] = ()


class Risk(Struct, frozen=True, kw_only=True):
    """Something a reviewer must not overlook: a stable code, the object, one sentence."""

    code: str
    id: ObjectId
    message: str


class FileChange(Struct, frozen=True, kw_only=True):
    """One file that differs and is no Kubernetes object: node configuration, a record. Path relative to the site."""

    kind: ChangeKind
    path: str


class Renewal(Struct, frozen=True, kw_only=True):
    """A group of generated values that was renewed. `ends` is when the first of its certificates ends (RFC 3339).

    `certificates` are common names, `restart` the workloads that start again by themselves, `stay` those that need
    the group and do not.
    """

    group: str
    kinds: tuple[str, ...]
    certificates: tuple[str, ...] = ()
    ends: str | None = None
    restart: tuple[str, ...] = ()
    stay: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`certificate of web renewed (shop/web-tls), valid to 2027-11-22; pods of Deployment shop/web restart`."""
        of = f" of {', '.join(self.certificates)}" if self.certificates else ""
        what = "certificate" if self.certificates else self.kinds[0].replace("-", " ") if self.kinds else "value"
        until = f", valid to {self.ends[:10]}" if self.ends else ""
        restart = f"; pods of {', '.join(self.restart)} restart" if self.restart else ""
        stay = f"; pods of {', '.join(self.stay)} must be restarted by hand" if self.stay else ""
        return f"{what}{of} renewed ({self.group}){until}{restart}{stay}"


class Review(Struct, frozen=True, kw_only=True):
    """All that differs between two trees of one site: objects, in order of wave and identity; files; risks.

    `renewals` say in one sentence each what many of the changes come from.
    """

    changes: tuple[Change, ...] = ()
    files: tuple[FileChange, ...] = ()
    risks: tuple[Risk, ...] = ()
    renewals: tuple[Renewal, ...] = ()
