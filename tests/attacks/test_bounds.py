"""Hostile bundles and archives are refused within the memory and time that docs/trust.md states.

Each is read in a process of its own, whose greatest memory is what the kernel counted.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.formats.archives import DEFAULT, LAYOUT_MEMBERS
from renderer.formats.bundle.artifact import BUNDLE_TYPE, INDEX_LIMIT, MANIFEST_LIMIT, REF_NAME
from renderer.formats.bundle.parts import SIGNATURE_LIMIT, SIGNATURES_LIMIT
from renderer.model.reference import Digest
from tests.simulators.bundles import ROOT

MEMORY = 320
"""MiB, beyond what Sitewright takes before it reads anything."""
SECONDS = 60
READ = """
import sys, time
from pathlib import Path
from renderer.adapters.layout import open_layout
from renderer.commands.bundle.verify import verify
from renderer.errors import RendererError
from renderer.formats.archives import ArchiveError, unpack
from renderer.model.bundles.trust import TrustPolicy
from datetime import datetime, UTC

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024

what, path = sys.argv[1], Path(sys.argv[2])
content = path.read_bytes() if what == "archive" else b""
before, start = peak(), time.monotonic()
try:
    if what == "archive":
        unpack(content)
    else:
        policy = TrustPolicy(name="nobody", keys=(), rules=())
        verify(open_layout(path, path.name), policy, now=datetime(2026, 11, 20, tzinfo=UTC))
except (RendererError, ArchiveError) as error:
    text = str(error).splitlines()[0]
    print(peak() - before, time.monotonic() - start, getattr(error, "exit_code", 3), text, sep="|")
"""


def refused(what: str, path: Path) -> str:
    """The refusal's first line; it came with exit code 3, in time and within the memory."""
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux counts the greatest memory of a process where it can be read")
    ran = subprocess.run(
        [sys.executable, "-c", READ, what, str(path)], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    memory, seconds, code, text = ran.stdout.strip().split("|", 3)
    assert int(memory) <= MEMORY, f"{memory} MiB: {text}"
    assert float(seconds) <= SECONDS, f"{seconds} s: {text}"
    assert code == "3"
    return text


def many_members(path: Path) -> str:
    with path.open("wb") as file:
        for number in range(LAYOUT_MEMBERS + 1):
            name = f"blobs/sha256/{hashlib.sha256(b'%d' % number).hexdigest()}"
            file.write(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1024))
    return f"the archive has more than {LAYOUT_MEMBERS} members"


def long_headers(path: Path) -> str:
    """Extended headers as long as may be, before every member."""
    with path.open("wb") as file:
        for number in range(600):
            record = b"65530 x%07d=%s\n" % (number, b"y" * 65_514)
            header = tarfile.TarInfo("x")
            header.type, header.size = tarfile.XHDTYPE, len(record)
            file.write(header.tobuf(tarfile.GNU_FORMAT) + record + bytes(-len(record) % 512))
            file.write(tarfile.TarInfo(f"f{number}").tobuf(tarfile.GNU_FORMAT))
        file.write(b"!" * 512)
    return "bad header"


def endless_size(path: Path) -> str:
    """A member that says it has eight exbibytes."""
    header = tarfile.TarInfo("index.json")
    header.size = 2**63 - 1
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    return "the tar file cannot be used"


@pytest.mark.parametrize("make", [many_members, long_headers, endless_size], ids=lambda one: str(one.__name__))
def test_tar_files(make: Callable[[Path], str], tmp_path: Path) -> None:
    reason = make(tmp_path / "bundle.tar")
    assert reason in refused("layout", tmp_path / "bundle.tar")


def bomb(path: Path) -> str:
    """A gibibyte of zeros in one mebibyte."""
    engine, zeros = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(2**20)
    path.write_bytes(b"".join(engine.compress(zeros) for _ in range(1024)) + engine.flush())
    return f"more than {DEFAULT.total} bytes when decompressed"


