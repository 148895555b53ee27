"""A bundle read as it stands, before anybody vouches for it: to show it, or to sign it."""

from __future__ import annotations

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.formats.bundle.document import decode_bundle
from renderer.formats.bundle.parts import BundleParts
from renderer.model.bundles.bundle import Bundle


def read_unverified(parts: BundleParts, location: str) -> Bundle:
    """The bundle that the config describes. Raises BundleRefusedError (`bundle-malformed`)."""
    manifest = parse_manifest(parts.manifest_bytes, Where(file=location, subject=f"manifest {parts.manifest.digest}"))
    try:
        return decode_bundle(parts.config_bytes(manifest, location))
    except ValueError as error:
        where = Where(file=location, subject="bundle.json")
        raise BundleRefusedError(Finding(code="bundle-malformed", message=str(error), where=where)) from error
