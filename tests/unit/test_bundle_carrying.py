"""`bundle push` and `bundle pull` over a registry in memory: what is asked for, what is sent, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderer.adapters.signing import KeyFileSigner
from renderer.commands.bundle.sign import sign
from renderer.errors import BundleRefusedError, InputError, RemoteError, RendererError, Where
from renderer.formats.bundle.artifact import IMAGE_MANIFEST, find_bundle, parse_index
from renderer.formats.bundle.packing import make_packing_list, packing_tag, read_packing_list
from renderer.model.bundles.signing import SignatureForm
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from tests.simulators.carrying import Carrier
from tests.simulators.registries import MemoryRegistry

REPOSITORY = "bundles/demo"
HERE = "oci://registry.site.example/bundles/demo:1.0.0"


@pytest.fixture
def carrier(tmp_path: Path) -> Carrier:
    return Carrier(tmp_path)


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


def blobs(outcome: Outcome) -> dict[str, int]:
    found: dict[str, int] = outcome.document["blobs"]  # type: ignore[index, call-overload, assignment]
    return found


def fetched(outcome: Outcome) -> tuple[int, int]:
    """Blobs that were fetched, and those that were here."""
    words = outcome.text.splitlines()[-1].split()
    return int(words[0]), int(words[-3])


def news(carrier: Carrier) -> tuple[int, int]:
    """What `newer.tar` has that `bundle.tar` has not, and what they share: blobs of images, charts and manifests."""
    older, newer = carrier.blobs("bundle.tar").keys(), carrier.blobs("newer.tar").keys()
    assert len(newer & older) >= 10
    return len(newer - older), len(newer & older)


def digest_of(carrier: Carrier, bundle: str = "bundle.tar") -> Digest:
    return find_bundle(carrier.workshop.open(bundle).index(), bundle).digest


def refused(code: str, error: pytest.ExceptionInfo[RendererError]) -> None:
    assert [finding.code for finding in error.value.findings] == [code]


# --- there and back ---------------------------------------------------------------------------------------------


def test_what_comes_back_is_the_tar_file_that_was_pushed(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    outcome = carrier.pull(registry, "back.tar")
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")
    assert outcome.text.splitlines()[2] == "  vendor signed; trust policy test asks for 1"
    assert fetched(outcome) == (len(carrier.blobs("bundle.tar")), 0)


def test_a_directory_comes_back_as_a_directory_or_as_a_tar_file(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.make("bundle")
    carrier.push(registry, bundle="bundle")
    for output in ("back", "back.tar"):
        carrier.pull(registry, output)
        assert carrier.workshop.open(output).index() == carrier.workshop.open("bundle").index()
        assert carrier.workshop.open(output).digests() == carrier.workshop.open("bundle").digests()
        carrier.workshop.verify(carrier.workshop.policy("vendor"), output)
    assert not list(carrier.root.glob(".back*"))


def test_a_build_and_a_directory_that_was_pulled_give_the_same_tar_file(
    carrier: Carrier, registry: MemoryRegistry
) -> None:
    carrier.push(registry)
    carrier.pull(registry, "back")
    other = MemoryRegistry()
    carrier.push(other, bundle="back")
    carrier.pull(other, "again.tar")
    assert carrier.bytes_of("again.tar") == carrier.bytes_of("bundle.tar")


def test_a_bundle_is_pulled_by_its_digest(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.pull(registry, "back.tar", f"oci://registry.site.example/bundles/demo@{digest_of(carrier)}")
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")


# --- only what is missing ----------------------------------------------------------------------------------------


def test_pushing_again_sends_nothing_and_asks_three_times(carrier: Carrier, registry: MemoryRegistry) -> None:
    contents = carrier.blobs("bundle.tar").values()
    size, whole = sum(map(len, contents)), len(contents)
    assert blobs(carrier.push(registry)) == {"present": 0, "sent": whole, "mounted": 0, "sentBytes": size}
    registry.log.clear()
    assert blobs(carrier.push(registry)) == {"present": whole, "sent": 0, "mounted": 0, "sentBytes": 0}
    assert [verb for verb, _, _ in registry.log] == ["manifest"] * 3


def test_a_newer_edition_brings_what_is_new_and_asks_for_nothing_else(
    carrier: Carrier, registry: MemoryRegistry
) -> None:
    carrier.push(registry)
    carrier.make("newer.tar", version="1.1.0", sequence=4)
    registry.log.clear()
    sent = blobs(carrier.push(registry, bundle="newer.tar"))
    new, shared = news(carrier)
    assert (sent["sent"], sent["present"]) == (new, shared)
    assert registry.count("has") == new + 1  # and `index.json`
    assert registry.tags(REPOSITORY)[:2] == ("1.0.0", "1.1.0")


def test_pulling_onto_an_older_edition_fetches_what_is_new(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.pull(registry, "site")
    carrier.make("newer.tar", version="1.1.0", sequence=4)
    carrier.push(registry, bundle="newer.tar")
    outcome = carrier.pull(registry, "site", HERE.replace("1.0.0", "1.1.0"))
    assert fetched(outcome) == news(carrier)
    assert carrier.workshop.open("site").digests() == carrier.workshop.open("newer.tar").digests()


def test_pulling_onto_an_older_tar_file_takes_what_it_has(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.pull(registry, "site.tar")
    outcome = carrier.pull(registry, "site.tar")
    assert fetched(outcome) == (0, len(carrier.blobs("site.tar")))


def test_a_dry_run_sends_nothing(carrier: Carrier, registry: MemoryRegistry) -> None:
    outcome = carrier.push(registry, dry_run=True)
    assert (blobs(outcome)["present"], blobs(outcome)["missing"]) == (0, len(carrier.blobs("bundle.tar")))
    assert {verb for verb, _, _ in registry.log} <= {"has", "manifest"}


def test_recheck_finds_what_the_registry_has_lost(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    lost, content = next(iter(carrier.blobs("bundle.tar").items()))
    del registry.blobs[REPOSITORY][lost]
    assert blobs(carrier.push(registry))["sent"] == 0
    assert blobs(carrier.push(registry, recheck=True))["sent"] == 1
    assert registry.blobs[REPOSITORY][lost] == content


# --- in the registry ---------------------------------------------------------------------------------------------


def test_the_tag_is_put_there_last(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    puts = [reference for verb, _, reference in registry.log if verb == "put"]
    assert puts[-1] == "1.0.0"
    assert puts[-2] == packing_tag(digest_of(carrier))


def test_every_manifest_has_a_tag_so_that_none_is_cleaned_away(carrier: Carrier, registry: MemoryRegistry) -> None:
    registry.sparse = True
    carrier.push(registry)
    assert set(registry.manifests[REPOSITORY]) == set(registry.tagged[REPOSITORY].values())
    endings = sorted(tag.partition(".")[2] for tag in registry.tags(REPOSITORY))
    assert endings == ["0.0", "image", "image", "image", "image", "packing", "sig"]


def test_a_registry_that_wants_whole_indexes_holds_cut_ones_as_blobs(
    carrier: Carrier, registry: MemoryRegistry
) -> None:
    (note,) = carrier.push(registry).findings
    assert (note.code, note.severity.value) == ("sparse-index-as-blob", "note")
    assert note.message == (
        "https://registry.site.example takes an index only when it has all that the index lists; for 2 images that "
        "the bundle carries in part, the index lies there as a plain blob"
    )
    assert note.hint == "`bundle pull` restores them; other tools find these images by the digests of their platforms"
    carrier.pull(registry, "back.tar")
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")


def test_the_packing_list_holds_everything(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    found = registry.manifest(REPOSITORY, packing_tag(digest_of(carrier)))
    assert found is not None
    packed = read_packing_list(found.content, Where())
    assert tuple(blob.digest for blob in packed.blobs) == carrier.workshop.open("bundle.tar").order()
    assert registry.blobs[REPOSITORY][packed.index.digest] == carrier.workshop.open("bundle.tar").index()


def test_failures_are_told_once_and_nothing_is_tagged(carrier: Carrier, registry: MemoryRegistry) -> None:
    registry.denied.add(REPOSITORY)
    with pytest.raises(RemoteError) as raised:
        carrier.push(registry)
    refused("registry-denied", raised)
    assert registry.tags(REPOSITORY) == ()


# --- what must not be lost ---------------------------------------------------------------------------------------


def test_a_tag_of_another_bundle_is_moved_on_request_only(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.images(("docker.io/library/nginx:1.28",))
    carrier.make("other.tar")
    with pytest.raises(InputError) as raised:
        carrier.push(registry, bundle="other.tar")
    refused("tag-differs", raised)
    (finding,) = raised.value.findings
    assert finding.message == f"`{HERE}` is another bundle"
    assert (finding.expected, finding.got) == (str(digest_of(carrier, "other.tar")), str(digest_of(carrier)))
    carrier.push(registry, bundle="other.tar", retag=True)
    assert registry.tagged[REPOSITORY]["1.0.0"] == digest_of(carrier, "other.tar")


def test_a_tag_that_is_another_version_is_refused(carrier: Carrier, registry: MemoryRegistry) -> None:
    with pytest.raises(InputError) as raised:
        carrier.push(registry, HERE.replace("1.0.0", "2.0.0"))
    refused("bundle-tag-differs", raised)
    (finding,) = raised.value.findings
    assert (finding.expected, finding.got) == ("`1.0.0`", "`2.0.0`")
    assert finding.hint == f"leave the tag out: {HERE}"
    assert registry.log == []
    carrier.push(registry, HERE.replace("1.0.0", "latest"))
    assert "latest" in registry.tags(REPOSITORY)


def test_a_signature_that_was_added_later_travels_alone(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.workshop.sign("office", "bundle.tar")
    registry.log.clear()
    assert blobs(carrier.push(registry))["sent"] == 2  # the manifest of the signatures, and its config
    assert registry.count("put") == 3  # signatures, packing list, tag
    carrier.pull(registry, "back.tar", signers=("vendor", "office"))
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")


def test_a_signature_that_was_added_in_the_registry_is_not_lost(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    before = carrier.bytes_of("bundle.tar")
    carrier.workshop.sign("office", "bundle.tar")
    carrier.push(registry)
    (carrier.root / "bundle.tar").write_bytes(before)
    with pytest.raises(InputError) as raised:
        carrier.push(registry)
    refused("signatures-differ", raised)
    (finding,) = raised.value.findings
    assert finding.message.startswith("`sha256-")
    assert finding.hint == f"sitewright bundle pull {HERE} -o DIR, sign that, and push it"


def test_what_cosign_signed_in_the_registry_is_pulled(carrier: Carrier, registry: MemoryRegistry) -> None:
    """Its signatures lie under the tag only; no packing list knows of them."""
    carrier.push(registry)
    carrier.workshop.sign("office", "bundle.tar")
    elsewhere = MemoryRegistry()
    carrier.push(elsewhere)
    tag = next(tag for tag in elsewhere.tags(REPOSITORY) if tag.endswith(".sig"))
    signatures = elsewhere.manifest(REPOSITORY, tag)
    assert signatures is not None
    registry.blobs[REPOSITORY] |= elsewhere.blobs[REPOSITORY]
    del registry.blobs[REPOSITORY][signatures.digest]
    registry.push_manifest(REPOSITORY, tag, signatures.content, IMAGE_MANIFEST)
    carrier.pull(registry, "back.tar", signers=("vendor", "office"))
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")


def test_what_others_attach_to_a_bundle_in_the_registry_stays_there(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    body = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "artifactType": "text/x-note",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(b"{}")), "size": 2},
        "layers": [],
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": str(digest_of(carrier)), "size": 1},
    }
    registry.blobs[REPOSITORY][Digest.of(b"{}")] = b"{}"
    note = json.dumps(body).encode()
    registry.push_manifest(REPOSITORY, str(Digest.of(note)), note, IMAGE_MANIFEST)
    carrier.pull(registry, "back.tar")
    assert carrier.bytes_of("back.tar") == carrier.bytes_of("bundle.tar")


def test_a_signature_that_was_attached_in_the_registry_is_pulled(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    before = carrier.bytes_of("bundle.tar")
    carrier.workshop.key("office")
    signer = KeyFileSigner(carrier.root / "keys/office.pem", "office")
    opened = carrier.workshop.open("bundle.tar")
    sign(opened, signer, carrier.workshop.writer, "bundle.tar", forms=(SignatureForm.SIGSTORE_BUNDLE,))
    carrier.push(registry)
    (carrier.root / "bundle.tar").write_bytes(before)
    carrier.push(registry)  # by somebody who does not know of it
    carrier.pull(registry, "back.tar", signers=("vendor", "office"))
    policy = carrier.workshop.policy("vendor", "office", threshold=2)
    carrier.workshop.verify(policy, "back.tar")


# --- what is refused ---------------------------------------------------------------------------------------------


def test_nothing_but_signatures_is_asked_for_before_they_count(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    carrier.workshop.key("stranger")
    registry.log.clear()
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar", signers=("stranger",))
    refused("signature-untrusted", raised)
    digest = digest_of(carrier)
    signature = next(tag for tag in registry.tags(REPOSITORY) if tag.endswith(".sig"))
    asked = [what for verb, _, what in registry.log if verb == "manifest"]
    assert asked == ["1.0.0", signature]
    (payload,) = [what for verb, _, what in registry.log if verb == "read"]
    assert json.loads(registry.blobs[REPOSITORY][Digest.parse(payload)])["critical"]["image"] == {
        "docker-manifest-digest": str(digest)
    }
    assert not (carrier.root / "back.tar").exists()


def test_an_unsigned_bundle_is_refused(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.workshop.build("plain.tar", "edition.yaml")
    carrier.push(registry, bundle="plain.tar")
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar")
    refused("bundle-unsigned", raised)


def test_a_packing_list_that_adds_an_image_is_refused(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    tag = packing_tag(digest_of(carrier))
    index = json.loads(carrier.workshop.open("bundle.tar").index())
    index["manifests"].append({**index["manifests"][-1], "annotations": {"org.opencontainers.image.ref.name": "x/y:1"}})
    _repack(registry, tag, json.dumps(index).encode())
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar")
    refused("bundle-tampered", raised)
    assert not (carrier.root / "back.tar").exists()


def test_a_packing_list_that_leaves_something_out_is_refused(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    source = carrier.workshop.open("bundle.tar")
    image = parse_index(source.index(), Where())[-1].descriptor.digest
    _repack(registry, packing_tag(digest_of(carrier)), source.index(), without=image)
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar")
    refused("blob-missing", raised)
    assert str(image) in raised.value.findings[0].message


def test_a_blob_that_was_changed_in_the_registry_is_refused(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    for digest, content in registry.blobs[REPOSITORY].items():
        if content.startswith(b"\x1f\x8b"):
            registry.blobs[REPOSITORY][digest] = content[:-1] + b"!"
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar")
    assert {finding.code for finding in raised.value.findings} == {"blob-digest-mismatch"}
    assert not (carrier.root / "back.tar").exists()


def test_a_bundle_without_packing_list_cannot_be_pulled(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    del registry.tagged[REPOSITORY][packing_tag(digest_of(carrier))]
    with pytest.raises(InputError) as raised:
        carrier.pull(registry, "back.tar")
    refused("bundle-not-packed", raised)
    assert raised.value.findings[0].hint == f"sitewright bundle push BUNDLE {HERE}"


def test_a_version_that_is_not_there(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    with pytest.raises(InputError) as raised:
        carrier.pull(registry, "back.tar", HERE.replace("1.0.0", "1.0.1"))
    refused("bundle-not-found", raised)
    (finding,) = raised.value.findings
    assert finding.got == "`1.0.0` in `registry.site.example/bundles/demo`"


def test_an_image_is_no_bundle(carrier: Carrier, registry: MemoryRegistry) -> None:
    carrier.push(registry)
    image = next(tag for tag in registry.tags(REPOSITORY) if tag.endswith(".image"))
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar", HERE.replace("1.0.0", image))
    refused("not-a-bundle", raised)


def test_much_that_nobody_signed_is_not_fetched(carrier: Carrier, registry: MemoryRegistry) -> None:
    """A registry could hang any amount of data on a manifest of signatures."""
    carrier.push(registry)
    tag = next(tag for tag in registry.tags(REPOSITORY) if tag.endswith(".sig"))
    signatures = registry.manifest(REPOSITORY, tag)
    assert signatures is not None
    body = json.loads(signatures.content)
    huge = {"mediaType": "text/plain", "digest": str(Digest.of(b"huge")), "size": 2**40}
    content = json.dumps(body | {"layers": [*body["layers"], huge]}).encode()
    registry.blobs[REPOSITORY][Digest.of(b"huge")] = b"huge"
    registry.push_manifest(REPOSITORY, tag, content, IMAGE_MANIFEST)
    with pytest.raises(BundleRefusedError) as raised:
        carrier.pull(registry, "back.tar")
    refused("bundle-malformed", raised)
    assert "67108864 are allowed" in raised.value.findings[0].message


def _repack(registry: MemoryRegistry, tag: str, index: bytes, without: Digest | None = None) -> None:
    """Replace a packing list, as somebody could who may write to the registry."""
    found = registry.manifest(REPOSITORY, tag)
    assert found is not None
    blobs = [one for one in read_packing_list(found.content, Where()).blobs if one.digest != without]
    config, content = make_packing_list(index, blobs)
    registry.blobs[REPOSITORY][config.digest] = index
    registry.push_manifest(REPOSITORY, tag, content, IMAGE_MANIFEST)
