"""Keys: PEM bytes to keys that check and make signatures. The home of `cryptography`, loaded when first needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from renderer.model.bundles.trust import Algorithm
from renderer.model.reference import Digest

_PEM_LIMIT: Final = 64 * 1024
_RSA_BITS: Final = range(2048, 8193)


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
