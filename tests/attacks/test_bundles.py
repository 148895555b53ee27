"""A bundle that was touched is refused, or what is read of it is what was signed. Nothing in between."""

from __future__ import annotations

import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from renderer.errors import BundleRefusedError, Finding, InputError, RendererError
from renderer.formats.bundle.artifact import (
    BUNDLE_CONFIG,
    IMAGE_MANIFEST,
    REF_NAME,
    bundle_manifest,
    describe,
    index_content,
    parse_index,
)
from renderer.formats.bundle.document import decode_bundle, encode_bundle
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.trust import Algorithm, TrustedKey, TrustPolicy
from renderer.structs import replace
from tests.simulators.bundles import NOW, Workshop, signed
from tests.simulators.tables import why_not

FORMS = ["bundle", "bundle.tar"]


def refusal(act: Callable[[], object]) -> Finding:
    """The first finding of the refusal that `act` must end in."""
    with pytest.raises(BundleRefusedError) as caught:
        act()
    assert caught.value.exit_code == 3
    return caught.value.findings[0]


def used(workshop: Workshop, policy: TrustPolicy, bundle: str) -> tuple[VerifiedBundle, list[bytes]]:
    """The verified bundle and every component's content, as a render uses them."""
    verified = workshop.load(policy, bundle)
    source = workshop.open(bundle)
    blobs = [source.blob(one.content) for extension in verified.bundle.extensions for one in extension.components]
    return verified, blobs


def edited(workshop: Workshop, name: str, change: Callable[[dict[str, bytes]], None], bundle: str) -> str:
    """A copy of the bundle whose files `change` has changed, without any care for digests."""
    files = members(workshop.root / bundle)
    change(files)
    return written(workshop, name, files, bundle)


