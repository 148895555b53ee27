"""Signatures over the images of a bundle, which container runtimes check themselves: cosign's form, beside the images.

A bundle's own signature covers the list of its images, and no runtime can read that list. So whoever signs the bundle
may sign every image that it carries, too: the index and each manifest below it, since a runtime judges the manifest
that it chose (containers/image, `copy/single.go`). They are made after the bundle, so nothing that is signed names
them: what lies in a layout as signatures of images is believed to be that, and allowed to be there, only when it is
byte for byte what `make_image_signatures` writes for the dictionary of the bundle.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    COPY_AGAIN,
    REF_NAME,
    ReadBlob,
    bounded,
    malformed,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.signature_manifests import SignatureManifest, cosign_layer, cosign_manifest
from renderer.formats.trust.cosign import SIGNATURE_ANNOTATION, SIGNATURE_LAYER, make_payload, signature_tag
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.bundle import Bundle, BundleImage
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest, ImageReference
from renderer.structs import Struct, field

IMAGE_SIGNATURES_LIMIT: Final = 2**20
"""Bytes of the manifest that holds the signatures of one index or manifest."""
ALL_IMAGE_SIGNATURES_LIMIT: Final = 16 * 2**20
"""Bytes of all these manifests together."""
_SIGNATURE_LIMIT: Final = 8 * 1024


class SignedSubject(Struct):
    """An index or a manifest of an image that a bundle carries, and what its signatures say.

    `names` are the identities under which the bundle has it, each signed for itself; `beside` are manifests under the
    same tag that the bundle itself carries: signatures by the makers of the image.
    """

    content: Descriptor
    names: list[str] = field(default_factory=list)
    beside: list[Descriptor] = field(default_factory=list)

    @property
    def tag(self) -> str:
        """Where cosign looks for signatures of it."""
        return signature_tag(self.content.digest)

    def payload(self, name: str) -> bytes:
        """What is signed: that this is the image `name`."""
        return make_payload(name, self.content.digest)


def identity(reference: ImageReference) -> str:
    """What a signature calls an image: `registry/repository:tag` as manifests name it upstream, or its digest.

    With the tag, `matchRepoDigestOrExact` of containers-policy.json(5) holds both for a digest and for that tag.
    """
    return f"{reference.name}:{reference.tag}" if reference.tag else f"{reference.name}@{reference.digest}"


def subjects_of(bundle: Bundle) -> dict[Digest, SignedSubject]:
    """Everything of the images that `bundle` carries for which there may be signatures, in the order of its list."""
    found: dict[Digest, SignedSubject] = {}
    for image in bundle.images:
        if is_carried(image):
            for content in (image.content, *image.platforms.values()):
                subject = found.setdefault(content.digest, SignedSubject(content.bare))
                name = identity(image.reference)
                if name not in subject.names:
                    subject.names.append(name)
                subject.beside += [one for one in _beside(image, subject.tag) if one not in subject.beside]
    return found


def _beside(image: BundleImage, tag: str) -> list[Descriptor]:
    return [referrer.content.bare for referrer in image.referrers if referrer.tag == tag]


def find_image_signatures(
    index: bytes, subjects: Mapping[Digest, SignedSubject], location: str
) -> dict[Digest, Descriptor]:
    """The manifests of signatures that `index.json` lists for `subjects`, unread. Raises BundleRefusedError."""
    by_tag = {subject.tag: digest for digest, subject in subjects.items()}
    entries = parse_index(
        index,
        Where(file=location, subject="index.json"),
        lambda entry: entry.mapping("annotations").get(REF_NAME) in by_tag,
    )
    found: dict[Digest, Descriptor] = {}
    for entry in entries:
        found.setdefault(by_tag[entry.name or ""], entry.descriptor)
    total = sum(holder.size for holder in found.values())
    if total > ALL_IMAGE_SIGNATURES_LIMIT:
        message = f"signatures over images have {total} bytes together; {ALL_IMAGE_SIGNATURES_LIMIT} are allowed"
        raise malformed(Where(file=location, subject="index.json"), message)
    return found


def read_image_signatures(
    holder: Descriptor, subject: SignedSubject, read: ReadBlob, location: str
) -> tuple[StoredSignature, ...]:
    """The signatures that `holder` holds for `subject`, unchecked, without those that its makers made.

    What they sign need not be read: it follows from the subject. Raises BundleRefusedError (`bundle-malformed`,
    `bundle-tampered`) for anything that is not byte for byte such a manifest.
    """
    where = Where(file=location, subject=f"signatures {holder.digest} of image {subject.names[0]}")
    bounded(holder, IMAGE_SIGNATURES_LIMIT, where)
    layers = parse_manifest(read(holder), where).layers
    makers = layers_of(subject, read, location)
    exact = cosign_manifest(layers, subject.tag, b"").descriptor
    if layers[: len(makers)] != makers or holder.bare != exact.bare:
        raise _tampered(where, "the layers of its makers' signatures, then those of the bundle's signers")
    own = layers[len(makers) :]
    payloads = {Digest.of(payload): payload for payload in map(subject.payload, subject.names)}
    for layer in own:
        if layer.digest not in payloads or layer != cosign_layer(payloads[layer.digest], signature_of(layer)):
            raise _tampered(where, f"signatures over {subject.content.digest} under the names that the bundle gives it")
    if len(set(map(_told_apart, own))) != len(own) or not own:
        raise _tampered(where, "each signature once, and one at least")
    return tuple(
        StoredSignature(payloads[layer.digest], layer.annotations[SIGNATURE_ANNOTATION], held_by=holder.digest)
        for layer in own
    )


def layers_of(subject: SignedSubject, read: ReadBlob, location: str) -> tuple[Descriptor, ...]:
    """The layers of the makers' signatures, each once: under one tag lies one manifest, so ours repeats them."""
    found: dict[tuple[Digest, str | None], Descriptor] = {}
    for held in subject.beside:
        where = Where(file=location, subject=f"signatures {held.digest}")
        for layer in parse_manifest(read(held), where).layers:
            found.setdefault(_told_apart(layer), layer)
    return tuple(found.values())


