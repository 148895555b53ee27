"""How long to wait, how often to try again; the clock and the pause are arguments, so that tests need not wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Final

from renderer.structs import Struct

_LONGEST_ASKED: Final = 300.0


class Patience(Struct, frozen=True, kw_only=True):
    """`attempts` in all; pauses double from `first` to `longest` seconds, without jitter: runs stay repeatable."""

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic

    def pause(self, failures: int, asked: float | None) -> None:
        """Wait after the n-th failure in a row (from 1). What the registry asked for counts when it is longer."""
        delay: float = min(self.longest, self.first * 2 ** (failures - 1))
        self.sleep(max(delay, min(asked, _LONGEST_ASKED)) if asked is not None else delay)


def retry_after(headers: Message) -> float | None:
    """The seconds of `Retry-After` (RFC 9110, 10.2.3), or None. A date is compared with the answer's own `Date`."""
    value = str(headers.get("Retry-After", "")).strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
        date = headers.get("Date")
        since = parsedate_to_datetime(str(date)) if date else datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError):  # no date; or one with and one without a time zone
        return None
