"""Tar archives: reproducible when we write them, bounded and distrusted when we read them.

Nothing is ever extracted to disk. Links, devices, sparse files, absolute or climbing paths, and a path given twice
are refused, and every count and size has a limit: archives come from elsewhere.
"""

from __future__ import annotations

import io
import itertools
import struct
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, Self

from renderer.model.trees.tree import FileTree, RelativePath
from renderer.structs import Struct

_GZIP_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
_BLOCK: Final = 0xFFFF
LAYOUT_MEMBERS: Final = 200_000
"""Files of an OCI layout in a tar file."""
HEADER_LIMIT: Final = 64 * 1024
"""Bytes of one extended header, and of all global ones together."""
_CHAIN_LIMIT: Final = 4
_TAIL_LIMIT: Final = 2**20
_CHECKSUM: Final = slice(148, 156)
_EXTENDED_HEADERS: Final = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)


class ArchiveError(ValueError):
    """An archive that cannot be read, or that we refuse to read."""


class ArchiveLimits(Struct, frozen=True, kw_only=True):
    """What an archive may hold: members, bytes of one file, bytes of all files after decompression."""

    members: int = 20_000
    file: int = 32 * 2**20
    total: int = 128 * 2**20


DEFAULT: Final = ArchiveLimits()


class _Archive(tarfile.TarFile):
    """A tar file being read, and how far its extended headers have gone."""

    chained = 0
    of_globals = 0


class _BoundedTarInfo(tarfile.TarInfo):
    """Headers are judged before `tarfile` follows them: it reads extended ones of any size, one within the other."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read a header block. `tarfile` takes checksums for numbers; here they also have to be spelled as usual."""
        found = super().frombuf(buf, encoding, errors)
        total = sum(buf) - sum(buf[_CHECKSUM]) + 8 * ord(" ")
        if bytes(buf[_CHECKSUM]) not in {b"%06o\0 " % total, b"%06o \0" % total, b"%07o\0" % total}:
            raise ArchiveError(f"the header of `{found.name}` does not have the checksum that it says")
        return found

    def _proc_member(self, archive: _Archive) -> tarfile.TarInfo:
        if self.size < 0:
            raise ArchiveError(f"the member `{self.name}` has a negative size")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise ArchiveError(f"the member `{self.name}` is a sparse file")
        if self.type not in _EXTENDED_HEADERS:
            return self._follow(archive)
        if self.size > HEADER_LIMIT:
            raise ArchiveError(f"an extended header has {self.size} bytes; {HEADER_LIMIT} are allowed")
        if self.type == tarfile.XGLTYPE:
            archive.of_globals += self.size
        archive.chained += 1
        if archive.chained > _CHAIN_LIMIT or archive.of_globals > HEADER_LIMIT:
            raise ArchiveError(f"there are too many extended headers before `{self.name}`")
        found = self._follow(archive)
        archive.chained = 0
        return found

    def _follow(self, archive: _Archive) -> tarfile.TarInfo:
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return found

    def _sparse(self, following: tarfile.TarInfo, *_: object) -> None:
        raise ArchiveError(f"the member `{following.name}` is a sparse file")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _sparse


