"""Manifests that hold signatures, as they are written: cosign's tag scheme and Sigstore bundles.

Sources: cosign v3 `pkg/oci/static` and `pkg/oci/empty` (tag scheme), `pkg/oci/remote/write.go` (WriteReferrer) for
bundles; OCI image-spec 1.1 manifest.md ("guidelines for artifact usage").
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from renderer.formats.bundle.artifact import IMAGE_CONFIG, IMAGE_MANIFEST, REF_NAME, ImageManifest, describe
from renderer.formats.canonical_json import canonical_json
from renderer.formats.trust.cosign import (
    CERTIFICATE_ANNOTATION,
    CHAIN_ANNOTATION,
    SIGNATURE_ANNOTATION,
    SIGNATURE_LAYER,
)
from renderer.formats.trust.dsse import SIGN_PREDICATE
from renderer.formats.trust.pem import pem_of
from renderer.formats.trust.sigstore import BUNDLE_CONTENT, BUNDLE_MEDIA_TYPE, BUNDLE_PREDICATE
from renderer.model.bundles.extension import Descriptor
from renderer.structs import Struct, replace

_EMPTY: Final = b"{}"
_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"


class SignatureManifest(Struct, frozen=True, kw_only=True):
    """A manifest of signatures as `index.json` lists it, and the blobs that it needs: itself and what is new."""

    descriptor: Descriptor
    blobs: tuple[bytes, ...]


def cosign_layer(payload: bytes, signature: bytes, certificates: Sequence[bytes] = ()) -> Descriptor:
    """The layer of one signature in cosign's tag scheme; `certificates` are DER, the signer's first."""
    annotations = {SIGNATURE_ANNOTATION: base64.b64encode(signature).decode()}
    if certificates:
        annotations[CERTIFICATE_ANNOTATION] = pem_of(certificates[:1])
    if certificates[1:]:
        annotations[CHAIN_ANNOTATION] = pem_of(certificates[1:])
    return replace(describe(payload, SIGNATURE_LAYER), annotations=annotations)


def cosign_manifest(layers: Sequence[Descriptor], tag: str, payload: bytes) -> SignatureManifest:
    """The manifest under cosign's tag; `payload` is that of the layer that is new."""
    config = empty_config(layers)
    content = ImageManifest(config=describe(config, IMAGE_CONFIG), layers=tuple(layers)).content()
    listed = replace(describe(content, IMAGE_MANIFEST), annotations={REF_NAME: tag})
    return SignatureManifest(descriptor=listed, blobs=(content, config, payload))


def empty_config(layers: Sequence[Descriptor]) -> bytes:
    """The config of signatures under cosign's tag: that of an image without anything, as cosign writes it.

    So registries and copying tools take signatures for an image.
    """
    return canonical_json(
        {
            "architecture": "",
            "config": {},
            "created": "0001-01-01T00:00:00Z",
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]},
        }
    )


def referrer_manifest(bundle: bytes, subject: Descriptor) -> SignatureManifest:
    """The manifest that holds one Sigstore bundle and refers to `subject`.

    cosign also writes the moment of signing into it; it is left out, since nobody signs it.
    """
    content = ImageManifest(
        config=replace(describe(_EMPTY, _EMPTY_TYPE), artifact_type=BUNDLE_MEDIA_TYPE),
        layers=(describe(bundle, BUNDLE_MEDIA_TYPE),),
        annotations={BUNDLE_CONTENT: "dsse-envelope", BUNDLE_PREDICATE: SIGN_PREDICATE},
        artifact_type=BUNDLE_MEDIA_TYPE,
        subject=subject.bare,
    ).content()
    listed = replace(describe(content, IMAGE_MANIFEST), artifact_type=BUNDLE_MEDIA_TYPE)
    return SignatureManifest(descriptor=listed, blobs=(content, _EMPTY, bundle))
