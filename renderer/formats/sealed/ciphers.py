"""The cryptographic steps that age and SOPS are made of. Randomness comes from the caller: nothing here draws any.

One home of `cryptography`, loaded when first needed.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "TAG_LENGTH",
    "DoesNotOpenError",
    "chacha",
    "gcm_open",
    "gcm_seal",
    "hkdf",
    "hmac",
    "x25519",
    "x25519_public",
]

TAG_LENGTH: Final = 16
"""Bytes of the authentication tag of AES-GCM and of ChaCha20-Poly1305."""


class DoesNotOpenError(ValueError):
    """The key is another one, or the ciphertext or what belongs to it has been changed. Says nothing of either."""

    def __init__(self) -> None:
        super().__init__("the key does not open this")


def x25519(secret: bytes, point: bytes) -> bytes:
    """The shared secret of a scalar and a point, 32 bytes. Raises ValueError for a point of low order."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(point))


def x25519_public(secret: bytes) -> bytes:
    """The point that belongs to a scalar of 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def hkdf(secret: bytes, salt: bytes, label: bytes) -> bytes:
    """HKDF-SHA-256 to 32 bytes (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=label).derive(secret)


def hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.hmac import HMAC

    code = HMAC(key, SHA256())
    code.update(message)
    return code.finalize()


def chacha(key: bytes, nonce: bytes, content: bytes, *, seal: bool) -> bytes:
    """ChaCha20-Poly1305 (RFC 8439): the ciphertext with its tag, or the content again. Raises DoesNotOpenError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    cipher = ChaCha20Poly1305(key)
    if seal:
        return cipher.encrypt(nonce, content, None)
    try:
        return cipher.decrypt(nonce, content, None)
    except InvalidTag:
        raise DoesNotOpenError from None


def gcm_seal(key: bytes, nonce: bytes, content: bytes, beside: bytes) -> tuple[bytes, bytes]:
    """AES-256-GCM: the ciphertext, and its tag over it and over `beside`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = AESGCM(key).encrypt(nonce, content, beside)
    return sealed[:-TAG_LENGTH], sealed[-TAG_LENGTH:]


def gcm_open(key: bytes, nonce: bytes, sealed: tuple[bytes, bytes], beside: bytes) -> bytes:
    """What `gcm_seal` was given. Raises DoesNotOpenError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, sealed[0] + sealed[1], beside)
    except (InvalidTag, ValueError):
        raise DoesNotOpenError from None
