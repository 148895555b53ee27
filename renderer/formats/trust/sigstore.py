"""Sigstore bundles: one signature, what it is over, and what vouches for its key, in one JSON document.

Sources: sigstore protobuf-specs `sigstore_bundle.proto`, `sigstore_common.proto`, spelled as protojson spells them
(lowerCamel names, bytes in standard base64); cosign v3 `specs/BUNDLE_SPEC.md` for how they lie in a registry; and
sigstore-go `pkg/bundle/bundle.go` for what it refuses.

Transparency log entries and timestamps are kept as they are and not looked at: behind an air gap a signature stands
on the keys and authorities of the trust policy alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.formats.trust.pem import bounded_chain
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.signing import SignatureForm
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import Digest

BUNDLE_MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
BUNDLE_CONTENT: Final = "dev.sigstore.bundle.content"
BUNDLE_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
SIGSTORE_BUNDLE_LIMIT: Final = 256 * 1024
_MEDIA_TYPE: Final = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(\.v0\.[1-3](\.[0-9]+)?\+json|\+json;version=0\.[1-3])\Z"
)
_DIGESTS: Final = {"SHA2_256": hashlib.sha256, "SHA2_384": hashlib.sha384, "SHA2_512": hashlib.sha512}


def is_sigstore_bundle(media_type: str | None) -> bool:
    """True for the media types of bundles v0.1 to v0.3, in both spellings."""
    return media_type is not None and _MEDIA_TYPE.match(media_type) is not None


def read_sigstore_bundle(content: bytes, manifest: bytes, held_by: Digest) -> StoredSignature:
    """The signature in a Sigstore bundle that refers to `manifest` (its bytes), unchecked.

    A bundle that cannot be read becomes a signature with a fault, so that the table of signatures shows it.
    """
    try:
        return _read(Fields.of(parse_json(content, limit=SIGSTORE_BUNDLE_LIMIT)), manifest, held_by)
    except ValueError as error:
        fault = f"the Sigstore bundle cannot be read: {error}"
        return StoredSignature(b"", "", form=SignatureForm.SIGSTORE_BUNDLE, held_by=held_by, fault=fault)


def _read(bundle: Fields, manifest: bytes, held_by: Digest) -> StoredSignature:
    media_type = bundle.text("mediaType")
    if not is_sigstore_bundle(media_type):
        raise FieldError(bundle.at("mediaType"), f"`{media_type}` is not read here; v0.1 to v0.3 are")
    payload, envelope, signature = _signed(bundle, manifest)
    material = bundle.child("verificationMaterial")
    certificates = _certificates(material)
    bounded_chain(certificates)
    return StoredSignature(
        payload,
        signature,
        form=SignatureForm.SIGSTORE_BUNDLE,
        envelope=envelope,
        certificates=tuple(certificates),
        key_hint=material.child("publicKey").optional_text("hint"),
        held_by=held_by,
    )


def _signed(bundle: Fields, manifest: bytes) -> tuple[bytes, str | None, str]:
    """What is signed, the type of its envelope (None: the manifest itself, bare), and the signature in base64."""
    if ("dsseEnvelope" in bundle) == ("messageSignature" in bundle):
        raise FieldError(bundle.path, "it holds `dsseEnvelope` or `messageSignature`: one of them")
    if "dsseEnvelope" in bundle:
        envelope = bundle.child("dsseEnvelope")
        signatures = envelope.children("signatures")
        if len(signatures) != 1:
            raise FieldError(envelope.at("signatures"), f"an envelope has one signature here, not {len(signatures)}")
        return _bytes(envelope, "payload"), envelope.text("payloadType"), signatures[0].text("sig")
    message = bundle.child("messageSignature")
    stated = message.child("messageDigest")
    if "digest" in stated:
        algorithm = stated.text("algorithm")
        if algorithm not in _DIGESTS:
            raise FieldError(stated.at("algorithm"), f"`{algorithm}` is not read here", expected=", ".join(_DIGESTS))
        if _bytes(stated, "digest") != _DIGESTS[algorithm](manifest).digest():
            raise FieldError(stated.at("digest"), "it is the digest of something else than the manifest referred to")
    return manifest, None, message.text("signature")


def _certificates(material: Fields) -> list[bytes]:
    chain = material.child("x509CertificateChain").children("certificates")
    single = [material.child("certificate")] if "certificate" in material else []
    return [_bytes(one, "rawBytes") for one in (*single, *chain)]


def _bytes(fields: Fields, key: str) -> bytes:
    try:
        return base64.b64decode(fields.text(key), validate=True)
    except binascii.Error as error:
        raise FieldError(fields.at(key), f"`{key}` is not base64") from error


def make_sigstore_bundle(
    payload_type: str, payload: bytes, signature: bytes, *, key_hint: str, certificates: Sequence[bytes] = ()
) -> bytes:
    """A bundle v0.3 with a DSSE envelope, as cosign v3 writes it.

    One certificate is stored as `certificate`; more, the signer's first, as `x509CertificateChain` (which readers
    accept only when they are told to trust private authorities); without any, `key_hint` names the key.
    """
    material: dict[str, Json] = {"publicKey": {"hint": key_hint}}
    if len(certificates) == 1:
        material = {"certificate": {"rawBytes": _text(certificates[0])}}
    elif certificates:
        chain: list[Json] = [{"rawBytes": _text(one)} for one in certificates]
        material = {"x509CertificateChain": {"certificates": chain}}
    return canonical_json(
        {
            "mediaType": BUNDLE_MEDIA_TYPE,
            "verificationMaterial": material,
            "dsseEnvelope": {
                "payload": _text(payload),
                "payloadType": payload_type,
                "signatures": [{"sig": _text(signature)}],
            },
        }
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
