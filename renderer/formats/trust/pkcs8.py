"""Encrypted PKCS#8 (RFC 5958, RFC 8018: PBES2 with PBKDF2) around keys that `cryptography` does not know.

OpenSSL encrypts with AES-256-CBC and PBKDF2 over HMAC-SHA-256; GmSSL with SM4-CBC over HMAC-SM3. A home of
`cryptography`, which does the calculating.
"""

from __future__ import annotations

from typing import Any, Final

from renderer.formats.trust import der

_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2: Final = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256: Final = bytes.fromhex("06082a864886f70d0209")
_HMAC_SM3: Final = bytes.fromhex("06092a811ccf5501831102")
_AES_128: Final = bytes.fromhex("0609608648016503040102")
_AES_256: Final = bytes.fromhex("060960864801650304012a")
_SM4: Final = bytes.fromhex("06082a811ccf55016802")
_KEY_BYTES: Final = {_AES_128: 16, _AES_256: 32, _SM4: 16}
_ITERATIONS: Final = 600_000
_MOST_ITERATIONS: Final = 10_000_000
_BLOCK: Final = 16


def decrypted(encrypted: bytes, passphrase: bytes) -> bytes:
    """The PKCS#8 in an EncryptedPrivateKeyInfo (DER). Raises ValueError: unknown ciphers, a wrong passphrase."""
    scheme, content = der.elements(der.inside(encrypted))
    kind, parameters = der.elements(scheme.content)
    if kind.encoded != _PBES2:
        raise ValueError("the key is encrypted in another way than PBES2")
    derivation, cipher = der.elements(parameters.content)
    method, initial = der.elements(cipher.content)
    if method.encoded not in _KEY_BYTES or len(initial.content) != _BLOCK:
        raise ValueError("the key is encrypted with another cipher than AES-CBC or SM4-CBC")
    key = _derived(derivation, passphrase, _KEY_BYTES[method.encoded])
    engine = _cipher(method.encoded, key, initial.content).decryptor()
    body = der.inside(content.encoded, der.OCTET_STRING)
    if len(body) % _BLOCK:
        raise ValueError("the encrypted key is cut short")
    padded: bytes = engine.update(body) + engine.finalize()
    padding = padded[-1] if padded else 0
    if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes((padding,)) * padding:
        raise ValueError("the passphrase is wrong")
    return padded[:-padding]


def encrypted(pkcs8: bytes, passphrase: bytes, salt: bytes, initial: bytes) -> bytes:
    """`pkcs8` as an EncryptedPrivateKeyInfo (DER) that OpenSSL reads; `salt` and `initial` are 16 random bytes each."""
    derivation = der.element(
        der.SEQUENCE,
        _PBKDF2,
        der.element(
            der.SEQUENCE,
            der.element(der.OCTET_STRING, salt),
            der.element(der.INTEGER, _ITERATIONS.to_bytes(3)),
            der.element(der.SEQUENCE, _HMAC_SHA256, der.element(der.NULL)),
        ),
    )
    cipher = der.element(der.SEQUENCE, _AES_256, der.element(der.OCTET_STRING, initial))
    scheme = der.element(der.SEQUENCE, _PBES2, der.element(der.SEQUENCE, derivation, cipher))
    engine = _cipher(_AES_256, _pbkdf2(_HMAC_SHA256, salt, _ITERATIONS, 32, passphrase), initial).encryptor()
    padding = _BLOCK - len(pkcs8) % _BLOCK
    body = engine.update(pkcs8 + bytes((padding,)) * padding) + engine.finalize()
    return der.element(der.SEQUENCE, scheme, der.element(der.OCTET_STRING, body))


def _derived(derivation: der.Element, passphrase: bytes, length: int) -> bytes:
    function, parameters = der.elements(derivation.content)
    if function.encoded != _PBKDF2:
        raise ValueError("the key of the encryption is derived in another way than PBKDF2")
    salt, iterations, *rest = der.elements(parameters.content)
    hashes = [der.elements(one.content)[0].encoded for one in rest if one.tag == der.SEQUENCE]
    if len(hashes) != 1 or hashes[0] not in {_HMAC_SHA256, _HMAC_SM3}:
        raise ValueError("the key of the encryption is derived with another hash than SHA-256 or SM3")
    rounds = int.from_bytes(iterations.content)
    if not 0 < rounds <= _MOST_ITERATIONS:
        raise ValueError(f"the key of the encryption takes {rounds} rounds; {_MOST_ITERATIONS} are allowed")
    return _pbkdf2(hashes[0], salt.content, rounds, length, passphrase)


def _pbkdf2(function: bytes, salt: bytes, iterations: int, length: int, passphrase: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

    algorithm = hashes.SM3() if function == _HMAC_SM3 else hashes.SHA256()
    return PBKDF2HMAC(algorithm=algorithm, length=length, salt=salt, iterations=iterations).derive(passphrase)


def _cipher(method: bytes, key: bytes, initial: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher((algorithms.SM4 if method == _SM4 else algorithms.AES)(key), modes.CBC(initial))
