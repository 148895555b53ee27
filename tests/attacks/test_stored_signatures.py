"""Signatures as somebody else may have stored them: what cannot be read is a fault, and what is not ours is not."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.signing import KeyFileSigner
from renderer.errors import BundleRefusedError, Where
from renderer.formats.bundle.artifact import (
    IMAGE_MANIFEST,
    describe,
    index_content,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.parts import read_parts
from renderer.formats.trust.dsse import IN_TOTO, make_statement, pre_authentication, statement_digest
from renderer.formats.trust.pem import certificates_of, pem_of
from renderer.formats.trust.sigstore import BUNDLE_MEDIA_TYPE, make_sigstore_bundle, read_sigstore_bundle
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.signing import SignatureForm
from renderer.model.reference import Digest
from renderer.structs import replace
from tests.simulators.bundles import Workshop
from tests.simulators.signing import found, store, unsigned

TAG, BUNDLE = SignatureForm.COSIGN_TAG, SignatureForm.SIGSTORE_BUNDLE
MANIFEST = b'{"what":"is signed"}'
HELD = Digest.of(b"holder")
EMPTY = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A bundle `demo`, not signed yet, and the keys `vendor` and `office`."""
    monkeypatch.chdir(tmp_path)
    return unsigned(tmp_path)


def refer(shop: Workshop, bundle: bytes, change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Store a Sigstore bundle with a manifest of its own, changed."""
    entries = [entry.descriptor for entry in parse_index(shop.open().index(), Where())]
    subject = {"mediaType": IMAGE_MANIFEST, "digest": str(entries[0].digest), "size": entries[0].size}
    layer = {"mediaType": BUNDLE_MEDIA_TYPE, "digest": str(Digest.of(bundle)), "size": len(bundle)}
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": EMPTY, "size": 2}
    body = {"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": [layer], "subject": subject}
    change(body)
    manifest = json.dumps(body).encode()
    store(shop, manifest, bundle, b"{}")
    listed = replace(describe(manifest, IMAGE_MANIFEST), artifact_type=BUNDLE_MEDIA_TYPE)
    (shop.root / "bundle/index.json").write_bytes(index_content([*entries, listed]))


def good(shop: Workshop, key: str = "vendor") -> bytes:
    """A Sigstore bundle over the manifest of the shop's bundle."""
    statement = make_statement(read_parts(shop.open().index(), shop.open().blob, "bundle").manifest.digest)
    signature = KeyFileSigner(shop.root / f"keys/{key}.pem", key).sign(pre_authentication(IN_TOTO, statement))
    return make_sigstore_bundle(IN_TOTO, statement, signature, key_hint="hint")


def test_a_referrer_by_somebody_else_is_read(shop: Workshop) -> None:
    refer(shop, good(shop))
    (stored,) = found(shop)
    assert stored.digest() == parse_index(shop.open().index(), Where())[0].descriptor.digest
    assert shop.load(shop.policy("vendor")).verdict.signers == ("vendor",)


def test_a_bundle_that_refers_to_something_else_is_not_ours(shop: Workshop) -> None:
    refer(shop, good(shop), lambda body: body["subject"].update(digest=str(HELD)))
    assert found(shop) == ()
    refer(shop, good(shop), lambda body: body.pop("subject"))
    assert found(shop) == ()


def test_a_subject_of_another_size_is_a_fault(shop: Workshop) -> None:
    refer(shop, good(shop), lambda body: body["subject"].update(size=1))
    (stored,) = found(shop)
    with pytest.raises(ValueError, match=r"refers to sha256:.* of 1 bytes, which is not this bundle"):
        stored.signature()
    with pytest.raises(ValueError, match="which is not this bundle"):
        stored.digest()


def test_a_manifest_under_cosigns_tag_must_not_refer_to_something_else(shop: Workshop) -> None:
    shop.sign("vendor")
    source = shop.open()
    bundle, tagged = (entry.descriptor for entry in parse_index(source.index(), Where()))
    other = describe(b"other", IMAGE_MANIFEST)
    for subject, fault in ((other, True), (bundle, False)):
        content = replace(parse_manifest(source.blob(tagged), Where()), subject=subject).content()
        store(shop, content)
        listed = replace(describe(content, IMAGE_MANIFEST), annotations=tagged.annotations)
        (shop.root / "bundle/index.json").write_bytes(index_content([bundle, listed]))
        (stored,) = found(shop)
        assert (stored.fault is not None) == fault


def read(content: dict[str, Any] | bytes) -> StoredSignature:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_sigstore_bundle(raw, MANIFEST, HELD)


def enveloped(**changes: Any) -> dict[str, Any]:
    """A bundle with an envelope and some changes, of which `None` takes a field away."""
    bundle = json.loads(make_sigstore_bundle(IN_TOTO, make_statement(HELD), b"signature", key_hint="hint"))
    for name, value in changes.items():
        if value is None:
            del bundle[name]
        else:
            bundle[name] = value
    return dict(bundle)


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


MESSAGE = {"signature": text(b"signature")}


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle.v0.3.1+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "application/vnd.dev.sigstore.bundle+json;version=0.2",
    ],
)
def test_bundles_of_these_versions_are_read(media_type: str) -> None:
    stored = read(enveloped(mediaType=media_type))
    assert (stored.signature(), stored.digest(), stored.held_by) == (b"signature", HELD, HELD)


