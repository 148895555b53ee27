"""Receipts: what a site proved that its registry holds, carried back to where bundles are made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from renderer.model.reference import Digest, ImageReference
from renderer.structs import Struct


class ReceiptImage(Struct, frozen=True, kw_only=True):
    """One image that was found complete for every platform of the site."""

    reference: ImageReference
    digest: Digest


class Receipt(Struct, frozen=True, kw_only=True):
    """The content of a site registry at one moment, as far as the site's lock speaks of it.

    `lock` is the digest of the lock's bytes. `hashed` is true when every blob was read and hashed, false when the
    registry was asked for presence and size. `blobs` maps what was found (manifests, configs, layers) to its size,
    `repositories` to a repository that holds it; `images` are those that were complete.
    """

    site: str
    registry: str
    lock: Digest
    verified_at: datetime
    hashed: bool
    images: tuple[ReceiptImage, ...]
    blobs: Mapping[Digest, int]
    repositories: Mapping[Digest, str]

    def __post_init__(self) -> None:
        if self.repositories.keys() != self.blobs.keys():
            raise ValueError("a receipt names the repository of every blob")
