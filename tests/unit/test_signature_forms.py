"""The two forms of a signature, as `bundle sign` writes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.adapters.certificate_files import Certificates
from renderer.adapters.signing import KeyFileSigner
from renderer.cli.main import main
from renderer.commands.bundle.sign import sign as sign_bundle
from renderer.errors import Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    IMAGE_MANIFEST,
    ImageManifest,
    describe,
    index_content,
    parse_index,
)
from renderer.formats.trust.dsse import IN_TOTO, make_statement, pre_authentication, statement_digest
from renderer.formats.trust.pem import certificates_of
from renderer.formats.trust.sigstore import BUNDLE_MEDIA_TYPE
from renderer.model.bundles.signing import SignatureForm
from renderer.model.reference import Digest
from renderer.structs import replace
from tests.simulators.bundles import Workshop
from tests.simulators.papers import Company
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


def sign(shop: Workshop, key: str, *forms: SignatureForm, certificates: Sequence[bytes] = ()) -> dict[str, Any]:
    """What `bundle sign` says as JSON."""
    path = shop.root / (f"keys/{key}.pem" if key in shop.keys else f"papers/{key}.key")
    signer = KeyFileSigner(path, key)
    outcome = sign_bundle(shop.open(), signer, shop.writer, "bundle", forms=forms, certificates=certificates)
    return cast("dict[str, Any]", outcome.document)


def blobs(shop: Workshop) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (shop.root / "bundle/blobs/sha256").iterdir()}


# --- writing ------------------------------------------------------------------------------------------------------


def test_a_sigstore_bundle_is_stored_as_cosign_3_does(shop: Workshop) -> None:
    sign(shop, "vendor", BUNDLE)
    index = parse_index(shop.open().index(), Where())
    bundle, referrer = index[0].descriptor, index[1].descriptor
    assert referrer.artifact_type == BUNDLE_MEDIA_TYPE
    manifest = json.loads(shop.open().blob(referrer))
    (layer,) = manifest.pop("layers")
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "artifactType": BUNDLE_MEDIA_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "artifactType": BUNDLE_MEDIA_TYPE,
            "digest": EMPTY,
            "size": 2,
        },
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": str(bundle.digest), "size": bundle.size},
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
        },
    }
    assert layer["mediaType"] == BUNDLE_MEDIA_TYPE
    content = json.loads(blobs(shop)[layer["digest"].partition(":")[2]])
    statement = base64.b64decode(content["dsseEnvelope"]["payload"])
    assert json.loads(statement) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": bundle.digest.hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
    assert content["dsseEnvelope"]["payloadType"] == IN_TOTO
    assert content["mediaType"] == BUNDLE_MEDIA_TYPE
    assert list(content["verificationMaterial"]["publicKey"]) == ["hint"]


def test_what_is_signed_in_an_envelope() -> None:
    assert pre_authentication("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"  # the example of the specification
    )
    assert statement_digest(IN_TOTO, make_statement(HELD)) == HELD


@pytest.mark.parametrize("form", [TAG, BUNDLE])
def test_signing_again_changes_nothing(shop: Workshop, form: SignatureForm) -> None:
    assert sign(shop, "vendor", form)["added"] is True
    before = (blobs(shop), shop.open().index())
    again = sign(shop, "vendor", form)
    assert again["added"] is False
    assert (blobs(shop), shop.open().index()) == before


def test_what_is_missing_is_added(shop: Workshop) -> None:
    sign(shop, "vendor", TAG)
    outcome = sign(shop, "vendor", TAG, BUNDLE)
    assert outcome["forms"] == ["sigstore-bundle"]
    assert outcome["signatures"] == 2
    assert [one.form for one in found(shop)] == [TAG, BUNDLE]
    sign(shop, "office", TAG, BUNDLE)
    assert [one.form for one in found(shop)] == [TAG, TAG, BUNDLE, BUNDLE]
    policy = shop.policy("vendor", "office", threshold=2)
    assert shop.verify(policy).findings == (), "no blob is left that belongs to nothing"


def test_a_tar_is_signed_in_both_forms(shop: Workshop) -> None:
    shop.build("bundle.tar")
    signer = KeyFileSigner(shop.root / "keys/vendor.pem", "vendor")
    sign_bundle(shop.open("bundle.tar"), signer, shop.writer, "bundle.tar", forms=(BUNDLE, TAG))
    assert shop.verify(shop.policy("vendor"), "bundle.tar").findings == ()


@pytest.mark.parametrize("form", [TAG, BUNDLE])
def test_a_certificate_replaces_the_signature_of_its_key(shop: Workshop, form: SignatureForm) -> None:
    company = Company(shop.root / "papers")
    company.release("release@bank.example")
    sign(shop, "vendor", form)
    sign(shop, "release", form)
    certificates = Certificates("papers/release.crt", "papers/chain.crt").content
    assert len(certificates) == 2, "the root is the checker's to name"
    outcome = sign(shop, "release", form, certificates=certificates)
    assert (outcome["added"], outcome["signatures"]) == (True, 2)
    assert [one.certificates for one in found(shop)] == [(), certificates]
    again = sign(shop, "release", form, certificates=certificates)
    assert again["added"] is False
    assert sign(shop, "release", form)["added"] is False, "and it is not taken away"
    shop.keys["release"] = replace(
        shop.keys["vendor"], name="release", pem=(shop.root / "papers/release.pub").read_bytes()
    )
    assert shop.verify(shop.policy("vendor", "release", threshold=2)).findings == ()


def test_one_certificate_is_stored_as_every_reader_takes_it(shop: Workshop) -> None:
    company = Company(shop.root / "papers")
    company.release("release@bank.example")
    sign(shop, "release", BUNDLE, certificates=Certificates("papers/release.crt", None).content)
    (stored,) = found(shop)
    content = next(json.loads(blob) for blob in blobs(shop).values() if b"verificationMaterial" in blob)
    assert list(content["verificationMaterial"]) == ["certificate"]
    assert stored.certificates == certificates_of((shop.root / "papers/release.crt").read_bytes())


def test_more_signatures_than_are_read_are_not_written(shop: Workshop) -> None:
    index = parse_index(shop.open().index(), Where())
    bundle = index[0].descriptor
    layers = tuple(
        replace(describe(b"x%d" % number, "application/vnd.dev.cosign.simplesigning.v1+json")) for number in range(64)
    )
    config = describe(b"{}", "application/vnd.oci.image.config.v1+json")
    manifest = ImageManifest(config=config, layers=layers).content()
    named = replace(
        describe(manifest, IMAGE_MANIFEST),
        annotations={"org.opencontainers.image.ref.name": f"sha256-{bundle.digest.hex}.sig"},
    )
    store(shop, manifest, b"{}", *(b"x%d" % number for number in range(64)))
    (shop.root / "bundle/index.json").write_bytes(index_content([bundle, named]))
    with pytest.raises(InputError) as caught:
        sign(shop, "vendor", TAG)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("too-many-signatures", "bundle")
    assert finding.message == "there would be 65 signatures, and more than 64 are not read"


# --- the command line ---------------------------------------------------------------------------------------------


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> Finding:
    """The one finding of `bundle sign`, as JSON says it."""
    capsys.readouterr()
    assert main(["bundle", "sign", "bundle", *arguments, "--format", "json"]) == code
    (finding,) = json.loads(capsys.readouterr().err)["findings"]
    return Finding(
        code=finding["code"],
        message=finding["message"],
        expected=finding.get("expected"),
        got=finding.get("got"),
        hint=finding.get("hint"),
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "with `--key FILE` or with `--signer COMMAND`"),
        (("--key", "a", "--signer", "b"), "with `--key FILE` or with `--signer COMMAND`"),
        (("--key", "a", "--public-key", "b"), "`--public-key` belongs to `--signer`"),
        (("--signer", "a"), "`--signer` needs the public key"),
        (("--key", "a", "--chain", "b"), "`--chain` belongs to `--certificate`"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finding = refused(capsys, 2, *arguments)
    assert finding.code == "usage"
    assert message in finding.message
    assert finding.hint


@pytest.mark.usefixtures("shop")
def test_papers_that_do_not_fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    company, stranger = Company(tmp_path / "papers"), Company(tmp_path / "stranger")
    company.release("release@bank.example")
    stranger.release("release@bank.example")
    by = ("--key", "papers/release.key", "--certificate")
    other = refused(capsys, 1, *by, "stranger/release.crt")
    assert other.code == "certificate-of-another-key"
    assert other.hint == "openssl x509 -in stranger/release.crt -noout -pubkey"
    assert refused(capsys, 1, *by, "none.crt").code == "certificate-not-found"
    assert refused(capsys, 1, *by, "papers/release.key").code == "invalid-certificate"
    (tmp_path / "empty.crt").write_text("")
    assert "there is no certificate in it" in refused(capsys, 1, *by, "empty.crt").message
    unfit = refused(capsys, 1, *by, "papers/release.crt", "--chain", "papers/root.crt")
    assert unfit.code == "invalid-certificate"
    assert "`CN=release` is not issued by the certificate that follows it" in unfit.message
    assert (unfit.expected, unfit.got) == ("the certificate of `CN=Bank Releases`", "`CN=Bank Root`")
    signer = ("--signer", "true", "--public-key")
    assert refused(capsys, 1, *signer, "none.pub").code == "key-not-found"
    assert refused(capsys, 1, *signer, "papers/release.key").code == "invalid-public-key"


def test_a_signer_with_a_certificate_needs_no_public_key(
    shop: Workshop, real: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    Company(shop.root / "papers").release("release@bank.example")
    command = f"{real('openssl')} dgst -sha256 -sign papers/release.key"
    papers = ("--certificate", "papers/release.crt", "--chain", "papers/chain.crt")
    assert main(["bundle", "sign", "bundle", "--signer", command, *papers, "--form", "both"]) == 0
    assert "2 signatures (cosign-tag, sigstore-bundle)" in capsys.readouterr().out
    assert {len(one.certificates) for one in found(shop)} == {2}
    another = refused(capsys, 1, "--signer", command, "--public-key", "keys/vendor.pub", *papers)
    assert another.code == "certificate-of-another-key"
