"""Keys and signatures; OpenSSL as the judge of what we make, and the maker of what we judge."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.adapters.signing import KeyFileSigner
from renderer.errors import InputError
from renderer.formats.trust.cosign import make_payload, payload_digest, signature_tag
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.trust import Algorithm
from renderer.model.reference import Digest
from tests.simulators.bundles import Workshop

MANIFEST = Digest.of(b"manifest")
MAKERS = {
    "p256": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
    "p384": "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
    "ed25519": "-algorithm ed25519",
    "rsa": "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
    "p521": "-algorithm EC -pkeyopt ec_paramgen_curve:P-521",
    "weak": "-algorithm RSA -pkeyopt rsa_keygen_bits:1024",
    "x25519": "-algorithm x25519",
}


@pytest.fixture
def openssl(real: Callable[[str], Path], tmp_path: Path) -> Callable[[str], str]:
    """`openssl("dgst -sha256 …")` in the test's directory."""
    program = real("openssl")

    def run(arguments: str) -> str:
        done = subprocess.run([program, *arguments.split()], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_payload_is_byte_for_byte_what_cosign_signs() -> None:
    assert (
        make_payload("harbor.site.local:5443/ghcr/org/app", MANIFEST)
        == (
            '{"critical":{"identity":{"docker-reference":"harbor.site.local:5443/ghcr/org/app"},'
            f'"image":{{"docker-manifest-digest":"{MANIFEST}"}},"type":"cosign container image signature"}},'
            '"optional":null}'
        ).encode()
    )


def test_the_payload_escapes_what_go_escapes() -> None:
    payload = make_payload("a<b>&c\u2028é", MANIFEST)
    assert b'"a\\u003cb\\u003e\\u0026c\\u2028\xc3\xa9"' in payload
    assert json.loads(payload)["critical"]["identity"]["docker-reference"] == "a<b>&c\u2028é"


def test_signatures_are_found_under_cosigns_tag() -> None:
    assert signature_tag(MANIFEST) == f"sha256-{MANIFEST.hex}.sig"


def test_a_payload_names_its_manifest() -> None:
    assert payload_digest(make_payload("demo", MANIFEST)) == MANIFEST
    annotated = make_payload("demo", MANIFEST).replace(b'"optional":null', b'"optional":{"creator":"x"}')
    assert payload_digest(annotated) == MANIFEST


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "line 1"),
        (b"[]", "not a cosign signature payload"),
        (b'{"critical": {"type": "atomic container signature"}}', "`cosign container image signature`"),
        (b'{"critical": {"type": "cosign container image signature", "image": {}}}', "docker-manifest-digest"),
        (make_payload("demo", MANIFEST).replace(b"sha256:", b"md5:"), "sha256 or sha512"),
        (b'{"critical": {}, "critical": {}}', "twice"),
    ],
)
def test_a_payload_of_another_kind_is_refused(payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        payload_digest(payload)


@pytest.mark.parametrize(
    ("kind", "algorithm", "digest"),
    [
        ("p256", Algorithm.ECDSA_P256_SHA256, "-sha256"),
        ("p384", Algorithm.ECDSA_P384_SHA384, "-sha384"),
        ("rsa", Algorithm.RSA_PKCS1_SHA256, "-sha256"),
        ("ed25519", Algorithm.ED25519, None),
    ],
)
def test_openssl_and_we_believe_each_other(
    kind: str, algorithm: Algorithm, digest: str | None, openssl: Callable[[str], str], tmp_path: Path
) -> None:
    openssl(f"genpkey {MAKERS[kind]} -out key.pem")
    openssl("pkey -in key.pem -pubout -out key.pub")
    payload = make_payload("demo", MANIFEST)
    (tmp_path / "payload").write_bytes(payload)
    signer = KeyFileSigner(tmp_path / "key.pem", "key.pem")
    assert signer.public_key == (tmp_path / "key.pub").read_bytes()
    (tmp_path / "ours").write_bytes(signer.sign(payload))
    if digest:
        assert "Verified OK" in openssl(f"dgst {digest} -verify key.pub -signature ours payload")
        openssl(f"dgst {digest} -sign key.pem -out theirs payload")
    else:
        openssl("pkeyutl -verify -pubin -inkey key.pub -rawin -in payload -sigfile ours")
        openssl("pkeyutl -sign -inkey key.pem -rawin -in payload -out theirs")
    key = parse_public_key((tmp_path / "key.pub").read_bytes())
    theirs = (tmp_path / "theirs").read_bytes()
    assert key.check(payload, theirs) is algorithm
    assert key.check(payload + b" ", theirs) is None
    assert key.check(payload, theirs[:-1]) is None
    assert key.check(payload, b"") is None


def test_an_rsa_pss_signature_is_known_by_its_padding(openssl: Callable[[str], str], tmp_path: Path) -> None:
    openssl(f"genpkey {MAKERS['rsa']} -out key.pem")
    openssl("pkey -in key.pem -pubout -out key.pub")
    (tmp_path / "payload").write_bytes(b"payload")
    openssl("dgst -sha256 -sigopt rsa_padding_mode:pss -sign key.pem -out signature payload")
    key = parse_public_key((tmp_path / "key.pub").read_bytes())
    assert key.check(b"payload", (tmp_path / "signature").read_bytes()) is Algorithm.RSA_PSS_SHA256


def test_a_fingerprint_is_that_of_the_key_not_of_its_file(openssl: Callable[[str], str], tmp_path: Path) -> None:
    openssl(f"genpkey {MAKERS['p256']} -out key.pem")
    openssl("pkey -in key.pem -pubout -out key.pub")
    openssl("pkey -in key.pem -pubout -outform DER -out key.der")
    pem = (tmp_path / "key.pub").read_bytes()
    key = parse_public_key(pem)
    assert key.fingerprint == Digest.of((tmp_path / "key.der").read_bytes())
    assert parse_public_key(b"made for tests\n" + pem.replace(b"\n", b"\r\n")) == key
    assert "_key" not in repr(key)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("p521", "`secp521r1` is not used here; P-256 and P-384 are"),
        ("weak", "2048 to 8192 bits, this one has 1024"),
        ("x25519", "must be ECDSA P-256 or P-384, Ed25519, RSA or SM2"),
    ],
)
def test_keys_that_are_too_weak_or_strange_are_refused(
    kind: str, message: str, openssl: Callable[[str], str], tmp_path: Path
) -> None:
    openssl(f"genpkey {MAKERS[kind]} -out key.pem")
    openssl("pkey -in key.pem -pubout -out key.pub")
    with pytest.raises(ValueError, match=message):
        parse_public_key((tmp_path / "key.pub").read_bytes())
    with pytest.raises(InputError, match=message):
        KeyFileSigner(tmp_path / "key.pem", "key.pem")


