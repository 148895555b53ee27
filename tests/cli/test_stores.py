"""Directories of bundles: what `bundle list`, `bundle gc` and `outdated` say of them."""

import io
import shutil
from pathlib import Path
from typing import Any, BinaryIO

from renderer.adapters.layout_receiver import LayoutReceiver
from renderer.adapters.layout_writer import FileLayoutWriter
from renderer.formats.bundle.artifact import describe
from renderer.ports import Blob
from tests.cli.site_fixture import BUNDLE, LOCK, PROFILE, SOURCE, Shop, edit, write

TRUST = ("--trust", "profiles/trust.yaml")


def another(
    shop: Shop, path: str, sequence: int, version: str, signers: tuple[str, ...] = ("vendor", "office")
) -> None:
    """One more edition of the pantry, at `path`."""
    text = Path(SOURCE).read_text(encoding="utf-8")
    edit(SOURCE, "sequence: 1", f"sequence: {sequence}")
    edit(SOURCE, "{name: pantry, version: 1.0.0}", f"{{name: pantry, version: {version}}}")
    edit(SOURCE, "- name: web\n      version: 1.2.0", f"- name: web\n      version: {version}")
    shop.ok("bundle", "build", SOURCE, "-o", path)
    for who in signers:
        shop.ok("bundle", "sign", path, "--key", f"keys/{who}.key")
    write(SOURCE, text)


def listed(shop: Shop, *given: str) -> dict[str, Any]:
    """What `bundle list` says, by path."""
    return {one["path"]: one for one in shop.json("bundle", "list", *given)["bundles"]}


# --- list ---------------------------------------------------------------------------------------------------------


def test_a_store_is_listed_by_bundle_and_sequence_with_the_sites_that_use_it(shop: Shop) -> None:
    another(shop, "bundles/pantry-2.tar", 2, "1.1.0")
    found = listed(shop, "bundles", *TRUST)
    assert list(found) == ["bundles/pantry", "bundles/pantry-2.tar"]
    assert [(one["version"], one["sequence"], one["standing"], one["sites"]) for one in found.values()] == [
        ("1.0.0", 1, "office and vendor", ["shop"]),
        ("1.1.0", 2, "office and vendor", []),
    ]
    assert found["bundles/pantry-2.tar"]["size"] == Path("bundles/pantry-2.tar").stat().st_size


def test_without_a_trust_policy_nothing_is_said_to_be_trusted(shop: Shop) -> None:
    assert {one["standing"] for one in listed(shop).values()} == {"not checked"}


def test_a_bundle_that_is_refused_is_listed_with_the_reason(shop: Shop) -> None:
    another(shop, "bundles/lonely", 2, "1.1.0", signers=("vendor",))
    Path("bundles/broken.tar").write_bytes(b"not a tar file" * 100)
    code, out, err = shop.run("bundle", "list", *TRUST)
    assert code == 0
    assert "refused: trust-threshold" in out
    assert "refused: archive-refused" in out
    assert "warning[trust-threshold]" in err


def test_what_is_no_bundle_is_left_out_and_links_are_not_followed(shop: Shop) -> None:
    write("bundles/README.md", "bundles of the shop")
    Path("bundles/linked").symlink_to("pantry")
    assert list(listed(shop)) == ["bundles/pantry"]


def test_a_store_that_is_not_there_is_said_so(shop: Shop) -> None:
    error = shop.refused(1, "bundle", "list", "nowhere")
    assert "error[no-store]: `nowhere` cannot be listed" in error
    assert "hint: sitewright bundle list DIR" in error


# --- gc -----------------------------------------------------------------------------------------------------------


def test_nothing_goes_without_being_asked_to(shop: Shop) -> None:
    for sequence in (2, 3, 4):
        another(shop, f"bundles/pantry-{sequence}", sequence, f"1.{sequence}.0")
    code, out, err = shop.run("bundle", "gc")
    assert code == 0
    assert "bundles: 1 bundle can go" in out
    assert "bundles/pantry-2" in out
    assert "hint: sitewright bundle gc bundles --delete" in err
    assert Path("bundles/pantry-2").is_dir()


def test_the_locked_one_and_the_newest_stay(shop: Shop) -> None:
    for sequence in (2, 3, 4):
        another(shop, f"bundles/pantry-{sequence}", sequence, f"1.{sequence}.0")
    document = shop.json("bundle", "gc", "bundles", "--keep", "1", "--delete")
    assert document["removed"] == ["bundles/pantry-2", "bundles/pantry-3"]
    assert sorted(path.name for path in Path("bundles").iterdir()) == ["pantry", "pantry-4"]
    shop.ok("lock", PROFILE, "--check")


