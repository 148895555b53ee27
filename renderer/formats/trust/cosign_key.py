"""cosign's own form of a private key: PKCS#8, encrypted with a passphrase. The home of `nacl`.

Sources: cosign `pkg/cosign/keys.go` (labels, content) and go-securesystemslib `encrypted/encrypted.go`: JSON with the
parameters of scrypt, of which three sets are believed, and a NaCl secret box (XSalsa20-Poly1305), which neither the
standard library nor `cryptography` has. PyNaCl comes with the extra `cosign`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from renderer.formats.canonical_json import parse_json
from renderer.formats.trust.armour import unwrapped
from renderer.model.fields import FieldError, Fields

LABELS: Final = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
"""What stands in the PEM lines, newest first."""
_LIMIT: Final = 64 * 1024
_STRENGTHS: Final = frozenset({(32_768, 8, 1), (65_536, 8, 1), (131_072, 8, 1)})
"""N, r and p of scrypt, as Go's library writes and accepts them: more would take memory at a stranger's wish."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 24
_SALT_BYTES: Final = range(16, 129)


def is_cosign_key(pem: bytes) -> bool:
    """True when `pem` holds a private key in cosign's form."""
    return any(f"-----BEGIN {label}-----".encode() in pem for label in LABELS)


def decrypted(pem: bytes, passphrase: bytes) -> bytes:
    """The PKCS#8 (DER) in a cosign key. Raises ValueError: a wrong passphrase, another form, no PyNaCl."""
    content = next((found for label in LABELS if (found := unwrapped(label, pem)) is not None), None)
    if content is None:
        raise ValueError("this is not one private key in cosign's form")
    try:
        document = Fields.of(parse_json(content, limit=_LIMIT))
        key = _derived(document.child("kdf"), passphrase)
        cipher = document.child("cipher")
        _only(cipher, "name", "nacl/secretbox")
        return _opened(key, _bytes(cipher, "nonce"), _bytes(document, "ciphertext"))
    except FieldError as error:
        raise ValueError(f"this is not a private key in cosign's form: {error}") from error


def _derived(kdf: Fields, passphrase: bytes) -> bytes:
    """The key of the box."""
    _only(kdf, "name", "scrypt")
    params = kdf.child("params")
    n, r, p = (params.integer(name) for name in ("N", "r", "p"))
    if (n, r, p) not in _STRENGTHS:
        raise FieldError(params.path, f"scrypt with N={n}, r={r}, p={p} is none that cosign uses")
    salt = _bytes(kdf, "salt")
    if len(salt) not in _SALT_BYTES:
        raise FieldError(kdf.at("salt"), f"a salt of {len(salt)} bytes is none that cosign uses")
    # scrypt takes 128 * N * r bytes; the bound leaves room for what OpenSSL adds
    return hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, dklen=_KEY_BYTES, maxmem=129 * n * r + 2**20)


def _opened(key: bytes, nonce: bytes, ciphertext: bytes) -> bytes:
    try:
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox
    except ImportError as error:
        raise ValueError(
            "keys in cosign's form need the extra `cosign`, which is not installed (pip install 'sitewright[cosign]')"
        ) from error
    if len(nonce) != _NONCE_BYTES:
        raise ValueError(f"this is not a private key in cosign's form: a nonce has {_NONCE_BYTES} bytes")
    try:
        return SecretBox(key).decrypt(ciphertext, nonce)
    except CryptoError as error:
        raise ValueError("the passphrase is wrong, or the key is damaged") from error


def _only(fields: Fields, key: str, known: str) -> None:
    if fields.text(key) != known:
        raise FieldError(fields.at(key), f"`{fields.text(key)}` is not read here", expected=f"`{known}`")


def _bytes(fields: Fields, key: str) -> bytes:
    try:
        return base64.b64decode(fields.text(key), validate=True)
    except binascii.Error as error:
        raise FieldError(fields.at(key), f"`{key}` is not base64") from error
