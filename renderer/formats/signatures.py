"""Keys and signatures: bytes to checked facts. The only home of `cryptography`, which is loaded when first needed.

The signature that is made and read here is cosign's: a "simple signing" payload (sigstore/pkg/signature/payload.go)
that names the digest of the signed manifest, stored in an OCI manifest under the tag `sha256-<hex>.sig` with one
layer for each signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import Digest
from renderer.model.trust import Algorithm

SIGNATURE_LAYER: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
_PAYLOAD_TYPE: Final = "cosign container image signature"
_PAYLOAD_LIMIT: Final = 64 * 1024
_SIGNATURE_LIMIT: Final = 8 * 1024
_PEM_LIMIT: Final = 64 * 1024
_RSA_BITS: Final = range(2048, 8193)
_GO_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True)
class StoredSignature:
    """One signature as it was found, unchecked: the payload's exact bytes and the signature in base64."""

    payload: bytes
    signature_base64: str

    def signature(self) -> bytes:
        """The signature's bytes. Raises ValueError."""
        if len(self.signature_base64) > _SIGNATURE_LIMIT:
            raise ValueError("the signature is too long")
        try:
            return base64.b64decode(self.signature_base64, validate=True)
        except binascii.Error as error:
            raise ValueError("the signature is not base64") from error


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: the SHA-256 of its DER form, which is its identity, and how to check a signature with it."""

    fingerprint: Digest
    kind: str
    _key: Any = field(repr=False, compare=False)

    def check(self, payload: bytes, signature: bytes) -> Algorithm | None:
        """The algorithm by which `signature` is this key's over `payload`; None when it is not."""
        from cryptography.exceptions import InvalidSignature

        for algorithm, arguments in _schemes(self._key):
            try:
                self._key.verify(signature, payload, *arguments)
            except (InvalidSignature, ValueError):
                continue
            return algorithm
        return None


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that can sign. Its content is never shown."""

    public_pem: bytes
    _sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER for ECDSA, raw for Ed25519, PKCS#1 v1.5 for RSA."""
        return self._sign(payload)


