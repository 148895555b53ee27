"""`bundle sign --images`: what lies beside the images is exactly that, and nothing of the bundle itself changes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import BundleRefusedError, Finding
from renderer.formats.bundle.artifact import REF_NAME
from renderer.formats.canonical_json import canonical_json
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.reference import Digest
from tests.simulators.bundles import Workshop, signed

NAMES = ("docker.io/library/nginx:1.27", "quay.io/team/api:2.0")


@pytest.fixture
def signer(tmp_path: Path) -> tuple[Workshop, TrustPolicy]:
    """The bundle `demo` of two images, which both signers have signed, images and all."""
    workshop, policy = signed(tmp_path)
    for key in ("vendor", "office"):
        workshop.sign(key, images=True)
    return workshop, policy


class Beside:
    """One manifest of signatures over an image, to be looked at and changed."""

    def __init__(self, root: Path, at: int = 0) -> None:
        self.root = root
        self.index = json.loads((root / "index.json").read_bytes())
        bundle, *_ = [one["digest"].replace(":", "-") for one in self.index["manifests"]]
        named = [one for one in self.index["manifests"] if one["annotations"][REF_NAME].startswith("sha256-")]
        self.entry = [one for one in named if not one["annotations"][REF_NAME].startswith(bundle)][at]
        self.manifest: dict[str, Any] = json.loads(self.blob(self.entry).read_bytes())

    def blob(self, descriptor: dict[str, Any]) -> Path:
        path: Path = self.root / "blobs/sha256" / descriptor["digest"].partition(":")[2]
        return path

    def put(self, content: bytes) -> dict[str, Any]:
        """A new blob of the layout; its digest and size."""
        digest = Digest.of(content)
        (self.root / "blobs/sha256" / digest.hex).write_bytes(content)
        return {"digest": str(digest), "size": len(content)}

    def write(self, manifest: bytes | None = None) -> None:
        """Put the changed manifest, with the config that belongs to its layers, in place of the old one."""
        config = json.loads(self.blob(self.manifest["config"]).read_bytes())
        config["rootfs"]["diff_ids"] = [layer["digest"] for layer in self.manifest["layers"]]
        if manifest is None:
            self.manifest["config"] |= self.put(canonical_json(config))
            manifest = canonical_json(self.manifest)
        self.entry |= self.put(manifest)
        (self.root / "index.json").write_bytes(canonical_json(self.index))


def refused(workshop: Workshop, policy: TrustPolicy) -> tuple[Finding, ...]:
    with pytest.raises(BundleRefusedError) as caught:
        workshop.verify(policy)
    return caught.value.findings


def text(outcome: Json) -> str:
    return json.dumps(outcome)


def test_signing_images_changes_nothing_that_is_signed(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    before = workshop.load(policy)
    plain = json.loads((tmp_path / "bundle/index.json").read_bytes())["manifests"]
    assert "2 images: 4 signatures over 4 manifests" in workshop.sign("vendor", images=True).text
    assert "2 images: signed before" in workshop.sign("vendor", images=True).text
    after = workshop.load(policy)
    assert (after.manifest, after.bundle) == (before.manifest, before.bundle)
    told = workshop.verify(policy)
    assert "vendor signed 2 of 2 images" in told.text
    assert '"imageSignatures": {"signers": {"vendor": 2}, "strangers": 0}' in text(told.document)
    listed = json.loads((tmp_path / "bundle/index.json").read_bytes())["manifests"]
    assert [one for one in listed if one in plain] == plain
    assert len(listed) == len(plain) + 4


def files(place: Path) -> dict[Path, bytes]:
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_signing_again_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    for place in ("one", "two"):
        shutil.copytree(tmp_path / "bundle", tmp_path / place)
        workshop.sign("vendor", place, images=True)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_two_names_of_one_image_are_signed_each_for_itself(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources(images=("docker.io/library/nginx:1.27",))
    index = json.loads((tmp_path / "images/index.json").read_bytes())
    (entry,) = index["manifests"]
    index["manifests"].append(entry | {"annotations": {REF_NAME: "docker.io/library/nginx:1.27.4"}})
    (tmp_path / "images/index.json").write_text(json.dumps(index))
    workshop.build()
    assert "2 images: 4 signatures over 2 manifests" in workshop.sign("vendor", images=True).text
    beside = Beside(tmp_path / "bundle")
    payloads = [json.loads(beside.blob(layer).read_bytes()) for layer in beside.manifest["layers"]]
    named = {payload["critical"]["identity"]["docker-reference"] for payload in payloads}
    assert named == {"docker.io/library/nginx:1.27", "docker.io/library/nginx:1.27.4"}
    assert "vendor signed 2 of 2 images" in workshop.verify(workshop.policy("vendor")).text


def a_note(beside: Beside) -> None:
    beside.manifest["layers"][0]["annotations"]["note"] = "smuggled"
    beside.write()


def another_layer(beside: Beside) -> None:
    beside.manifest["layers"].append({"mediaType": "text/plain", **beside.put(b"smuggled")})
    beside.write()


def another_name(beside: Beside) -> None:
    layer = beside.manifest["layers"][0]
    payload = beside.blob(layer).read_bytes().replace(b"docker.io", b"evil.io").replace(b"quay.io", b"evil.io")
    layer |= beside.put(payload)
    beside.write()


def another_subject(beside: Beside) -> None:
    other = Beside(beside.root, 1)
    beside.manifest["layers"] = other.manifest["layers"]
    beside.write()


def the_same_twice(beside: Beside) -> None:
    beside.manifest["layers"].append(beside.manifest["layers"][0])
    beside.write()


def nothing_at_all(beside: Beside) -> None:
    beside.manifest["layers"] = []
    beside.write()


def another_spelling(beside: Beside) -> None:
    beside.write(json.dumps(beside.manifest).encode())


def bits_behind_the_signature(beside: Beside) -> None:
    annotations = beside.manifest["layers"][0]["annotations"]
    (key,) = annotations
    annotations[key] = annotations[key] + "===="
    beside.write()


@pytest.mark.parametrize(
    "change",
    [
        a_note, another_layer, another_name, another_subject, the_same_twice, nothing_at_all, another_spelling,
        bits_behind_the_signature,
    ],
)  # fmt: skip
def test_only_signatures_may_lie_where_signatures_lie(
    signer: tuple[Workshop, TrustPolicy], change: Callable[[Beside], None]
) -> None:
    workshop, policy = signer
    change(Beside(workshop.root / "bundle"))
    found = [finding for finding in refused(workshop, policy) if finding.code == "bundle-tampered"]
    assert [finding.message for finding in found] == [
        "what lies there as signatures of an image is not the form in which they are written"
    ]
    assert "signatures sha256:" in str(found[0].where.subject)


def test_signatures_over_something_else_have_no_place(signer: tuple[Workshop, TrustPolicy]) -> None:
    workshop, policy = signer
    beside = Beside(workshop.root / "bundle")
    beside.entry["annotations"][REF_NAME] = f"sha256-{'0' * 64}.sig"
    (workshop.root / "bundle/index.json").write_bytes(canonical_json(beside.index))
    codes = [finding.code for finding in refused(workshop, policy)]
    assert "bundle-tampered" in codes
    assert "unreferenced-blob" in codes


def test_a_signature_by_nobody_counts_for_nothing_and_harms_nothing(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    workshop.sign("stranger", images=True)
    told = workshop.verify(policy)
    assert "4 signatures over images by keys that count for nothing here" in told.text


def test_a_copy_that_skopeo_made_of_signed_images_is_the_bundle(
    signer: tuple[Workshop, TrustPolicy], real: Callable[[str], Path]
) -> None:
    workshop, policy = signer
    skopeo = str(real("skopeo"))
    for entry in json.loads((workshop.root / "bundle/index.json").read_bytes())["manifests"]:
        name = entry["annotations"][REF_NAME]
        copy = [skopeo, "copy", "--all", "--quiet", f"oci:bundle:{name}", f"oci:copied:{name}"]
        subprocess.run(copy, cwd=workshop.root, check=True, capture_output=True)
    ours, theirs = workshop.verify(policy), workshop.verify(policy, "copied")
    assert (theirs.text, theirs.document) == (ours.text, ours.document)
