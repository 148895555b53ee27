"""SM2 with SM3: the standard's own example, OpenSSL as the other side, and signatures that must not hold."""

from __future__ import annotations

import builtins
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from renderer.adapters.signing import KeyFileSigner, make_key_pair
from renderer.formats.trust.armour import wrapped
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.private_keys import load_private_key
from renderer.formats.trust.sm2 import ExtraMissingError, Sm2PrivateKey, Sm2PublicKey
from renderer.model.bundles.trust import Algorithm

# GB/T 32918.5-2017 (GM/T 0003.5-2012), Annex A.2: the recommended curve, the identity `1234567812345678`
SECRET = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT = bytes.fromhex(
    "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
    "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
)
MESSAGE = b"message digest"
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
IDENTITY = "distid:1234567812345678"


def spki(point: bytes) -> bytes:
    """A public key file as OpenSSL writes it."""
    return wrapped("PUBLIC KEY", bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200") + point)


def test_the_example_of_the_standard() -> None:
    assert Sm2PrivateKey(SECRET).public_key()._point == POINT
    assert parse_public_key(spki(POINT)).check(MESSAGE, encode_dss_signature(R, S)) is Algorithm.SM2_SM3


def test_a_key_is_known_by_its_der_form(openssl: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(spki(POINT))
    key = parse_public_key(spki(POINT))
    assert key.kind == "SM2"
    der = openssl("pkey", "-pubin", "-in", "key.pub", "-outform", "der")
    import hashlib

    assert key.fingerprint.hex == hashlib.sha256(der).hexdigest()


@pytest.fixture
def openssl(real: Callable[[str], Path], tmp_path: Path) -> Callable[..., bytes]:
    """Debian's openssl, run in `tmp_path`; it must be one that was built with SM2."""
    program = real("openssl")

    def run(*arguments: str) -> bytes:
        ran = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout

    return run


SIGN: Sequence[Sequence[str]] = (
    ("pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-pkeyopt", IDENTITY, "-in", "message", "-inkey"),
    ("dgst", "-sm3", "-sigopt", IDENTITY, "-sign"),
)


@pytest.mark.parametrize("command", SIGN, ids=["pkeyutl", "dgst"])
def test_what_openssl_signs_is_accepted(command: Sequence[str], openssl: Callable[..., bytes], tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE)
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    key = parse_public_key(openssl("pkey", "-in", "key.pem", "-pubout"))
    signature = openssl(*command, "key.pem", *(("message",) if command[0] == "dgst" else ()))
    assert key.check(MESSAGE, signature) is Algorithm.SM2_SM3
    assert key.check(MESSAGE + b"!", signature) is None


@pytest.mark.parametrize("passphrase", [None, b"correct horse"], ids=["clear", "encrypted"])
def test_openssl_accepts_what_a_new_key_signs_and_reads_the_key(
    passphrase: bytes | None, openssl: Callable[..., bytes], tmp_path: Path
) -> None:
    outcome = make_key_pair(tmp_path / "new.key", "new.key", Algorithm.SM2_SM3, passphrase)
    assert outcome.text.startswith("new.key: a new sm2-sm3 key, fingerprint sha256:")
    signer = KeyFileSigner(tmp_path / "new.key", "new.key", (lambda: passphrase) if passphrase else None)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "signature").write_bytes(signer.sign(MESSAGE))
    verify = ("pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", IDENTITY, "-pubin", "-inkey", "new.pub")
    assert b"Verified" in openssl(*verify, "-in", "message", "-sigfile", "signature")
    unlock = ("-passin", f"pass:{passphrase.decode()}") if passphrase else ()
    assert openssl("pkey", "-in", "new.key", *unlock, "-pubout") == (tmp_path / "new.pub").read_bytes()


@pytest.mark.parametrize(
    "options",
    [(), ("-v2", "aes-128-cbc"), ("-v2", "sm4-cbc"), ("-iter", "100000")],
    ids=["default", "aes-128", "sm4", "rounds"],
)
def test_keys_that_openssl_encrypted_are_read(
    options: Sequence[str], openssl: Callable[..., bytes], tmp_path: Path
) -> None:
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    openssl("pkcs8", "-topk8", "-in", "key.pem", "-passout", "pass:open sesame", "-out", "key.p8", *options)
    pem = (tmp_path / "key.p8").read_bytes()
    key = load_private_key(pem, lambda: b"open sesame")
    assert key.public_pem == openssl("pkey", "-in", "key.pem", "-pubout")
    with pytest.raises(ValueError, match="the passphrase is wrong"):
        load_private_key(pem, lambda: b"close sesame")


@pytest.mark.parametrize(
    ("r", "s"),
    [
        (0, S),
        (R, 0),
        (ORDER, S),
        (R, ORDER),
        (R + ORDER, S),
        (R, S + ORDER),
        (R, ORDER - R),
        (R, S + 1),
        (S, R),
    ],
)
def test_numbers_that_are_no_signature(r: int, s: int) -> None:
    assert parse_public_key(spki(POINT)).check(MESSAGE, encode_dss_signature(r, s)) is None


GOOD = encode_dss_signature(R, S)


@pytest.mark.parametrize(
    "signature",
    [b"", b"\x30", GOOD[:-1], GOOD + b"\0", R.to_bytes(32) + S.to_bytes(32), b"\x30\x81" + GOOD[1:], b"\x00" * 72],
    ids=["empty", "stub", "cut", "longer", "raw", "long-form", "zeros"],
)
def test_a_signature_has_one_spelling(signature: bytes) -> None:
    assert parse_public_key(spki(POINT)).check(MESSAGE, signature) is None


@pytest.mark.parametrize(
    "point",
    [
        POINT[:-1] + b"\x14",
        b"\4" + bytes(64),
        b"\4" + b"\xff" * 64,
        b"\2" + POINT[1:33],
        b"\6" + POINT[1:],
        POINT + b"\0",
        b"",
    ],
    ids=["beside", "zero", "above", "compressed", "hybrid", "longer", "empty"],
)
def test_what_is_no_point_of_the_curve_is_no_key(point: bytes) -> None:
    with pytest.raises(ValueError, match="not a point of the curve"):
        Sm2PublicKey(point)


def test_a_key_that_is_cut_short_is_no_key() -> None:
    with pytest.raises(ValueError, match="DER"):
        parse_public_key(spki(POINT[:40]))


@pytest.mark.parametrize("secret", [0, ORDER - 1, ORDER])
def test_a_number_that_is_no_private_key(secret: int) -> None:
    with pytest.raises(ValueError, match="not a private key"):
        Sm2PrivateKey(secret)


def test_without_the_extra_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "gmalg":
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ExtraMissingError) as caught:
        parse_public_key(spki(POINT))
    assert str(caught.value) == "it is an SM2 key, and the extra `sm` is not installed (pip install 'sitewright[sm]')"
    assert caught.value.hint == "pip install 'sitewright[sm]'"