def test_a_trust_policy_is_told_which_kind_of_file_it_got(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.key("mine")
    with pytest.raises(ValueError, match="this is a private key"):
        parse_public_key((tmp_path / "keys/mine.pem").read_bytes())
    with pytest.raises(ValueError, match="this is a certificate"):
        parse_public_key(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    with pytest.raises(ValueError, match="not a PEM public key"):
        parse_public_key(b"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n")
    with pytest.raises(ValueError, match="at most 64 KiB"):
        parse_public_key(b"x" * 70_000)


def test_an_encrypted_key_asks_for_its_passphrase_once(openssl: Callable[[str], str], tmp_path: Path) -> None:
    openssl(f"genpkey {MAKERS['p256']} -aes256 -pass pass:secret -out key.pem")
    asked = []

    def passphrase() -> bytes:
        asked.append(1)
        return b"secret"

    signer = KeyFileSigner(tmp_path / "key.pem", "key.pem", passphrase)
    payload = make_payload("demo", MANIFEST)
    assert parse_public_key(signer.public_key).check(payload, signer.sign(payload)) is Algorithm.ECDSA_P256_SHA256
    assert len(asked) == 1

    with pytest.raises(InputError) as caught:
        KeyFileSigner(tmp_path / "key.pem", "key.pem")
    assert "is encrypted, and no passphrase is given" in caught.value.findings[0].message
    with pytest.raises(InputError) as caught:
        KeyFileSigner(tmp_path / "key.pem", "key.pem", lambda: b"wrong")
    finding = caught.value.findings[0]
    assert (finding.code, finding.where.file) == ("invalid-private-key", "key.pem")
    assert "the passphrase is wrong, or" in finding.message
    assert "wrong" not in (finding.got or "")
    assert finding.hint == "set SITEWRIGHT_KEY_PASSPHRASE to the passphrase of this key"


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("genrsa -out key.pem 1024", "sitewright bundle keygen NEW.key makes one that can be used"),
        ("rand -out key.pem 64", "openssl pkey -inform DER -in key.pem -out KEY.pem, if it is a key in another form"),
        (f"genpkey {MAKERS['p256']} -out key", "name the private key; this one belongs into the trust policy"),
    ],
)
def test_a_key_that_cannot_be_used_says_what_helps(
    command: str, hint: str, openssl: Callable[[str], str], tmp_path: Path
) -> None:
    openssl(command)
    if not (tmp_path / "key.pem").exists():
        openssl("pkey -in key -pubout -out key.pem")
    with pytest.raises(InputError) as caught:
        KeyFileSigner(tmp_path / "key.pem", "key.pem")
    assert caught.value.findings[0].hint == hint


def test_no_passphrase_is_asked_for_a_plain_key(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.key("mine")

    def never() -> bytes:
        raise AssertionError("asked")

    KeyFileSigner(tmp_path / "keys/mine.pem", "keys/mine.pem", never)


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        KeyFileSigner(tmp_path / "none.pem", "keys/none.pem")
    finding = caught.value.findings[0]
    assert (finding.code, finding.where.file) == ("key-not-found", "keys/none.pem")
    assert finding.hint == "sitewright bundle keygen keys/none.pem"


@pytest.mark.parametrize("text", ["not base64!", "AAA", "A" * 10_000])
def test_a_signature_that_is_not_base64_is_no_signature(text: str) -> None:
    with pytest.raises(ValueError, match="signature is"):
        StoredSignature(b"", text).signature()


def test_a_signature_is_base64() -> None:
    assert StoredSignature(b"", base64.b64encode(b"x").decode()).signature() == b"x"
