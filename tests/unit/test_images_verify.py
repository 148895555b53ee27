"""`images verify`: everything that can be missing is found and named, with the command that mends it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.signing import KeyFileSigner
from renderer.commands.images.receipts import receipt_of, signed_receipt
from renderer.commands.images.verify import verify
from renderer.errors import BundleRefusedError
from renderer.formats.bundle.receipt import encode_statement, read_receipt, to_sign
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from tests.simulators.image_site import IMAGES, ImageSite
from tests.simulators.registries import MemoryRegistry

NGINX = "hub/library/nginx"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    return ImageSite(tmp_path, upstream=("linux/amd64", "linux/arm64"), platforms="linux/amd64, linux/arm64")


@pytest.fixture
def registry(site: ImageSite) -> MemoryRegistry:
    """A registry that holds everything."""
    registry = MemoryRegistry()
    assert not site.sync(registry).failed
    return registry


def missing(outcome: Outcome) -> list[tuple[str, str]]:
    """What is missing of the first image, and what was found in its place."""
    document: Any = outcome.document
    return [(one["what"], one["found"]) for one in document["images"][0]["missing"]]


def test_a_complete_registry(site: ImageSite, registry: MemoryRegistry) -> None:
    outcome = site.verify(registry)
    assert (outcome.failed, outcome.findings) == (False, ())
    blobs = {digest for held in registry.blobs.values() for digest in held}
    blobs |= {digest for held in registry.manifests.values() for digest in held}
    assert outcome.text.splitlines()[0] == "3 images in https://registry.site.example: 3 complete"
    assert f"{len(blobs)} blobs there with the right size" in outcome.text
    assert f"{len(blobs)} blobs hashed" in site.verify(registry, deep=True).text


def test_an_empty_registry(site: ImageSite) -> None:
    outcome = site.verify(MemoryRegistry())
    assert (outcome.failed, outcome.exit_code) == (True, 5)
    assert missing(outcome) == [
        ("tag 1.27", "no such tag"),
        ("index", "nothing"),
        ("manifest for linux/amd64", "nothing"),
        ("manifest for linux/arm64", "nothing"),
    ]


def test_a_missing_layer_is_named_with_the_command_that_mends_it(site: ImageSite, registry: MemoryRegistry) -> None:
    layer = site.hold.shipment(site.targets[0]).blobs[1]
    del registry.blobs[NGINX][layer.digest]
    outcome = site.verify(registry)
    (finding,) = outcome.findings
    assert finding.code == "image-incomplete"
    assert finding.message == f"`{IMAGES[0]}` is not whole in the site registry: 1 thing missing"
    assert finding.explanation == (f"layer {layer.digest}: nothing",)
    assert finding.hint == "sitewright images sync demo.yaml --recheck"
    assert f"{IMAGES[0]}  layer    sha256:{layer.digest.hex[:12]}  nothing" in outcome.text
    assert not site.sync(registry, recheck=True).failed, "and it does mend it"
    assert not site.verify(registry, deep=True).failed


def test_a_missing_platform(site: ImageSite, registry: MemoryRegistry) -> None:
    target = site.targets[0]
    platform = max(target.platforms)
    del registry.manifests[NGINX][target.platforms[platform]]
    assert missing(site.verify(registry)) == [("manifest for linux/arm64", "nothing")]


def test_a_blob_of_another_size(site: ImageSite, registry: MemoryRegistry) -> None:
    layer = site.hold.shipment(site.targets[0]).blobs[1]
    registry.blobs[NGINX][layer.digest] = b"short"
    assert missing(site.verify(registry)) == [("layer", f"5 bytes instead of {layer.size} bytes")]


def test_a_blob_with_another_content_is_found_by_hashing(site: ImageSite, registry: MemoryRegistry) -> None:
    layer = site.hold.shipment(site.targets[0]).blobs[1]
    registry.blobs[NGINX][layer.digest] = b"x" * layer.size
    assert not site.verify(registry).failed
    outcome = site.verify(registry, deep=True)
    assert missing(outcome) == [("layer", str(Digest.of(b"x" * layer.size)))]
    assert outcome.findings[0].hint == (
        "delete the rotten blobs from the registry's storage, then sitewright images sync demo.yaml --recheck"
    )


def test_a_tag_that_stands_for_another_image(site: ImageSite, registry: MemoryRegistry) -> None:
    other = site.targets[0].manifests[0]
    registry.tagged[NGINX]["1.27"] = other
    outcome = site.verify(registry)
    assert missing(outcome) == [("tag 1.27", str(other))]
    assert outcome.findings[0].hint == "sitewright images sync demo.yaml --retag"
    assert outcome.text.endswith("mend it: sitewright images sync demo.yaml --retag"), "the table and the finding agree"


def test_a_registry_that_does_not_answer(site: ImageSite) -> None:
    outcome = site.verify(MemoryRegistry(down=True))
    assert outcome.failed
    assert [finding.code for finding in outcome.findings] == ["registry-unreachable"]
    assert outcome.text.startswith("3 images in https://registry.site.example: 0 complete, 3 not seen")


# --- receipts ----------------------------------------------------------------------------------------------------


def receipt_file(site: ImageSite, registry: MemoryRegistry, key: str = "vendor") -> bytes:
    verified = verify(site.targets, registry, deep=True)
    receipt = receipt_of(verified, site="demo", lock=b"the lock", now=NOW)
    if key not in site.workshop.keys:
        site.workshop.key(key)
    return signed_receipt(receipt, KeyFileSigner(site.root / f"keys/{key}.pem", key))


def test_a_receipt_lists_what_the_site_holds(site: ImageSite, registry: MemoryRegistry) -> None:
    content = receipt_file(site, registry)
    receipt = read_receipt(content, [site.workshop.keys["vendor"].pem], "demo.receipt")
    assert (receipt.site, receipt.registry, receipt.hashed) == ("demo", "https://registry.site.example", True)
    assert receipt.lock == Digest.of(b"the lock")
    assert receipt.verified_at == NOW
    assert [str(image.reference) for image in receipt.images] == [*IMAGES]
    held = {digest: len(blob) for blobs in registry.blobs.values() for digest, blob in blobs.items()}
    assert held.items() <= receipt.blobs.items()
    assert {target.digest for target in site.targets} <= receipt.blobs.keys()


def test_a_receipt_tells_only_what_was_found(site: ImageSite, registry: MemoryRegistry) -> None:
    layer = site.hold.shipment(site.targets[0]).blobs[1]
    del registry.blobs[NGINX][layer.digest]
    receipt = read_receipt(receipt_file(site, registry), [site.workshop.keys["vendor"].pem], "demo.receipt")
    assert layer.digest not in receipt.blobs
    assert [str(image.reference) for image in receipt.images] == [*IMAGES[1:]]


def test_a_receipt_is_a_dsse_envelope_around_an_in_toto_statement(site: ImageSite, registry: MemoryRegistry) -> None:
    envelope = json.loads(receipt_file(site, registry))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "lock of site demo", "digest": {"sha256": Digest.of(b"the lock").hex}}]
    assert to_sign(payload) == b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload


def test_equal_receipts_have_equal_statements(site: ImageSite, registry: MemoryRegistry) -> None:
    verified = verify(site.targets, registry, deep=True)
    again = verify(site.targets, registry, deep=True, jobs=1)
    one, two = (encode_statement(receipt_of(v, site="demo", lock=b"", now=NOW)) for v in (verified, again))
    assert one == two


@pytest.mark.parametrize("kind", ["key", "payload", "type", "json"])
def test_a_receipt_that_nobody_vouches_for_is_refused(site: ImageSite, registry: MemoryRegistry, kind: str) -> None:
    content = receipt_file(site, registry)
    stranger = site.workshop.key("stranger").pem
    envelope = json.loads(content)
    if kind == "payload":
        statement = base64.b64decode(envelope["payload"]).replace(b'"demo"', b'"fake"')
        envelope["payload"] = base64.b64encode(statement).decode()
    if kind == "type":
        envelope["payloadType"] = "text/plain"
    content = b"{" if kind == "json" else json.dumps(envelope).encode()
    keys = [stranger] if kind == "key" else [site.workshop.keys["vendor"].pem]
    with pytest.raises(BundleRefusedError) as caught:
        read_receipt(content, keys, "demo.receipt")
    (finding,) = caught.value.findings
    assert finding.code == ("receipt-not-signed" if kind in {"key", "payload"} else "receipt-malformed")
    assert str(finding.where) == "demo.receipt"
    assert finding.hint is not None
