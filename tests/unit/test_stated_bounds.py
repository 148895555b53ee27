"""The bounds that docs/trust.md states are those that the program has."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.adapters.layout import checked
from renderer.formats import archives
from renderer.formats.archives import DEFAULT
from renderer.formats.bundle import artifact, image_signatures, parts
from renderer.formats.canonical_json import DEPTH_LIMIT
from renderer.formats.trust import pem, sigstore, x509
from tests.attacks.test_bounds import MEMORY

DOCS = Path(__file__).resolve().parents[2] / "docs"


def kib(size: int) -> str:
    assert size % 1024 == 0
    return f"{size // 1024} KiB"


def mib(size: int) -> str:
    assert size % 2**20 == 0
    return f"{size // 2**20} MiB"


BOUNDS = [
    [f"{archives.LAYOUT_MEMBERS:,}"],
    [kib(archives.HEADER_LIMIT), f"{archives._CHAIN_LIMIT}", kib(archives.HEADER_LIMIT)],
    [mib(archives._TAIL_LIMIT)],
    [mib(artifact.INDEX_LIMIT), f"{artifact._ENTRY_LIMIT:,}"],
    [mib(artifact.MANIFEST_LIMIT)],
    [mib(artifact.CONFIG_LIMIT)],
    [f"{DEPTH_LIMIT}"],
    [f"{parts.SIGNATURE_LIMIT}", mib(parts.SIGNATURES_LIMIT)],
    [mib(image_signatures.IMAGE_SIGNATURES_LIMIT), mib(image_signatures.ALL_IMAGE_SIGNATURES_LIMIT)],
    [f"{parts._REFERRERS_LIMIT:,}", mib(parts.REFERRERS_LIMIT)],
    [kib(sigstore.SIGSTORE_BUNDLE_LIMIT)],
    [f"{pem.CHAIN_LIMIT}", kib(pem.CERTIFICATE_LIMIT)],
    [f"{x509.PATH_LIMIT}", f"{x509._CHECK_LIMIT}"],
    [f"{DEFAULT.members:,}", mib(DEFAULT.file), mib(DEFAULT.total)],
    [mib(checked._MEMORY_LIMIT)],
]


@pytest.mark.parametrize("page", ["trust.md", "trust.zh.md"])
def test_the_table_of_bounds(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    heading = "\n## Bounds" if page == "trust.md" else "\n## 界限"
    section = text[text.index(heading) :]
    assert f"{MEMORY} MiB" in section
    rows = [line.split("|")[2] for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(BOUNDS)
    for row, bounds in zip(rows, BOUNDS, strict=True):
        place = 0
        for bound in bounds:
            assert bound in row[place:], f"{bound}: {row}"
            place = row.index(bound, place) + len(bound)
