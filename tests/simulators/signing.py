"""A bundle to be signed, and what lies beside it."""

from __future__ import annotations

from pathlib import Path

from renderer.formats.bundle.parts import read_parts
from renderer.formats.trust.stored import StoredSignature
from renderer.model.reference import Digest
from tests.simulators.bundles import Workshop


def unsigned(root: Path) -> Workshop:
    """A bundle `demo` without images, not signed yet, and the keys `vendor` and `office`."""
    workshop = Workshop(root)
    workshop.sources(images=())
    workshop.build()
    workshop.key("vendor")
    workshop.key("office", "ed25519")
    return workshop


def found(shop: Workshop) -> tuple[StoredSignature, ...]:
    """The signatures beside the bundle, unchecked."""
    source = shop.open()
    return read_parts(source.index(), source.blob, "bundle").signatures


def store(shop: Workshop, *contents: bytes) -> None:
    """Put blobs into the layout."""
    for content in contents:
        (shop.root / "bundle/blobs/sha256" / Digest.of(content).hex).write_bytes(content)
