"""Archives: the same bytes for the same files; nothing hostile gets in."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.formats.archives import ArchiveError, ArchiveLimits, members, pack, unpack
from renderer.model.trees.tree import FileTree

PARTS = st.text("abcü-.x", min_size=1, max_size=6).filter(lambda part: part not in {".", ".."})
TREES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=3).map("/".join), st.binary(max_size=50), max_size=6
).filter(lambda files: not any(other.startswith(f"{path}/") for path in files for other in files))


def archive(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE, form: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as writer:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content)
            writer.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@given(TREES)
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    tree = FileTree.of(files.items())
    assert unpack(pack(tree)) == tree
    assert unpack(pack(tree, "root")).files == {f"root/{path}": content for path, content in tree.items()}


def test_packing_is_reproducible_and_says_nothing_of_the_machine() -> None:
    one = FileTree.of([("b", b"2"), ("a", b"1")])
    two = FileTree.of([("a", b"1"), ("b", b"2")])
    assert pack(one) == pack(two)
    assert pack(one)[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(pack(one)))) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.uname, member.mode) == (0, 0, 0, "", 0o644)


@pytest.mark.parametrize("size", [0, 1, 60_000, 65_535, 3 * 65_535 + 1])
def test_no_compression_library_has_a_say_in_what_is_packed(size: int) -> None:
    """Deflate's stored blocks (RFC 1951, 3.2.4) are all that there is: every library would write the same."""
    content = pack(FileTree.of([("file", bytes(size))]))
    position, found = 10, b""
    final = False
    while not final:
        final = bool(content[position])
        length, complement = struct.unpack_from("<HH", content, position + 1)
        assert (content[position] in {0, 1}, length ^ complement) == (True, 0xFFFF)
        found += content[position + 5 : position + 5 + length]
        position += 5 + length
    assert position == len(content) - 8
    assert gzip.decompress(content) == found


def test_long_and_chinese_names_survive() -> None:
    tree = FileTree.of([(f"{'d' * 120}/{'f' * 120}.yaml", b"x"), ("网站/说明.md", b"y")])
    assert unpack(pack(tree)) == tree


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(("../x", b"")), "leave its root"),
        (archive(("/x", b"")), "leave its root"),
        (archive(("a/../../x", b"")), "leave its root"),
        (archive((".git/hooks/pre-commit", b"")), "leave its root"),
        (archive(("x", b""), kind=tarfile.SYMTYPE), "is a link"),
        (archive(("x", b""), kind=tarfile.LNKTYPE), "is a link"),
        (archive(("x", b""), kind=tarfile.BLKTYPE), "a device"),
        (archive(("x", b"1"), ("x", b"2")), "`x` twice"),
        (archive(("x", b"1"), ("./x", b"2")), "`x` twice"),
        (archive(("x", b"1"), ("x/y", b"2")), "a file and a directory"),
        (archive(("x", b"1" * 600))[:700], "damaged|ends in the middle"),
        (b"not a tar at all" * 100, "damaged"),
        (gzip.compress(archive(("x", b"1")), mtime=0)[:-20], "damaged|ends in the middle"),
        (gzip.compress(archive(("x", b"1")), mtime=0) + b"more", "something follows"),
        (b"\x1f\x8b" + b"\0" * 50, "damaged"),
    ],
    ids=itertools.count(),
)
def test_hostile_and_damaged_archives_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        unpack(content)


def test_the_last_of_several_members_counts_where_that_is_asked_for() -> None:
    content = archive(("x", b"1"), ("x", b"2"))
    assert unpack(content, repeats=True).files == {"x": b"2"}


def test_sizes_and_counts_are_bounded() -> None:
    limits = ArchiveLimits(members=3, file=100, total=250)
    with pytest.raises(ArchiveError, match="more than 3 members"):
        unpack(archive(*((f"f{n}", b"") for n in range(4))), limits)
    with pytest.raises(ArchiveError, match="101 bytes; 100 are allowed in one file"):
        unpack(archive(("x", b"1" * 101)), limits)
    with pytest.raises(ArchiveError, match="more than 250 bytes"):
        unpack(archive(*((f"f{n}", b"1" * 90) for n in range(3))), limits)


def test_a_bomb_is_not_blown_up() -> None:
    bomb = gzip.compress(bytes(64 * 2**20))
    assert len(bomb) < 2**17
    with pytest.raises(ArchiveError, match="more than 1048576 bytes when decompressed"):
        unpack(bomb, ArchiveLimits(total=2**20))