def make_image_signatures(
    subject: SignedSubject,
    makers: Sequence[Descriptor],
    known: Iterable[StoredSignature],
    names: Iterable[str],
    sign: Callable[[bytes], bytes],
) -> SignatureManifest:
    """The manifest of the signatures of `subject`: `known` ones, and new ones for `names`.

    `makers` is what `layers_of` says.
    """
    own = [(one.payload, one.signature()) for one in known]
    own += [(payload, sign(payload)) for payload in map(subject.payload, names)]
    layers = [*makers, *(cosign_layer(payload, signature) for payload, signature in own)]
    manifest = cosign_manifest(layers, subject.tag, b"")
    payloads = dict.fromkeys(payload for payload, _ in own)
    return SignatureManifest(descriptor=manifest.descriptor, blobs=(*manifest.blobs[:2], *payloads))


def _told_apart(layer: Descriptor) -> tuple[Digest, str | None]:
    """What tells one signature from another: two keys sign the same bytes."""
    return layer.digest, layer.annotations.get(SIGNATURE_ANNOTATION)


def signature_of(layer: Descriptor) -> bytes:
    """The bytes of the signature that a layer holds; none when it holds none that can be read."""
    text = layer.annotations.get(SIGNATURE_ANNOTATION, "")
    if layer.media_type != SIGNATURE_LAYER or len(text) > _SIGNATURE_LIMIT:
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _tampered(where: Where, expected: str) -> BundleRefusedError:
    return BundleRefusedError(
        Finding(
            code="bundle-tampered",
            message="what lies there as signatures of an image is not the form in which they are written",
            where=where,
            expected=expected,
            hint=COPY_AGAIN,
        )
    )