@pytest.mark.parametrize(
    ("bundle", "fault"),
    [
        (b"", "line 1"),
        (b"[]", "must be a mapping"),
        (b'{"mediaType": "a", "mediaType": "b"}', "given twice"),
        (b" " * 300_000, "262144 are allowed"),
        (enveloped(mediaType=None), "mediaType: `mediaType` is missing"),
        (enveloped(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"), "v0.1 to v0.3 are"),
        (enveloped(mediaType="application/vnd.dev.sigstore.bundle.v0.3+json\n"), "v0.1 to v0.3 are"),
        (enveloped(dsseEnvelope=None), "`dsseEnvelope` or `messageSignature`: one of them"),
        (enveloped(messageSignature=MESSAGE), "`dsseEnvelope` or `messageSignature`: one of them"),
        (
            enveloped(dsseEnvelope={"payload": "", "payloadType": IN_TOTO, "signatures": []}),
            "one signature here, not 0",
        ),
        (
            enveloped(dsseEnvelope={"payload": "", "payloadType": IN_TOTO, "signatures": [{"sig": ""}] * 2}),
            "one signature here, not 2",
        ),
        (
            enveloped(dsseEnvelope={"payload": "?", "payloadType": IN_TOTO, "signatures": [{"sig": ""}]}),
            "dsseEnvelope.payload: `payload` is not base64",
        ),
        (
            enveloped(verificationMaterial={"certificate": {"rawBytes": ""}}),
            "a certificate has 1 to 16384 bytes",
        ),
        (
            enveloped(verificationMaterial={"certificate": {"rawBytes": text(b"x" * 20_000)}}),
            "a certificate has 1 to 16384 bytes",
        ),
        (
            enveloped(verificationMaterial={"x509CertificateChain": {"certificates": [{"rawBytes": text(b"x")}] * 11}}),
            "there are 11 certificates; 10 are allowed",
        ),
        (
            enveloped(
                dsseEnvelope=None,
                messageSignature={**MESSAGE, "messageDigest": {"algorithm": "SHA2_256", "digest": text(b"other")}},
            ),
            "the digest of something else than the manifest",
        ),
        (
            enveloped(
                dsseEnvelope=None,
                messageSignature={**MESSAGE, "messageDigest": {"algorithm": "SHA1", "digest": text(b"other")}},
            ),
            "`SHA1` is not read here",
        ),
    ],
)
def test_a_bundle_that_cannot_be_read_is_a_signature_with_a_fault(bundle: dict[str, Any] | bytes, fault: str) -> None:
    stored = read(bundle)
    assert stored.form is BUNDLE
    with pytest.raises(ValueError, match="the Sigstore bundle cannot be read: ") as caught:
        stored.signature()
    assert fault in str(caught.value)


def statement(**changes: Any) -> bytes:
    return json.dumps({**json.loads(make_statement(HELD)), **changes}).encode()


@pytest.mark.parametrize(
    ("kind", "payload", "message"),
    [
        ("application/json", make_statement(HELD), "the envelope holds `application/json`"),
        (IN_TOTO, b"{", "line 1"),
        (IN_TOTO, statement(_type="https://in-toto.io/Statement/v0.1"), "the statement's type is not"),
        (IN_TOTO, statement(predicateType="https://slsa.dev/provenance/v1"), "it is an attestation, not a signature"),
        (IN_TOTO, statement(subject=[]), "the statement has 0 subjects"),
        (IN_TOTO, statement(subject=[{"digest": {"sha256": HELD.hex}}] * 2), "the statement has 2 subjects"),
        (IN_TOTO, statement(subject=[{"digest": {"sha512": HELD.hex}}]), "`sha256` is missing"),
        (IN_TOTO, statement(subject=[{"digest": {"sha256": HELD.hex[:-1]}}]), "64 lower-case hexadecimal digits"),
    ],
)
def test_a_statement_that_signs_nothing(kind: str, payload: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        statement_digest(kind, payload)


def test_one_kind_of_signed_bytes_never_passes_for_another(shop: Workshop) -> None:
    """A signature over an envelope does not hold for a bare payload, nor the other way round."""
    from renderer.formats.trust.keys import parse_public_key

    key = parse_public_key(shop.keys["vendor"].pem)
    envelope = read(json.loads(good(shop)))
    bare = replace(envelope, envelope=None)
    assert key.check(envelope.signed_bytes, envelope.signature()) is not None
    assert key.check(bare.signed_bytes, bare.signature()) is None
    other = replace(envelope, envelope="application/json")
    assert key.check(other.signed_bytes, other.signature()) is None


# --- certificates -------------------------------------------------------------------------------------------------


def test_certificates_as_text_and_back() -> None:
    chain = (b"one" * 40, b"two")
    assert certificates_of(pem_of(chain).encode()) == chain
    assert certificates_of(b"") == ()


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (pem_of([b"x"] * 11).encode(), "there are 11 certificates; 10 are allowed"),
        (b"x" * 400_000, "certificates take at most 320 KiB"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "a certificate is not base64"),
        (
            b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
            "there is something else than certificates",
        ),
    ],
)
def test_text_that_is_no_chain(pem: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        certificates_of(pem)


def test_a_broken_chain_annotation_is_a_fault(shop: Workshop) -> None:
    shop.sign("vendor")
    source = shop.open()
    bundle, tagged = (entry.descriptor for entry in parse_index(source.index(), Where()))
    manifest = parse_manifest(source.blob(tagged), Where())
    broken = {**manifest.layers[0].annotations, "dev.sigstore.cosign/chain": "-----BEGIN RSA PRIVATE KEY-----"}
    content = replace(manifest, layers=(replace(manifest.layers[0], annotations=broken),)).content()
    store(shop, content)
    listed = replace(describe(content, IMAGE_MANIFEST), annotations=tagged.annotations)
    (shop.root / "bundle/index.json").write_bytes(index_content([bundle, listed]))
    (stored,) = found(shop)
    with pytest.raises(ValueError, match="its certificates cannot be read: there is something else"):
        stored.signature()


def test_too_many_signatures_are_refused(shop: Workshop) -> None:
    for number in range(65):
        refer(shop, good(shop) + b" " * number)
    with pytest.raises(BundleRefusedError, match="there are more than 64 signatures"):
        found(shop)
