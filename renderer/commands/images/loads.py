"""What a bundle carries for the images of a site: manifests byte for byte, and the blobs that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import INDEX_TYPES, parse_index, parse_manifest
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.image_signatures import (
    SignedSubject,
    find_image_signatures,
    read_image_signatures,
    subjects_of,
)
from renderer.model.bundles.bundle import BundleImage, ReferrerForm, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.referrers import PinnedReferrer, speaking_of
from renderer.model.images.transfer import ImageTarget, Keeping, Shipment, StoredManifest, StoredReferrer
from renderer.model.reference import Digest, ImageReference
from renderer.ports import BundleSource
from renderer.structs import Struct, field


class Hold:
    """The verified bundles of a run with their layouts, in the order of the profile: where shipments come from."""

    def __init__(
        self,
        bundles: Iterable[VerifiedBundle],
        sources: Mapping[str, BundleSource],
        repositories: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`sources` maps `VerifiedBundle.source` to the layout that the bundle was read from.

        `repositories` names the places of those bundles that lie in the registry to which the images go.
        """
        self._sources = sources
        self._repositories = repositories
        self._carried: dict[tuple[ImageReference, Digest], list[tuple[BundleImage, str]]] = {}
        self._signed: dict[str, SignedImages] = {}
        for bundle in bundles:
            self._signed[bundle.source] = SignedImages.of(bundle, sources[bundle.source])
            for image in bundle.bundle.images:
                if is_carried(image):
                    # one of the manifests of an index may stand in for it (renderer.stages.whole_indexes)
                    for digest in dict.fromkeys((image.digest, *(one.digest for one in image.platforms.values()))):
                        self._carried.setdefault((image.reference, digest), []).append((image, bundle.source))

    def source(self, name: str) -> BundleSource:
        """The layout that a shipment or delivery names."""
        return self._sources[name]

    def repository(self, name: str) -> str | None:
        """The repository of a bundle that lies in the registry itself: blobs are mounted from there, not sent."""
        return self._repositories.get(name)

    def shipment(self, target: ImageTarget) -> Shipment:
        """The image of `target` as a bundle carries it.

        Raises BundleRefusedError: `image-not-carried` when no bundle does, or what is damaged in the one that does.
        """
        carried = self._carrying(target)
        if carried is None:
            raise BundleRefusedError(_not_carried(target))
        return self._loaded(target, *carried)

    def signatures(self, target: ImageTarget) -> tuple[Digest, ...]:
        """The manifests of the signatures over `target` that its bundle brings: no lock lists them."""
        carried = self._carrying(target)
        if carried is None:
            return ()
        held = self._signed[carried[1]].held
        return tuple(held[digest].digest for digest in (target.digest, *target.manifests) if digest in held)

    def _carrying(self, target: ImageTarget) -> tuple[BundleImage, str] | None:
        """The first bundle that carries an image for all platforms that are asked for."""
        for image, name in self._carried.get((target.reference, target.digest), ()):
            if set(target.platforms.values()) <= {entry.digest for entry in image.platforms.values()}:
                return image, name
        return None

    def _loaded(self, target: ImageTarget, image: BundleImage, name: str) -> Shipment:
        load = _Load(source=self._sources[name])
        carried = {entry.digest: entry for entry in (image.content, *image.platforms.values())}
        root = load.manifest(carried[target.digest])
        is_index = root.descriptor.media_type in INDEX_TYPES
        entries = image.platforms.values() if is_index and target.whole and not image.omitted else ()
        platforms = {*target.platforms.values(), *(entry.digest for entry in entries)}
        children = [load.manifest(carried[digest]) for digest in sorted(platforms)]
        ours = self._signed[name].over(dict.fromkeys((target.digest, *sorted(platforms))))
        beside: list[StoredReferrer] = []
        pinned = {PinnedReferrer.of(one): one for one in image.referrers}
        for one in speaking_of(pinned, {target.digest, *platforms}):
            referrer = pinned[one]
            if referrer.form is not ReferrerForm.INDEX:
                held = load.manifest(referrer.content)
                within = one.tag is not None and one.tag in {found.tag for found in ours}
                keeping = Keeping.WITHIN if within else Keeping.OWN
                beside.append(StoredReferrer(manifest=held, subject=one.subject, tag=one.tag, keeping=keeping))
            elif is_index:
                children.append(load.manifest(referrer.content))
        for found in ours:
            held = load.manifest(found.holder)
            beside.append(StoredReferrer(manifest=held, subject=found.digest, tag=found.tag, keeping=Keeping.MERGED))
        below = tuple({child.descriptor.digest: child for child in children if child is not root}.values())
        return Shipment(
            target=target,
            source=name,
            root=root,
            children=below,
            referrers=tuple(beside),
            blobs=tuple(load.blobs.values()),
            absent=load.listed(root) - {child.descriptor.digest for child in below} if is_index else frozenset(),
        )


