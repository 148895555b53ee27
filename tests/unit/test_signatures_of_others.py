"""What cosign and skopeo signed holds here, and what they only said does not count (tests/data/signatures)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from renderer.adapters.layout import open_layout
from renderer.adapters.signing import KeyFileSigner
from renderer.commands.bundle.sign import sign as sign_bundle
from renderer.commands.bundle.verify import verify as verify_bundle
from renderer.errors import InputError
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.formats.trust import cosign_key
from renderer.formats.trust.armour import wrapped
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.signing import SignatureForm
from renderer.model.bundles.trust import Algorithm, TrustedKey, TrustPolicy, TrustRule
from renderer.model.fields import Json
from tests.simulators.bundles import Workshop

DATA = Path(__file__).parents[1] / "data" / "signatures"
KEYS = {path.stem: path.read_bytes() for path in sorted((DATA / "keys").glob("*.pub"))}
TAG, BUNDLE = SignatureForm.COSIGN_TAG, SignatureForm.SIGSTORE_BUNDLE
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def parts(name: str) -> BundleParts:
    source = open_layout(DATA / name, name)
    return read_parts(source.index(), source.blob, name)


def made_by(name: str, form: SignatureForm, layout: str = "cosign") -> list[StoredSignature]:
    """The signatures in one form that a key holds for."""
    key = parse_public_key(KEYS[name])
    return [
        one for one in parts(layout).signatures if one.form is form and key.check(one.signed_bytes, one.signature())
    ]


@pytest.mark.parametrize("form", [TAG, BUNDLE])
@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("cosign3", Algorithm.ECDSA_P256_SHA256),
        ("p384", Algorithm.ECDSA_P384_SHA384),
        ("rsa", Algorithm.RSA_PKCS1_SHA256),
        ("release", Algorithm.ECDSA_P256_SHA256),
    ],
)
def test_what_cosign_3_signed_holds(name: str, algorithm: Algorithm, form: SignatureForm) -> None:
    stored = made_by(name, form)[0]
    assert parse_public_key(KEYS[name]).check(stored.signed_bytes, stored.signature()) is algorithm
    found = [one.digest() for one in made_by(name, form) if "attestation" not in reason(one)]
    assert set(found) == {parts("cosign").manifest.digest}


def reason(stored: StoredSignature) -> str:
    """Why a signature speaks of no manifest; empty when it does."""
    try:
        stored.digest()
    except ValueError as error:
        return str(error)
    return ""


def test_annotations_of_cosign_2_are_part_of_what_is_signed() -> None:
    (stored,) = made_by("cosign2", TAG)
    assert stored.digest() == parts("cosign").manifest.digest
    assert json.loads(stored.payload)["optional"] == {"build": "7", "by": "<ops & co>"}
    assert b"\\u003cops \\u0026 co\\u003e" in stored.payload


def test_what_skopeo_signed_holds() -> None:
    (stored,) = made_by("cosign3", TAG, "skopeo")
    assert stored.digest() == parts("skopeo").manifest.digest
    assert json.loads(stored.payload)["optional"]["creator"] == "containers/image 5.34.2"


def test_a_bundle_without_an_envelope_is_over_the_manifest_itself() -> None:
    (bare,) = (one for one in made_by("cosign3", BUNDLE) if one.envelope is None)
    assert bare.signed_bytes == parts("cosign").manifest_bytes
    assert bare.digest() == parts("cosign").manifest.digest
    assert bare.key_hint == base64.b64encode(bytes.fromhex(parse_public_key(KEYS["cosign3"]).fingerprint.hex)).decode()


def test_an_attestation_by_a_trusted_key_is_no_signature() -> None:
    (attestation,) = (one for one in made_by("cosign3", BUNDLE) if reason(one))
    assert reason(attestation).startswith("it is an attestation, not a signature")
    assert json.loads(attestation.payload)["predicate"]["Data"] == '{"scan":"failed"}\n'


def test_ed25519_as_cosign_3_signs_it_does_not_hold_as_it_does_not_for_cosign() -> None:
    assert made_by("ed25519", TAG) == made_by("ed25519", BUNDLE) == []


@pytest.mark.parametrize("form", [TAG, BUNDLE])
def test_certificates_lead_to_the_root(form: SignatureForm, real: Callable[[str], Path], tmp_path: Path) -> None:
    (stored,) = made_by("release", form)
    leaf, between = stored.certificates
    (tmp_path / "leaf.crt").write_bytes(wrapped("CERTIFICATE", leaf))
    (tmp_path / "between.crt").write_bytes(wrapped("CERTIFICATE", between))
    command = [str(real("openssl")), "verify", "-CAfile", str(DATA / "keys/root.crt"), "-untrusted"]
    checked = subprocess.run([*command, "between.crt", "leaf.crt"], cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    subject = subprocess.run(
        [command[0], "x509", "-in", "leaf.crt", "-noout", "-pubkey"], cwd=tmp_path, capture_output=True, check=True
    )
    assert subject.stdout == KEYS["release"]


def policy(*names: str) -> TrustPolicy:
    keys = tuple(TrustedKey(name=name, pem=KEYS[name]) for name in names)
    return TrustPolicy(name="bank", keys=keys, rules=(TrustRule(bundles="*", threshold=len(names), of=names),))


def test_bundle_verify_accepts_five_signers() -> None:
    names = ("cosign2", "cosign3", "p384", "release", "rsa")
    source = open_layout(DATA / "cosign", "cosign")
    outcome = verify_bundle(source, policy(*names), now=NOW)
    assert outcome.document["verdict"]["signers"] == list(names)  # type: ignore[call-overload,index]
    assert outcome.findings == (), "every blob belongs to something"


def test_signing_beside_others_changes_nothing_of_theirs(tmp_path: Path) -> None:
    shutil.copytree(DATA / "cosign", tmp_path / "bundle")
    before = {path.name: path.read_bytes() for path in (tmp_path / "bundle/blobs/sha256").iterdir()}
    workshop = Workshop(tmp_path)
    workshop.key("vendor")
    signer = KeyFileSigner(tmp_path / "keys/vendor.pem", "vendor")
    sign_bundle(workshop.open(), signer, workshop.writer, "bundle", forms=tuple(SignatureForm))
    source = workshop.open()
    found = read_parts(source.index(), source.blob, "bundle").signatures
    theirs = parts("cosign").signatures

    def unplaced(stored: StoredSignature) -> tuple[object, ...]:
        return stored.form, stored.payload, stored.signature_base64, stored.certificates

    assert len(found) == len(theirs) + 2
    assert [unplaced(one) for one in theirs] == [
        unplaced(one) for one in found if unplaced(one) in map(unplaced, theirs)
    ]
    after = {path.name for path in (tmp_path / "bundle/blobs/sha256").iterdir()}
    # the manifest under cosign's tag and its config are written anew
    assert len(before.keys() - after) == 2
    names = ("cosign2", "cosign3", "p384", "release", "rsa")
    assert verify_bundle(source, policy(*names), now=NOW).findings == ()


# --- private keys in cosign's own form ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "passphrase"),
    [("cosign2", b"throwaway"), ("cosign3", b"throwaway"), ("old-spelling", b"hello"), ("old-strength", b"hello")],
)
def test_private_keys_of_cosign_sign(name: str, passphrase: bytes) -> None:
    signer = KeyFileSigner(DATA / f"keys/{name}.key", f"{name}.key", lambda: passphrase)
    assert signer.public_key == KEYS.get(name, signer.public_key)
    public = parse_public_key(signer.public_key)
    assert public.check(b"payload", signer.sign(b"payload")) is Algorithm.ECDSA_P256_SHA256


def refusal(path: Path, passphrase: bytes = b"throwaway", hint: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        KeyFileSigner(path, path.name, lambda: passphrase)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("invalid-private-key", path.name)
    assert hint is None or finding.hint == hint
    return finding.message


def test_a_wrong_passphrase_opens_nothing() -> None:
    assert refusal(DATA / "keys/cosign3.key", b"guess").endswith("the passphrase is wrong, or the key is damaged")
    with pytest.raises(InputError, match="is encrypted, and no passphrase is given"):
        KeyFileSigner(DATA / "keys/cosign3.key", "cosign3.key")


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nacl.secret", None)
    message = refusal(DATA / "keys/cosign3.key", hint="pip install 'sitewright[cosign]'")
    assert message.endswith("need the extra `cosign`, which is not installed (pip install 'sitewright[cosign]')")


def changed(tmp_path: Path, change: Callable[[dict[str, dict[str, Json]]], None]) -> Path:
    """The key `cosign3` with another content."""
    text = (DATA / "keys/cosign3.key").read_text()
    body = json.loads(base64.b64decode("".join(text.splitlines()[1:-1])))
    change(body)
    path = tmp_path / "changed.key"
    path.write_bytes(wrapped("ENCRYPTED SIGSTORE PRIVATE KEY", json.dumps(body).encode()))
    return path


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"N": 2**30, "r": 8, "p": 1}, "scrypt with N=1073741824, r=8, p=1 is none that cosign uses"),
        ({"N": 65536, "r": 8, "p": 1000}, "p=1000 is none that cosign uses"),
        ({"N": 65536, "r": 8}, "`p` is missing"),
        ({"N": "65536", "r": 8, "p": 1}, "`N` must be an integer"),
    ],
)
def test_a_key_cannot_ask_for_memory_or_time(tmp_path: Path, params: Mapping[str, Json], message: str) -> None:
    assert message in refusal(changed(tmp_path, lambda body: body["kdf"].update({"params": dict(params)})))


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("kdf", "name", "argon2", "kdf.name: `argon2` is not read here"),
        ("cipher", "name", "aes", "cipher.name: `aes` is not read here"),
        ("cipher", "nonce", "AAAA", "a nonce has 24 bytes"),
        ("kdf", "salt", "AAAA", "a salt of 3 bytes is none that cosign uses"),
        ("kdf", "salt", "?", "`salt` is not base64"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, part: str, field: str, value: str, message: str) -> None:
    assert message in refusal(changed(tmp_path, lambda body: body[part].update({field: value})))


def test_a_flipped_byte_is_found_before_anything_is_read(tmp_path: Path) -> None:
    def flip(body: dict[str, Json]) -> None:
        cipher = bytearray(base64.b64decode(str(body["ciphertext"])))
        cipher[40] ^= 1
        body["ciphertext"] = base64.b64encode(cipher).decode()

    assert "the passphrase is wrong, or the key is damaged" in refusal(changed(tmp_path, flip))  # type: ignore[arg-type]


def test_what_is_no_key_of_cosign_is_said(tmp_path: Path) -> None:
    path = tmp_path / "changed.key"
    path.write_bytes(wrapped("ENCRYPTED COSIGN PRIVATE KEY", b"[]"))
    assert "this is not a private key in cosign's form: document: this must be a mapping" in refusal(path)
    twice = (DATA / "keys/cosign3.key").read_bytes() * 2
    with pytest.raises(ValueError, match="this is not one private key"):
        cosign_key.decrypted(twice, b"throwaway")
