"""The signatures beside a bundle in a layout: which manifests hold them, and how they change."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.commands.bundle.building.blobs import in_memory
from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    REF_NAME,
    describe,
    index_content,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.image_signatures import IMAGE_SIGNATURES_LIMIT
from renderer.formats.bundle.parts import (
    SIGNATURE_LIMIT,
    BundleParts,
    find_referrers,
    find_signatures,
    holders_of_signatures,
)
from renderer.formats.bundle.signature_manifests import (
    SignatureManifest,
    cosign_layer,
    cosign_manifest,
    referrer_manifest,
)
from renderer.formats.trust.cosign import SIGNATURE_ANNOTATION, signature_tag
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Layout, LayoutWriter


class SignatureStore:
    """Signatures are put in, and then written with one new `index.json`.

    What others wrote is kept as it is, with every annotation. `total` is how many signatures there are.
    """

    def __init__(self, source: Layout, index: bytes, parts: BundleParts) -> None:
        self._source = source
        self._index = index
        self._subject = parts.manifest
        self._new: list[SignatureManifest] = []
        self._of_images: list[SignatureManifest] = []
        self._stale: set[Digest] = set()
        self._blobs: dict[Digest, bytes] = {}
        self.total = len(parts.signatures)

    def put_cosign(
        self,
        payload: bytes,
        signature: bytes,
        certificates: Sequence[bytes],
        *,
        instead_of: Sequence[StoredSignature] = (),
    ) -> None:
        """Add a signature to those under cosign's tag. Raises InputError (`too-many-signatures`), as below."""
        tag = signature_tag(self._subject.digest)
        layers: list[Descriptor] = []
        for held in find_signatures(self._index, self._subject.digest, self._source.location):
            manifest = parse_manifest(self._source.blob(held), Where(file=self._source.location))
            layers += manifest.layers
            self._stale |= {held.digest, manifest.config.digest}
        kept = [layer for layer in layers if not any(_is(layer, one) for one in instead_of)]
        self._stale |= {layer.digest for layer in layers} - {layer.digest for layer in kept}
        self._put(cosign_manifest([*kept, cosign_layer(payload, signature, certificates)], tag, payload), instead_of)

    def put_sigstore(self, bundle: bytes, *, instead_of: Sequence[StoredSignature] = ()) -> None:
        """Add a Sigstore bundle that refers to the bundle's manifest."""
        replaced = {one.held_by for one in instead_of}
        for held, manifest in find_referrers(
            self._index, self._subject.digest, self._source.blob, self._source.location
        ):
            if held.digest in replaced and len(manifest.layers) == 1:
                self._stale |= {held.digest, manifest.layers[0].digest}
        self._put(referrer_manifest(bundle, self._subject), instead_of)

    def put_over_image(self, manifest: SignatureManifest, instead_of: Descriptor | None) -> None:
        """Add the signatures of one index or manifest of an image, in place of the manifest that held them before.

        Raises InputError (`too-many-signatures`).
        """
        if manifest.descriptor.size > IMAGE_SIGNATURES_LIMIT:
            what = f"the signatures of {manifest.descriptor.annotations.get(REF_NAME, 'an image')}"
            raise InputError(
                self._too_many(f"{what} would take {manifest.descriptor.size} bytes of {IMAGE_SIGNATURES_LIMIT}")
            )
        if instead_of is not None:
            before = parse_manifest(self._source.blob(instead_of), Where(file=self._source.location))
            self._stale |= {instead_of.digest, before.config.digest}
        self._of_images.append(manifest)
        self._blobs |= {Digest.of(content): content for content in manifest.blobs}

    def _put(self, manifest: SignatureManifest, instead_of: Sequence[StoredSignature]) -> None:
        self._new.append(manifest)
        self._blobs |= {Digest.of(content): content for content in manifest.blobs}
        self.total += 1 - len(instead_of)
        if self.total > SIGNATURE_LIMIT:
            message = f"there would be {self.total} signatures, and more than {SIGNATURE_LIMIT} are not read"
            raise InputError(self._too_many(message))

    def _too_many(self, message: str) -> Finding:
        return Finding(
            code="too-many-signatures",
            message=message,
            where=Where(file=self._source.location),
            hint="build the bundle again; it has the same digest, and no signature",
        )

    def write(self, writer: LayoutWriter, path: str) -> None:
        """Put what is new into the layout at `path`, and take away what it replaces."""
        stale = self._stale - self._blobs.keys()
        entries = parse_index(self._index, Where(file=self._source.location, subject="index.json"))
        kept = [entry.descriptor for entry in entries if entry.descriptor.digest not in self._stale]
        # The bundle first, its signatures next, oldest first, then those of images, then images: what a render reads
        # stands in front.
        held = holders_of_signatures(self._index, self._subject.digest, self._source.blob, self._source.location)
        front = {self._subject.digest, *(one.digest for one in held)}
        position = 1 + max(place for place, one in enumerate(kept) if one.digest in front)
        listed = [manifest.descriptor for manifest in (*self._new, *self._of_images)]
        blobs = [in_memory(describe(content, ""), content) for content in self._blobs.values()]
        writer.extend(path, index_content([*kept[:position], *listed, *kept[position:]]), blobs, drop=stale)


def _is(layer: Descriptor, stored: StoredSignature) -> bool:
    """Whether `stored` was read from `layer`."""
    signature = layer.annotations.get(SIGNATURE_ANNOTATION, "")
    return layer.digest == Digest.of(stored.payload) and signature == stored.signature_base64
