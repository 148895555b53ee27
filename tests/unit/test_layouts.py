"""OCI layouts in directories and tar files: read lazily, written all or nothing."""

from __future__ import annotations

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from renderer.adapters.layout import open_layout
from renderer.adapters.layout_writer import FileLayoutWriter
from renderer.errors import BundleRefusedError, InputError
from renderer.formats.bundle.artifact import describe
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Blob

FORMS = ["layout", "layout.tar"]
CONTENTS = [b"", b"one", b"two" * 1_000_000]


def blob(content: bytes) -> Blob:
    """A blob in memory."""
    return Blob(descriptor=describe(content, "text/plain"), open=lambda: io.BytesIO(content))


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read(form: str, tmp_path: Path) -> None:
    FileLayoutWriter(tmp_path).create(form, b"{}", [blob(content) for content in (*CONTENTS, b"one")])
    layout = open_layout(tmp_path / form, "somewhere")
    assert (layout.location, layout.index()) == ("somewhere", b"{}")
    assert layout.digests() == tuple(sorted(Digest.of(content) for content in CONTENTS))
    for content in CONTENTS:
        descriptor = describe(content, "text/plain")
        assert layout.blob(descriptor) == content
        with layout.open_blob(descriptor) as stream:
            assert b"".join(iter(lambda stream=stream: stream.read(100_000), b"")) == content  # type: ignore[misc]


@pytest.mark.parametrize("form", FORMS)
def test_blobs_are_read_in_several_threads(form: str, tmp_path: Path) -> None:
    contents = [f"{number}".encode() * 50_000 for number in range(40)]
    FileLayoutWriter(tmp_path).create(form, b"{}", map(blob, contents))
    layout = open_layout(tmp_path / form, form)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda content: layout.blob(describe(content, "")), reversed(contents)))
    assert found == contents[::-1]


def test_a_tar_file_is_reproducible_and_says_nothing_of_the_machine(tmp_path: Path) -> None:
    writer = FileLayoutWriter(tmp_path)
    for name in ("a.tar", "b.tar"):
        writer.create(name, b"{}", map(blob, CONTENTS))
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert [member.name for member in archive][:2] == ["oci-layout", "index.json"]
        assert {(one.mtime, one.uid, one.uname, one.mode) for one in archive} == {(0, 0, "", 0o644)}


def test_a_tar_file_is_looked_through_only_as_far_as_needed(tmp_path: Path) -> None:
    FileLayoutWriter(tmp_path).create("x.tar", b"{}", [blob(b"near"), *(blob(bytes([n])) for n in range(200))])
    content = bytearray((tmp_path / "x.tar").read_bytes())
    content[-200 * 512 :] = b"\xff" * 200 * 512  # whatever stands behind is not looked at
    (tmp_path / "x.tar").write_bytes(content)
    layout = open_layout(tmp_path / "x.tar", "x.tar")
    assert layout.blob(describe(b"near", "")) == b"near"
    with pytest.raises(BundleRefusedError):
        layout.digests()


