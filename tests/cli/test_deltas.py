"""Updates over a thin line: `bundle diff` on the connected side, `bundle apply` at the site."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.site_fixture import BUNDLE, FILES, LOCK, PROFILE, SIGNERS, SOURCE, Shop, contents, edit, write
from tests.realworld.stand_ins import CONFIG, INDEX, LAYER, MANIFEST, blob, write_layout
from tests.unit.registry_fixture import RealRegistry, real_registry

TRUST = ("--trust", "profiles/trust.yaml")
DELTA = "update.tar"
NEW = "usb/pantry.tar"
IMAGES = tuple(f"docker.io/example/part-{number}:1.0.0" for number in range(40))
NAMES = ("docker.io/example/queue:2.0.1", "docker.io/example/web:1.2.0", *IMAGES)


@pytest.fixture
def site(bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The shop with a bundle of 42 images, locked, and a newer edition in `usb/` that has two more."""
    shop = Shop(capsys)
    (bare / "shop").mkdir()
    monkeypatch.chdir(bare / "shop")
    for path, text in FILES.items():
        write(path, text)
    source = FILES[SOURCE].partition("  images:\n")[0]
    write(SOURCE, f"{source}  images:\n    - {{layout: images}}\n")
    write_layout(Path("sources/images"), NAMES)
    for who in SIGNERS:
        shop.ok("bundle", "keygen", f"keys/{who}.key")
    build(shop, BUNDLE)
    shop.ok("lock", PROFILE)
    newer(shop)
    return shop


def newer(shop: Shop) -> None:
    """The next edition, with two images that the first does not have."""
    shutil.rmtree("sources/images")
    write_layout(Path("sources/images"), (*NAMES, "docker.io/example/late:1.0.0", "docker.io/example/later:1.0.0"))
    edit(SOURCE, "sequence: 1", "sequence: 2")
    edit(SOURCE, "{name: pantry, version: 1.0.0}", "{name: pantry, version: 1.1.0}")
    build(shop, NEW)


def build(shop: Shop, path: str) -> None:
    """Build the bundle from its source as it is, and sign it. Most images are named by nothing, which is told."""
    assert shop.run("bundle", "build", SOURCE, "-o", path)[0] == 0
    sign(shop, path)


def sign(shop: Shop, path: str) -> None:
    """Both signatures that the trust policy asks for."""
    for who in SIGNERS:
        shop.ok("bundle", "sign", path, "--key", f"keys/{who}.key")