def members(path: Path) -> dict[str, bytes]:
    """Every file of a layout."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isreg()}  # type: ignore[union-attr]


def written(workshop: Workshop, name: str, files: dict[str, bytes], like: str) -> str:
    """Write a layout of these files in the form of the bundle `like`."""
    target = workshop.root / (f"{name}.tar" if like.endswith(".tar") else name)
    if target.suffix != ".tar":
        shutil.rmtree(target, ignore_errors=True)
        workshop.write({f"{name}/{path}": content for path, content in files.items()})
        return name
    with tarfile.open(target, "w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.name


@pytest.mark.parametrize("form", FORMS)
def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(form: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, form)
    true_bundle, true_blobs = used(workshop, policy, form)
    files = members(tmp_path / form)
    chance = random.Random(20261101)
    refused = 0
    for path, content in files.items():
        for position in sorted({0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(6))}):
            damaged = bytearray(content)
            damaged[position] ^= 1 << chance.randrange(8)
            name = written(workshop, "damaged", {**files, path: bytes(damaged)}, form)
            try:
                bundle, blobs = used(workshop, policy, name)
            except RendererError:
                refused += 1
                continue
            assert (bundle.bundle, bundle.manifest.digest, blobs) == (
                true_bundle.bundle,
                true_bundle.manifest.digest,
                true_blobs,
            ), (path, position)
    assert refused > 40


@pytest.mark.parametrize("form", FORMS)
def test_verify_finds_a_flipped_bit_in_every_blob(form: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, form)
    files = members(tmp_path / form)
    for path, content in files.items():
        if path.startswith("blobs/"):
            damaged = bytearray(content)
            damaged[len(content) // 2] ^= 1
            name = written(workshop, "damaged", {**files, path: bytes(damaged)}, form)
            finding = refusal(lambda name=name: workshop.verify(policy, name))  # type: ignore[misc]
            assert finding.code == "blob-digest-mismatch"
            assert finding.where.file == name
            assert path.rpartition("/")[2] in str(finding.where.subject)
            assert finding.hint == "copy the bundle again from where it was published"


def test_verify_reports_every_damaged_blob_at_once(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    layers = [one for extension in workshop.load(policy).bundle.extensions for one in extension.components]
    for layer in layers:
        (tmp_path / "bundle/blobs/sha256" / layer.content.digest.hex).write_bytes(b"")
    with pytest.raises(BundleRefusedError) as caught:
        workshop.verify(policy)
    assert [finding.code for finding in caught.value.findings] == ["blob-digest-mismatch"] * 2
    assert caught.value.findings[0].got == "0 bytes"


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_blob_is_named(form: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, form)
    chart = workshop.load(policy, form).bundle.extensions[0].components[0].content
    name = edited(workshop, "thinned", lambda files: files.pop(f"blobs/sha256/{chart.digest.hex}"), form)  # type: ignore[arg-type]
    finding = refusal(lambda: workshop.open(name).blob(chart))
    assert finding.code == "blob-missing"
    assert finding.message == f"the blob `{chart.digest}` is not in the bundle"
    assert finding.expected == f"{chart.digest}, {chart.size} bytes"
    assert refusal(lambda: workshop.verify(policy, name)).code == "blob-missing"


def test_two_swapped_blobs_are_refused(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    one, two = (
        tmp_path / "bundle/blobs/sha256" / component.content.digest.hex
        for component in workshop.load(policy).bundle.extensions[0].components
    )
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(kept)
    assert refusal(lambda: workshop.verify(policy)).code == "blob-digest-mismatch"


def test_a_blob_of_the_right_size_and_wrong_content_never_gives_its_last_byte(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    chart = workshop.load(policy).bundle.extensions[0].components[0].content
    path = tmp_path / "bundle/blobs/sha256" / chart.digest.hex
    path.write_bytes(bytes(chart.size))
    received = 0

    def read_slowly() -> None:
        nonlocal received
        with workshop.open().open_blob(chart) as stream:
            while part := stream.read(7):
                received += len(part)

    assert refusal(read_slowly).code == "blob-digest-mismatch"
    assert received < chart.size


# --- signatures --------------------------------------------------------------------------------------------------


def test_an_unsigned_bundle_is_refused(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    workshop.key("vendor")
    finding = refusal(lambda: workshop.load(workshop.policy("vendor")))
    assert finding.code == "bundle-unsigned"
    assert finding.message == "the bundle is not signed"
    assert finding.expected == "signatures of `vendor` (trust policy `test`)"
    assert finding.got == "none"
    assert finding.where.file == "bundle"
    assert finding.hint == "sitewright bundle sign --key KEY bundle"


def test_a_signature_of_an_unknown_key_does_not_count(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    workshop.sign("stranger")
    del workshop.keys["stranger"]
    workshop.key("vendor")
    finding = refusal(lambda: workshop.load(workshop.policy("vendor")))
    assert finding.code == "signature-untrusted"
    assert finding.message == "no signature of the bundle counts"
    assert why_not(finding) == ["unknown: no key of the trust policy made it"]


def test_one_signer_of_two_is_not_enough(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    workshop.sign("vendor")
    workshop.key("office")
    finding = refusal(lambda: workshop.load(workshop.policy("vendor", "office", threshold=2)))
    assert finding.code == "trust-threshold"
    assert finding.message == "the bundle `demo` needs 2 signers and has 1 that count"
    assert finding.expected == "2 of `vendor`, `office` (trust policy `test`)"
    assert finding.got == "`vendor`"


def test_one_key_under_two_names_is_one_signer(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    vendor = workshop.key("vendor")
    workshop.sign("vendor")
    # The same key signs again under another name; ECDSA makes a different signature each time.
    again = Workshop(tmp_path)
    again.keys["twin"] = TrustedKey(name="twin", pem=vendor.pem)
    shutil.copy(tmp_path / "keys/vendor.pem", tmp_path / "keys/twin.pem")
    assert again.sign("twin").document["added"] is False  # type: ignore[call-overload,index]
    workshop.keys["twin"] = again.keys["twin"]
    finding = refusal(lambda: workshop.load(workshop.policy("vendor", "twin", threshold=2)))
    assert finding.code == "trust-threshold"


def test_two_signatures_of_one_key_count_once(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    other = Workshop(tmp_path)
    other.keys = dict(workshop.keys)
    other.build("second")
    other.sign("vendor", "second")
    first, second = (
        parse_index((tmp_path / name / "index.json").read_bytes(), None)  # type: ignore[arg-type]
        for name in ("bundle", "second")
    )
    assert first[0].descriptor.digest == second[0].descriptor.digest
    # Both layouts hold vendor's signature over the same manifest: put both manifests of signatures side by side.
    extra = next(entry for entry in second if (entry.name or "").endswith(".sig"))
    shutil.copytree(tmp_path / "second/blobs", tmp_path / "bundle/blobs", dirs_exist_ok=True)
    entries = [entry.descriptor for entry in first if not (entry.name or "").endswith(".sig")]
    entries.append(extra.descriptor)
    entries.append(extra.descriptor)
    (tmp_path / "bundle/index.json").write_bytes(index_content(entries))
    finding = refusal(lambda: workshop.load(workshop.policy("vendor", "office", threshold=2)))
    assert finding.code == "trust-threshold"
    assert why_not(finding)[1] == "vendor: another signature of the same signer has been counted"


def test_a_signature_over_another_bundle_does_not_count(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    workshop.write({"bundle.yaml": (tmp_path / "bundle.yaml").read_text().replace("replicas: 1", "replicas: 9")})
    workshop.write({"charts/web/values.yaml": "replicas: 9\n"})
    workshop.build("other")
    files = members(tmp_path / "other")
    stolen = json.loads((tmp_path / "bundle/index.json").read_text())
    signatures = next(one for one in stolen["manifests"] if one["annotations"][REF_NAME].endswith(".sig"))
    index = json.loads(files["index.json"])
    manifest = index["manifests"][0]["digest"]
    signatures["annotations"][REF_NAME] = manifest.replace(":", "-") + ".sig"
    index["manifests"].append(signatures)
    files |= {path: content for path, content in members(tmp_path / "bundle").items() if path not in files}
    files["index.json"] = json.dumps(index).encode()
    name = written(workshop, "forged", files, "bundle")
    finding = refusal(lambda: workshop.load(policy, name))
    assert finding.code == "signature-untrusted"
    assert why_not(finding)[0].startswith("vendor: it is for another manifest, sha256:")


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "accepted"),
    [
        (None, date(2026, 11, 19), False),
        (None, date(2026, 11, 20), True),
        (date(2026, 11, 20), None, True),
        (date(2026, 11, 21), None, False),
    ],
)
def test_a_key_counts_on_its_days_only(
    valid_from: date | None, valid_to: date | None, accepted: bool, tmp_path: Path
) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    workshop.key("vendor", valid_from=valid_from, valid_to=valid_to)
    workshop.sign("vendor")
    policy = workshop.policy("vendor")
    if accepted:
        assert workshop.load(policy).verdict.signers == ("vendor",)
        return
    finding = refusal(lambda: workshop.load(policy))
    assert finding.code == "signature-untrusted"
    period = f"to {valid_to}" if valid_to else f"from {valid_from}"
    assert why_not(finding) == [f"vendor: the key is valid {period} only"]


def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    workshop.sources()
    workshop.build()
    workshop.key("vendor", valid_to=date(2026, 11, 20))
    workshop.sign("vendor")
    late = datetime.fromisoformat("2026-11-21T07:30:00+08:00")
    assert workshop.load(workshop.policy("vendor"), now=late).verdict.satisfied


def test_an_algorithm_that_the_rule_does_not_allow_does_not_count(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    policy = workshop.policy("vendor", "office", threshold=2, algorithms=frozenset({Algorithm.ECDSA_P256_SHA256}))
    finding = refusal(lambda: workshop.load(policy))
    assert finding.code == "trust-threshold"
    assert why_not(finding)[1] == "office: the rule `demo*` does not allow ed25519"


def test_a_signer_that_the_rule_does_not_ask_for_does_not_count(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    workshop.key("third")
    finding = refusal(lambda: workshop.load(workshop.policy("third")))
    assert finding.code == "signature-untrusted"
    assert why_not(finding)[0] == "vendor: the rule `demo*` does not ask for this signer"


def test_a_bundle_that_no_rule_matches_is_refused(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    finding = refusal(lambda: workshop.load(workshop.policy("vendor", bundles="kubesphere*")))
    assert finding.code == "no-trust-rule"
    assert finding.expected == "a bundle whose name matches one of `kubesphere*`"
    assert finding.got == "`demo`"


def test_an_old_bundle_is_refused_where_a_newer_one_is_locked(tmp_path: Path) -> None:
    # By the bundle's name: whoever replays an old bundle chooses the name of its file.
    workshop, policy = signed(tmp_path)
    finding = refusal(lambda: workshop.load(policy, locked={"demo": 4}))
    assert finding.code == "bundle-rollback"
    assert (finding.expected, finding.got) == ("sequence 4 or higher", "sequence 3")
    assert finding.hint is not None
    assert "allowRollback: true" in finding.hint
    assert workshop.load(policy, locked={"demo": 3}).bundle.sequence == 3
    assert workshop.load(policy, locked={"other": 9}).bundle.sequence == 3
    assert workshop.load(policy, locked={"demo": 4}, allow_rollback=True).bundle.sequence == 3


def test_a_bundle_that_is_too_old_for_the_rule_is_refused(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    policy = workshop.policy("vendor", max_age_days=20)
    assert workshop.load(policy, now=datetime(2026, 11, 20, tzinfo=UTC)).verdict.satisfied
    finding = refusal(lambda: workshop.load(policy, now=datetime(2026, 11, 22, tzinfo=UTC)))
    assert finding.code == "bundle-too-old"
    assert finding.expected == "at most 20 days (trust policy `test`, rule `demo*`)"
    assert finding.got == "created 2026-11-01, judged on 2026-11-22"


def test_a_policy_with_an_unusable_key_is_the_policy_owners_fault(tmp_path: Path) -> None:
    workshop, _ = signed(tmp_path)
    workshop.keys["broken"] = TrustedKey(name="broken", pem=b"no key at all")
    with pytest.raises(InputError) as caught:
        workshop.load(workshop.policy("vendor"))
    finding = caught.value.findings[0]
    assert finding.code == "invalid-public-key"
    assert finding.where.subject == "trust policy test, key broken"
    assert "openssl pkey" in (finding.hint or "")


def test_a_config_that_calls_the_bundle_something_else_is_refused(tmp_path: Path) -> None:
    # A signer of `demo*` bundles must not get a bundle in that a stricter rule would judge by its real name.
    workshop, policy = signed(tmp_path)
    bundle = replace(workshop.load(policy).bundle, name="kubesphere")
    config = encode_bundle(bundle)
    layers = [one.content for extension in bundle.extensions for one in extension.components]
    manifest = bundle_manifest(
        describe(config, BUNDLE_CONFIG), layers, name="demo", version="1.0.0", created="2026-11-01T00:00:00Z"
    )
    entry = replace(describe(manifest, IMAGE_MANIFEST), annotations={REF_NAME: "demo:1.0.0"})
    entry = replace(entry, artifact_type="application/vnd.sitewright.bundle.v1+json")
    blobs = {f"bundle/blobs/sha256/{describe(one, '').digest.hex}": one for one in (config, manifest)}
    workshop.write({**blobs, "bundle/index.json": index_content([entry])})
    workshop.sign("vendor")
    workshop.sign("office")
    finding = refusal(lambda: workshop.load(policy))
    assert finding.code == "bundle-tampered"
    assert (finding.expected, finding.got) == ("`demo`, as the manifest says", "`kubesphere`")


def test_a_config_is_not_read_before_its_signatures_hold(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    bundle = workshop.load(policy)
    config = next(
        path
        for path in (tmp_path / "bundle/blobs/sha256").iterdir()
        if path.read_bytes().startswith(b'{"apiVersion":"sitewright.dev/v1"')
    )
    assert decode_bundle(config.read_bytes()) == bundle.bundle
    poison = b"{" * 100_000
    manifest = bundle_manifest(
        describe(poison, BUNDLE_CONFIG), [], name="demo", version="1.0.0", created="2026-11-01T00:00:00Z"
    )
    entry = replace(describe(manifest, IMAGE_MANIFEST), artifact_type="application/vnd.sitewright.bundle.v1+json")
    blobs = {f"bundle/blobs/sha256/{describe(one, '').digest.hex}": one for one in (poison, manifest)}
    workshop.write({**blobs, "bundle/index.json": index_content([entry])})
    assert refusal(lambda: workshop.load(policy)).code == "bundle-unsigned"


# --- index.json, which is not signed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bundle-malformed"),
        (b"[]", "bundle-malformed"),
        (b"{}", "bundle-not-found"),
        (b'{"manifests": 1}', "bundle-malformed"),
        (b'{"manifests": [], "manifests": []}', "bundle-malformed"),
        (b'{"manifests": ' + b"[" * 50_000, "bundle-malformed"),
        (b"\xff\xfe", "bundle-malformed"),
        (b'{"manifests": [{"artifactType": "application/vnd.sitewright.bundle.v1+json"}]}', "bundle-malformed"),
        (b" " * (4 * 2**20 + 1), "bundle-malformed"),
    ],
)
def test_a_broken_index_is_refused(content: bytes, code: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    (tmp_path / "bundle/index.json").write_bytes(content)
    finding = refusal(lambda: workshop.load(policy))
    assert finding.code == code
    assert finding.where.file == "bundle"


def test_two_bundles_in_one_layout_are_refused(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    index = json.loads((tmp_path / "bundle/index.json").read_text())
    index["manifests"].append(index["manifests"][0])
    (tmp_path / "bundle/index.json").write_text(json.dumps(index))
    assert refusal(lambda: workshop.load(policy)).code == "bundle-ambiguous"


@pytest.mark.parametrize("trick", ["swapped", "added", "removed"])
def test_verify_refuses_an_index_that_misnames_images(trick: str, tmp_path: Path) -> None:
    # Copying tools believe index.json: `nginx` must not lead to the content of `api`.
    workshop, policy = signed(tmp_path)
    index = json.loads((tmp_path / "bundle/index.json").read_text())
    images = [one for one in index["manifests"] if "/" in one["annotations"][REF_NAME]]
    assert len(images) == 2
    if trick == "swapped":
        images[0]["annotations"], images[1]["annotations"] = images[1]["annotations"], images[0]["annotations"]
    elif trick == "added":
        index["manifests"].append({**images[0], "annotations": {REF_NAME: "docker.io/library/redis:7"}})
    else:
        index["manifests"].remove(images[0])
    (tmp_path / "bundle/index.json").write_text(json.dumps(index))
    expected = {"swapped": "bundle-tampered", "added": "bundle-tampered", "removed": "blob-missing"}[trick]
    assert refusal(lambda: workshop.verify(policy)).code == expected
    # A render goes by the signed config alone, and is not misled.
    assert workshop.load(policy).verdict.satisfied


# --- links and hostile archives ----------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["index.json", "blob", "blobs/sha256"])
def test_links_in_a_layout_are_not_followed(what: str, tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    chart = workshop.load(policy).bundle.extensions[0].components[0].content
    path = tmp_path / "bundle" / (f"blobs/sha256/{chart.digest.hex}" if what == "blob" else what)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    finding = refusal(lambda: workshop.verify(policy))
    assert finding.code == "blob-unreadable"
    assert finding.expected == "a regular file that may be read; links are not followed"


def test_a_pipe_in_place_of_a_blob_does_not_block(tmp_path: Path) -> None:
    import os

    workshop, policy = signed(tmp_path)
    chart = workshop.load(policy).bundle.extensions[0].components[0].content
    path = tmp_path / "bundle/blobs/sha256" / chart.digest.hex
    path.unlink()
    os.mkfifo(path)
    assert refusal(lambda: workshop.open().blob(chart)).code == "blob-unreadable"


def hostile_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    """Put members in front of everything else in a tar file."""
    with tarfile.open(path) as old:
        kept = [(one, old.extractfile(one).read()) for one in old if one.isreg()]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as archive:
        for member, content in (*members, *kept):
            archive.addfile(member, io.BytesIO(content))


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize(
    ("hostile", "reason"),
    [
        ([member("../escape")], "leave its root"),
        ([member("/etc/passwd")], "leave its root"),
        ([member("blobs/../../x")], "leave its root"),
        ([member("blobs/sha256/link", tarfile.SYMTYPE, "/etc/passwd")], "is a link"),
        ([member("blobs/sha256/hard", tarfile.LNKTYPE, "index.json")], "is a link"),
        ([member("blobs/sha256/dev", tarfile.CHRTYPE)], "a device"),
        ([member("blobs/sha256/pipe", tarfile.FIFOTYPE)], "a device"),
        ([member("twice"), member("./twice")], "twice"),
        ([member("nul\x01name")], "leave its root"),
    ],
)
def test_hostile_members_of_a_tar_file_are_refused(
    hostile: list[tuple[tarfile.TarInfo, bytes]], reason: str, tmp_path: Path
) -> None:
    workshop, policy = signed(tmp_path, "bundle.tar")
    hostile_tar(tmp_path / "bundle.tar", *hostile)
    source = workshop.open("bundle.tar")
    for _ in range(2):  # asking again does not help
        finding = refusal(source.index)
        assert finding.code == "archive-refused"
        assert reason in finding.message
        assert finding.where.file == "bundle.tar"
    assert refusal(lambda: workshop.verify(policy, "bundle.tar")).code == "archive-refused"


def test_verify_looks_through_a_whole_tar_file(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, "bundle.tar")
    with tarfile.open(tmp_path / "bundle.tar", "a") as archive:
        archive.addfile(member("../late")[0])
    assert workshop.load(policy, "bundle.tar").verdict.satisfied  # never reaches it
    assert refusal(lambda: workshop.verify(policy, "bundle.tar")).code == "archive-refused"


def test_a_tar_file_cut_short_is_refused(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, "bundle.tar")
    content = (tmp_path / "bundle.tar").read_bytes()
    for length in (0, 100, 512, 700, len(content) // 3, len(content) // 2):
        (tmp_path / "cut.tar").write_bytes(content[:length])
        with pytest.raises((BundleRefusedError, InputError)) as caught:
            workshop.verify(policy, "cut.tar")
        assert caught.value.findings[0].code in {
            "archive-refused",
            "blob-missing",
            "blob-digest-mismatch",
            "not-a-layout",
        }


def test_signatures_are_bounded(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    index = json.loads((tmp_path / "bundle/index.json").read_text())
    signatures = next(one for one in index["manifests"] if one["annotations"][REF_NAME].endswith(".sig"))
    index["manifests"] += [signatures] * 40
    (tmp_path / "bundle/index.json").write_text(json.dumps(index))
    finding = refusal(lambda: workshop.load(policy, now=NOW))
    assert (finding.code, finding.message) == ("bundle-malformed", "there are more than 64 signatures")
