"""A private key in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.signatures import PrivateKey, load_private_key

_KEY_LIMIT: Final = 64 * 1024


class KeyFileSigner:
    """Satisfies `Signer` with a PEM private key (PKCS#8, encrypted or not).

    `passphrase` is asked once, and only when the key is encrypted. Raises InputError: `key-not-found`,
    `invalid-private-key`.
    """

    def __init__(self, path: Path, location: str, passphrase: Callable[[], bytes] | None = None) -> None:
        self._location = location
        try:
            with path.open("rb") as stream:
                pem = stream.read(_KEY_LIMIT + 1)
        except OSError as error:
            raise InputError(
                Finding(
                    code="key-not-found",
                    message=f"the private key `{location}` cannot be read: {error.strerror}",
                    where=Where(file=location),
                    hint=f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {location}",
                )
            ) from error
        try:
            self._key: PrivateKey = load_private_key(pem, passphrase)
        except ValueError as error:
            raise InputError(
                Finding(
                    code="invalid-private-key",
                    message=f"the private key `{location}` cannot be used: {error}",
                    where=Where(file=location),
                    expected="a PEM private key (PKCS#8): ECDSA P-256 or P-384, Ed25519, RSA of 2048 to 8192 bits",
                    hint="openssl pkcs8 -topk8 -in KEY -out KEY.p8",
                )
            ) from error

    @property
    def public_key(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        return self._key.public_pem

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER for ECDSA, raw for Ed25519."""
        return self._key.sign(payload)