def test_a_negative_size_does_not_send_the_reader_back() -> None:
    # CVE-2025-8194: tarfile follows a negative size backwards, and reads the same member for ever.
    header = tarfile.TarInfo("x")
    raw = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    raw[124:136] = b"\xff" * 8 + (-1024).to_bytes(4, "big", signed=True)
    raw[148:156] = b" " * 8
    raw[148:156] = f"{sum(raw[:512]):06o}\0 ".encode()
    with pytest.raises(ArchiveError):
        unpack(bytes(raw) + bytes(1024))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_extended_headers_are_bounded(kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="an extended header has 100000 bytes"):
        unpack(archive(("x", b"1" * 100_000), kind=kind))


@pytest.mark.parametrize("record", [b"21 GNU.sparse.size=x\n", b"13 size=-512\n", b"9 path=/\n", b"12 path=../\n"])
def test_extended_headers_that_lie_are_refused(record: bytes) -> None:
    extended = archive(("x", record), kind=tarfile.XHDTYPE)[:1024]
    with pytest.raises(ArchiveError):
        unpack(extended + archive(("y", b"")))


def test_a_sparse_file_is_refused() -> None:
    with pytest.raises(ArchiveError, match="sparse"):
        unpack(archive(("x", b""), kind=tarfile.GNUTYPE_SPARSE))


@pytest.mark.parametrize(
    "record",
    [
        b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n",
        b"24 GNU.sparse.map=0,1,2\n",
        b"22 GNU.sparse.size=10\n",
    ],
    ids=["1.0", "0.1", "0.0"],
)
def test_the_map_of_a_sparse_file_is_not_even_read(record: bytes) -> None:
    # Its length is what it says, and `tarfile` reads on until it has so much.
    extended = archive(("x", record), kind=tarfile.XHDTYPE)[:1024]
    with pytest.raises(ArchiveError, match="the member `y` is a sparse file"):
        unpack(extended + archive(("y", b"999999999\n" * 50)))


def test_extended_headers_before_one_member_are_counted() -> None:
    # `tarfile` follows each of them one level deeper.
    extended = archive(("x", b"16 comment=long\n"), kind=tarfile.XHDTYPE)[:1024]
    assert unpack(extended * 4 + archive(("y", b""))).files == {"y": b""}
    with pytest.raises(ArchiveError, match="too many extended headers"):
        unpack(extended * 5_000 + archive(("y", b"")))


def test_global_headers_are_bounded_together() -> None:
    # What they say is copied to every member behind them.
    def comment(number: int) -> bytes:
        record = b" key%d=%b\n" % (number, b"x" * 20_000)
        return b"%d%b" % (len(record) + 5, record)

    headers = (archive(("g", comment(n)), kind=tarfile.XGLTYPE)[: -10_240 + 512] for n in range(4))
    blocks = b"".join(one[: 512 + 512 * 40] + archive((f"f{n}", b""))[:512] for n, one in enumerate(headers))
    with pytest.raises(ArchiveError, match="too many extended headers"):
        unpack(blocks + bytes(1024))


SPELLED = archive(("x", b"1"))


@pytest.mark.parametrize("place", [148, 153, 154, 155])
def test_a_checksum_has_one_spelling(place: int) -> None:
    damaged = bytearray(SPELLED)
    damaged[place] ^= 0x20
    with pytest.raises(ArchiveError):
        unpack(bytes(damaged))


def strictly(content: bytes) -> list[str]:
    """The members of a tar file that is carried by hand."""
    return [name for name, _ in members(io.BytesIO(content), limit=10, strict=True)]


def test_what_other_writers_write_is_strict_enough() -> None:
    two = (("x", b"1"), ("y", b"22" * 300))
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        assert strictly(archive(*two, form=form)) == ["x", "y"]
    # Go's archive/tar ends a file after two blocks of zeros, GNU tar fills the record.
    assert strictly(archive(*two)[: 512 * 6 + 1024 - 512]) == ["x", "y"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SPELLED[:600] + b"!" + SPELLED[601:], "something lies behind `x`"),
        (SPELLED[:1024] + bytes(600) + b"!" + bytes(423), "something follows the end"),
        (SPELLED[:1024] + bytes(512) + SPELLED, "something follows the end"),
        (SPELLED[:1024], "its end is not marked"),
        (SPELLED[:1536], "its end is not marked"),
        (SPELLED[:-1], "its end is not marked"),
        (SPELLED[:700], "ends in the middle of `x`"),
        (SPELLED + bytes(2**20), "something follows the end"),
    ],
    ids=["padding", "tail", "second", "no-end", "half-end", "cut", "short", "endless"],
)
def test_a_file_that_is_carried_holds_nothing_else(content: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        strictly(content)
