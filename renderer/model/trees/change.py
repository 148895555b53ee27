"""What review speaks of: changes of objects between two trees, and the risks in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId


class ChangeKind(Enum):
    """What happens to an object."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an object: its path, the value before and after (None: absent)."""

    path: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object that differs between two trees. Waves are directory names; MOVED means that only the wave differs."""

    kind: ChangeKind
    id: ObjectId
    wave_before: str | None = None
    wave_after: str | None = None
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """Something a reviewer must not overlook: a stable code, the object, one sentence."""

    code: str
    id: ObjectId
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One file that differs and is no Kubernetes object: node configuration, a record. Path relative to the site."""

    kind: ChangeKind
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """All that differs between two trees of one site: objects, in order of wave and identity; files; risks."""

    changes: tuple[Change, ...] = ()
    files: tuple[FileChange, ...] = ()
    risks: tuple[Risk, ...] = ()
