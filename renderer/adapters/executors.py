"""Running one function over many items, one after another or a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from renderer.structs import Struct

T = TypeVar("T")
R = TypeVar("R")

__all__ = ["SerialExecutor", "ThreadExecutor"]


class SerialExecutor(Struct, frozen=True):
    """One item after another in the calling thread; stops at the first exception."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Sequence[R]:
        """The results in the order of the items; the first exception is raised."""
        return [function(item) for item in items]


class ThreadExecutor(Struct, frozen=True):
    """A few items at a time. Two threads are best for Helm on two cores; more gain nothing (DESIGN, measurements)."""

    workers: int = 2

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError("an executor needs at least one worker")

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Sequence[R]:
        """The results in the order of the items; of several exceptions the one of the earliest item is raised."""
        with ThreadPoolExecutor(self.workers) as pool:
            futures = [pool.submit(function, item) for item in items]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()
