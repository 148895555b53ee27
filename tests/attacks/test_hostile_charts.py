"""Chart archives and chart output that mean harm: refused within bounds."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib

import pytest

from renderer.formats.charts.archive import ChartArchiveError, template_sources
from renderer.model.bundles.chart import ChartFile, ChartOutput
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor
from renderer.model.reference import Digest
from renderer.stages.chart import read_chart
from renderer.stages.generated import scan_templates


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_an_archive_that_unpacks_without_end_is_cut_off() -> None:
    bomb = zlib.compressobj(9, wbits=31)
    content = b"".join(bomb.compress(bytes(2**20)) for _ in range(101)) + bomb.flush()
    assert len(content) < 2**20
    with pytest.raises(ChartArchiveError, match="unpacks to more than 104857600 bytes"):
        template_sources(content)


def test_a_template_that_is_too_large_is_refused() -> None:
    with pytest.raises(ChartArchiveError, match="`a/templates/x` in the chart archive is larger than"):
        template_sources(packed({"a/templates/x": bytes(5 * 2**20 + 1)}))


def test_charts_packed_in_charts_have_an_end() -> None:
    archive = packed({"a/templates/x": b""})
    for _ in range(12):
        archive = packed({"a/charts/b.tgz": archive})
    with pytest.raises(ChartArchiveError, match="packed more than 8 levels deep"):
        template_sources(archive)


def test_an_archive_with_too_many_files_is_refused() -> None:
    with pytest.raises(ChartArchiveError, match="more than 20000 files"):
        template_sources(packed({f"a/f{number}": b"" for number in range(20_002)}))


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"", "cut short"),
        (b"plain", "not gzip"),
        (gzip.compress(b"no tar at all, but long enough for a header" * 20, mtime=0), "cannot be read"),
        (packed({"a/templates/x": b"x" * 5000})[:-40], "cut short"),
    ],
)
def test_what_is_no_archive_is_refused(archive: bytes, message: str) -> None:
    with pytest.raises(ChartArchiveError, match=message):
        template_sources(archive)


def test_links_and_devices_are_not_read() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for kind, name in ((tarfile.SYMTYPE, "soft"), (tarfile.LNKTYPE, "hard"), (tarfile.CHRTYPE, "device")):
            member = tarfile.TarInfo(f"a/templates/{name}")
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    assert template_sources(buffer.getvalue()) == {}


def test_a_packed_subchart_is_read_like_any_other() -> None:
    inner = packed({"sub/templates/t.yaml": b"{{ now }}", "sub/values.yaml": b"", "sub/files/no.yaml": b""})
    archive = packed({"a/charts/sub-1.0.0.tgz": inner, "a/charts/_ignored.tgz": b"junk", "./a/templates/u": b"\xff"})
    assert template_sources(archive) == {
        "a/charts/sub/templates/t.yaml": "{{ now }}",
        "a/charts/sub/values.yaml": "",
        "a/templates/u": "�",
    }


def read(text: str) -> list[str]:
    content = Descriptor(media_type="x", digest=Digest.of(b""), size=0)
    component = Component(name="c", kind=ComponentKind.HELM, content=content, release="c", namespace="c")
    output = ChartOutput(templates=(ChartFile(path="c/templates/t", text=text),), crds=())
    return [finding.code for finding in read_chart(output, "e", component).findings]


def test_output_that_explodes_is_a_finding() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert read("\n".join(lines)) == ["chart-bad-yaml"]


def test_output_that_nests_without_end_is_a_finding() -> None:
    assert read("a: " + "[" * 5000 + "]" * 5000) == ["chart-bad-yaml"]


@pytest.mark.parametrize(
    "text", ["{{ " * 20_000, "{{ " + '"' * 20_001 + " }}", "{{ `" + "x" * 50_000, "{{" + "a." * 50_000]
)
def test_scanning_takes_no_longer_than_reading(text: str) -> None:
    assert scan_templates({"t": text + " lookup"}) == ()
