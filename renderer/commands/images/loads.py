"""What a bundle carries for the images of a site: manifests byte for byte, and the blobs that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import CARRIED, INDEX_TYPES, parse_index, parse_manifest
from renderer.model.bundles.bundle import BundleImage, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import ImageTarget, Shipment, StoredManifest
from renderer.model.reference import Digest, ImageReference
from renderer.ports import BundleSource


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
        for bundle in bundles:
            for image in bundle.bundle.images:
                if image.content.annotations.get(CARRIED) == "true":
                    self._carried.setdefault((image.reference, image.digest), []).append((image, bundle.source))

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
        for image, name in self._carried.get((target.reference, target.digest), ()):
            if set(target.platforms.values()) <= {entry.digest for entry in image.platforms.values()}:
                return self._loaded(target, image, name)
        raise BundleRefusedError(_not_carried(target))

    def _loaded(self, target: ImageTarget, image: BundleImage, name: str) -> Shipment:
        source = self._sources[name]
        content = _plain(image.content)
        root = StoredManifest(descriptor=content, content=source.blob(content))
        wanted = set(target.platforms.values())
        carried = {entry.digest: _plain(entry) for entry in image.platforms.values()}
        children: list[StoredManifest] = []
        blobs: dict[object, Descriptor] = {}
        for digest in sorted(wanted):
            entry = carried[digest]
            manifest = (
                root if digest == content.digest else StoredManifest(descriptor=entry, content=source.blob(entry))
            )
            if manifest is not root:
                children.append(manifest)
            where = Where(file=source.location, subject=f"manifest {digest}")
            parsed = parse_manifest(manifest.content, where)
            for blob in (parsed.config, *parsed.layers):
                blobs.setdefault(blob.digest, _plain(blob))
        absent: tuple[Digest, ...] = ()
        if content.media_type in INDEX_TYPES:
            listed = parse_index(root.content, Where(file=source.location, subject=f"index {content.digest}"))
            absent = tuple(sorted({entry.descriptor.digest for entry in listed} - wanted))
        return Shipment(
            target=target,
            source=name,
            root=root,
            children=tuple(children),
            blobs=tuple(blobs.values()),
            absent=absent,
        )


def _plain(descriptor: Descriptor) -> Descriptor:
    return Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


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
