"""SM2 signatures with SM3: the public-key algorithm of GB/T 32918 and the hash of GB/T 32905. The home of `gmalg`.

Sources: GB/T 32918.2 (signatures) and 32918.5 (the curve); GB/T 35276 for the identity that signers have unless they
agree on another one, and for signatures as DER; draft-shen-sm2-ecdsa and RFC 8998 say the same in English. Keys are the
PEM files of OpenSSL, GmSSL and Tongsuo: SubjectPublicKeyInfo (RFC 5480) and PKCS#8 with the curve 1.2.156.10197.1.301.

`gmalg` comes with the extra `sm`. It calculates in Python, on every machine, and its time depends on the numbers: a key
that must not be watched at work belongs into a device (`bundle sign --signer`). SM3 is OpenSSL's, through
`cryptography`.
"""

from __future__ import annotations

from typing import Any, Final

from renderer.formats.trust import der
from renderer.formats.trust.armour import unwrapped, wrapped

IDENTITY: Final = b"1234567812345678"
"""The signer's identity in every signature, as GB/T 35276 has it where nothing else was agreed."""
_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFC
_B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_EC_KEY: Final = bytes.fromhex("06072a8648ce3d0201")  # 1.2.840.10045.2.1, id-ecPublicKey
_CURVE: Final = bytes.fromhex("06082a811ccf5501822d")  # 1.2.156.10197.1.301
_ALGORITHM: Final = der.element(der.SEQUENCE, _EC_KEY, _CURVE)
_VERSION_0: Final = der.element(der.INTEGER, b"\0")
_VERSION_1: Final = der.element(der.INTEGER, b"\1")


class ExtraMissingError(ValueError):
    """The extra `sm` is not installed."""

    hint: Final = "pip install 'sitewright[sm]'"

    def __init__(self) -> None:
        super().__init__(f"it is an SM2 key, and the extra `sm` is not installed ({self.hint})")


class Sm2PublicKey:
    """A point of the curve; has the methods of a public key of `cryptography`."""

    def __init__(self, point: bytes) -> None:
        """`point` is uncompressed: 4, x, y. Raises ValueError when it is not on the curve, or without the extra."""
        x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
        if len(point) != 65 or point[0] != 4 or max(x, y) >= _P or (y * y - x**3 - _A * x - _B) % _P:
            raise ValueError("this is not a point of the curve of SM2")
        _arithmetic()
        self._point = point
        self._coordinates = (x, y)

    def verify(self, signature: bytes, payload: bytes) -> None:
        """Raise InvalidSignature unless `signature` (DER of r and s) is this key's over `payload`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

        r, s = decode_dss_signature(signature)
        if not (0 < r < _N and 0 < s < _N) or encode_dss_signature(r, s) != signature:
            raise InvalidSignature
        if not _arithmetic().verify(payload, r, s, IDENTITY, self._coordinates):
            raise InvalidSignature

    def public_bytes(self, encoding: Any, format: Any) -> bytes:  # noqa: A002 - as `cryptography` calls it
        """The SubjectPublicKeyInfo, in DER or PEM."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        if format != PublicFormat.SubjectPublicKeyInfo:
            raise ValueError("an SM2 key is written as SubjectPublicKeyInfo")
        info = der.element(der.SEQUENCE, _ALGORITHM, der.element(der.BIT_STRING, b"\0", self._point))
        return info if encoding == Encoding.DER else wrapped("PUBLIC KEY", info)


class Sm2PrivateKey:
    """A number that signs; has the methods of a private key of `cryptography`. It is never shown."""

    def __init__(self, secret: int) -> None:
        """Raises ValueError for a number that is no key, or without the extra."""
        if not 0 < secret < _N - 1:
            raise ValueError("this is not a private key of SM2")
        self._secret = secret
        x, y = _arithmetic().generate_pk(secret)
        self._public = Sm2PublicKey(b"\4" + x.to_bytes(32) + y.to_bytes(32))

    def sign(self, payload: bytes) -> bytes:
        """A signature over `payload`: DER of r and s. Draws on the system's randomness."""
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        r, s = _arithmetic().sign(payload, self._secret, IDENTITY, self._public._coordinates)
        return encode_dss_signature(r, s)

    def public_key(self) -> Sm2PublicKey:
        """The public half."""
        return self._public

    def pkcs8(self) -> bytes:
        """The key as PKCS#8 in DER (RFC 5208), as OpenSSL writes it."""
        point = der.element(der.EXPLICIT_1, der.element(der.BIT_STRING, b"\0", self._public._point))
        key = der.element(der.SEQUENCE, _VERSION_1, der.element(der.OCTET_STRING, self._secret.to_bytes(32)), point)
        return der.element(der.SEQUENCE, _VERSION_0, _ALGORITHM, der.element(der.OCTET_STRING, key))


def public_key_of(pem: bytes) -> Sm2PublicKey | None:
    """The SM2 key in a PEM file, or None when it holds something else. Raises ValueError for a broken one."""
    info = unwrapped("PUBLIC KEY", pem)
    if info is None or _ALGORITHM not in info[:64]:
        return None
    _, key = der.elements(der.inside(info))
    return Sm2PublicKey(der.inside(key.encoded, der.BIT_STRING).removeprefix(b"\0"))


def private_key_of(pkcs8: bytes) -> Sm2PrivateKey | None:
    """The SM2 key in PKCS#8 (DER), or None when it holds another one. Raises ValueError for a broken one."""
    if _ALGORITHM not in pkcs8[:64]:
        return None
    _, _, key, *_ = der.elements(der.inside(pkcs8))
    _, secret, *_ = der.elements(der.inside(der.inside(key.encoded, der.OCTET_STRING)))
    return Sm2PrivateKey(int.from_bytes(der.inside(secret.encoded, der.OCTET_STRING)))


def new_private_key() -> Sm2PrivateKey:
    """A new key. Draws on the system's randomness."""
    secret, _ = _arithmetic().generate_keypair()
    return Sm2PrivateKey(secret)


class _OpenSslSm3:
    """SM3 as `gmalg` asks for a hash."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        from cryptography.hazmat.primitives import hashes

        self._hash = hashes.Hash(hashes.SM3())

    def update(self, data: bytes) -> None:
        self._hash.update(bytes(data))

    def value(self) -> bytes:
        return self._hash.copy().finalize()

    @staticmethod
    def hash_length() -> int:
        return 32


def _arithmetic() -> Any:
    """Signatures over the curve of GB/T 32918.5. Raises ExtraMissingError."""
    try:
        from gmalg.ellipticcurve import ECDLP
        from gmalg.sm2 import SM2Core
    except ImportError as error:
        raise ExtraMissingError from error
    return SM2Core(ECDLP(_P, _A, _B, _G, _N), _OpenSslSm3())
