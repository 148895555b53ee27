"""A layout that arrives: taken up where it broke off, whatever an interrupted run left behind."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from renderer.adapters.layout import open_layout
from renderer.adapters.layout_receiver import LayoutReceiver
from renderer.adapters.layout_writer import FileLayoutWriter
from renderer.errors import BundleRefusedError, Finding, InputError
from renderer.formats.bundle.artifact import describe
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import IncomingLayout

INDEX = b'{"schemaVersion":2,"manifests":[]}'
LARGE = 5 * 2**20
Fetch = Callable[[BinaryIO | None], BinaryIO]


def receiver(root: Path, name: str = "out") -> LayoutReceiver:
    standing = root / name
    earlier = open_layout(standing, name) if standing.exists() else None
    return LayoutReceiver(standing, name, FileLayoutWriter(root), earlier)


def random_blob(size: int) -> tuple[bytes, Descriptor]:
    content = os.urandom(size)
    return content, describe(content, "application/octet-stream")


class Line:
    """Serves one blob, checked at the end as a registry client does it; cut off after `limit` bytes once."""

    def __init__(self, content: bytes, limit: int | None = None) -> None:
        self.content, self.limit, self.served = content, limit, 0

    def fetch(self, begun: BinaryIO | None) -> BinaryIO:
        head = begun.read() if begun is not None else b""
        rest = self.content[len(head) :]
        if self.limit is not None:
            rest, self.limit = rest[: self.limit], None
            self.served += len(rest)
            return _Broken(rest)
        self.served += len(rest)
        if Digest.of(head + rest) != Digest.of(self.content):
            raise BundleRefusedError(Finding(code="blob-digest-mismatch", message="other bytes"))
        return io.BytesIO(rest)


class _Broken(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        if not content:
            raise KeyboardInterrupt
        return content


def quiet(_: int) -> None:
    """Nobody watches."""


def received(root: Path, content: bytes, descriptor: Descriptor, line: Line | None = None, name: str = "out") -> Line:
    line = line or Line(content)
    with receiver(root, name) as incoming:
        port: IncomingLayout = incoming
        if not port.holds(descriptor):
            port.receive(descriptor, line.fetch, quiet)
        port.finish(INDEX, [descriptor])
    return line


def interrupted(root: Path, content: bytes, descriptor: Descriptor, after: int, name: str = "out") -> None:
    with receiver(root, name) as incoming, pytest.raises(KeyboardInterrupt):
        incoming.receive(descriptor, Line(content, after).fetch, quiet)


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_a_layout_arrives_and_leaves_nothing_beside_it(tmp_path: Path, name: str) -> None:
    content, descriptor = random_blob(1000)
    received(tmp_path, content, descriptor, name=name)
    layout = open_layout(tmp_path / name, name)
    assert (layout.index(), layout.blob(descriptor), layout.digests()) == (INDEX, content, (descriptor.digest,))
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_a_large_blob_goes_on_where_it_broke_off(tmp_path: Path, name: str) -> None:
    content, descriptor = random_blob(LARGE)
    interrupted(tmp_path, content, descriptor, 3 * 2**20, name)
    assert not (tmp_path / name).exists()
    line = received(tmp_path, content, descriptor, name=name)
    assert line.served == LARGE - 3 * 2**20
    assert open_layout(tmp_path / name, name).blob(descriptor) == content


def test_a_small_blob_starts_over(tmp_path: Path) -> None:
    content, descriptor = random_blob(1000)
    interrupted(tmp_path, content, descriptor, 300)
    assert received(tmp_path, content, descriptor).served == 1000


@pytest.mark.parametrize("damage", ["changed", "too long"])
def test_what_is_left_of_a_blob_may_be_damaged(tmp_path: Path, damage: str) -> None:
    content, descriptor = random_blob(LARGE)
    interrupted(tmp_path, content, descriptor, 2**20)
    (part,) = tmp_path.glob(".out.partial/blobs/sha256/*.part")
    part.write_bytes(os.urandom(2**20) if damage == "changed" else os.urandom(LARGE + 1))
    received(tmp_path, content, descriptor)
    assert open_layout(tmp_path / "out", "out").blob(descriptor) == content


def test_a_blob_that_was_whole_is_hashed_before_it_is_believed(tmp_path: Path) -> None:
    content, descriptor = random_blob(1000)
    with receiver(tmp_path) as incoming:
        incoming.receive(descriptor, Line(content).fetch, quiet)
    place = tmp_path / ".out.partial/blobs/sha256" / descriptor.digest.hex
    with receiver(tmp_path) as incoming:
        assert incoming.holds(descriptor)
    place.write_bytes(os.urandom(1000))
    with receiver(tmp_path) as incoming:
        assert not incoming.holds(descriptor)
        with pytest.raises(BundleRefusedError) as raised:
            incoming.blob(descriptor)
    assert raised.value.findings[0].code == "blob-digest-mismatch"


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_what_the_layout_that_stands_there_has_is_taken_from_it(tmp_path: Path, name: str) -> None:
    content, descriptor = random_blob(1000)
    received(tmp_path, content, descriptor, name=name)
    other_content, other = random_blob(2000)
    with receiver(tmp_path, name) as incoming:
        assert incoming.holds(descriptor)
        assert not incoming.holds(other)
        incoming.receive(other, Line(other_content).fetch, quiet)
        incoming.finish(INDEX, [descriptor, other])
    layout = open_layout(tmp_path / name, name)
    assert (layout.blob(descriptor), layout.blob(other)) == (content, other_content)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_damaged_blob_of_the_layout_that_stands_there_is_not_taken(tmp_path: Path) -> None:
    content, descriptor = random_blob(1000)
    received(tmp_path, content, descriptor)
    (tmp_path / "out/blobs/sha256" / descriptor.digest.hex).write_bytes(os.urandom(1000))
    assert received(tmp_path, content, descriptor).served == 1000


def test_what_was_got_for_another_bundle_is_not_left_in_the_layout(tmp_path: Path) -> None:
    first, one = random_blob(1000)
    second, two = random_blob(1000)
    with receiver(tmp_path) as incoming:
        incoming.receive(one, Line(first).fetch, quiet)
    received(tmp_path, second, two)
    assert open_layout(tmp_path / "out", "out").digests() == (two.digest,)


def test_two_cannot_write_one_layout(tmp_path: Path) -> None:
    with receiver(tmp_path), pytest.raises(InputError) as raised, receiver(tmp_path):
        pass
    (finding,) = raised.value.findings
    assert (finding.code, finding.message) == ("output-busy", "another process is writing `out`")
    assert finding.hint == "wait for it to end, or choose another path with -o"
    with receiver(tmp_path):
        pass


@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_something_else_is_not_replaced(tmp_path: Path, name: str) -> None:
    content, descriptor = random_blob(10)
    with receiver(tmp_path, name) as incoming:
        incoming.receive(descriptor, Line(content).fetch, quiet)
        (tmp_path / name).mkdir()
        (tmp_path / name / "letter").write_text("dear")
        with pytest.raises(InputError) as raised:
            incoming.finish(INDEX, [descriptor])
    assert raised.value.findings[0].code == "output-not-a-layout"
    assert (tmp_path / name / "letter").read_text() == "dear"


def test_where_nothing_may_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as raised, receiver(tmp_path, "file/out"):
        pass
    (finding,) = raised.value.findings
    assert (finding.code, finding.message) == ("cannot-write", "`file/out`: Not a directory")
