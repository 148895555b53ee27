"""What a chart archive holds, without Helm: template sources, for scanning and for rendering them changed.

Format: https://helm.sh/docs/topics/charts/ . A chart archive is a gzipped tar with one top directory; subcharts lie
unpacked in `charts/<name>/` or packed as `charts/<name>-<version>.tgz`. Bounds are those of Helm's own loader.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from typing import Final

__all__ = ["ChartArchiveError", "template_sources", "with_sources"]

_ARCHIVE_LIMIT: Final = 100 * 2**20
_FILE_LIMIT: Final = 5 * 2**20
_NESTING_LIMIT: Final = 8
_MEMBER_LIMIT: Final = 20_000


class ChartArchiveError(ValueError):
    """Bytes that are not a chart archive, or one that passes a limit."""


def template_sources(archive: bytes) -> dict[str, str]:
    """The templates and `values.yaml` of a chart and of all its subcharts, by path, in path order.

    `values.yaml` counts because charts pass strings of it to `tpl`. Raises ChartArchiveError.
    """
    found: dict[str, str] = {}
    _collect(archive, "", found, 0)
    return dict(sorted(found.items()))


def with_sources(archive: bytes, change: Callable[[str], str]) -> bytes:
    """The same chart with every text that `template_sources` gives changed. Raises ChartArchiveError.

    Only what a chart consists of is kept, so that the same archive gives the same bytes.
    """
    return _rewritten(archive, change, 0)


def _rewritten(archive: bytes, change: Callable[[str], str], depth: int) -> bytes:
    if depth > _NESTING_LIMIT:
        raise ChartArchiveError(f"charts are packed more than {_NESTING_LIMIT} levels deep")
    buffer = io.BytesIO()
    try:
        with (
            tarfile.open(fileobj=io.BytesIO(_unzipped(archive)), mode="r:") as members,
            tarfile.open(fileobj=buffer, mode="w:") as changed,
        ):
            for member in members:
                file = members.extractfile(member) if member.isreg() else None
                if file is None:
                    continue
                content, path = file.read(), member.name.removeprefix("./")
                if _is_packed_chart(path):
                    content = _rewritten(content, change, depth + 1)
                elif _is_template(path):
                    content = change(content.decode("utf-8", errors="surrogateescape")).encode(
                        "utf-8", errors="surrogateescape"
                    )
                entry = tarfile.TarInfo(member.name)
                entry.size = len(content)
                changed.addfile(entry, io.BytesIO(content))
    except tarfile.TarError as error:
        raise ChartArchiveError(f"the chart archive cannot be read: {error}") from error
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def _collect(archive: bytes, prefix: str, found: dict[str, str], depth: int) -> None:
    if depth > _NESTING_LIMIT:
        raise ChartArchiveError(f"charts are packed more than {_NESTING_LIMIT} levels deep")
    try:
        with tarfile.open(fileobj=io.BytesIO(_unzipped(archive)), mode="r:") as members:
            for count, member in enumerate(members):
                if count >= _MEMBER_LIMIT:
                    raise ChartArchiveError(f"the chart archive has more than {_MEMBER_LIMIT} files")
                path = member.name.removeprefix("./")
                packed = _is_packed_chart(path)
                if not member.isreg() or not (packed or _is_template(path)):
                    continue
                if member.size > _FILE_LIMIT:
                    raise ChartArchiveError(f"`{path}` in the chart archive is larger than {_FILE_LIMIT} bytes")
                file = members.extractfile(member)
                content = file.read() if file is not None else b""
                if packed:
                    _collect(content, f"{prefix}{path.rpartition('/')[0]}/", found, depth + 1)
                else:
                    found[prefix + path] = content.decode("utf-8", errors="replace")
    except tarfile.TarError as error:
        raise ChartArchiveError(f"the chart archive cannot be read: {error}") from error


def _unzipped(archive: bytes) -> bytes:
    """The tar inside, decompressed up to the limit and no further."""
    decompressor = zlib.decompressobj(wbits=31)
    try:
        content = decompressor.decompress(archive, _ARCHIVE_LIMIT)
    except zlib.error as error:
        raise ChartArchiveError(f"the chart archive is not gzip: {error}") from error
    if decompressor.unconsumed_tail:
        raise ChartArchiveError(f"the chart archive unpacks to more than {_ARCHIVE_LIMIT} bytes")
    if not decompressor.eof:
        raise ChartArchiveError("the chart archive is cut short")
    return content


def _is_template(path: str) -> bool:
    """True for `<chart>/[charts/<sub>/…]templates/…` and the `values.yaml` of a chart; not for files of `files/`."""
    parts = path.split("/")[1:]
    while len(parts) > 2 and parts[0] == "charts":
        parts = parts[2:]
    return parts == ["values.yaml"] or (len(parts) > 1 and parts[0] == "templates")


def _is_packed_chart(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 2 and parts[-2] == "charts" and path.endswith(".tgz") and not parts[-1].startswith((".", "_"))