class _OverImage(Struct, frozen=True, kw_only=True):
    """The manifest that holds the signatures over one index or manifest of an image."""

    digest: Digest
    tag: str
    holder: Descriptor


class SignedImages(Struct, frozen=True, kw_only=True):
    """The signatures over the images of one bundle: which manifests hold them, and what they must look like."""

    source: BundleSource
    subjects: Mapping[Digest, SignedSubject]
    held: Mapping[Digest, Descriptor]

    @classmethod
    def of(cls, bundle: VerifiedBundle, source: BundleSource) -> SignedImages:
        """What lies beside the images of `bundle`; read when an image is sent."""
        subjects = subjects_of(bundle.bundle)
        held = find_image_signatures(source.full_index(fresh=True), subjects, source.location)
        return cls(source=source, subjects=subjects, held=held)

    def over(self, digests: Iterable[Digest]) -> list[_OverImage]:
        """The signatures over `digests`. Raises BundleRefusedError for what is none."""
        found = []
        for digest in digests:
            holder, subject = self.held.get(digest), self.subjects.get(digest)
            if holder is not None and subject is not None:
                read_image_signatures(holder, subject, self.source.blob, self.source.location)
                found.append(_OverImage(digest=digest, tag=subject.tag, holder=holder))
        return found


class _Load(Struct, kw_only=True):
    """The manifests of one image, read out of a layout, and the blobs that they name."""

    source: BundleSource
    manifests: dict[Digest, StoredManifest] = field(default_factory=dict)
    blobs: dict[Digest, Descriptor] = field(default_factory=dict)

    def manifest(self, descriptor: Descriptor) -> StoredManifest:
        """A manifest, read once; what it names is wanted from now on. An index names nothing that travels by itself."""
        known = self.manifests.get(descriptor.digest)
        if known is not None:
            return known
        plain = descriptor.bare
        stored = self.manifests[descriptor.digest] = StoredManifest(descriptor=plain, content=self.source.blob(plain))
        if descriptor.media_type not in INDEX_TYPES:
            parsed = parse_manifest(stored.content, self._where(descriptor))
            for blob in (parsed.config, *parsed.layers):
                self.blobs.setdefault(blob.digest, blob.bare)
        return stored

    def listed(self, index: StoredManifest) -> frozenset[Digest]:
        """What an index lists."""
        entries = parse_index(index.content, self._where(index.descriptor))
        return frozenset(entry.descriptor.digest for entry in entries)

    def _where(self, descriptor: Descriptor) -> Where:
        return Where(file=self.source.location, subject=f"manifest {descriptor.digest}")


def _not_carried(target: ImageTarget) -> Finding:
    return Finding(
        code="image-not-carried",
        message=f"no bundle carries `{target.reference}`; they only name its digest, and the site registry lacks it",
        where=Where(subject=f"image {target.reference}"),
        expected=str(target.digest),
        hint=f"skopeo copy --all docker://{_by_digest(target)} oci:IMAGES:{target.reference}, "
        "then `layout: IMAGES` below `spec.images` of the bundle's source",
    )


def _by_digest(target: ImageTarget) -> str:
    return f"{target.reference.name}@{target.digest}"