def members(
    stream: BinaryIO,
    *,
    limit: int,
    repeats: bool = False,
    links: dict[str, str] | None = None,
    strict: bool = False,
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The path and header of every regular file in an uncompressed tar, in order, without reading contents.

    A leading `./` is dropped. Raises ArchiveError at the first member that a careful reader must not follow; a path
    that comes again is one, unless `repeats` says that it may. With `links` links are noted there, path and target
    below the root, instead of being refused. With `strict` nothing but zeros may lie between members and behind the
    last, and the end must be marked: of a file that is carried by hand no byte may change.
    """
    seen: set[str] = set()
    position = -1
    try:
        with _Archive(fileobj=stream, mode="r", tarinfo=_BoundedTarInfo, encoding="utf-8") as archive:
            for count in itertools.count(1):
                member = archive.next()
                if member is None:
                    break
                archive.members.clear()  # type: ignore[attr-defined] # `tarfile` remembers them all
                if count > limit:
                    raise ArchiveError(f"the archive has more than {limit} members")
                if member.offset_data <= position or member.size < 0 or member.issparse():
                    raise ArchiveError(f"the member `{member.name}` does not lie behind the one before it")
                position = member.offset_data
                if links is not None and (member.issym() or member.islnk()):
                    link, target = _link(member)
                    links[link] = target
                    continue
                path = _path(member)
                if path is None:
                    continue
                if path in seen and not repeats:
                    raise ArchiveError(f"the archive holds `{path}` twice")
                seen.add(path)
                if strict:
                    _check_padding(stream, path, member)
                yield path, member
            _check_end(stream, archive.offset, strict=strict)
    except ArchiveError:
        raise
    except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
        raise ArchiveError(f"the archive is damaged: {error}") from error


def _check_padding(stream: BinaryIO, path: str, member: tarfile.TarInfo) -> None:
    """Refuse what is not zero between the end of a file and the next header, and a file that ends too early."""
    padding = -member.size % tarfile.BLOCKSIZE
    stream.seek(member.offset_data + member.size - 1)
    if len(between := stream.read(1 + padding)) != 1 + padding:
        raise ArchiveError(f"the archive ends in the middle of `{path}`")
    if between[1:].strip(b"\0"):
        raise ArchiveError(f"something lies behind `{path}` that belongs to no member")


def _check_end(stream: BinaryIO, position: int, *, strict: bool) -> None:
    """Refuse a header that cannot be read: `tarfile` takes it for the end, other readers may not."""
    stream.seek(position)
    if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise ArchiveError("the archive is damaged: bad header")
    if not strict:
        return
    stream.seek(position)
    tail = stream.read(_TAIL_LIMIT + 1)
    if len(tail) > _TAIL_LIMIT or tail.strip(b"\0"):
        raise ArchiveError("something follows the end of the archive")
    if len(tail) < 2 * tarfile.BLOCKSIZE or len(tail) % tarfile.BLOCKSIZE:
        raise ArchiveError("the archive is cut short: its end is not marked")


def _link(member: tarfile.TarInfo) -> tuple[str, str]:
    """Where a link lies and what it means: symbolic links count from where they lie, hard links from the root."""
    path = member.name.removeprefix("./")
    target = path.split("/")[:-1] if member.issym() else []
    for step in member.linkname.split("/"):
        if step == ".." and target:
            target.pop()
        elif step not in ("", "."):
            target.append(step)
    try:
        return str(RelativePath(path)), str(RelativePath("/".join(target)))
    except ValueError as error:
        raise ArchiveError(f"the link `{path}` leads out of the archive: {error}") from error


def _path(member: tarfile.TarInfo) -> str | None:
    """The path of a regular file; None for a directory."""
    path = member.name.removeprefix("./")
    if member.isdir() and path in ("", "."):
        return None
    try:
        RelativePath(path.removesuffix("/"))
    except ValueError as error:
        raise ArchiveError(f"the archive has a member that would leave its root: {error}") from error
    if member.isdir():
        return None
    if not member.isreg():
        kind = "a link" if member.issym() or member.islnk() else "a device or another special file"
        raise ArchiveError(f"the member `{path}` is {kind}; only files and directories are allowed")
    return path


def unpack(content: bytes, limits: ArchiveLimits = DEFAULT, *, repeats: bool = False) -> FileTree:
    """The files of a tar or tar+gzip archive. Raises ArchiveError.

    With `repeats` the last of several members of one path counts, as it does for Helm: published charts have them.
    """
    if content.startswith(b"\x1f\x8b"):
        content = _decompressed(content, limits.total)
    files: dict[str, bytes] = {}
    total = 0
    for path, member in members(io.BytesIO(content), limit=limits.members, repeats=repeats):
        total += member.size
        if member.size > limits.file:
            raise ArchiveError(f"`{path}` has {member.size} bytes; {limits.file} are allowed in one file")
        if total > limits.total:
            raise ArchiveError(f"the archive holds more than {limits.total} bytes")
        body = content[member.offset_data : member.offset_data + member.size]
        if len(body) != member.size:
            raise ArchiveError(f"the archive ends in the middle of `{path}`")
        files[path] = body
    try:
        return FileTree.of(files.items())
    except ValueError as error:
        raise ArchiveError(str(error)) from error


def _decompressed(content: bytes, limit: int) -> bytes:
    """Every gzip member of `content`, decompressed; at most `limit` bytes and some room for tar headers."""
    room = limit + limit // 8 + 2**20
    parts: list[bytes] = []
    rest = content
    while rest.startswith(b"\x1f\x8b"):
        engine = zlib.decompressobj(wbits=31)
        try:
            part = engine.decompress(rest, room + 1)
        except zlib.error as error:
            raise ArchiveError(f"the archive is damaged: {error}") from error
        room -= len(part)
        if room < 0:
            raise ArchiveError(f"the archive holds more than {limit} bytes when decompressed")
        if not engine.eof:
            raise ArchiveError("the archive ends in the middle of its compressed data")
        parts.append(part)
        rest = engine.unused_data
    if rest.strip(b"\0"):
        raise ArchiveError("something follows the compressed data of the archive")
    return b"".join(parts)


def pack(tree: FileTree, root: str = "") -> bytes:
    """`tree` as a reproducible tar+gzip: path order, no times, owners or modes, one fixed gzip header.

    With `root` every path lies below that directory. Equal trees give equal bytes, whatever compression library there
    is: the content is stored, not compressed. zlib and zlib-ng, which distributions exchange for each other, make
    different bytes of the same files, and a bundle would have another digest on another machine.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, body in tree.under(root).items():
            archive.addfile(header(path, len(body)), io.BytesIO(body))
    return _stored(buffer.getvalue())


def _stored(content: bytes) -> bytes:
    """Gzip (RFC 1952), its header without name, time and system, around stored blocks (RFC 1951, section 3.2.4)."""
    parts = [_GZIP_HEADER]
    starts = range(0, len(content), _BLOCK) or range(1)
    for start in starts:
        block = content[start : start + _BLOCK]
        parts.append(struct.pack("<BHH", start == starts[-1], len(block), len(block) ^ 0xFFFF))
        parts.append(block)
    parts.append(struct.pack("<II", zlib.crc32(content), len(content) % 2**32))
    return b"".join(parts)


def header(path: str, size: int) -> tarfile.TarInfo:
    """The tar header of a file, with nothing in it that differs between machines or moments."""
    member = tarfile.TarInfo(path)
    member.size = size
    member.mode = 0o644
    return member
