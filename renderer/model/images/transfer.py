"""What must lie where in a site registry, and what came of bringing it there or of looking for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from renderer.errors import Finding
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.referrers import PinnedReferrer
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.structs import Struct


class ImageTarget(Struct, frozen=True, kw_only=True):
    """One image as the site must have it.

    `reference` has the tag by which manifests name it, `repository` is its place in the site registry, `digest` the
    index (or the manifest of a single-platform image) that pins it. `platforms` are the manifests that this site
    needs, `referrers` what must speak of them there, each behind what it speaks of. `signers` are the keys of the trust
    policy, by name, whose signatures nodes may demand. With `whole` the registry takes an index only with all of its
    manifests: those of other platforms travel, too, where a bundle carries them.
    """

    reference: ImageReference
    repository: str
    digest: Digest
    platforms: Mapping[Platform, Digest]
    referrers: tuple[PinnedReferrer, ...] = ()
    signers: tuple[str, ...] = ()
    whole: bool = False

    @property
    def tag(self) -> str | None:
        """The tag that must stand for `digest` in the site registry, if any."""
        return self.reference.tag

    @property
    def manifests(self) -> tuple[Digest, ...]:
        """The manifests below the index that this site needs, sorted; none when `digest` is the manifest itself."""
        return tuple(sorted(set(self.platforms.values()) - {self.digest}))

    @property
    def everything(self) -> tuple[Digest, ...]:
        """All manifests that the registry must have, the pinned one first."""
        return (self.digest, *self.manifests, *(one.digest for one in self.referrers))


class StoredManifest(Struct, frozen=True, kw_only=True):
    """A manifest or an index, or a config, byte for byte."""

    descriptor: Descriptor
    content: bytes


class Keeping(Enum):
    """How a site registry keeps what speaks of an image."""

    OWN = "own"
    """As it is: under its tag, or found by the manifest that it refers to."""
    WITHIN = "within"
    """By its digest only: another referrer brings all of it under the same tag."""
    MERGED = "merged"
    """Its layers are among those under its tag; what others have put there stays."""


class StoredReferrer(Struct, frozen=True, kw_only=True):
    """A manifest that speaks of `subject`, and the tag by which cosign looks for it, if any.

    `config` is a blob that it names and no bundle carries, as it was made for this registry.
    """

    manifest: StoredManifest
    subject: Digest
    tag: str | None
    keeping: Keeping = Keeping.OWN
    config: StoredManifest | None = None


class Shipment(Struct, frozen=True, kw_only=True):
    """One image, as the bundle `source` carries it for a target.

    `children` are what travels of the index: manifests of platforms, and attestations of them. `referrers` speak of
    what travels from outside of the index, each behind what it speaks of. `blobs` are the configs and layers of all.
    `absent` are the manifests that the index lists and that do not travel.
    """

    target: ImageTarget
    source: str
    root: StoredManifest
    children: tuple[StoredManifest, ...]
    referrers: tuple[StoredReferrer, ...]
    blobs: tuple[Descriptor, ...]
    absent: frozenset[Digest]


class Delivery(Struct, frozen=True, kw_only=True):
    """One blob, the repositories that need it and lack it, and those that hold it. `source` names its bundle."""

    descriptor: Descriptor
    source: str
    missing: tuple[str, ...]
    held: tuple[str, ...]


class ImageState(Enum):
    """What became of one image in a sync."""

    PRESENT = "present"
    TO_SEND = "to send"
    SENT = "sent"
    FAILED = "failed"


class ImageResult(Struct, frozen=True, kw_only=True):
    """What became of one image, and why when it failed."""

    target: ImageTarget
    state: ImageState
    causes: tuple[Finding, ...] = ()


class Traffic(Struct, frozen=True, kw_only=True):
    """Blobs by what was done for them; `sent_bytes` went over the wire."""

    present: int = 0
    sent: int = 0
    sent_bytes: int = 0
    mounted: int = 0


class Lack(Struct, frozen=True, kw_only=True):
    """One thing that a site registry lacks of an image: what it is, and what was found in its place."""

    what: str
    digest: Digest
    got: str


class Inspection(Struct, frozen=True, kw_only=True):
    """What a site registry holds of one image. `blobs` are the manifests, configs and layers found whole, by size."""

    target: ImageTarget
    blobs: Mapping[Digest, int]
    lacks: tuple[Lack, ...]

    @property
    def complete(self) -> bool:
        """True when nothing is missing."""
        return not self.lacks
