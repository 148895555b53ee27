"""A bundle of which any byte was changed, lost, moved or added is refused, with a word about what is wrong.

`bundle verify` refuses every variant. What `lock` and `render` load is read only as far as a render needs it: each
variant is refused, or what was loaded is exactly what was signed (docs/trust.md says which is which).

Of every byte of a layout one bit is flipped; of large files and of the tar file, which holds the same, a sample of the
bytes, unless `SITEWRIGHT_EVERY_BYTE=1` asks for all of them, as continuous integration does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from renderer.errors import BundleRefusedError, Finding, RendererError
from renderer.formats.bundle.artifact import REF_NAME
from renderer.model.bundles.trust import TrustPolicy
from tests.simulators.bundles import Workshop

ALL = os.environ.get("SITEWRIGHT_EVERY_BYTE") == "1"
SHARES = 4
"""So many tests go through the bytes of each form, a share each, so that they may run side by side."""


@dataclass(frozen=True)
class Signed:
    """A small bundle that two have signed, as a directory and as a tar file, and what it truly holds."""

    workshop: Workshop
    policy: TrustPolicy
    files: Mapping[str, bytes]
    truth: object

    @property
    def directory(self) -> Path:
        return self.workshop.root / "bundle"

    @property
    def tar(self) -> Path:
        return self.workshop.root / "bundle.tar"

    def loaded(self, bundle: str) -> object:
        """What a render takes from a bundle."""
        verified = self.workshop.load(self.policy, bundle)
        source = self.workshop.open(bundle)
        blobs = [source.blob(one.content) for extension in verified.bundle.extensions for one in extension.components]
        return verified.bundle, verified.manifest.digest, verified.verdict.signers, blobs

    def refused(self, bundle: str = "bundle") -> tuple[Finding, ...]:
        """What `bundle verify` says; a load must refuse as well, or give the truth."""
        with contextlib.suppress(RendererError):
            assert self.loaded(bundle) == self.truth
        with pytest.raises(BundleRefusedError) as caught:
            self.workshop.verify(self.policy, bundle)
        assert caught.value.exit_code == 3
        return caught.value.findings


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    workshop = Workshop(tmp_path_factory.mktemp("every-byte"))
    workshop.sources(images=("quay.io/team/api:2.0",))
    for key, kind in (("vendor", "p256"), ("office", "ed25519")):
        workshop.key(key, kind)
    for form in ("bundle", "bundle.tar"):
        workshop.build(form)
        for key in ("vendor", "office"):
            workshop.sign(key, form)
    policy = workshop.policy("vendor", "office", threshold=2)
    root = workshop.root / "bundle"
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    unproven = Signed(workshop, policy, files, None)
    truth = unproven.loaded("bundle")
    assert workshop.verify(policy).findings == workshop.verify(policy, "bundle.tar").findings == ()
    return Signed(workshop, policy, files, truth)


@pytest.fixture
def restored(bundle: Signed) -> Iterator[Signed]:
    """The bundle, whose directory is what it was when the test is over."""
    yield bundle
    shutil.rmtree(bundle.directory)
    bundle.workshop.write({f"bundle/{path}": content for path, content in bundle.files.items()})


def flips(content: bytes, step: int, share: int) -> Iterator[tuple[int, bytes]]:
    """A share of the ways to flip one bit of every `step`-th byte: each bit has its turn."""
    for position in range(share * step, len(content), SHARES * step):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position // step + position // 64) % 8
        yield position, bytes(damaged)


def names_it(findings: tuple[Finding, ...], *words: str) -> bool:
    """True when a refusal names one of `words`."""
    return any(word in str(finding) for finding in findings for word in words)


@pytest.mark.parametrize("share", range(SHARES))
def test_every_byte_of_every_file(share: int, restored: Signed) -> None:
    for path, content in restored.files.items():
        step = 1 if ALL or len(content) < 1500 else 16
        for position, damaged in flips(content, step, share):
            (restored.directory / path).write_bytes(damaged)
            findings = restored.refused()
            # where `index.json` leads astray, what is missing there is named
            words = (path.rpartition("/")[2], *(("blob", "signed") if path == "index.json" else ()))
            assert names_it(findings, *words), (path, position, findings)
        (restored.directory / path).write_bytes(content)
    assert restored.workshop.verify(restored.policy).findings == ()


@pytest.mark.parametrize("share", range(SHARES))
def test_every_byte_of_the_tar_file(share: int, bundle: Signed) -> None:
    content = bundle.tar.read_bytes()
    for _, damaged in flips(content, 1 if ALL else 37, share):
        (bundle.workshop.root / "damaged.tar").write_bytes(damaged)
        bundle.refused("damaged.tar")


def test_a_tar_file_that_is_cut_anywhere(bundle: Signed) -> None:
    content = bundle.tar.read_bytes()
    cut = bundle.workshop.root / "cut.tar"
    end = len(content.rstrip(b"\0"))
    for length in (*range(0, end + 512, 128), end, end + 1, end + 1023, len(content) - 1):
        cut.write_bytes(content[:length])
        bundle.refused("cut.tar")
    # What is left of the zeros behind the end is an end all the same, and nothing is lost.
    whole = -(-end // 512) * 512 + 1024
    cut.write_bytes(content[:whole])
    assert bundle.loaded("cut.tar") == bundle.truth
    assert bundle.workshop.verify(bundle.policy, "cut.tar").findings == ()


def test_a_file_that_is_cut_or_grows(restored: Signed) -> None:
    for path, content in restored.files.items():
        file = restored.directory / path
        for changed in (content[:-1], content[: len(content) // 2], b"", content + b"\0", content + content):
            file.write_bytes(changed)
            findings = restored.refused()
            assert names_it(findings, path.rpartition("/")[2]), (path, findings)
        file.write_bytes(content)


# --- blobs --------------------------------------------------------------------------------------------------------


def blobs(signed: Signed) -> list[str]:
    return sorted(path for path in signed.files if path.startswith("blobs/"))


def test_two_blobs_change_places(restored: Signed) -> None:
    for one, two in combinations(blobs(restored), 2):
        (restored.directory / one).write_bytes(restored.files[two])
        (restored.directory / two).write_bytes(restored.files[one])
        findings = restored.refused()
        assert names_it(findings, one.rpartition("/")[2], two.rpartition("/")[2])
        for path in (one, two):
            (restored.directory / path).write_bytes(restored.files[path])


def test_a_blob_is_lost(restored: Signed) -> None:
    for path in blobs(restored):
        (restored.directory / path).unlink()
        assert names_it(restored.refused(), path.rpartition("/")[2])
        (restored.directory / path).write_bytes(restored.files[path])


def test_a_blob_is_renamed(restored: Signed) -> None:
    for number, path in enumerate(blobs(restored)):
        other = restored.directory / f"blobs/sha256/{number:064x}"
        (restored.directory / path).rename(other)
        findings = restored.refused()
        assert names_it(findings, path.rpartition("/")[2])
        other.rename(restored.directory / path)


def test_a_blob_lies_there_twice(restored: Signed) -> None:
    for number, path in enumerate(blobs(restored)):
        twin = restored.directory / f"blobs/sha256/{number:064x}"
        twin.write_bytes(restored.files[path])
        (finding,) = restored.refused()
        assert finding.code == "unreferenced-blob"
        assert finding.message == "nothing that is signed leads to 1 blob of the layout"
        assert finding.explanation == (f"blobs/sha256/{number:064x}",)
        assert finding.hint == f"rm bundle/blobs/sha256/{number:064x}"
        twin.unlink()


@pytest.mark.parametrize(
    "path",
    ["README", "blobs/readme.txt", "blobs/sha256/short", f"blobs/md5/{'0' * 32}", "oci-layout.bak", "deep/er/x", ".x"],
)
def test_a_file_is_added(path: str, restored: Signed) -> None:
    restored.workshop.write({f"bundle/{path}": b"x"})
    (finding,) = restored.refused()
    assert finding.code == "foreign-file"
    assert finding.message == "an OCI layout has no place for 1 file found in it"
    assert finding.explanation == (path,)
    assert finding.hint == f"rm bundle/{path}"


def test_a_link_is_added(restored: Signed) -> None:
    (restored.directory / "blobs/sha512").symlink_to("/etc")
    (finding,) = restored.refused()
    assert (finding.code, finding.explanation) == ("foreign-file", ("blobs/sha512",))


def test_a_member_is_added_to_the_tar_file(bundle: Signed) -> None:
    added = bundle.workshop.root / "added.tar"
    for path, code in (("README", "foreign-file"), (f"blobs/sha256/{'0' * 64}", "unreferenced-blob")):
        shutil.copy(bundle.tar, added)
        with tarfile.open(added, "a") as archive:
            archive.addfile(tarfile.TarInfo(path))
        (finding,) = bundle.refused("added.tar")
        assert (finding.code, finding.explanation) == (code, (path,))
        assert finding.hint is not None
        assert finding.hint.endswith(f"tar --delete -f added.tar {path}")


# --- index.json ---------------------------------------------------------------------------------------------------

Index = dict[str, Any]


def entries(index: Index) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = index["manifests"]
    return found


FIELDS: Mapping[str, Any] = {
    "artifactType": "application/x",
    "platform": {"os": "x", "architecture": "y"},
    "urls": ["https://evil.example/x"],
    "data": "e30=",
    "mediaType": "application/x",
    "size": 5,
}
TOP: Mapping[str, Any] = {
    "schemaVersion": 1,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "subject": {},
    "annotations": {"x": "y"},
}


def variants(content: bytes) -> Iterator[Index]:
    """Other indexes than the one in `content`."""
    honest = entries(json.loads(content))
    for n, entry in enumerate(honest):
        others = honest[:n] + honest[n + 1 :]
        said = {**entry, "annotations": {**entry["annotations"], "x": "y"}}
        renamed = {**entry, "annotations": {REF_NAME: "a/b:c"}}
        unnamed = {key: value for key, value in entry.items() if key != "annotations"}
        yield listing(*others)
        yield listing(*honest, entry)
        yield listing(*honest, renamed)
        for other in (said, renamed, unnamed, *({**entry, field: value} for field, value in FIELDS.items())):
            yield listing(*others, other)
    for one, two in combinations(honest, 2):
        rest = [entry for entry in honest if entry not in (one, two)]
        for field in ("annotations", "digest"):
            yield listing(*rest, {**one, field: two[field]}, {**two, field: one[field]})
    for field, value in (*TOP.items(), ("schemaVersion", True)):
        yield listing(*honest) | {field: value}


def listing(*manifests: dict[str, Any]) -> Index:
    return {"schemaVersion": 2, "manifests": list(manifests)}


def test_index_json_says_something_else(restored: Signed) -> None:
    file = restored.directory / "index.json"
    others = list(variants(restored.files["index.json"]))
    assert len(others) > 40
    for index in others:
        file.write_text(json.dumps(index))
        assert restored.refused()


def test_the_order_and_the_white_space_of_index_json_say_nothing(restored: Signed) -> None:
    index = json.loads(restored.files["index.json"])
    index["manifests"].reverse()
    del index["mediaType"]
    index["manifests"] = [
        {key: one[key] for key in reversed(one) if key != "artifactType"} for one in index["manifests"]
    ]
    (restored.directory / "index.json").write_text(json.dumps(index, indent=2) + "\n")
    (restored.directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
    assert restored.workshop.verify(restored.policy).findings == ()
    assert restored.loaded("bundle") == restored.truth


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"imageLayoutVersion":"2.0.0"}', b'{"imageLayoutVersion":"1.0.0","x":1}']
)
def test_oci_layout_says_something_else(content: bytes, restored: Signed) -> None:
    (restored.directory / "oci-layout").write_bytes(content)
    (finding,) = restored.refused()
    assert (finding.code, finding.where.subject) == ("bundle-tampered", "oci-layout")
    assert finding.message == "`oci-layout` does not say that this is an OCI layout of version 1.0.0"
    assert finding.expected == '{"imageLayoutVersion":"1.0.0"}'


# --- signatures ---------------------------------------------------------------------------------------------------


def test_signatures_of_two_bundles_change_places(restored: Signed) -> None:
    workshop = restored.workshop
    text = (workshop.root / "bundle.yaml").read_text()
    workshop.write({"other.yaml": text.replace("sequence: 3", "sequence: 4")})
    workshop.build("other", "other.yaml")
    for key in ("vendor", "office"):
        workshop.sign(key, "other")
    assert workshop.verify(restored.policy, "other").findings == ()
    index = json.loads(restored.files["index.json"])
    theirs = json.loads((workshop.root / "other/index.json").read_text())
    (ours,) = (one for one in index["manifests"] if one["annotations"][REF_NAME].endswith(".sig"))
    (other,) = (one for one in theirs["manifests"] if one["annotations"][REF_NAME].endswith(".sig"))
    ours.update(digest=other["digest"], size=other["size"])
    shutil.copytree(workshop.root / "other/blobs", restored.directory / "blobs", dirs_exist_ok=True)
    (restored.directory / "index.json").write_text(json.dumps(index))
    (finding,) = restored.refused()
    assert finding.code == "signature-untrusted"
    assert "it is for another manifest, sha256:" in str(finding)


def test_a_signature_is_removed(restored: Signed) -> None:
    index = json.loads(restored.files["index.json"])
    index["manifests"] = [one for one in index["manifests"] if not one["annotations"][REF_NAME].endswith(".sig")]
    (restored.directory / "index.json").write_text(json.dumps(index))
    (finding,) = restored.refused()
    assert (finding.code, finding.message) == ("bundle-unsigned", "the bundle is not signed")
