"""Images of a bundle: platforms, what is left out, and the manifests that speak of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import BundleRefusedError, Finding, InputError
from renderer.model.bundles.bundle import BundleImage, ReferrerForm
from renderer.model.reference import ImageReference
from tests.simulators.bundles import CHART, Workshop
from tests.simulators.images import ImageLayout

NGINX, API = "docker.io/library/nginx:1.27", "quay.io/team/api:2.0"
SOURCE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - {name: web, version: 1.2.0, components: [{name: web, helm: charts/web}]}
  images:
    - {layout: images}
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.write(CHART | {"bundle.yaml": SOURCE})
    return made


@pytest.fixture
def layout(tmp_path: Path) -> ImageLayout:
    return ImageLayout(tmp_path / "images")


def built(workshop: Workshop, bundle: str = "bundle") -> dict[ImageReference, BundleImage]:
    """Build, sign, verify; the image dictionary."""
    workshop.build(bundle)
    workshop.sign("vendor", bundle)
    policy = workshop.policy("vendor")
    assert workshop.verify(policy, bundle).findings == ()
    return {image.reference: image for image in workshop.load(policy, bundle).bundle.images}


def one(workshop: Workshop, reference: str = NGINX) -> BundleImage:
    return built(workshop)[ImageReference.parse(reference)]


def carried(root: Path, bundle: str = "bundle") -> set[str]:
    return {path.name for path in (root / bundle / "blobs/sha256").iterdir()}


def hexes(*descriptors: dict[str, Any]) -> set[str]:
    return {str(one["digest"]).removeprefix("sha256:") for one in descriptors}


def names(root: Path) -> list[str | None]:
    index = json.loads((root / "bundle/index.json").read_text())
    return [one.get("annotations", {}).get("org.opencontainers.image.ref.name") for one in index["manifests"]]


def faults(workshop: Workshop) -> list[Finding]:
    with pytest.raises(InputError) as caught:
        workshop.build()
    return list(caught.value.findings)


# --- platforms -----------------------------------------------------------------------------------------------------


def test_an_index_keeps_its_bytes_and_loses_the_other_platforms(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64", "linux/s390x")
    amd64, arm64, s390x = layout.read(index)["manifests"]
    image = one(workshop)
    assert str(image.digest) == index["digest"]
    assert {str(platform): str(entry.digest) for platform, entry in image.platforms.items()} == {
        "linux/amd64": amd64["digest"]
    }
    assert [str(platform) for platform in image.omitted] == ["linux/arm64", "linux/s390x"]
    held = carried(workshop.root)
    assert hexes(index, amd64) <= held
    assert not hexes(arm64, s390x, layout.read(arm64)["config"], *layout.read(s390x)["layers"]) & held
    content = (workshop.root / "bundle/blobs/sha256" / index["digest"].removeprefix("sha256:")).read_bytes()
    assert content == layout.path(index).read_bytes()


def test_what_was_left_out_is_shown(workshop: Workshop, layout: ImageLayout) -> None:
    from renderer.commands.bundle.inspect import View, inspect
    from tests.simulators.bundles import NOW

    layout.image(NGINX, "linux/amd64", "linux/arm64", "linux/s390x")
    workshop.build()
    outcome = inspect(workshop.open(), now=NOW, view=View.IMAGES)
    assert "linux/amd64 (without linux/arm64, linux/s390x)" in outcome.text
    document: Any = outcome.document
    (image,) = document["images"]
    assert (image["omitted"], image["referrers"]) == (["linux/arm64", "linux/s390x"], [])


def test_every_image_that_lacks_a_platform_is_named_at_once(workshop: Workshop, layout: ImageLayout) -> None:
    layout.image(NGINX, "linux/amd64")
    layout.image(API, "linux/arm64")
    layout.image("ghcr.io/a/both:1", "linux/amd64", "linux/arm64/v8")
    workshop.write({"bundle.yaml": SOURCE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]")})
    found = faults(workshop)
    assert [(fault.code, fault.message, fault.got) for fault in found] == [
        ("platform-missing", f"`{NGINX}` does not exist for linux/arm64", "linux/amd64"),
        ("platform-missing", f"`{API}` does not exist for linux/amd64", "linux/arm64"),
    ]
    assert {fault.where.path for fault in found} == {"spec.images[0].layout"}
    assert not (workshop.root / "bundle").exists()


def test_a_layout_that_was_cut_itself_lacks_what_was_cut(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64")
    layout.path(layout.read(index)["manifests"][1]).unlink()
    image = one(workshop)
    assert [str(platform) for platform in image.omitted] == ["linux/arm64"]
    workshop.write({"bundle.yaml": SOURCE.replace("[linux/amd64]", "[linux/amd64, linux/arm64]")})
    (fault,) = faults(workshop)
    assert (fault.code, fault.got) == ("platform-missing", "linux/amd64, linux/arm64")


def test_an_index_that_names_no_platforms_is_asked_image_by_image(workshop: Workshop, layout: ImageLayout) -> None:
    manifests = [layout.manifest(platform, NGINX) for platform in ("linux/arm64", "linux/amd64")]
    layout.list(layout.index(manifests), NGINX)
    image = one(workshop)
    assert {str(platform): str(entry.digest) for platform, entry in image.platforms.items()} == {
        "linux/amd64": manifests[1]["digest"]
    }


def test_a_bundle_is_a_layout_of_images_too(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64", attested=True)
    layout.cosign(index)
    layout.referrer(index)
    before = one(workshop)
    shutil.rmtree(workshop.root / "images")
    (workshop.root / "bundle").rename(workshop.root / "images")
    assert one(workshop) == before


# --- referrers -----------------------------------------------------------------------------------------------------


def test_attestations_in_the_index_come_along_with_their_platform(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64", attested=True)
    amd64, arm64, of_amd64, of_arm64 = layout.read(index)["manifests"]
    image = one(workshop)
    (referrer,) = image.referrers
    assert (referrer.form, str(referrer.subject)) == (ReferrerForm.INDEX, amd64["digest"])
    assert str(referrer.content.digest) == of_amd64["digest"]
    held = carried(workshop.root)
    assert hexes(of_amd64, *layout.read(of_amd64)["layers"]) <= held
    assert not hexes(arm64, of_arm64) & held
    assert names(workshop.root).count(NGINX) == 1


def test_signatures_and_sboms_come_along(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64", "linux/arm64")
    amd64, arm64 = layout.read(index)["manifests"]
    signature, attestation = layout.cosign(index), layout.cosign(amd64, "att")
    sbom = layout.referrer(amd64)
    signed_sbom = layout.cosign(sbom)
    layout.cosign(arm64)  # of a platform that stays behind
    layout.referrer(arm64)
    image = one(workshop)
    found = {(ref.form.value, str(ref.subject), str(ref.content.digest), ref.tag) for ref in image.referrers}
    tag = {one["digest"]: one["digest"].replace(":", "-") for one in (index, amd64, sbom)}
    assert found == {
        ("tag", index["digest"], signature["digest"], f"{tag[index['digest']]}.sig"),
        ("tag", amd64["digest"], attestation["digest"], f"{tag[amd64['digest']]}.att"),
        ("subject", amd64["digest"], sbom["digest"], None),
        ("tag", sbom["digest"], signed_sbom["digest"], f"{tag[sbom['digest']]}.sig"),
    }
    kinds = {ref.content.artifact_type for ref in image.referrers if ref.form is ReferrerForm.SUBJECT}
    assert kinds == {"application/spdx+json"}
    assert hexes(*layout.read(sbom)["layers"], *layout.read(signature)["layers"]) <= carried(workshop.root)
    assert f"docker.io/library/nginx:{tag[index['digest']]}.sig" in names(workshop.root)
    listed = json.loads((workshop.root / "bundle/index.json").read_text())["manifests"]
    assert [one["artifactType"] for one in listed if one["digest"] == sbom["digest"]] == ["application/spdx+json"]


def test_the_list_that_stands_in_for_the_referrers_api_is_followed(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64")
    sbom = layout.referrer(index)
    layout.entries.pop()  # only the list leads to it
    layout.list(layout.index([sbom]), index["digest"].replace(":", "-"))
    assert [str(ref.content.digest) for ref in one(workshop).referrers] == [sbom["digest"]]


def test_two_images_with_one_content_are_both_signed(workshop: Workshop, layout: ImageLayout) -> None:
    index = layout.image(NGINX, "linux/amd64")
    layout.list(index, API)
    layout.cosign(index)
    images = built(workshop)
    assert [len(image.referrers) for image in images.values()] == [1, 1]
    tag = f"{index['digest'].replace(':', '-')}.sig"
    assert {f"docker.io/library/nginx:{tag}", f"quay.io/team/api:{tag}"} <= set(names(workshop.root))


def test_a_referrer_that_was_tampered_with_is_found(workshop: Workshop, layout: ImageLayout) -> None:
    signature = layout.cosign(layout.image(NGINX, "linux/amd64"))
    one(workshop)
    place = workshop.root / "bundle/blobs/sha256" / str(signature["digest"]).removeprefix("sha256:")
    place.write_bytes(place.read_bytes().replace(b"simplesigning", b"simplesignims"))
    with pytest.raises(BundleRefusedError) as caught:
        workshop.verify(workshop.policy("vendor"))
    assert "blob-digest-mismatch" in {fault.code for fault in caught.value.findings}


def test_what_is_no_image_is_told_and_the_rest_is_read(workshop: Workshop, layout: ImageLayout) -> None:
    layout.list(layout.document({"config": layout.blob(b"{}", "x/y"), "layers": []}, "text/plain"), API)
    chart = {"config": layout.blob(b"{}", "application/vnd.cncf.helm.config.v1+json"), "layers": []}
    layout.list(layout.document(chart, "application/vnd.oci.image.manifest.v1+json"), "ghcr.io/a/chart:1")
    layout.image(NGINX, "linux/arm64")
    assert [(fault.code, fault.got) for fault in faults(workshop)] == [
        ("not-an-image", "`text/plain`"),
        ("not-an-image", "`application/vnd.cncf.helm.config.v1+json`"),
        ("platform-missing", "linux/arm64"),
    ]


# --- bounds --------------------------------------------------------------------------------------------------------


def test_a_manifest_that_is_too_large_is_not_read(workshop: Workshop, layout: ImageLayout) -> None:
    manifest = layout.blob(b"[" + b" " * (4 * 2**20), "application/vnd.oci.image.manifest.v1+json")
    layout.list(manifest, NGINX)
    (fault,) = faults(workshop)
    assert (fault.code, fault.where.file) == ("bundle-malformed", "images")
    assert "at most 4194304 bytes, this one has 4194305" in fault.message


def test_a_config_that_is_too_large_is_not_read(workshop: Workshop, layout: ImageLayout) -> None:
    config = layout.blob(b"{" + b" " * (8 * 2**20), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "config": config, "layers": []}
    layout.list(layout.document(manifest, "application/vnd.oci.image.manifest.v1+json"), NGINX)
    (fault,) = faults(workshop)
    assert (fault.code, "a config of 8388609 bytes" in fault.message) == ("bundle-malformed", True)


def test_what_speaks_of_one_image_has_a_limit(
    workshop: Workshop, layout: ImageLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("renderer.commands.bundle.building.image_reader.REFERRERS_LIMIT", 3)
    index = layout.image(NGINX, "linux/amd64")
    for number in range(4):
        layout.referrer(index, text=str(number))
    (fault,) = faults(workshop)
    assert (fault.code, fault.message) == ("bundle-malformed", "an image with more than 3 referrers")
