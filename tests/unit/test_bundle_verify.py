"""`bundle verify`: several blobs at once, copies by other tools, and what it reads that a load does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.adapters.executors import ThreadExecutor
from renderer.commands.bundle.verify import verify as verify_bundle
from renderer.errors import BundleRefusedError, Finding
from renderer.formats.bundle.artifact import REF_NAME
from tests.simulators.bundles import NOW, signed


def test_a_damaged_image_is_refused_by_verify_and_not_read_by_a_load(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    blobs = (tmp_path / "bundle/blobs/sha256").iterdir()
    config = min(path for path in blobs if path.read_bytes().startswith(b'{"architecture": "amd64"'))
    config.write_bytes(bytes(config.stat().st_size))
    assert workshop.load(policy).verdict.satisfied, "the registry and the nodes check images by digest"
    with pytest.raises(BundleRefusedError) as caught:
        workshop.verify(policy)
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.subject) == ("blob-digest-mismatch", f"blob sha256:{config.name}")


def test_what_is_wrong_is_told_in_the_same_order_with_any_number_of_workers(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path)
    for path in (tmp_path / "bundle/blobs/sha256").iterdir():
        judged = (b"sitewright", b"simplesigning", b"docker-manifest-digest")
        if not any(word in path.read_bytes() for word in judged):
            path.write_bytes(path.read_bytes() + b"!")

    def told(workers: int | None) -> tuple[Finding, ...]:
        executor = ThreadExecutor(workers) if workers else None
        with pytest.raises(BundleRefusedError) as caught:
            verify_bundle(workshop.open(), policy, now=NOW, executor=executor)
        return caught.value.findings

    alone = told(None)
    assert len(alone) > 5
    assert told(1) == told(4) == told(16) == alone


def test_a_bundle_is_the_same_to_many_workers(tmp_path: Path) -> None:
    workshop, policy = signed(tmp_path, "bundle.tar")
    outcomes = [
        verify_bundle(workshop.open("bundle.tar"), policy, now=NOW, executor=ThreadExecutor(workers))
        for workers in (1, 8)
    ]
    assert outcomes[0] == outcomes[1] == workshop.verify(policy, "bundle.tar")


def test_a_copy_that_skopeo_made_is_accepted(tmp_path: Path, real: Callable[[str], Path]) -> None:
    workshop, policy = signed(tmp_path)
    skopeo = real("skopeo")
    index = json.loads((tmp_path / "bundle/index.json").read_text())
    for entry in index["manifests"]:
        name = entry["annotations"][REF_NAME]
        copy = [str(skopeo), "copy", "--all", "--quiet", f"oci:bundle:{name}", f"oci:copied:{name}"]
        subprocess.run(copy, cwd=tmp_path, check=True, capture_output=True)
    copied = json.loads((tmp_path / "copied/index.json").read_text())
    assert not any("artifactType" in entry for entry in copied["manifests"])
    ours, theirs = workshop.verify(policy), workshop.verify(policy, "copied")
    assert (theirs.text, theirs.document) == (ours.text, ours.document)
    assert workshop.load(policy, "copied").bundle == workshop.load(policy).bundle
    # Without the signatures nobody can tell which of the manifests is the bundle.
    copied["manifests"] = [one for one in copied["manifests"] if not one["annotations"][REF_NAME].endswith(".sig")]
    (tmp_path / "copied/index.json").write_text(json.dumps(copied))
    with pytest.raises(BundleRefusedError) as caught:
        workshop.verify(policy, "copied")
    assert caught.value.findings[0].code == "bundle-not-found"