def test_a_tar_file_made_by_others_is_read(tmp_path: Path) -> None:
    FileLayoutWriter(tmp_path).create("dir", b"{}", map(blob, CONTENTS))
    with tarfile.open(tmp_path / "gnu.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(tmp_path / "dir", arcname=".")  # `./blobs/…`, directories, times, owners
    layout = open_layout(tmp_path / "gnu.tar", "gnu.tar")
    assert layout.index() == b"{}"
    assert len(layout.digests()) == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_layout_grows_and_loses_what_is_dropped(form: str, tmp_path: Path) -> None:
    writer = FileLayoutWriter(tmp_path)
    writer.create(form, b"{}", [blob(b"kept"), blob(b"dropped")])
    writer.extend(form, b"[]", [blob(b"new")], drop=[Digest.of(b"dropped")])
    layout = open_layout(tmp_path / form, form)
    assert layout.index() == b"[]"
    assert layout.digests() == tuple(sorted([Digest.of(b"kept"), Digest.of(b"new")]))
    assert sorted(path.name for path in tmp_path.iterdir()) == [form]


@pytest.mark.parametrize("form", FORMS)
def test_a_layout_is_replaced_as_a_whole(form: str, tmp_path: Path) -> None:
    writer = FileLayoutWriter(tmp_path)
    writer.create(form, b"old", [blob(b"old")])
    writer.create(form, b"new", [blob(b"new")])
    layout = open_layout(tmp_path / form, form)
    assert (layout.index(), layout.digests()) == (b"new", (Digest.of(b"new"),))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", ["create", "extend"])
def test_a_failure_leaves_the_old_layout(form: str, step: str, tmp_path: Path) -> None:
    writer = FileLayoutWriter(tmp_path)
    writer.create(form, b"old", [blob(b"old")])

    def broken() -> BinaryIO:
        raise OSError("the disk is full")

    write = writer.create if step == "create" else writer.extend
    with pytest.raises(OSError, match="the disk is full"):
        write(form, b"new", [blob(b"new"), Blob(descriptor=describe(b"x", ""), open=broken)])
    assert open_layout(tmp_path / form, form).index() == b"old"
    assert open_layout(tmp_path / form, form).blob(describe(b"old", "")) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [form]


class Drops(io.BytesIO):
    """A stream that gives a little at a time, as a registry may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, 1000) if size and size > 0 else size)


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_may_give_less_than_it_is_asked_for(form: str, tmp_path: Path) -> None:
    content = b"drop by drop" * 10_000
    slow = Blob(descriptor=describe(content, ""), open=lambda: Drops(content))
    FileLayoutWriter(tmp_path).create(form, b"{}", [slow, blob(b"next")])
    layout = open_layout(tmp_path / form, form)
    assert layout.blob(describe(content, "")) == content
    assert layout.blob(describe(b"next", "")) == b"next"


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_what_it_is_called_is_not_written(form: str, tmp_path: Path) -> None:
    """The stream of a blob refuses its last byte; the others are given up, however many there are."""
    writer = FileLayoutWriter(tmp_path)
    writer.create("source", b"{}", map(blob, (b"a" * 3_000_000, b"right")))
    place = tmp_path / "source/blobs/sha256" / Digest.of(b"right").hex
    place.write_bytes(b"wrong")
    source = open_layout(tmp_path / "source", "source")
    described = [describe(content, "") for content in (b"a" * 3_000_000, b"right")]
    blobs = [Blob(descriptor=one, open=lambda one=one: source.open_blob(one)) for one in described]  # type: ignore[misc]
    with pytest.raises(BundleRefusedError, match="blob-digest-mismatch"):
        writer.create(form, b"{}", [*blobs, *(blob(f"{number}".encode()) for number in range(100))])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_many_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileLayoutWriter(tmp_path).create("layout", b"{}", [blob(f"{number}".encode()) for number in range(200)])
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "layout/blobs/sha256").iterdir()}
    assert modes == {0o640}


@pytest.mark.parametrize("got", ["a file", "a directory", "a directory with other files", "a link"])
def test_what_is_no_layout_is_never_replaced(got: str, tmp_path: Path) -> None:
    path = tmp_path / ("out.tar" if got == "a directory" else "out")
    if got == "a file":
        path.write_text("precious")
    elif got == "a link":
        (tmp_path / "real").mkdir()
        path.symlink_to(tmp_path / "real")
    else:
        path.mkdir()
        (path / "precious").write_text("x")
    with pytest.raises(InputError) as caught:
        FileLayoutWriter(tmp_path).create(path.name, b"{}", [])
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file, finding.got) == ("output-not-a-layout", path.name, got)
    assert finding.hint == "choose another path with -o"


def test_an_empty_directory_is_a_good_place(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    FileLayoutWriter(tmp_path).create("out", b"{}", [])
    assert open_layout(tmp_path / "out", "out").index() == b"{}"


def test_what_is_not_there_or_no_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_layout(tmp_path / "none", "bundles/none")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("bundle-not-found", "bundles/none")
    assert finding.hint == "sitewright bundle build bundle.yaml -o bundles/none"

    with pytest.raises(InputError) as caught:
        open_layout(tmp_path, "here")
    assert (caught.value.findings[0].code, caught.value.findings[0].got) == (
        "not-a-layout",
        "a directory without `index.json`",
    )

    (tmp_path / "x.tar.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(InputError) as caught:
        open_layout(tmp_path / "x.tar.gz", "x.tar.gz")
    assert (caught.value.findings[0].code, caught.value.findings[0].hint) == ("not-a-layout", "gunzip x.tar.gz")

    with tarfile.open(tmp_path / "other.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("readme"))
    with pytest.raises(InputError) as caught:
        open_layout(tmp_path / "other.tar", "other.tar").index()
    assert (caught.value.findings[0].code, caught.value.findings[0].got) == ("not-a-layout", "no `index.json`")


def test_a_blob_that_memory_should_not_hold_is_refused(tmp_path: Path) -> None:
    FileLayoutWriter(tmp_path).create("out", b"{}", [])
    huge = Descriptor(media_type="x", digest=Digest.of(b""), size=2**40)
    with pytest.raises(BundleRefusedError) as caught:
        open_layout(tmp_path / "out", "out").blob(huge)
    assert caught.value.findings[0].code == "blob-too-large"


def test_a_size_that_is_wrong_is_told_before_anything_is_read(tmp_path: Path) -> None:
    FileLayoutWriter(tmp_path).create("out", b"{}", [blob(b"one"), blob(b"")])
    layout = open_layout(tmp_path / "out", "out")
    for content, size, got in ((b"one", 4, "3 bytes"), (b"", 1, "0 bytes")):
        with pytest.raises(BundleRefusedError) as caught:
            layout.open_blob(Descriptor(media_type="x", digest=Digest.of(content), size=size))
        assert (caught.value.findings[0].code, caught.value.findings[0].got) == ("blob-digest-mismatch", got)