def test_a_delta_and_its_base_make_the_new_bundle_byte_for_byte(site: Shop) -> None:
    document = site.json("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    assert (document["version"], document["base"]["told"]) == ("1.1.0", "1.0.0")
    sign(site, DELTA)
    told = site.ok("bundle", "apply", DELTA, "--base", BUNDLE, "-o", "bundles/next.tar", *TRUST)
    assert told.startswith("bundles/next.tar: pantry 1.1.0, ")
    assert "bundle pantry 1.1.0, sequence 2, created 2026-11-01T00:00:00Z: verified" in told
    site.ok("bundle", "verify", "bundles/next.tar", *TRUST)
    assert Path("bundles/next.tar").read_bytes() == Path(NEW).read_bytes()


def test_signatures_over_images_travel_with_a_delta(site: Shop) -> None:
    for who in SIGNERS:
        site.ok("bundle", "sign", NEW, "--key", f"keys/{who}.key", "--images")
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    out = site.ok("bundle", "apply", DELTA, "--base", BUNDLE, "-o", "again.tar", *TRUST)
    assert "vendor signed 44 of 44 images" in out
    assert Path("again.tar").read_bytes() == Path(NEW).read_bytes()
    code, _, said = site.run("bundle", "sign", DELTA, "--key", "keys/vendor.key", "--images")
    assert code == 1
    assert "no-images-to-sign" in said


def test_of_two_editions_that_share_95_percent_less_than_6_percent_travel(site: Shop) -> None:
    for edition in (1, 2):
        shutil.rmtree("sources/images")
        parts = {f"docker.io/example/part-{number}:1.0.0": edition if number < 5 else 0 for number in range(98)}
        heavy_layout(Path("sources/images"), {**dict.fromkeys(NAMES[:2], 0), **parts})
        edit(SOURCE, f"sequence: {3 - edition}", f"sequence: {edition}")
        build(site, f"usb/heavy-{edition}.tar")
    document = site.json("bundle", "diff", "usb/heavy-2.tar", "--base", "usb/heavy-1.tar", "-o", DELTA)
    assert document["carriedBytes"] < 0.06 * (document["carriedBytes"] + document["neededBytes"])
    assert Path(DELTA).stat().st_size < 0.06 * Path("usb/heavy-2.tar").stat().st_size


def heavy_layout(directory: Path, images: dict[str, int]) -> None:
    """An OCI layout of images in some edition, each with a layer of 256 KiB that cannot be compressed."""
    (directory / "blobs/sha256").mkdir(parents=True)
    entries = []
    for image, edition in images.items():
        layer = blob(directory, LAYER, random.Random(f"{image} {edition}").randbytes(256 * 1024))
        config = blob(directory, CONFIG, json.dumps({"os": "linux", "architecture": "amd64", "x": image}).encode())
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        name = {"org.opencontainers.image.ref.name": image}
        entries.append(blob(directory, MANIFEST, json.dumps(body).encode()) | {"annotations": name})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def test_the_base_may_be_named_by_a_lock(site: Shop) -> None:
    one = site.json("bundle", "diff", NEW, "--base", LOCK, "-o", DELTA)
    other = site.json("bundle", "diff", NEW, "--base", BUNDLE, "-o", "other.tar")
    assert one["manifest"] == other["manifest"]


def test_a_locked_bundle_that_nobody_kept_is_said_so(site: Shop) -> None:
    (finding,) = site.findings(1, "bundle", "diff", NEW, "--base", LOCK, "-o", DELTA, "--store", "usb")
    assert finding["code"] == "base-not-found"
    assert finding["message"] == "the edition of `pantry` that the lock names is not in `usb`"
    assert finding["hint"] == "name the directory that keeps older bundles with --store"


def test_a_delta_is_not_believed_without_its_signatures(site: Shop) -> None:
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    (finding,) = site.findings(3, "bundle", "apply", DELTA, "--base", BUNDLE, "-o", "bundles/next.tar", *TRUST)
    assert finding["code"] == "bundle-unsigned"
    assert not Path("bundles/next.tar").exists()


def test_a_wrong_base_is_refused(site: Shop) -> None:
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    (finding,) = site.findings(3, "bundle", "apply", DELTA, "--base", NEW, "-o", "bundles/next.tar", *TRUST)
    assert finding["code"] == "delta-wrong-base"
    assert finding["message"] == f"this delta was made from bundle pantry 1.0.0, and `{NEW}` is something else"
    assert not Path("bundles/next.tar").exists()


def test_a_base_that_lost_something_is_refused_before_anything_is_written(site: Shop) -> None:
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    layer = max(Path(BUNDLE, "blobs/sha256").iterdir(), key=lambda one: one.read_bytes()[:2] == b"\x1f\x8b")
    layer.unlink()
    (finding,) = site.findings(3, "bundle", "apply", DELTA, "--base", BUNDLE, "-o", "bundles/next", *TRUST)
    assert finding["code"] == "delta-base-incomplete"
    assert finding["explanation"] == [f"sha256:{layer.name}"]
    assert not Path("bundles/next").exists()


def test_a_base_that_rotted_is_found_while_it_is_copied(site: Shop) -> None:
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    layer = max(Path(BUNDLE, "blobs/sha256").iterdir(), key=lambda one: one.read_bytes()[:2] == b"\x1f\x8b")
    layer.write_bytes(b"x" * layer.stat().st_size)
    (finding,) = site.findings(3, "bundle", "apply", DELTA, "--base", BUNDLE, "-o", "bundles/next", *TRUST)
    assert finding["code"] == "blob-digest-mismatch"
    assert not Path("bundles/next").exists()


def test_an_interrupted_run_is_continued(site: Shop) -> None:
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    layer = max(Path(BUNDLE, "blobs/sha256").iterdir(), key=lambda one: one.read_bytes()[:2] == b"\x1f\x8b")
    content = layer.read_bytes()
    layer.write_bytes(b"x" * len(content))
    apply = ("bundle", "apply", DELTA, "--base", BUNDLE, "-o", "bundles/next", "--jobs", "1", *TRUST)
    site.refused(3, *apply)
    arrived = contents("bundles/.next.partial")
    assert len(arrived) > 10
    layer.write_bytes(content)
    assert f"\n  {len(arrived)} blobs had arrived in an earlier run\n" in site.ok(*apply)
    assert not Path("bundles/.next.partial").exists()
    now = {inode for _, inode in contents("bundles/next").values()}
    assert {inode for _, inode in arrived.values()} <= now, "what had arrived was fetched again"


def test_a_delta_from_the_same_bundle_is_pointless(site: Shop) -> None:
    (finding,) = site.findings(1, "bundle", "diff", NEW, "--base", NEW, "-o", DELTA)
    assert finding["code"] == "delta-not-newer"


def test_a_delta_needs_one_base(site: Shop) -> None:
    assert "--base bundles/old.tar" in site.refused(2, "bundle", "apply", DELTA, "-o", "next", *TRUST)


# --- from what a site proved that it holds ------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, real: Callable[[str], Path]) -> Iterator[RealRegistry]:
    with real_registry(real("docker-registry"), tmp_path / "registry") as running:
        yield running


@pytest.mark.real
def test_a_receipt_is_a_base_and_the_registry_gives_what_the_delta_lacks(site: Shop, registry: RealRegistry) -> None:
    edit(PROFILE, "url: https://harbor.shop.local:5443", f"url: {registry.url}\n    insecure: true")
    site.ok("lock", PROFILE)
    site.ok("images", "sync", PROFILE)
    site.ok("images", "verify", PROFILE, "--receipt", "shop.json", "--key", "keys/office.key")
    given = ("--base", "shop.json", "--receipt-key", "keys/office.pub")
    document = site.json("bundle", "diff", NEW, *given, "-o", DELTA)
    assert document["base"]["kind"] == "receipt"
    assert document["neededBlobs"] == 4, "a config and a layer of each image that the site uses; manifests travel"
    sign(site, DELTA)
    told = site.ok("bundle", "apply", DELTA, "--profile", PROFILE, "-o", "bundles/next.tar")
    assert f"taken from {registry.url}" in told
    assert Path("bundles/next.tar").read_bytes() == Path(NEW).read_bytes()


@pytest.mark.real
def test_a_registry_that_lost_something_is_refused(site: Shop, registry: RealRegistry) -> None:
    edit(PROFILE, "url: https://harbor.shop.local:5443", f"url: {registry.url}\n    insecure: true")
    site.ok("lock", PROFILE)
    site.ok("images", "sync", PROFILE)
    site.ok("images", "verify", PROFILE, "--receipt", "shop.json", "--key", "keys/office.key")
    site.ok("bundle", "diff", NEW, "--base", "shop.json", "--receipt-key", "keys/office.pub", "-o", DELTA)
    sign(site, DELTA)
    for data in (registry.directory / "store").rglob("blobs/sha256/*/*/data"):
        if data.read_bytes()[:2] == b"\x1f\x8b":
            shutil.rmtree(data.parent)
    before = contents("bundles")
    (finding,) = site.findings(3, "bundle", "apply", DELTA, "--profile", PROFILE, "-o", "bundles/next.tar", *TRUST)
    assert finding["code"] == "delta-base-incomplete"
    assert contents("bundles") == before


def test_a_receipt_is_believed_only_with_the_key_of_the_site(site: Shop) -> None:
    write("shop.json", "{}")
    assert "--receipt-key keys/site.pub" in site.refused(2, "bundle", "diff", NEW, "--base", "shop.json", "-o", DELTA)
    given = ("--base", "shop.json", "--receipt-key", "keys/office.pub")
    assert "receipt-malformed" in site.refused(3, "bundle", "diff", NEW, *given, "-o", DELTA)


# --- looking at a delta -------------------------------------------------------------------------------------------


@pytest.fixture
def delta(site: Shop) -> Shop:
    """A signed delta from the locked edition to the newer one."""
    site.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", DELTA)
    sign(site, DELTA)
    return site


def test_a_delta_says_what_it_needs_and_brings(delta: Shop) -> None:
    lines = delta.ok("bundle", "inspect", DELTA, *TRUST).splitlines()
    assert lines[0] == "delta to bundle pantry 1.1.0, sequence 2, created 2026-11-01T00:00:00Z"
    assert lines[1] == "  VERIFIED: signed by office, vendor (trust policy shop)"
    assert lines[3].startswith("  brings 14 blobs, ")
    assert lines[4].startswith("  needs bundle pantry 1.0.0, sha256:")
    document = delta.json("bundle", "inspect", DELTA, *TRUST)
    assert document["base"]["digest"] == lines[4].rpartition(" ")[2]
    assert document["carriedBlobs"] == 14


def test_a_delta_is_verified_where_it_arrives(delta: Shop) -> None:
    told = delta.ok("bundle", "verify", DELTA, *TRUST).splitlines()
    assert told[0] == "delta to bundle pantry 1.1.0, sequence 2, created 2026-11-01T00:00:00Z: verified"
    assert any(line.startswith("  20 blobs hashed (") for line in told)
    assert told[-1].startswith("  needs bundle pantry 1.0.0, sha256:")


def test_a_delta_of_which_anything_changed_is_refused(delta: Shop) -> None:
    delta.ok("bundle", "diff", NEW, "--base", BUNDLE, "-o", "delta")
    sign(delta, "delta")
    files = sorted(path for path in Path("delta").rglob("*") if path.is_file())
    assert len(files) > 20
    (listed,) = (one for one in json.loads(Path("delta/index.json").read_text())["manifests"] if "artifactType" in one)
    manifest = json.loads(Path("delta/blobs/sha256", listed["digest"].partition(":")[2]).read_text())
    carried = {one["digest"].partition(":")[2] for one in manifest["layers"]}
    for path in files:
        content = path.read_bytes()
        for position in {0, len(content) // 2, len(content) - 1}:
            path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
            assert delta.findings(3, "bundle", "verify", "delta", *TRUST), f"{path} at {position}"
        if path.name in carried:
            shutil.rmtree(".out.partial", ignore_errors=True)  # what has arrived is not taken from the delta again
            assert delta.findings(3, "bundle", "apply", "delta", "--base", BUNDLE, "-o", "out", *TRUST), path
            assert not Path("out").exists()
        if path.name != "index.json":  # without which it is no layout at all
            path.unlink()
            assert delta.findings(3, "bundle", "verify", "delta", *TRUST), f"without {path}"
        path.write_bytes(content)
    write("delta/blobs/sha256/stranger", "x")
    (finding,) = delta.findings(3, "bundle", "verify", "delta", *TRUST)
    assert finding["code"] == "foreign-file"


def test_a_delta_where_a_bundle_is_meant_says_what_to_do(delta: Shop) -> None:
    for words in (("inspect", DELTA, "--tree"), ("diff", DELTA, "--base", BUNDLE, "-o", "x")):
        (finding,) = delta.findings(3, "bundle", *words)
        assert (finding["code"], finding["hint"]) == (
            "delta-not-a-bundle",
            f"sitewright bundle apply {DELTA} --base OLD -o NEW",
        )
    (finding,) = delta.findings(3, "bundle", "apply", NEW, "--base", BUNDLE, "-o", "x", *TRUST)
    assert (finding["code"], finding["hint"]) == ("bundle-not-a-delta", f"sitewright bundle verify {NEW}")


# --- through a registry -------------------------------------------------------------------------------------------


@pytest.mark.real
def test_through_a_registry_travels_what_the_older_bundle_lacks(delta: Shop, registry: RealRegistry) -> None:
    address = f"oci://127.0.0.1:{registry.port}/bundles/pantry"
    plain = ("--plain-http",)
    (finding,) = delta.findings(1, "bundle", "push", DELTA, address, *plain)
    assert finding["code"] == "delta-not-pushed"
    assert f"sitewright bundle pull {address} --base OLD -o NEW" in finding["hint"]
    delta.ok("bundle", "push", NEW, address, *plain)
    document = delta.json("bundle", "pull", address, "--base", BUNDLE, "-o", "bundles/next.tar", *TRUST, *plain)
    assert (document["fetched"], document["blobs"]) == (14, 185)
    assert Path("bundles/next.tar").read_bytes() == Path(NEW).read_bytes()


def test_a_directory_of_bundles_may_hold_deltas(delta: Shop) -> None:
    shutil.copy(DELTA, "bundles/update.tar")
    rows = delta.ok("bundle", "list", *TRUST).splitlines()
    (row,) = (line for line in rows if line.endswith("bundles/update.tar"))
    assert "pantry  1.1.0    2 " in row
    assert "  delta from bundle pantry 1.0.0; office and vendor  -  " in row
    (found,) = (one for one in delta.json("bundle", "list")["bundles"] if one["path"] == "bundles/update.tar")
    assert (found["deltaFrom"]["told"], found["standing"]) == ("1.0.0", "not checked")
    assert "bundles/update.tar" not in delta.ok("bundle", "gc", "--keep", "1")
