"""A bundle or delta read as it stands, before anybody vouches for it: to show it, or to sign it."""

from __future__ import annotations

from dataclasses import dataclass

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    DELTA,
    ArtifactKind,
    parse_manifest,
)
from renderer.formats.bundle.document import decode_bundle
from renderer.formats.bundle.parts import BundleParts
from renderer.model.bundles.bundle import Bundle
from renderer.model.version import Version
from renderer.stages.verify.deltas import read_delta


def read_unverified(parts: BundleParts, location: str) -> Bundle:
    """The bundle that the config describes. Raises BundleRefusedError (`bundle-malformed`)."""
    manifest = parse_manifest(parts.manifest_bytes, Where(file=location, subject=f"manifest {parts.manifest.digest}"))
    try:
        return decode_bundle(parts.config_bytes(manifest, location))
    except ValueError as error:
        where = Where(file=location, subject="bundle.json")
        raise BundleRefusedError(Finding(code="bundle-malformed", message=str(error), where=where)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Which bundle, or which delta to a bundle, somebody is about to sign."""

    kind: ArtifactKind
    name: str
    version: Version

    def __str__(self) -> str:
        return f"{self.kind.noun} {self.name} {self.version}"


def named_unverified(parts: BundleParts, location: str) -> Named:
    """The name in the config of a bundle or delta. Raises BundleRefusedError (`bundle-malformed`)."""
    if parts.kind is not DELTA:
        bundle = read_unverified(parts, location)
        return Named(kind=parts.kind, name=bundle.name, version=bundle.version)
    where = Where(file=location)
    delta = read_delta(parts.config_bytes(parse_manifest(parts.manifest_bytes, where), location), where)
    return Named(kind=parts.kind, name=delta.name, version=delta.version)
