"""Public keys: PEM bytes to keys that check signatures. A home of `cryptography`, which is loaded when first needed.

`kind_of` and `schemes_of` are the table of all keys that are used here: what a kind is called, and by which
algorithms keys of it sign. A kind of another library joins it with an object that has the methods of a public key of
`cryptography`: `verify(signature, payload, *arguments)`, which raises InvalidSignature or ValueError, and
`public_bytes(encoding, format)`; its private half has `sign(payload, *arguments)` and `public_key()`
(`renderer.formats.trust.private_keys`).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from renderer.formats.trust import sm2
from renderer.model.bundles.trust import Algorithm
from renderer.model.reference import Digest
from renderer.structs import Struct

_PEM_LIMIT: Final = 64 * 1024
_RSA_BITS: Final = range(2048, 8193)


class PublicKey(Struct, frozen=True):
    """A public key: the SHA-256 of its DER form, which is its identity, and how to check a signature with it."""

    fingerprint: Digest
    kind: str
    _key: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"PublicKey(fingerprint={self.fingerprint!r}, kind={self.kind!r})"

    def check(self, payload: bytes, signature: bytes) -> Algorithm | None:
        """The algorithm by which `signature` is this key's over `payload`; None when it is not."""
        from cryptography.exceptions import InvalidSignature

        for algorithm, arguments in schemes_of(self._key):
            try:
                self._key.verify(signature, payload, *arguments)
            except (InvalidSignature, ValueError):
                continue
            return algorithm
        return None


def parse_public_key(pem: bytes) -> PublicKey:
    """Read a PEM public key (SubjectPublicKeyInfo): ECDSA P-256 or P-384, Ed25519, RSA of 2048 to 8192 bits, SM2.

    Raises ValueError with the rule that the key breaks, ExtraMissingError where SM2 is not installed.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if len(pem) > _PEM_LIMIT:
        raise ValueError("a public key file has at most 64 KiB")
    if b"PRIVATE KEY" in pem:
        raise ValueError("this is a private key; a trust policy names public keys (`-----BEGIN PUBLIC KEY-----`)")
    if b"BEGIN CERTIFICATE" in pem:
        raise ValueError("this is a certificate; a trust policy names public keys (`-----BEGIN PUBLIC KEY-----`)")
    key: Any = sm2.public_key_of(pem)
    try:
        key = key or serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("this is not a PEM public key that can be used (`-----BEGIN PUBLIC KEY-----`)") from error
    kind = kind_of(key)
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(Digest("sha256", hashlib.sha256(der).hexdigest()), kind, key)


def kind_of(key: Any) -> str:
    """What a key is called in messages. Raises ValueError for one that we do not use."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    if isinstance(key, sm2.Sm2PublicKey):
        return "SM2"
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            return "ECDSA P-256" if isinstance(key.curve, ec.SECP256R1) else "ECDSA P-384"
        raise ValueError(f"the curve `{key.curve.name}` is not used here; P-256 and P-384 are")
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size in _RSA_BITS:
            return f"RSA {key.key_size}"
        raise ValueError(f"an RSA key must have 2048 to 8192 bits, this one has {key.key_size}")
    raise ValueError("keys must be ECDSA P-256 or P-384, Ed25519, RSA or SM2")


def schemes_of(key: Any) -> list[tuple[Algorithm, tuple[Any, ...]]]:
    """The algorithms by which a key signs, and what `verify` and `sign` take for each. New signatures use the first."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

    if isinstance(key, ed25519.Ed25519PublicKey):
        return [(Algorithm.ED25519, ())]
    if isinstance(key, sm2.Sm2PublicKey):
        return [(Algorithm.SM2_SM3, ())]
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return [(Algorithm.ECDSA_P256_SHA256, (ec.ECDSA(hashes.SHA256()),))]
        return [(Algorithm.ECDSA_P384_SHA384, (ec.ECDSA(hashes.SHA384()),))]
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.AUTO)
    return [
        (Algorithm.RSA_PKCS1_SHA256, (padding.PKCS1v15(), hashes.SHA256())),
        (Algorithm.RSA_PSS_SHA256, (pss, hashes.SHA256())),
    ]
