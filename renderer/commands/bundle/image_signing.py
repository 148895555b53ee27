"""`sitewright bundle sign --images`: a signature over every image that a bundle carries, for container runtimes."""

from __future__ import annotations

from renderer.commands.bundle.signature_store import SignatureStore
from renderer.commands.bundle.unverified import read_unverified
from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.artifact import BUNDLE
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.image_signatures import (
    find_image_signatures,
    layers_of,
    make_image_signatures,
    read_image_signatures,
    subjects_of,
)
from renderer.formats.bundle.parts import BundleParts
from renderer.formats.documents.wording import count
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.formats.trust.stored import StoredSignature
from renderer.ports import Layout, Signer
from renderer.structs import Struct


class ImagesSigned(Struct, frozen=True, kw_only=True):
    """What signing images came to: how many there are, of how many indexes and manifests, and the new signatures."""

    images: int
    subjects: int
    new: int

    @property
    def told(self) -> str:
        """A line for people."""
        did = f"{count(self.new, 'signature')} over {count(self.subjects, 'manifest')}" if self.new else "signed before"
        return f"\n  {count(self.images, 'image')}: {did}"


def sign_images(
    source: Layout, index: bytes, parts: BundleParts, signer: Signer, store: SignatureStore
) -> ImagesSigned:
    """Put into `store` what `signer` has not signed yet of the images in `source`: each under each of its names.

    Raises InputError: `no-images-to-sign`, `image-signature-unreadable`, and what `signer` raises.
    """
    location = source.location
    if parts.kind is not BUNDLE:
        raise InputError(_nothing(f"`{location}` is a delta", location, "sign the images in the bundle itself"))
    bundle = read_unverified(parts, location)
    subjects = subjects_of(bundle)
    if not subjects:
        hint = "`layout`, `archive` or `registry` below `spec.images` of the bundle's source, then build it anew"
        raise InputError(_nothing(f"the bundle {bundle.name} {bundle.version} carries no image", location, hint))
    held = find_image_signatures(index, subjects, location)
    work = _Work(signer, parse_public_key(signer.public_key), location)
    new = 0
    for digest, subject in subjects.items():
        holder = held.get(digest)
        known = read_image_signatures(holder, subject, source.blob, location) if holder else ()
        made = {one.payload for one in known if work.made(one)}
        names = [name for name in subject.names if subject.payload(name) not in made]
        if names:
            makers = layers_of(subject, source.blob, location)
            store.put_over_image(make_image_signatures(subject, makers, known, names, work.sign), holder)
            new += len(names)
    carried = sum(is_carried(image) for image in bundle.images)
    return ImagesSigned(images=carried, subjects=len(subjects), new=new)


class _Work(Struct, frozen=True):
    signer: Signer
    key: PublicKey
    location: str

    def made(self, stored: StoredSignature) -> bool:
        """Whether this key made a signature that was found."""
        try:
            return self.key.check(stored.signed_bytes, stored.signature()) is not None
        except ValueError:
            return False

    def sign(self, payload: bytes) -> bytes:
        """A signature that runtimes can check. Raises InputError (`image-signature-unreadable`)."""
        signature = self.signer.sign(payload)
        algorithm = self.key.check(payload, signature)
        if algorithm is None or not algorithm.for_runtimes:
            raise InputError(
                Finding(
                    code="image-signature-unreadable",
                    message=f"no container runtime can check what this {self.key.kind} key signs",
                    where=Where(file=self.location),
                    expected="a key that signs by ecdsa-p256-sha256, ed25519 or rsa-pkcs1v15-sha256",
                    got=algorithm.value if algorithm else "a signature that is not by the key",
                    hint="sitewright bundle keygen keys/images.key; leave --images out to sign the bundle alone",
                    explanation=("Podman and CRI-O hash with SHA-256 whatever the key, and know neither PSS nor SM2",),
                )
            )
        return signature


def _nothing(message: str, location: str, hint: str) -> Finding:
    return Finding(
        code="no-images-to-sign",
        message=f"there is no image to sign: {message}",
        where=Where(file=location),
        expected="a bundle that carries images",
        hint=hint,
    )
