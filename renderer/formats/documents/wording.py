"""Words and tables in which commands speak of bundles and images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.formats.bundle.document import spell_time
from renderer.model.bundles.bundle import Bundle
from renderer.model.fields import Json
from renderer.model.reference import Digest

_SHOWN: Final = 10
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


def headline(bundle: Bundle) -> str:
    """Which bundle it is, on one line."""
    return f"bundle {bundle.name} {bundle.version}, sequence {bundle.sequence}, created {spell_time(bundle.created)}"


def identity(bundle: Bundle, manifest: Digest) -> dict[str, Json]:
    """Which bundle it is, for machines: the first fields of every document about one."""
    return {
        "bundle": bundle.name,
        "version": str(bundle.version),
        "sequence": bundle.sequence,
        "created": spell_time(bundle.created),
        "manifest": str(manifest),
    }


def count(number: int, noun: str) -> str:
    """`1 image`, `3 images`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """A size for people: `512 bytes`, `34.5 KiB`."""
    value = float(number)
    for unit in _UNITS[:-1]:
        if value < 1024:
            return f"{number} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} {_UNITS[-1]}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Lines of a table whose columns are as wide as they must be."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in (headings, *rows)
    ]


def some(lines: list[str], where: str = "") -> tuple[str, ...]:
    """The first of many lines, how many more there are, and `where` to find them."""
    shown = tuple(lines[:_SHOWN])
    return (*shown, f"… and {len(lines) - _SHOWN} more{where}") if len(lines) > _SHOWN else shown
