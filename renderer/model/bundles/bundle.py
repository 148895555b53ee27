"""Bundles: signed, versioned, content-addressed sets of extensions and images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Final

from renderer.model.bundles.extension import Descriptor, Extension, extension_name
from renderer.model.bundles.trust import Verdict
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.structs import Struct, field

_WORD: Final = re.compile(r"[A-Za-z0-9]+\Z")


class ReferrerForm(Enum):
    """How a registry leads from an image to a manifest that speaks of it."""

    TAG = "tag"
    """A tag beside the image, as cosign names it: `sha256-<hex of the subject>.sig`, `.att` or `.sbom`."""
    SUBJECT = "subject"
    """The manifest's own field `subject`, which the referrers API lists (distribution-spec 1.1)."""
    INDEX = "index"
    """An entry of the image's own index for the platform `unknown/unknown`, as BuildKit stores attestations."""


class Referrer(Struct, frozen=True, kw_only=True):
    """A manifest that speaks of an image: a signature, an attestation, an SBOM.

    `content` is an image manifest; its `artifact_type` says what it is, when it says so. `subject` is the image's
    digest, that of one of its platform manifests, or that of another referrer of the same image (a signed SBOM).
    `tag` is the tag of the form TAG.
    """

    content: Descriptor
    subject: Digest
    form: ReferrerForm
    tag: str | None = None

    def __post_init__(self) -> None:
        if (self.tag is not None) != (self.form is ReferrerForm.TAG):
            raise ValueError("a referrer has a tag exactly when it is found by its tag")
        beside = f"{self.subject.algorithm}-{self.subject.hex}."
        if self.tag is not None and not (self.tag.startswith(beside) and _WORD.match(self.tag, len(beside))):
            raise ValueError(f"the tag of a referrer begins with its subject: `{beside}…`, not `{self.tag}`")


class BundleImage(Struct, frozen=True, kw_only=True):
    """One image that a bundle vouches for.

    `reference` has the tag by which manifests name it. `content` is the index (or, for a single-platform image, the
    manifest) that the reference stands for upstream: its digest is the pin. `platforms` are the manifests that the
    bundle carries; `omitted` the platforms of the index that it left out. `referrers` speak of what is carried.
    `index` is set where one of its manifests stands in for the index that the reference stands for upstream
    (`renderer.stages.whole_indexes`).
    """

    reference: ImageReference
    content: Descriptor
    platforms: Mapping[Platform, Descriptor]
    omitted: tuple[Platform, ...] = ()
    referrers: tuple[Referrer, ...] = ()
    index: Digest | None = None

    @property
    def manifests(self) -> tuple[Descriptor, ...]:
        """The manifests that the bundle carries: one for each platform, and what speaks of them."""
        return (*self.platforms.values(), *(referrer.content for referrer in self.referrers))

    @property
    def digest(self) -> Digest:
        """The digest that pins this image."""
        return self.content.digest


class Bundle(Struct, frozen=True, kw_only=True):
    """The content of a bundle's config blob (`bundle.json`). `sequence` only ever grows from version to version."""

    name: str
    version: Version
    sequence: int
    created: datetime
    platforms: tuple[Platform, ...]
    extensions: tuple[Extension, ...]
    images: tuple[BundleImage, ...]

    def __post_init__(self) -> None:
        extension_name(self.name)
        if self.sequence < 1:
            raise ValueError("a bundle's sequence counts from 1")
        ids = [extension.id for extension in self.extensions]
        if len(set(ids)) != len(ids):
            raise ValueError("the bundle holds the same extension version twice")


class VerifiedBundle(Struct, frozen=True, kw_only=True):
    """A bundle whose manifest enough trusted keys signed. Only `renderer.stages.verify` makes one."""

    bundle: Bundle
    manifest: Descriptor
    verdict: Verdict
    source: str

    @property
    def id(self) -> str:
        """`name version`, for people."""
        return f"{self.bundle.name} {self.bundle.version}"


class Offer(Struct, frozen=True, kw_only=True):
    """One extension version, and the verified bundle that offers it."""

    extension: Extension
    bundle: VerifiedBundle


class Catalog(Struct, frozen=True):
    """All extension versions that the verified bundles of a site offer; by name, newest first.

    When two bundles offer the same version, the one that the profile names first wins. `chosen` are images in place of
    what the bundles say.
    """

    bundles: tuple[VerifiedBundle, ...]
    offers: Mapping[str, tuple[Offer, ...]] = field(default_factory=dict)
    chosen: Mapping[ImageReference, BundleImage] = field(default_factory=dict)

    @classmethod
    def of(cls, bundles: Iterable[VerifiedBundle]) -> Catalog:
        """The catalog of `bundles`, in the order of the profile."""
        ordered = tuple(bundles)
        found: dict[str, dict[Version, Offer]] = {}
        for bundle in ordered:
            for extension in bundle.bundle.extensions:
                found.setdefault(extension.name, {}).setdefault(
                    extension.version, Offer(extension=extension, bundle=bundle)
                )
        offers = {
            name: tuple(versions[version] for version in sorted(versions, reverse=True))
            for name, versions in sorted(found.items())
        }
        return cls(ordered, offers)

    def offer(self, name: str, version: Version) -> Offer | None:
        """The offer of exactly this version, or None."""
        return next((offer for offer in self.offers.get(name, ()) if offer.extension.version == version), None)

    def images(self) -> Mapping[ImageReference, BundleImage]:
        """The image dictionary of all bundles; when two vouch for one reference, the bundle named first wins."""
        dictionary: dict[ImageReference, BundleImage] = {}
        for bundle in self.bundles:
            for image in bundle.bundle.images:
                dictionary.setdefault(image.reference, image)
        return {**dictionary, **self.chosen}