def test_what_an_interrupted_run_left_goes(shop: Shop) -> None:
    shutil.copytree(BUNDLE, "bundles/.pantry-2.x7f3/new")
    write("bundles/.pantry-3.tar.k2j1", "half a bundle")
    document = shop.json("bundle", "gc", "--delete")
    assert document["removed"] == ["bundles/.pantry-2.x7f3", "bundles/.pantry-3.tar.k2j1"]
    assert [path.name for path in Path("bundles").iterdir()] == ["pantry"]


def test_what_somebody_is_writing_stays(shop: Shop) -> None:
    writer, said = FileLayoutWriter(Path.cwd()), []

    def open_blob() -> BinaryIO:
        said.append(shop.json("bundle", "gc", "--delete")["removed"])
        said.append([one["standing"] for one in shop.json("bundle", "list")["bundles"]])
        return io.BytesIO(b"{}")

    blobs = [Blob(descriptor=describe(b"{}", "text/plain"), open=open_blob)]
    for path in ("bundles/new.tar", "bundles/new"):
        writer.create(path, b"{}", blobs)
        Path(path).unlink() if path.endswith(".tar") else shutil.rmtree(path)
    with LayoutReceiver(Path("bundles/next"), "bundles/next", writer, earlier=None) as incoming:
        incoming.receive(blobs[0].descriptor, lambda _: open_blob(), lambda _: None)
    removed, standings = said[::2], said[1::2]
    assert removed == [[], [], []]
    assert standings == [["not checked", "being written"]] * 3
    assert shop.json("bundle", "gc", "--delete")["removed"] == ["bundles/.next.partial"]


def test_what_cannot_be_read_stays(shop: Shop) -> None:
    Path("bundles/broken.tar").write_bytes(b"not a tar file" * 100)
    shop.ok("bundle", "gc", "--keep", "0", "--delete")
    assert Path("bundles/broken.tar").exists()


def test_a_lock_that_cannot_be_read_stops_the_cleaning(shop: Shop) -> None:
    another(shop, "bundles/pantry-2", 2, "1.1.0")
    Path(LOCK).write_text("kind: SiteLock\n", encoding="utf-8")
    assert LOCK in shop.refused(1, "bundle", "gc", "--keep", "0", "--delete")
    assert Path(BUNDLE).is_dir()


def test_editions_are_counted_with_a_number(shop: Shop) -> None:
    assert "`two` is no number of editions" in shop.refused(2, "bundle", "gc", "--keep", "two")


# --- outdated -----------------------------------------------------------------------------------------------------


def test_a_site_that_has_the_newest_is_told_so(shop: Shop) -> None:
    assert shop.ok("outdated", PROFILE) == "site shop: nothing newer is offered\n"


def test_newer_verified_bundles_are_offers(shop: Shop) -> None:
    another(shop, "usb/pantry-3.tar", 3, "1.3.0")
    assert shop.ok("outdated", PROFILE, "--store", "usb") == (
        "site shop:\n"
        "  bundle  locked              newest              in\n"
        "  pantry  1.0.0 (sequence 1)  1.3.0 (sequence 3)  usb/pantry-3.tar\n"
        "\n"
        "  extension  locked  admitted  newest  in\n"
        "  web        1.2.0   1.3.0     1.3.0   usb/pantry-3.tar\n"
    )


def test_an_edition_that_the_profile_does_not_admit_is_shown_apart(shop: Shop) -> None:
    edit(PROFILE, "- name: web\n", '- name: web\n      version: "~1.2.0"\n')
    shop.ok("lock", PROFILE)
    another(shop, "usb/pantry-3.tar", 3, "1.3.0")
    web = next(one for one in shop.json("outdated", PROFILE, "--store", "usb")["extensions"] if one["name"] == "web")
    assert (web["locked"], web["admitted"], web["source"]) == ("1.2.0", "1.2.0", "usb/pantry-3.tar")


def test_a_bundle_that_is_refused_offers_nothing(shop: Shop) -> None:
    another(shop, "usb/pantry-3.tar", 3, "1.3.0", signers=("vendor",))
    code, out, err = shop.run("outdated", PROFILE, "--store", "usb")
    assert (code, out) == (0, "site shop: nothing newer is offered\n")
    assert "warning[trust-threshold]" in err
