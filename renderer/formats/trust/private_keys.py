"""Private keys: bytes of a file to keys that sign, and new ones. A home of `cryptography`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from renderer.formats.trust import cosign_key, pkcs8, sm2
from renderer.formats.trust.armour import unwrapped, wrapped
from renderer.formats.trust.keys import kind_of, schemes_of
from renderer.model.bundles.trust import Algorithm

_FILE_LIMIT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key that can sign. Its content is never shown."""

    public_pem: bytes
    _sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER for ECDSA, raw for Ed25519, PKCS#1 v1.5 for RSA."""
        return self._sign(payload)


def load_private_key(pem: bytes, passphrase: Callable[[], bytes] | None = None) -> PrivateKey:
    """Read a PEM private key: PKCS#8, the traditional forms of OpenSSL, or cosign's own form.

    `passphrase` is asked when the key is encrypted. Raises ValueError; the message never holds anything of the key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    if len(pem) > _FILE_LIMIT:
        raise ValueError("a private key file has at most 64 KiB")
    encrypted = b"ENCRYPTED" in pem
    if encrypted and passphrase is None:
        raise ValueError("the private key is encrypted, and no passphrase is given")
    secret = passphrase() if encrypted and passphrase else None
    if secret is not None and cosign_key.is_cosign_key(pem):
        pem, secret = wrapped("PRIVATE KEY", cosign_key.decrypted(pem, secret)), None
    try:
        key: Any = serialization.load_pem_private_key(pem, secret)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        key = _load_sm2(pem, secret)
        if key is None:
            why = "the passphrase is wrong, or " if secret is not None else ""
            raise ValueError(f"{why}this is not a PEM private key (`-----BEGIN PRIVATE KEY-----`)") from error
    public = key.public_key()
    kind_of(public)
    arguments = _repeatable(public)
    public_pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return PrivateKey(public_pem, lambda payload: key.sign(payload, *arguments))


def _repeatable(public: Any) -> tuple[Any, ...]:
    """What `sign` takes so that a key signs the same bytes the same way each time (RFC 6979), where the library can.

    Signatures over images would otherwise pile up in a registry: each edition of a bundle would bring new ones over
    images that it shares with the edition before.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    _, arguments = schemes_of(public)[0]
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return arguments
    try:
        return (ec.ECDSA(arguments[0].algorithm, deterministic_signing=True),)
    except UnsupportedAlgorithm:
        return arguments


def _load_sm2(pem: bytes, passphrase: bytes | None) -> sm2.Sm2PrivateKey | None:
    """SM2 in PKCS#8, encrypted or not; None when it cannot be read as that. Raises ExtraMissingError."""
    content = unwrapped("PRIVATE KEY", pem)
    encrypted = unwrapped("ENCRYPTED PRIVATE KEY", pem)
    try:
        if encrypted is not None and passphrase is not None:
            content = pkcs8.decrypted(encrypted, passphrase)
        return sm2.private_key_of(content) if content is not None else None
    except sm2.ExtraMissingError:
        raise
    except ValueError:
        return None


def _new_sm2(passphrase: bytes | None, randomness: Callable[[int], bytes]) -> tuple[bytes, bytes]:
    """A new SM2 key pair as PEM; see `new_private_key`."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = sm2.new_private_key()
    private = wrapped("PRIVATE KEY", key.pkcs8())
    if passphrase:
        locked = pkcs8.encrypted(key.pkcs8(), passphrase, randomness(16), randomness(16))
        private = wrapped("ENCRYPTED PRIVATE KEY", locked)
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def new_private_key(
    algorithm: Algorithm, passphrase: bytes | None, randomness: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """A new key pair as PEM: the private key in PKCS#8 (encrypted when there is a passphrase), and the public key.

    `randomness` gives that many bytes. Raises ValueError for an algorithm that keys are not made for. The libraries
    draw on the system's randomness, which no stage may: only `renderer.adapters.signing` calls this.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if algorithm is Algorithm.SM2_SM3:
        return _new_sm2(passphrase, randomness)
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
