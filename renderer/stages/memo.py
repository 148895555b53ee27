"""What pure functions gave before, so that a run over many sites computes it once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Memo:
    """Results of pure functions by key. Two threads may both compute one; the results are equal."""

    def __init__(self) -> None:
        self._results: dict[Hashable, Any] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result remembered for `key`, made now if there is none."""
        if key not in self._results:
            self._results[key] = make()
        return cast("T", self._results[key])
