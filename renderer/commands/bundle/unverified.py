"""A bundle or a delta read as it stands, before anybody vouches for it: to show it, or to sign it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.formats.bundle.delta import decode_delta
from renderer.formats.bundle.document import decode_bundle
from renderer.formats.bundle.parts import BundleParts
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.delta import Delta

T = TypeVar("T")


def read_unverified(parts: BundleParts, location: str) -> Bundle:
    """The bundle that the config describes. Raises BundleRefusedError (`bundle-malformed`)."""
    return _read(parts, location, decode_bundle, "bundle.json")


def read_delta_unverified(parts: BundleParts, location: str) -> Delta:
    """The delta that the config describes. Raises BundleRefusedError (`bundle-malformed`)."""
    return _read(parts, location, decode_delta, "delta.json")


def _read(parts: BundleParts, location: str, decode: Callable[[bytes], T], name: str) -> T:
    manifest = parse_manifest(parts.manifest_bytes, Where(file=location, subject=f"manifest {parts.manifest.digest}"))
    try:
        return decode(parts.config_bytes(manifest, location))
    except ValueError as error:
        where = Where(file=location, subject=name)
        raise BundleRefusedError(Finding(code="bundle-malformed", message=str(error), where=where)) from error
