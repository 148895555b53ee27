"""Tar archives: reproducible when we write them, bounded and distrusted when we read them.

Nothing is ever extracted to disk. Links, devices, sparse files, absolute or climbing paths, and a path given twice
are refused, and every count and size has a limit: archives come from elsewhere.
"""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from renderer.model.trees.tree import FileTree, RelativePath

_GZIP_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
_HEADER_LIMIT: Final = 64 * 1024
_EXTENDED_HEADERS: Final = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)


class ArchiveError(ValueError):
    """An archive that cannot be read, or that we refuse to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may hold: members, bytes of one file, bytes of all files after decompression."""

    members: int = 20_000
    file: int = 32 * 2**20
    total: int = 256 * 2**20


DEFAULT: Final = ArchiveLimits()


class _BoundedTarInfo(tarfile.TarInfo):
    """Headers are judged before `tarfile` follows them: it reads extended headers of any size."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0:
            raise ArchiveError(f"the member `{self.name}` has a negative size")
        if self.type in _EXTENDED_HEADERS and self.size > _HEADER_LIMIT:
            raise ArchiveError(f"an extended header has {self.size} bytes; {_HEADER_LIMIT} are allowed")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise ArchiveError(f"the member `{self.name}` is a sparse file")
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return found


def members(
    stream: BinaryIO, *, limit: int, repeats: bool = False, links: dict[str, str] | None = None
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """The path and header of every regular file in an uncompressed tar, in order, without reading contents.

    A leading `./` is dropped. Raises ArchiveError at the first member that a careful reader must not follow; a path
    that comes again is one, unless `repeats` says that it may. With `links` links are noted there, path and target
    below the root, instead of being refused.
    """
    seen: set[str] = set()
    position = -1
    try:
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=_BoundedTarInfo) as archive:
            for count, member in enumerate(archive, start=1):
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
                yield path, member
            _check_end(stream, archive.offset)
    except ArchiveError:
        raise
    except (tarfile.TarError, EOFError, OverflowError, ValueError) as error:
        raise ArchiveError(f"the archive is damaged: {error}") from error


def _check_end(stream: BinaryIO, position: int) -> None:
    """Refuse a header that cannot be read: `tarfile` takes it for the end, other readers may not."""
    stream.seek(position)
    if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise ArchiveError("the archive is damaged: bad header")


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

    With `root` every path lies below that directory. Equal trees give equal bytes with the same zlib.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, body in tree.under(root).items():
            archive.addfile(header(path, len(body)), io.BytesIO(body))
    return _compressed(buffer.getvalue())


def _compressed(content: bytes) -> bytes:
    """Gzip (RFC 1952) with every field of its header fixed: no name, no time, unknown system."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = engine.compress(content) + engine.flush()
    return b"".join(
        (_GZIP_HEADER, body, zlib.crc32(content).to_bytes(4, "little"), (len(content) % 2**32).to_bytes(4, "little"))
    )


def header(path: str, size: int) -> tarfile.TarInfo:
    """The tar header of a file, with nothing in it that differs between machines or moments."""
    member = tarfile.TarInfo(path)
    member.size = size
    member.mode = 0o644
    return member
