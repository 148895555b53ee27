"""Progress of a transfer: one line that rewrites itself on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TextIO

_REDRAW: Final = 0.1
_PLAIN: Final = 10.0
_WINDOW: Final = 5.0
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


class Silent:
    """Satisfies `Progress` by saying nothing: for `--quiet` and `--format json`."""

    def begin(self, blobs: int, size: int) -> None:
        """Say nothing."""

    def sending(self, what: str, size: int) -> None:
        """Say nothing."""

    def sent(self, what: str, position: int) -> None:
        """Say nothing."""

    def done(self, what: str) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class TransferProgress:
    """Satisfies `Progress` on `stream`: bytes, rate, time left, and what is being sent.

    On a terminal the line is redrawn ten times a second at most and wiped at the end; elsewhere a line is written
    every ten seconds, so that short transfers say nothing.
    """

    def __init__(self, stream: TextIO, *, terminal: bool, width: int = 100, clock: Callable[[], float] | None = None):
        self._stream = stream
        self._terminal = terminal
        self._width = width
        self._clock = clock or time.monotonic
        self._lock = threading.Lock()
        self._blobs = self._size = self._over = self._moved = 0
        self._under_way: dict[str, list[int]] = {}
        self._samples: list[tuple[float, int]] = []
        self._drawn = 0.0
        self._visible = False

    def begin(self, blobs: int, size: int) -> None:
        """The transfer starts."""
        with self._lock:
            self._blobs, self._size = blobs, size
            self._drawn = self._clock()
            self._samples = [(self._drawn, 0)]

    def sending(self, what: str, size: int) -> None:
        """A blob starts."""
        with self._lock:
            self._under_way[what] = [0, size]

    def sent(self, what: str, position: int) -> None:
        """The registry has this many bytes of a blob. What an earlier run sent counts as moved."""
        with self._lock:
            blob = self._under_way.setdefault(what, [0, position])
            self._moved += position - blob[0]
            blob[0] = position
            self._draw()

    def done(self, what: str) -> None:
        """A blob is over."""
        with self._lock:
            position, size = self._under_way.pop(what, [0, 0])
            self._moved += size - position
            self._over += 1
            self._draw()

    def end(self) -> None:
        """Leave the terminal as it was."""
        with self._lock:
            if self._visible:
                self._stream.write("\r\x1b[K")
                self._stream.flush()
                self._visible = False

    def _draw(self) -> None:
        now = self._clock()
        if now - self._drawn < (_REDRAW if self._terminal else _PLAIN):
            return
        self._drawn = now
        self._samples.append((now, self._moved))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.pop(0)
        line = self._line(now)[: self._width - 1]
        self._stream.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._visible = self._terminal
        self._stream.flush()

    def _line(self, now: float) -> str:
        first, moved = self._samples[0]
        rate = (self._moved - moved) / (now - first) if now > first else 0.0
        left = f", {duration((self._size - self._moved) / rate)} left" if rate > 0 else ""
        share = 100 * self._moved // self._size if self._size else 100
        busy = sorted(self._under_way.items(), key=lambda one: -one[1][1])[:2]
        what = ", ".join(f"{name[7:19]} {volume(have)}/{volume(size)}" for name, (have, size) in busy)
        return (
            f"{share:3}% {volume(self._moved)} of {volume(self._size)}, {volume(int(rate))}/s{left}, "
            f"{self._over} of {self._blobs} blobs" + (f": {what}" if what else "")
        )


def volume(number: int) -> str:
    """A number of bytes in few characters: `12 B`, `3.4 MiB`."""
    value = float(number)
    for unit in _UNITS:
        if value < 1024 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{number} B" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """A length of time in few characters: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