def crowd(path: Path) -> str:
    content = b"".join(tarfile.TarInfo(f"f{n}").tobuf(tarfile.GNU_FORMAT) for n in range(DEFAULT.members + 1))
    path.write_bytes(content + bytes(1024))
    return f"more than {DEFAULT.members} members"


@pytest.mark.parametrize("make", [bomb, crowd], ids=lambda one: str(one.__name__))
def test_archives_in_bundles(make: Callable[[Path], str], tmp_path: Path) -> None:
    reason = make(tmp_path / "chart.tgz")
    assert reason in refused("archive", tmp_path / "chart.tgz")


def layout(path: Path, index: bytes, *blobs: bytes) -> None:
    (path / "blobs/sha256").mkdir(parents=True)
    (path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_bytes(index)
    for blob in blobs:
        (path / "blobs/sha256" / hashlib.sha256(blob).hexdigest()).write_bytes(blob)


def filled(start: bytes, piece: bytes, end: bytes, limit: int) -> bytes:
    """JSON as long as may be, of as many values as fit."""
    return start + piece * ((limit - len(start) - len(end)) // len(piece)) + end


@pytest.mark.parametrize("piece", [b"[],", b'{"":0},', b"0,", b'"x",'])
def test_an_index_of_many_values(piece: bytes, tmp_path: Path) -> None:
    layout(tmp_path / "bundle", filled(b'{"manifests":[', piece, b"{}]}", INDEX_LIMIT))
    assert "bundle-malformed" in refused("layout", tmp_path / "bundle")


def entry(content: bytes, **more: object) -> dict[str, object]:
    media_type = "application/vnd.oci.image.manifest.v1+json"
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content), **more}


def test_a_manifest_that_nobody_signed_costs_its_bytes_only(tmp_path: Path) -> None:
    manifest = filled(b"[", b"[],", b"0]", MANIFEST_LIMIT)
    index = {"manifests": [entry(manifest, artifactType=BUNDLE_TYPE)]}
    layout(tmp_path / "bundle", json.dumps(index).encode(), manifest)
    assert "bundle-unsigned" in refused("layout", tmp_path / "bundle")


def test_signatures_of_many_values(tmp_path: Path) -> None:
    tag = {REF_NAME: f"sha256-{Digest.of(b'x').hex}.sig"}
    start = b'{"config":{"mediaType":"x","digest":"%b","size":0},"layers":[],"x":[' % str(Digest.of(b"")).encode()
    size = SIGNATURES_LIMIT // SIGNATURE_LIMIT - 100
    holders = [filled(start, b"[],", b"%d]}" % number, size) for number in range(SIGNATURE_LIMIT)]
    index = {"manifests": [entry(b"x", artifactType=BUNDLE_TYPE), *(entry(one, annotations=tag) for one in holders)]}
    layout(tmp_path / "bundle", json.dumps(index).encode(), b"x", *holders)
    assert "bundle-unsigned" in refused("layout", tmp_path / "bundle")
    index["manifests"].append(entry(b"one more", annotations=tag))
    layout(tmp_path / "more", json.dumps(index).encode(), b"x", *holders)
    assert f"more than {SIGNATURE_LIMIT} manifests of signatures" in refused("layout", tmp_path / "more")


def test_signatures_that_are_too_long_together(tmp_path: Path) -> None:
    tag = {REF_NAME: f"sha256-{Digest.of(b'x').hex}.sig"}
    big = {**entry(b"y", annotations=tag), "size": SIGNATURES_LIMIT}
    index = {"manifests": [entry(b"x", artifactType=BUNDLE_TYPE), entry(b"z", annotations=tag), big]}
    layout(tmp_path / "bundle", json.dumps(index).encode(), b"x")
    assert f"{SIGNATURES_LIMIT + 1} bytes together; {SIGNATURES_LIMIT} are allowed" in refused(
        "layout", tmp_path / "bundle"
    )
