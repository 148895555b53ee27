"""When a package was packed, as its archive says: `helm package` and `ksbuilder package` write the time."""

from __future__ import annotations

import tarfile
import zlib
from datetime import UTC, datetime

__all__ = ["packed_at"]


def packed_at(archive: bytes) -> datetime | None:
    """The time of the first file of a tar+gzip archive, in UTC; None when it has none that can be read."""
    try:
        header = zlib.decompressobj(wbits=31).decompress(archive, tarfile.BLOCKSIZE)
        seconds = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").mtime
        return datetime.fromtimestamp(int(seconds), UTC) if seconds > 0 else None
    except (zlib.error, tarfile.HeaderError, ValueError, OverflowError, OSError):
        return None
