"""`images sync` against a registry in memory: what travels, what does not, and what is said when it cannot."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from renderer.commands.images.bundle_plan import targets_of_bundle
from renderer.errors import InputError
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from tests.simulators.image_site import IMAGES, ImageSite
from tests.simulators.registries import MemoryRegistry


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    return ImageSite(tmp_path)


def states(outcome: Outcome) -> dict[str, str]:
    """The state of every image."""
    document: Any = outcome.document
    return {image["reference"]: image["state"] for image in document["images"]}


def codes(outcome: Outcome) -> list[str]:
    return [finding.code for finding in outcome.findings]


def test_every_image_arrives_byte_for_byte_under_its_digest_and_its_tag(site: ImageSite) -> None:
    registry = MemoryRegistry()
    outcome = site.sync(registry)
    assert not outcome.failed
    assert set(states(outcome).values()) == {"sent"}
    for target in site.targets:
        found = registry.manifest(target.repository, str(target.tag))
        assert found is not None
        assert found.digest == target.digest == Digest.of(found.content)
    assert registry.tags("hub/library/nginx") == ("1.27",)
    assert site.verify(registry, deep=True).failed is False


def test_a_second_sync_sends_nothing(site: ImageSite) -> None:
    registry = MemoryRegistry()
    site.sync(registry)
    registry.log.clear()
    outcome = site.sync(registry)
    assert set(states(outcome).values()) == {"present"}
    assert {entry[0] for entry in registry.log} == {"manifest"}
    assert len(registry.log) == 3, "one request for each image: its tag"
    assert outcome.text.startswith("3 images for https://registry.site.example: 0 sent, 3 there already\n")


def test_a_recheck_asks_for_everything_and_sends_nothing(site: ImageSite) -> None:
    registry = MemoryRegistry()
    site.sync(registry)
    registry.log.clear()
    outcome = site.sync(registry, recheck=True)
    assert registry.count("push") == registry.count("put") == registry.count("mount") == 0
    assert outcome.text.splitlines() == [
        "3 images for https://registry.site.example: 0 sent, 3 there already",
        "  0 blobs sent (0 bytes), 0 mounted, 6 there already",
    ]


def test_a_registry_that_was_emptied_is_filled_again_whatever_the_journal_says(site: ImageSite) -> None:
    site.sync(MemoryRegistry())
    registry = MemoryRegistry()
    assert set(states(site.sync(registry)).values()) == {"sent"}
    assert site.verify(registry, deep=True).failed is False


def test_a_dry_run_asks_and_sends_nothing(site: ImageSite) -> None:
    registry = MemoryRegistry()
    outcome = site.sync(registry, dry_run=True)
    assert set(states(outcome).values()) == {"to send"}
    assert {entry[0] for entry in registry.log} == {"manifest", "has"}
    assert outcome.text.startswith("3 images for https://registry.site.example: 3 to send, 0 there already\n  6 blobs")


def test_a_blob_that_two_repositories_need_is_sent_once_and_mounted(site: ImageSite, tmp_path: Path) -> None:
    share_layer(tmp_path / "images")
    site.bundle()
    registry = MemoryRegistry()
    outcome = site.sync(registry)
    document: Any = outcome.document
    assert document["blobs"]["mounted"] == 2
    assert registry.count("push") == document["blobs"]["sent"] == 4
    assert site.verify(registry, deep=True).failed is False


def test_a_blob_is_sent_again_where_mounting_is_refused(site: ImageSite, tmp_path: Path) -> None:
    share_layer(tmp_path / "images")
    site.bundle()
    registry = MemoryRegistry(mounts=False)
    assert not site.sync(registry).failed
    assert registry.count("push") == 6


def test_a_later_bundle_mounts_what_an_earlier_run_sent_elsewhere(site: ImageSite, tmp_path: Path) -> None:
    share_layer(tmp_path / "images")
    site.bundle()
    registry = MemoryRegistry()
    site.sync(registry)
    site.images([*IMAGES, "quay.io/team/new:1"])
    share_layer(tmp_path / "images")
    registry.blobs = {name: held for name, held in registry.blobs.items() if name != "x"}
    site.bundle()
    registry.log.clear()
    assert not site.sync(registry).failed
    assert registry.count("push") == 1, "the config of the new image; its layer is mounted"


def test_only_the_platforms_of_the_site_travel(tmp_path: Path) -> None:
    site = ImageSite(tmp_path, upstream=("linux/amd64", "linux/arm64"), platforms="linux/amd64, linux/arm64")
    targets = [
        type(target)(
            reference=target.reference,
            repository=target.repository,
            digest=target.digest,
            platforms={one: digest for one, digest in target.platforms.items() if one.architecture == "arm64"},
        )
        for target in site.targets
    ]
    registry = MemoryRegistry(sparse=True)
    from renderer.cli.progress import Silent
    from renderer.commands.images.sync import SyncOptions, sync

    outcome = sync(targets, site.hold, registry, site.journal, Silent(), SyncOptions())
    assert not outcome.failed
    assert registry.count("push") == 6
    assert all(len(held) == 2 for held in registry.manifests.values()), "the index, and one manifest"
    assert {target.digest for target in targets} <= {one for held in registry.manifests.values() for one in held}


def test_a_registry_that_refuses_part_of_an_index_says_what_can_be_done(tmp_path: Path) -> None:
    site = ImageSite(tmp_path, IMAGES[:1], upstream=("linux/amd64", "linux/arm64"))
    outcome = site.sync(MemoryRegistry())
    assert outcome.failed
    assert outcome.exit_code == 5
    (finding,) = outcome.findings
    assert finding.code == "sparse-index-refused"
    assert finding.message == (
        "https://registry.site.example takes an index only when it holds all manifests that the index lists, and "
        "the bundle carries a part of them"
    )
    assert finding.explanation == ("it answered: the registry refused the request with HTTP 400",)
    assert str(finding.where) == "image docker.io/library/nginx:1.27"
    assert finding.hint == (
        "sync with the profile of a site that says `registry.indexes: whole`, or build the bundle for all platforms of "
        "its images"
    )


def test_a_tag_that_stands_for_another_image_is_moved_on_request_only(site: ImageSite, tmp_path: Path) -> None:
    registry = MemoryRegistry()
    site.sync(registry)
    old = registry.tagged["quay/team/api"]["2.0"]
    site.images(IMAGES, upstream=("linux/amd64", "linux/s390x"))
    site.workshop.write(
        {"bundle.yaml": (tmp_path / "bundle.yaml").read_text().replace("amd64]", "amd64, linux/s390x]")}
    )
    site.bundle()
    outcome = site.sync(registry)
    assert outcome.failed
    assert set(codes(outcome)) == {"tag-differs"}
    assert registry.tagged["quay/team/api"]["2.0"] == old
    finding = outcome.findings[0]
    assert finding.message == "`hub/library/nginx:1.27` in the site registry is another image"
    assert (
        finding.hint == "add --retag to move the tag; the old image stays under its digest until the registry cleans up"
    )
    assert all(registry.manifest(one.repository, str(one.digest)) for one in site.targets), "there by digest"
    assert codes(site.sync(registry, dry_run=True)) == ["tag-differs"] * 3
    assert not site.sync(registry, retag=True).failed
    assert registry.tagged["quay/team/api"]["2.0"] != old
    assert site.verify(registry).failed is False


def test_a_lost_tag_is_set_again(site: ImageSite) -> None:
    registry = MemoryRegistry()
    site.sync(registry)
    registry.tagged.clear()
    registry.log.clear()
    assert not site.sync(registry).failed
    assert registry.count("put") == 3
    assert registry.count("push") == 0


def test_one_refused_project_does_not_stop_the_others(site: ImageSite) -> None:
    registry = MemoryRegistry(denied={"hub/library/nginx"})
    outcome = site.sync(registry)
    assert states(outcome) == {IMAGES[0]: "failed", IMAGES[1]: "sent", IMAGES[2]: "sent"}
    assert codes(outcome) == ["registry-denied"]
    assert "docker.io/library/nginx:1.27  hub/library/nginx  failed: registry-denied" in outcome.text


def test_a_registry_that_is_down_is_told_once(site: ImageSite) -> None:
    registry = MemoryRegistry(down=True)
    outcome = site.sync(registry, jobs=1)
    (finding,) = outcome.findings
    assert finding.code == "registry-unreachable"
    assert finding.explanation == ("it stops:", *(f"`{image}`" for image in IMAGES))
    assert len(registry.log) == 1, "the others are not tried"


def test_an_image_that_no_bundle_carries_is_named(site: ImageSite, tmp_path: Path) -> None:
    digest = "sha256:" + "1" * 64
    declared = (
        f"    - reference: quay.io/team/extra:1\n      digest: {digest}\n"
        "      mediaType: application/vnd.oci.image.index.v1+json\n      size: 100\n"
        f'      platforms: {{linux/amd64: {{digest: "{digest[:-1]}2", size: 50}}}}\n'
    )
    site.workshop.write({"bundle.yaml": (tmp_path / "bundle.yaml").read_text() + declared})
    site.bundle()
    outcome = site.sync(MemoryRegistry())
    assert sorted(states(outcome).values()) == ["failed", "sent", "sent", "sent"]
    (finding,) = outcome.findings
    assert finding.code == "image-not-carried"
    assert finding.message == (
        "no bundle carries `quay.io/team/extra:1`; they only name its digest, and the site registry lacks it"
    )
    assert finding.hint is not None
    assert finding.hint.startswith(f"skopeo copy --all docker://quay.io/team/extra@{digest} oci:IMAGES:")


def test_a_damaged_blob_stops_its_image_only(site: ImageSite, tmp_path: Path) -> None:
    target = site.targets[0]
    layer = site.hold.shipment(target).blobs[1]
    place = tmp_path / "bundle/blobs/sha256" / layer.digest.hex
    place.write_bytes(b"x" * layer.size)
    registry = MemoryRegistry()
    outcome = site.sync(registry)
    assert states(outcome) == {IMAGES[0]: "failed", IMAGES[1]: "sent", IMAGES[2]: "sent"}
    assert codes(outcome) == ["blob-digest-mismatch"]


def test_an_interrupted_upload_continues_where_it_broke_off(tmp_path: Path) -> None:
    site = ImageSite(tmp_path, IMAGES[:1])
    grow_layer(tmp_path / "images", 3 * 64 * 1024 + 5)
    site.bundle()
    registry = MemoryRegistry()

    def interrupt() -> None:
        if any(len(upload) == 2 * 64 * 1024 for upload in registry.uploads.values()):
            raise KeyboardInterrupt

    registry.on_chunk = interrupt
    with pytest.raises(KeyboardInterrupt):
        site.sync(registry, jobs=1)
    registry.on_chunk = lambda: None
    assert not site.sync(registry).failed
    assert registry.count("resume") == 1
    assert site.verify(registry, deep=True).failed is False


def test_two_contents_for_one_place_are_refused_before_anything_is_sent(site: ImageSite) -> None:
    site.images(["docker.io/team/api:2.0", "quay.io/team/api:2.0"])
    site.bundle()
    with pytest.raises(InputError) as caught:
        targets_of_bundle(site.verified.bundle, {"*": "mirror"})
    (finding,) = caught.value.findings
    assert finding.code == "mirror-collision"
    assert finding.message == "2 different images would all be `mirror/team/api:2.0` in the site registry"
    assert finding.hint == "give each of their registries a project of its own"


# --- layouts -----------------------------------------------------------------------------------------------------


def share_layer(layout: Path) -> None:
    """Give all images of a layout the layer of the first one."""
    rewrite(layout, lambda layers, first: first or layers)


def grow_layer(layout: Path, size: int) -> None:
    """Give all images one layer of this size."""
    place, hashed = layout / "blobs/sha256/layer", hashlib.sha256()
    with place.open("wb") as stream:  # piece by piece: a child process starts with the memory of its parent
        for start in range(0, size, 65536):
            piece = start.to_bytes(8, "big") * 8192
            hashed.update(piece[: size - start])
            stream.write(piece[: size - start])
    digest = Digest("sha256", hashed.hexdigest())
    place.rename(place.with_name(digest.hex))
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": str(digest), "size": size}
    rewrite(layout, lambda *_: [layer])


def rewrite(layout: Path, change: Any) -> None:
    """Change the layers of every manifest of a layout, and the digests above them."""
    blobs = layout / "blobs/sha256"

    def write(document: Any, entry: Any) -> Any:
        content = json.dumps(document, sort_keys=True).encode()
        (blobs / Digest.of(content).hex).write_bytes(content)
        return entry | {"digest": str(Digest.of(content)), "size": len(content)}

    def read(entry: Any) -> Any:
        return json.loads((blobs / entry["digest"].removeprefix("sha256:")).read_bytes())

    top, first = json.loads((layout / "index.json").read_text()), None
    for number, entry in enumerate(top["manifests"]):
        index = read(entry)
        for place, child in enumerate(index["manifests"]):
            manifest = read(child)
            manifest["layers"] = change(manifest["layers"], first)
            first = first or manifest["layers"]
            index["manifests"][place] = write(manifest, child)
        top["manifests"][number] = write(index, entry)
    (layout / "index.json").write_text(json.dumps(top))
