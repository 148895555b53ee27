"""Deltas: what a newer bundle has and its base lacks, so that only that must be carried."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from renderer.model.bundles.extension import Descriptor, extension_name
from renderer.model.reference import Digest
from renderer.model.version import Version
from renderer.structs import Struct


class BaseKind(Enum):
    """What a delta is counted from: another edition of a bundle, or what a site proved that its registry holds."""

    BUNDLE = "bundle"
    RECEIPT = "receipt"


class DeltaBase(Struct, frozen=True, kw_only=True):
    """The one thing that a delta can be applied to.

    `digest` is that of the bundle's manifest, or of the lock that a receipt speaks of; `name` that of the bundle or
    of the site. `told` describes it to people: a version, or the day of the receipt.
    """

    kind: BaseKind
    name: str
    digest: Digest
    told: str

    def __str__(self) -> str:
        if self.kind is BaseKind.BUNDLE:
            return f"bundle {self.name} {self.told}"
        return f"what site {self.name} held on {self.told}"


class DeltaBlob(Struct, frozen=True, kw_only=True):
    """One blob of the bundle that comes out: carried by the delta, or `held` by its base.

    `repository` is where a site's registry holds it, when the base is a receipt.
    """

    digest: Digest
    size: int
    held: bool
    repository: str | None = None

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size cannot be negative")


class Delta(Struct, frozen=True, kw_only=True):
    """The content of a delta's config blob (`delta.json`).

    `target` is the manifest of the bundle that comes out, `index` its whole `index.json`: with it come the bundle's
    own signatures. `blobs` is everything that it holds, in the order in which it is written.
    """

    name: str
    version: Version
    sequence: int
    created: datetime
    target: Digest
    index: Descriptor
    base: DeltaBase
    blobs: tuple[DeltaBlob, ...]

    def __post_init__(self) -> None:
        extension_name(self.name)
        if self.sequence < 1:
            raise ValueError("a bundle's sequence counts from 1")
        if len({blob.digest for blob in self.blobs}) != len(self.blobs):
            raise ValueError("a blob is listed twice")
        if self.base.kind is BaseKind.RECEIPT and any(blob.repository is None for blob in self.needed):
            raise ValueError("a delta from a receipt says in which repository each blob lies")

    @property
    def needed(self) -> tuple[DeltaBlob, ...]:
        """The blobs that the base must give."""
        return tuple(blob for blob in self.blobs if blob.held)
