"""A bundle in a repository of a registry, read as if it were an OCI layout: `renderer.ports.BundleSource`.

What belongs to the bundle is found where it was put: its signatures under cosign's tag, and what refers to it by the
referrers API or its tag schema (distribution-spec 1.1, "Listing Referrers"). Images and their parts are read by digest,
whether the registry took them as manifests or only as blobs (`renderer.formats.bundle.packing`).
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import BinaryIO, Final

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    BUNDLE_TYPE,
    INDEX_TYPES,
    MANIFEST_TYPES,
    REF_NAME,
    find_bundle,
    index_content,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.checked_stream import blob_refused
from renderer.formats.bundle.packing import packing_tag, read_packing_list
from renderer.formats.trust.cosign import signature_tag
from renderer.model.bundles.address import BundleAddress, versions
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Fields
from renderer.model.reference import Digest
from renderer.ports import Cache, FoundManifest, Registry
from renderer.structs import replace

_MEMORY_LIMIT: Final = 256 * 2**20
_SHOWN: Final = 5
_SIGNATURE_TAG: Final = re.compile(r"sha(?:256|512)-[0-9a-f]+\.sig\Z")


def _is_signature(entry: Fields, own: str) -> bool:
    """Whether an entry of `index.json` has the bare name of signatures, and not of those over the bundle (`own`)."""
    name = entry.mapping("annotations").get(REF_NAME)
    return isinstance(name, str) and name != own and _SIGNATURE_TAG.match(name) is not None


class Repository:
    """Satisfies `renderer.ports.BundleRepository` for the repository of `address`."""

    def __init__(self, registry: Registry, address: BundleAddress, cache: Cache) -> None:
        self._registry = registry
        self._address = address
        self._cache = cache

    def tags(self) -> tuple[str, ...]:
        """All tags, sorted."""
        return self._registry.tags(self._address.repository)

    def source(self, reference: str, location: str, *, fresh: bool) -> RepositorySource:
        """The bundle of a tag or digest."""
        place = self._address.at(Digest.parse(reference) if ":" in reference else reference)
        return RepositorySource(self._registry, place, location=location, cache=self._cache, fresh=fresh)


class RepositorySource:
    """Satisfies `BundleSource` for the bundle at `address`, which has a tag or a digest.

    With a cache, what is held in memory is kept there and found there again. A bundle that is named by digest is then
    read without asking the registry, as it was when it was last asked (`fresh`).
    """

    def __init__(
        self,
        registry: Registry,
        address: BundleAddress,
        *,
        location: str | None = None,
        cache: Cache | None = None,
        fresh: bool = True,
    ) -> None:
        if address.reference is None:
            raise ValueError("a bundle is read by a tag or by a digest")
        self._registry = registry
        self._address = address
        self._reference = address.reference
        self._location = location or str(address)
        self._cache = cache
        self._fresh = fresh
        self._index: bytes | None = None
        self._full: bytes | None = None
        self._known: dict[Digest, bytes] = {}

    @property
    def location(self) -> str:
        """The address as the user named it."""
        return self._location

    def index(self) -> bytes:
        """What a layout of the bundle alone would list: the bundle, its signatures, what refers to it.

        Raises InputError (`bundle-not-found`), BundleRefusedError (`not-a-bundle`), RemoteError.
        """
        if self._index is None:
            digest = self._address.digest
            noted = self._cache.recall(digest) if self._cache and digest and not self._fresh else None
            self._index = noted or self._asked()
        return self._index

    def full_index(self, *, fresh: bool = False) -> bytes:
        """The same, and the signatures over the bundle's images that were pushed with it. Raises RemoteError."""
        if self._full is None:
            index = self.index()
            manifest = find_bundle(index, self._location).digest
            # a name of its own in the cache: the index that is noted for the bundle was asked for without this
            note = Digest.of(f"signatures over the images of {manifest}".encode())
            self._full = self._cache.recall(note) if self._cache and not (fresh or self._fresh) else None
            if self._full is None:
                where = Where(file=self._location, subject="index.json")
                entries = [one.descriptor for one in parse_index(index, where)]
                self._full = index_content([*entries, *self._over_images(manifest)])
                if self._cache is not None:
                    self._cache.note(note, self._full)
        return self._full

    def blob(self, descriptor: Descriptor) -> bytes:
        """The checked bytes behind a descriptor, at most 256 MiB. Raises BundleRefusedError, RemoteError."""
        if descriptor.size > _MEMORY_LIMIT:
            message = "a blob that must be held in memory is too large"
            raise self._refused(descriptor, "blob-too-large", message, str(descriptor.size))
        content = self._known.get(descriptor.digest)
        if content is None and self._cache is not None:
            content = self._cache.get(descriptor.digest)
        if content is None:
            content = self._manifest(descriptor)
        if content is None:
            with self._registry.read_blob(self._address.repository, descriptor) as stream:
                content = stream.read()
        self._check(descriptor, content)
        if self._cache is not None and descriptor.digest not in self._known:
            self._cache.put(descriptor.digest, content)
        return content

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """The bytes as a stream, checked at the end; a manifest is checked before."""
        if descriptor.media_type in INDEX_TYPES | MANIFEST_TYPES:
            return io.BytesIO(self.blob(descriptor))
        return self._registry.read_blob(self._address.repository, descriptor)

    # --- asking ---

    def _asked(self) -> bytes:
        """The index as the registry has it now."""
        found = self._registry.manifest(self._address.repository, self._reference)
        if found is None:
            raise InputError(self._not_found())
        self._keep(found)
        manifest = replace(self._described(found), artifact_type=BUNDLE_TYPE)
        referrers = self._registry.referrers(self._address.repository, manifest.digest)
        # what the registry writes beside them is not needed, and might be taken for something else
        beside = [replace(one, annotations={}) for one in referrers if one.artifact_type != BUNDLE_TYPE]
        index = index_content([manifest, *self._signatures(manifest.digest), *beside])
        if self._cache is not None:
            self._cache.note(manifest.digest, index)
        return index

    def _described(self, found: FoundManifest) -> Descriptor:
        """The descriptor of the bundle's manifest. Raises BundleRefusedError (`not-a-bundle`)."""
        where = Where(subject=str(self._address))
        if found.media_type in MANIFEST_TYPES:
            kind = parse_manifest(found.content, where).artifact_type
            if kind == BUNDLE_TYPE:
                return Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.content))
        else:
            kind = found.media_type
        raise BundleRefusedError(
            Finding(
                code="not-a-bundle",
                message=f"`{self._address}` is something else than a Sitewright bundle",
                where=where,
                expected=f"a manifest with artifactType `{BUNDLE_TYPE}`",
                got=f"`{kind}`" if kind else "an image",
                hint=f"sitewright bundle push BUNDLE {self._address.at('1.0.0')}",
            )
        )

    def _signatures(self, manifest: Digest) -> tuple[Descriptor, ...]:
        """The manifest that cosign's tag stands for, if there is one."""
        tag = signature_tag(manifest)
        found = self._registry.manifest(self._address.repository, tag)
        if found is None:
            return ()
        self._keep(found)
        named = {REF_NAME: tag}
        return (
            Descriptor(media_type=found.media_type, digest=found.digest, size=len(found.content), annotations=named),
        )

    def _over_images(self, manifest: Digest) -> tuple[Descriptor, ...]:
        """What the pushed `index.json` lists under cosign's tags: signatures over the bundle's images.

        Nothing when nobody packed the bundle, or the list cannot be read: `bundle pull` says so. Raises RemoteError.
        """
        repository, own = self._address.repository, signature_tag(manifest)
        found = self._registry.manifest(repository, packing_tag(manifest))
        if found is None:
            return ()
        where = Where(subject=f"packing list of {self._location}")
        try:
            packed = read_packing_list(found.content, where).index
            if self._registry.has_blob(repository, packed.digest) != packed.size:
                return ()
            with self._registry.read_blob(repository, packed) as stream:
                entries = parse_index(stream.read(), where, lambda entry: _is_signature(entry, own))
        except BundleRefusedError:
            return ()
        return tuple(entry.descriptor for entry in entries)

    def _keep(self, found: FoundManifest) -> None:
        self._known[found.digest] = found.content
        if self._cache is not None:
            self._cache.put(found.digest, found.content)

    def _manifest(self, descriptor: Descriptor) -> bytes | None:
        """A manifest that the registry holds as one; None for a blob, and for a manifest that is there as a blob."""
        if descriptor.media_type not in INDEX_TYPES | MANIFEST_TYPES:
            return None
        found = self._registry.manifest(self._address.repository, str(descriptor.digest))
        return found.content if found is not None else None

    # --- refusing ---

    def _check(self, descriptor: Descriptor, content: bytes) -> None:
        algorithm = descriptor.digest.algorithm
        found = hashlib.new(algorithm, content).hexdigest()
        if found != descriptor.digest.hex or len(content) != descriptor.size:
            message = f"the registry serves something else as `{descriptor.digest}`"
            raise self._refused(
                descriptor, "blob-digest-mismatch", message, f"{algorithm}:{found}, {len(content)} bytes"
            )

    def _refused(self, descriptor: Descriptor, code: str, message: str, got: str) -> BundleRefusedError:
        hint = "push the bundle again from where it was published"
        return blob_refused(self._location, descriptor, code, message, got=got, hint=hint)

    def _not_found(self) -> Finding:
        found = versions(self._registry.tags(self._address.repository))
        tags = [f"`{tag}`" for _, tag in found[:_SHOWN]] + (["…"] if len(found) > _SHOWN else [])
        return Finding(
            code="bundle-not-found",
            message=f"there is no bundle at `{self._address}`",
            where=Where(file=self._location),
            expected="a bundle that was pushed there",
            got=f"{', '.join(tags) or 'no version'} in `{self._address.host}/{self._address.repository}`",
            hint=f"sitewright bundle push BUNDLE {self._address}",
        )
