"""The lock: the resolution, and the digest of everything that it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from renderer.model.generated import GeneratedValue
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedEngine:
    """The chart engine that inflated the charts: `embedded` or `executable`, and the version of its Helm."""

    name: str
    helm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBundle:
    """One verified bundle by the digest of its manifest."""

    name: str
    source: str
    version: Version
    sequence: int
    digest: Digest
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedExtension:
    """One resolved extension. `required_by` names extensions, or `profile`. `components` maps names to digests."""

    name: str
    version: Version
    bundle: str
    components: Mapping[str, Digest]
    required_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """One image that the rendered objects or enabled extensions name. `mirror` is its place in the site registry."""

    reference: ImageReference
    digest: Digest
    platforms: Mapping[Platform, Digest]
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Everything pinned, sorted by name. `profile` is the digest of the merged profile (`Site.digest`).

    `api_versions` is what charts are told that the cluster serves beyond Kubernetes itself: what the profile says,
    and what the CustomResourceDefinitions of the enabled extensions define (`group/version` and `group/version/Kind`).
    """

    site: str
    sitewright: str
    engine: LockedEngine
    profile: Digest
    api_versions: tuple[str, ...]
    bundles: tuple[LockedBundle, ...]
    extensions: tuple[LockedExtension, ...]
    images: tuple[LockedImage, ...]
    generated: tuple[GeneratedValue, ...]

    def version_of(self, extension: str) -> Version | None:
        """The locked version of an extension, or None."""
        return next((entry.version for entry in self.extensions if entry.name == extension), None)

    def bundle(self, name: str) -> LockedBundle | None:
        """The locked bundle of this name, or None."""
        return next((entry for entry in self.bundles if entry.name == name), None)
