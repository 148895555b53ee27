"""Private keys in files: used for signing, and made."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.private_keys import PrivateKey, load_private_key, new_private_key
from renderer.model.bundles.trust import Algorithm
from renderer.model.outcome import Outcome

_KEY_LIMIT: Final = 64 * 1024


class KeyFileSigner:
    """Satisfies `Signer` with a PEM private key (PKCS#8 or cosign's own form, encrypted or not).

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
                    hint=f"sitewright bundle keygen {location}",
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
                    expected="a PEM private key: ECDSA P-256 or P-384, Ed25519, RSA of 2048 to 8192 bits, SM2",
                    hint=_what_helps(pem, str(error), location),
                )
            ) from error

    @property
    def public_key(self) -> bytes:
        """The public key as PEM (SubjectPublicKeyInfo)."""
        return self._key.public_pem

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER for ECDSA, raw for Ed25519."""
        return self._key.sign(payload)


def _what_helps(pem: bytes, reason: str, location: str) -> str:
    """What to do about a key that cannot be used."""
    if "pip install" in reason:
        return reason.rpartition("(")[2].rstrip(")")
    if "passphrase" in reason:
        return "set SITEWRIGHT_KEY_PASSPHRASE to the passphrase of this key"
    if b"PUBLIC KEY" in pem:
        return "name the private key; this one belongs into the trust policy"
    if b"PRIVATE KEY" in pem:
        return "sitewright bundle keygen NEW.key makes one that can be used"
    return f"openssl pkey -inform DER -in {location} -out KEY.pem, if it is a key in another form"


def make_key_pair(path: Path, location: str, algorithm: Algorithm, passphrase: bytes | None) -> Outcome:
    """Write a new private key to `path` (readable by its owner only) and the public key beside it (`.pub`).

    Nothing that exists is replaced. Raises InputError: `key-exists`, `key-not-written`.
    """
    public_path = path.with_suffix(".pub")
    private, public = new_private_key(algorithm, passphrase, secrets.token_bytes)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for place, content, mode in ((path, private, 0o600), (public_path, public, 0o644)):
            with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
                stream.write(content)
    except FileExistsError as error:
        raise InputError(
            Finding(
                code="key-exists",
                message=f"`{error.filename}` exists, and a key is never replaced",
                where=Where(file=location),
                hint="choose another file, or move the old key away",
            )
        ) from error
    except OSError as error:
        raise InputError(
            Finding(
                code="key-not-written",
                message=f"the key cannot be written: {error.strerror}",
                where=Where(file=location),
            )
        ) from error
    fingerprint = str(parse_public_key(public).fingerprint)
    shown = location.removesuffix(path.suffix) + ".pub" if path.suffix else f"{location}.pub"
    return Outcome(
        text=f"{location}: a new {algorithm.value} key, fingerprint {fingerprint}\n"
        f"  keep it secret; {shown} goes into the trust policy (`publicKeyFile`)",
        document={"key": location, "publicKey": shown, "algorithm": algorithm.value, "fingerprint": fingerprint},
    )