def parse_public_key(pem: bytes) -> PublicKey:
    """Read a PEM public key (SubjectPublicKeyInfo): ECDSA P-256 or P-384, Ed25519, RSA of 2048 to 8192 bits.

    Raises ValueError with the rule that the key breaks.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if len(pem) > _PEM_LIMIT:
        raise ValueError("a public key file has at most 64 KiB")
    if b"PRIVATE KEY" in pem:
        raise ValueError("this is a private key; a trust policy names public keys (`-----BEGIN PUBLIC KEY-----`)")
    if b"BEGIN CERTIFICATE" in pem:
        raise ValueError("this is a certificate; a trust policy names public keys (`-----BEGIN PUBLIC KEY-----`)")
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("this is not a PEM public key that can be used (`-----BEGIN PUBLIC KEY-----`)") from error
    kind = _kind(key)
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(Digest("sha256", hashlib.sha256(der).hexdigest()), kind, key)


def load_private_key(pem: bytes, passphrase: Callable[[], bytes] | None = None) -> PrivateKey:
    """Read a PEM private key (PKCS#8, or the traditional forms of OpenSSL); `passphrase` is asked when it is encrypted.

    Raises ValueError; the message never holds anything of the key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if len(pem) > _PEM_LIMIT:
        raise ValueError("a private key file has at most 64 KiB")
    if b"SIGSTORE PRIVATE KEY" in pem or b"COSIGN PRIVATE KEY" in pem:
        raise ValueError("this is cosign's own form of an encrypted key; PKCS#8 is read here")
    encrypted = b"ENCRYPTED" in pem
    if encrypted and passphrase is None:
        raise ValueError("the private key is encrypted, and no passphrase is given")
    try:
        key: Any = serialization.load_pem_private_key(pem, passphrase() if encrypted and passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "the passphrase is wrong, or " if encrypted else ""
        raise ValueError(f"{why}this is not a PEM private key (`-----BEGIN PRIVATE KEY-----`)") from error
    public = key.public_key()
    _kind(public)
    _, arguments = _schemes(public)[0]
    public_pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PrivateKey(public_pem, lambda payload: key.sign(payload, *arguments))


def new_private_key(algorithm: Algorithm, passphrase: bytes | None) -> tuple[bytes, bytes]:
    """A new key pair as PEM: the private key in PKCS#8 (encrypted when there is a passphrase), and the public key.

    Raises ValueError for an algorithm that keys are not made for. It draws on the system's randomness, which no stage
    may: only `renderer.adapters.signing` calls it.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    makers: dict[Algorithm, Callable[[], Any]] = {
        Algorithm.ECDSA_P256_SHA256: lambda: ec.generate_private_key(ec.SECP256R1()),
        Algorithm.ECDSA_P384_SHA384: lambda: ec.generate_private_key(ec.SECP384R1()),
        Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    }
    if algorithm not in makers:
        raise ValueError(f"keys for {algorithm.value} are not made here")
    key = makers[algorithm]()
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked)
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def _kind(key: Any) -> str:
    """What a key is called in messages. Raises ValueError for one that we do not use."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return "ECDSA P-256" if isinstance(key.curve, ec.SECP256R1) else "ECDSA P-384"
        raise ValueError(f"the curve `{key.curve.name}` is not used here; P-256 and P-384 are")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_BITS:
            return f"RSA {key.key_size}"
        raise ValueError(f"an RSA key must have 2048 to 8192 bits, this one has {key.key_size}")
    raise ValueError("keys must be ECDSA P-256 or P-384, Ed25519 or RSA")


def _schemes(key: Any) -> list[tuple[Algorithm, tuple[Any, ...]]]:
    """How signatures of a key are checked: the algorithm, and the arguments that `verify` and `sign` take for it."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

    if isinstance(key, ed25519.Ed25519PublicKey):
        return [(Algorithm.ED25519, ())]
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return [(Algorithm.ECDSA_P256_SHA256, (ec.ECDSA(hashes.SHA256()),))]
        return [(Algorithm.ECDSA_P384_SHA384, (ec.ECDSA(hashes.SHA384()),))]
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
    return [
        (Algorithm.RSA_PKCS1_SHA256, (padding.PKCS1v15(), hashes.SHA256())),
        (Algorithm.RSA_PSS_SHA256, (pss, hashes.SHA256())),
    ]


def signature_tag(manifest: Digest) -> str:
    """The tag under which cosign stores the signatures of `manifest`: `sha256-<hex>.sig`."""
    return f"{manifest.algorithm}-{manifest.hex}.sig"


def make_payload(reference: str, manifest: Digest) -> bytes:
    """The bytes that cosign signs for `manifest`, exactly as Go's `encoding/json` writes them.

    `reference` is a repository name; cosign does not check it, so that a copy keeps its signatures.
    """
    body = {
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": str(manifest)},
            "type": _PAYLOAD_TYPE,
        },
        "optional": None,
    }
    text = canonical_json(body).decode()
    for char, escaped in _GO_ESCAPES.items():
        text = text.replace(char, escaped)
    return text.encode()


def payload_digest(payload: bytes) -> Digest:
    """The digest of the manifest that a payload speaks of. Raises ValueError when it is no cosign payload."""
    try:
        critical = Fields.of(parse_json(payload, limit=_PAYLOAD_LIMIT)).child("critical")
        if critical.text("type") != _PAYLOAD_TYPE:
            raise ValueError(f"the payload's type is not `{_PAYLOAD_TYPE}`")
        return critical.child("image").parsed("docker-manifest-digest", Digest.parse)
    except FieldError as error:
        raise ValueError(f"the payload is not a cosign signature payload: {error}") from error
