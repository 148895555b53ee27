"""A signature alone is not enough: what trusted keys signed must still be a bundle, and say so consistently."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.signing import KeyFileSigner
from renderer.commands.bundle.inspect import inspect as inspect_bundle
from renderer.errors import BundleRefusedError, Finding
from renderer.formats.bundle.artifact import (
    BUNDLE_CONFIG,
    BUNDLE_TYPE,
    IMAGE_MANIFEST,
    REF_NAME,
    bundle_manifest,
    describe,
    index_content,
)
from renderer.formats.bundle.document import encode_bundle
from renderer.formats.bundle.parts import BundleParts
from renderer.formats.trust.cosign import make_payload
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.bundle import Bundle, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.reference import Digest
from renderer.stages.verify import verify
from renderer.structs import replace
from tests.simulators.bundles import NOW, Workshop, signed
from tests.simulators.tables import why_not


def honest(workshop: Workshop, policy: TrustPolicy) -> tuple[Bundle, list[Descriptor]]:
    """The bundle that was built, and its layers."""
    bundle = workshop.load(policy).bundle
    return bundle, [one.content for extension in bundle.extensions for one in extension.components]


def vouched(workshop: Workshop, config: bytes, layers: Sequence[Descriptor] = ()) -> BundleParts:
    """A bundle with this config, signed by `vendor` and by `office`."""
    manifest = bundle_manifest(
        describe(config, BUNDLE_CONFIG), layers, name="demo", version="1.0.0", created="2026-11-01T00:00:00Z"
    )
    descriptor = replace(describe(manifest, IMAGE_MANIFEST), artifact_type=BUNDLE_TYPE)
    stored = vouching(workshop, descriptor.digest)
    return BundleParts(manifest=descriptor, manifest_bytes=manifest, signatures=stored, read=lambda _: config)


def vouching(workshop: Workshop, manifest: Digest) -> tuple[StoredSignature, ...]:
    """Signatures over a manifest by `vendor` and by `office`."""
    payload = make_payload("demo", manifest)
    signatures = [
        KeyFileSigner(workshop.root / f"keys/{name}.pem", name).sign(payload) for name in ("vendor", "office")
    ]
    return tuple(
        StoredSignature(payload=payload, signature_base64=base64.b64encode(one).decode()) for one in signatures
    )


def judged(parts: BundleParts, policy: TrustPolicy) -> VerifiedBundle:
    return verify(parts, policy, now=NOW, source="bundle")


def refusal(act: Callable[[], object]) -> Finding:
    """The only finding of the refusal that `act` must end in."""
    with pytest.raises(BundleRefusedError) as caught:
        act()
    (finding,) = caught.value.findings
    return finding


def test_what_was_built_and_signed_is_accepted(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    assert judged(vouched(workshop, encode_bundle(bundle), layers), policy).bundle == bundle


# --- the config ---------------------------------------------------------------------------------------------------


def later(document: dict[str, Any]) -> None:
    document["apiVersion"] = "sitewright.dev/v2"


def surprising(document: dict[str, Any]) -> None:
    document["spec"]["surprise"] = 1


def doubled(document: dict[str, Any]) -> None:
    components = document["spec"]["extensions"][0]["components"]
    components[1]["name"] = components[0]["name"]


def escaping(document: dict[str, Any]) -> None:
    document["spec"]["extensions"][0]["components"][0]["namespace"] = "../web"


def created(text: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["spec"].update(created=text)


@pytest.mark.parametrize(
    ("change", "code", "path", "told"),
    [
        (later, "unknown-api-version", "apiVersion", "cannot read such a bundle"),
        (surprising, "bundle-malformed", "spec.surprise", "`surprise` is not a field"),
        (doubled, "bundle-malformed", "spec.extensions[0]", "two components of the same name"),
        (escaping, "bundle-malformed", "spec.extensions[0].components[0]", "../web"),
        (created("yesterday"), "bundle-malformed", "spec.created", "a time must read `2026-11-01T00:00:00Z`"),
        (created("2026-11-01"), "bundle-malformed", "spec.created", "with its zone"),
        (created("2026-11-01T00:00:00"), "bundle-malformed", "spec.created", "with its zone"),
        (created("0001-01-01T00:00:00+14:00"), "bundle-malformed", "spec.created", "outside of the calendar"),
    ],
    ids=["later", "surprising", "doubled", "escaping", "no-time", "no-clock", "no-zone", "no-year"],
)
def test_a_signed_config_that_is_no_bundle_is_refused_where_it_is_wrong(
    change: Callable[[dict[str, Any]], None], code: str, path: str, told: str, tmp_path: Path
) -> None:
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    document = json.loads(encode_bundle(bundle))
    change(document)
    finding = refusal(lambda: judged(vouched(workshop, json.dumps(document).encode(), layers), policy))
    assert finding.code == code
    assert (finding.where.file, finding.where.subject, finding.where.path) == ("bundle", "bundle.json", path)
    assert told in finding.message


def test_a_signed_config_that_is_no_json_is_refused(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    finding = refusal(lambda: judged(vouched(workshop, b"{"), policy))
    assert (finding.code, finding.where.subject) == ("bundle-malformed", "bundle.json")


def test_a_component_that_is_no_layer_is_refused(tmp_path: Path) -> None:
    # Whoever copies a bundle copies the layers of its manifest: this component would be lost on the way.
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    finding = refusal(lambda: judged(vouched(workshop, encode_bundle(bundle), layers[:1]), policy))
    assert finding.code == "bundle-malformed"
    assert finding.message == "component `rbac` of web 1.2.0 is not a layer of the manifest"
    assert finding.got == str(layers[1].digest)


@pytest.mark.parametrize("what", ["manifest", "config"])
def test_bytes_that_their_descriptor_does_not_name_are_refused(what: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    parts = vouched(workshop, encode_bundle(bundle), layers)
    if what == "manifest":
        parts = replace(parts, manifest_bytes=parts.manifest_bytes + b" ")
    else:
        parts = replace(parts, read=lambda _: encode_bundle(bundle) + b" ")
    finding = refusal(lambda: judged(parts, policy))
    assert finding.code == "bundle-tampered"
    assert finding.message == f"the bundle {what} is not the one that its descriptor names"
    assert finding.hint == "copy the bundle again from where it was published"


def test_a_manifest_of_something_else_is_refused(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    parts = vouched(workshop, b"{}")
    manifest = json.loads(parts.manifest_bytes)
    manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    content = json.dumps(manifest).encode()
    resigned = vouching(workshop, Digest.of(content))
    other = replace(parts, manifest=describe(content, IMAGE_MANIFEST), manifest_bytes=content, signatures=resigned)
    finding = refusal(lambda: judged(other, policy))
    assert (finding.code, finding.message) == ("bundle-malformed", "the manifest is not that of a Sitewright bundle")
    assert "config `application/vnd.oci.image.config.v1+json`" in str(finding.got)


@pytest.mark.parametrize("config", [b"{", b"{}"])
def test_what_is_no_bundle_is_neither_signed_nor_shown(config: bytes, tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    parts = vouched(workshop, config)
    blobs = {f"bundle/blobs/sha256/{describe(one, '').digest.hex}": one for one in (config, parts.manifest_bytes)}
    entry = replace(parts.manifest, annotations={REF_NAME: "demo:1.0.0"})
    workshop.write({**blobs, "bundle/index.json": index_content([entry])})
    for act in (lambda: workshop.sign("vendor"), lambda: inspect_bundle(workshop.open(), now=NOW)):
        finding = refusal(act)
        assert (finding.code, finding.where.file, finding.where.subject) == (
            "bundle-malformed",
            "bundle",
            "bundle.json",
        )


# --- signatures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base64_text", "reason"),
    [
        ("not base64!", "the signature is not base64"),
        ("A" * 100_000, "the signature is too long"),
        (base64.b64encode(b"nonsense").decode(), "no key of the trust policy made it"),
    ],
    ids=["no-base64", "too-long", "nonsense"],
)
def test_text_that_is_no_signature_does_not_count(base64_text: str, reason: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    parts = vouched(workshop, encode_bundle(bundle), layers)
    vendor, office = parts.signatures
    parts = replace(parts, signatures=(vendor, replace(office, signature_base64=base64_text)))
    finding = refusal(lambda: judged(parts, policy))
    assert finding.code == "trust-threshold"
    assert why_not(finding)[1] == f"unknown: {reason}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"anything", "Expecting value"),
        (b'{"critical": {"type": "a treaty"}}', "the payload's type is not `cosign container image signature`"),
        (b'{"critical": {"type": "cosign container image signature"}}', "not a cosign signature payload"),
    ],
    ids=["no-json", "treaty", "no-image"],
)
def test_a_trusted_signature_over_something_else_does_not_count(payload: bytes, reason: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    bundle, layers = honest(workshop, policy)
    parts = vouched(workshop, encode_bundle(bundle), layers)
    made = KeyFileSigner(tmp_path / "keys/office.pem", "office").sign(payload)
    forged = StoredSignature(payload=payload, signature_base64=base64.b64encode(made).decode())
    finding = refusal(lambda: judged(replace(parts, signatures=(parts.signatures[0], forged)), policy))
    assert finding.code == "trust-threshold"
    assert why_not(finding)[1].startswith("office: ")
    assert reason in why_not(finding)[1]


def test_the_moment_of_verification_has_a_time_zone(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    parts = vouched(workshop, b"{}")
    with pytest.raises(ValueError, match="needs a time zone"):
        verify(parts, policy, now=datetime(2026, 11, 20), source="bundle")  # noqa: DTZ001 - that is the point
