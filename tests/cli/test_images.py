"""`sitewright images` on the command line, with a real registry."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from renderer.formats.bundle.receipt import read_receipt
from renderer.model.reference import Digest
from tests.cli.image_shop import PROFILE, QUEUE, WEB, an_image_shop, is_at
from tests.cli.site_fixture import Shop
from tests.realworld.stand_ins import write_layout
from tests.unit.registry_fixture import RealRegistry, real_registry

NAMES = (QUEUE, WEB)

pytestmark = pytest.mark.real


@pytest.fixture
def registry(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "registry") as running:
        yield running


@pytest.fixture
def site(
    bare: Path, registry: RealRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shop:
    """The shop, with a bundle that carries its images, locked; its registry is the real one."""
    shop = an_image_shop(bare, capsys, monkeypatch)
    write_layout(Path("sources/images"), NAMES)
    is_at(registry, "insecure: true")
    shop.build()
    shop.ok("lock", PROFILE)
    return shop


def test_sync_then_verify_then_nothing_to_do(site: Shop, registry: RealRegistry) -> None:
    code, out, err = site.run("images", "verify", PROFILE)
    assert code == 5
    assert "error[image-incomplete]: `docker.io/example/queue:2.0.1` is not whole in the site registry" in err
    assert f"hint: sitewright images sync {PROFILE}" in err
    assert f"2 images in {registry.url}: 0 complete, 2 incomplete" in out
    assert site.ok("images", "sync", PROFILE).splitlines() == [
        f"2 images for {registry.url}: 2 sent, 0 there already",
        "  4 blobs sent (579 bytes), 0 mounted, 0 there already",
        "",
        "  image                          repository",
        "  docker.io/example/queue:2.0.1  mirror/example/queue  sent",
        "  docker.io/example/web:1.2.0    mirror/example/web    sent",
    ]
    assert site.ok("images", "verify", PROFILE, "--deep").startswith(f"2 images in {registry.url}: 2 complete\n")
    assert site.ok("images", "sync", PROFILE).startswith(f"2 images for {registry.url}: 0 sent, 2 there already\n")


def test_a_dry_run_changes_nothing(site: Shop) -> None:
    document: Any = site.json("images", "sync", PROFILE, "--dry-run")
    assert [image["state"] for image in document["images"]] == ["to send", "to send"]
    assert document["blobs"]["missing"] == 4
    assert site.run("images", "verify", PROFILE)[0] == 5


def test_a_blob_that_the_store_lost_is_named_and_mended(site: Shop, registry: RealRegistry) -> None:
    site.ok("images", "sync", PROFILE)
    document: Any = json.loads(Path("profiles/../bundles/pantry/index.json").read_text())
    blobs = sorted((registry.directory / "store").rglob("blobs/sha256/*/*/data"), key=lambda one: one.stat().st_size)
    layer = next(one for one in blobs if one.read_bytes()[:2] == b"\x1f\x8b")
    digest = f"sha256:{layer.parent.name}"
    assert document["manifests"]
    shutil.rmtree(layer.parent)
    code, out, err = site.run("images", "verify", PROFILE)
    assert code == 5
    assert f"layer {digest}: nothing" in err
    assert f"layer    {digest[:19]}" in out
    assert f"hint: sitewright images sync {PROFILE} --recheck" in err
    site.ok("images", "sync", PROFILE, "--recheck")
    site.ok("images", "verify", PROFILE, "--deep")


def test_a_blob_that_rotted_in_the_store_is_found_by_hashing(site: Shop, registry: RealRegistry) -> None:
    site.ok("images", "sync", PROFILE)
    layers = (one for one in (registry.directory / "store").rglob("data") if one.read_bytes()[:2] == b"\x1f\x8b")
    layer = next(layers)
    layer.write_bytes(b"x" * layer.stat().st_size)
    site.ok("images", "verify", PROFILE)
    code, _, err = site.run("images", "verify", PROFILE, "--deep")
    assert code == 5
    assert f"layer sha256:{layer.parent.name}: sha256:{Digest.of(layer.read_bytes()).hex}" in err


def test_a_receipt_says_what_the_site_holds(site: Shop, registry: RealRegistry) -> None:
    site.ok("images", "sync", PROFILE)
    site.ok("images", "verify", PROFILE, "--receipt", "shop.receipt.json", "--key", "keys/office.key")
    content = Path("shop.receipt.json").read_bytes()
    receipt = read_receipt(content, [Path("keys/office.pub").read_bytes()], "shop.receipt.json")
    assert (receipt.site, receipt.registry, receipt.hashed) == ("shop", registry.url, False)
    assert receipt.lock == Digest.of(Path("profiles/shop.lock.yaml").read_bytes())
    assert [str(image.reference) for image in receipt.images] == list(NAMES)
    assert len(receipt.blobs) == 8, "two indexes, two manifests, two configs, two layers"


def test_a_bundle_is_synced_without_a_profile(site: Shop, registry: RealRegistry) -> None:
    where = ("--trust", "profiles/trust.yaml", "--registry", registry.url)
    out = site.ok("images", "sync", "bundles/pantry", *where)
    assert "docker.io/example/web/" not in out
    assert "docker.io/example/web:1.2.0    docker.io/example/web    sent" in out
    out = site.ok("images", "sync", "bundles/pantry", *where, "--project", "docker.io=hub")
    assert "docker.io/example/web:1.2.0    hub/example/web    sent" in out
    assert "0 blobs sent (0 bytes), 4 mounted" in out, "the registry has them, the journal knows where"


def test_a_registry_that_is_not_there(site: Shop, registry: RealRegistry) -> None:
    registry.stop()
    code, out, err = site.run("images", "sync", PROFILE, "--jobs", "1")
    assert code == 5
    assert "failed: registry-unreachable" in out
    assert err.count("error[registry-unreachable]") == 1
    assert "it stops:\n   `docker.io/example/queue:2.0.1`\n   `docker.io/example/web:1.2.0`\n" in err


def test_only_harbor_has_projects_to_create(site: Shop) -> None:
    code, out, err = site.run("images", "sync", PROFILE, "--create-projects")
    assert code == 0
    assert "2 sent" in out
    assert "note[no-projects]: the registry is not Harbor: it has no projects to create" in err


def test_images_that_are_only_declared_are_named(shop: Shop, registry: RealRegistry) -> None:
    code, _, err = shop.run("images", "sync", PROFILE, "--registry", registry.url)
    assert code == 5
    assert err.count("error[image-not-carried]") == 2
    assert "no bundle carries `docker.io/example/web:1.2.0`" in err
    assert "hint: skopeo copy --all docker://docker.io/example/web@sha256:" in err


def test_a_bundle_that_is_not_the_locked_one_is_refused(site: Shop) -> None:
    site.bundle()
    err = site.refused(1, "images", "sync", PROFILE)
    assert "error[lock-drift-bundle]: the bundle `pantry` is not the one that the lock was written for" in err
    assert f"hint: sitewright lock {PROFILE}" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sync", "bundles/pantry"), "nothing of a bundle is used before its signatures are verified"),
        (("sync", "bundles/pantry", "--trust", "profiles/trust.yaml"), "a bundle does not say to which registry"),
        (("sync", PROFILE, "--jobs", "0"), "`0` is no number of jobs"),
        (("sync", PROFILE, "--trust", "profiles/trust.yaml"), "--trust is for bundles"),
        (("verify", PROFILE, "--receipt", "r.json"), "a receipt is signed: --receipt and --key belong together"),
        (("sync", "oci://127.0.0.1/a/b:1", "--trust", "t.yaml"), "`oci://127.0.0.1/a/b:1` lies in a registry"),
        (("verify", "bundles/pantry", "--client-key", "k"), "what a site must hold is said by its lock"),
        (("sync", PROFILE, "--client-key", "k"), "--client-certificate and --client-key belong together"),
        (("list", "bundles/pantry", "--trust", "profiles/trust.yaml", "--project", "a"), "`a` is no project"),
    ],
)
def test_usage(shop: Shop, words: tuple[str, ...], message: str) -> None:
    err = shop.refused(2, "images", *words)
    assert f"error[usage]: {message}" in err
    assert "hint: " in err


def test_lists(shop: Shop) -> None:
    assert shop.ok("images", "list", PROFILE).startswith("2 images of site shop\n")
    assert '"example/web":\n      - "1.2.0"  # sha256:' in shop.ok("images", "list", PROFILE, "--format", "skopeo")
    assert '    - "docker.io/example/web:1.2.0"' in shop.ok("images", "list", PROFILE, "--format", "kubekey")
    document: Any = shop.json("images", "list", PROFILE)
    assert document["images"][0]["repository"] == "mirror/example/queue"
    out = shop.ok("images", "list", "bundles/pantry", "--trust", "profiles/trust.yaml", "--project", "*=all")
    assert "all/example/web" in out
