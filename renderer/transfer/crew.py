"""A few threads that talk to one registry, stop together, and stop asking a registry that will not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from renderer.errors import HopelessError

T = TypeVar("T")
R = TypeVar("R")


class StoppedError(Exception):
    """The run was interrupted; what is under way breaks off."""


class Crew:
    """Runs work in `jobs` threads. Interrupting the calling thread makes all of them break off at their next step."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._stop = threading.Event()
        self._hopeless: HopelessError | None = None

    @classmethod
    @contextmanager
    def of(cls, jobs: int) -> Iterator[Crew]:
        """A crew for the length of a `with` block."""
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="registry")
        crew = cls(pool)
        try:
            yield crew
        finally:
            crew._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def step(self) -> None:
        """Called by work now and then: raises StoppedError when the run was interrupted."""
        if self._stop.is_set():
            raise StoppedError

    def attempt(self, work: Callable[[], R]) -> R:
        """What `work` gives. After a hopeless failure every further attempt fails with it at once."""
        self.step()
        if self._hopeless is not None:
            raise self._hopeless
        try:
            return work()
        except HopelessError as error:  # asking on costs time, or locks an account
            self._hopeless = error
            raise

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Sequence[R]:
        """The results in the order of the items; the exception of the earliest item is raised."""
        futures = [self._pool.submit(work, item) for item in items]
        return [future.result() for future in futures]

    def submit(self, work: Callable[[T], R], item: T) -> Future[R]:
        """Start work on one item."""
        return self._pool.submit(work, item)

    def finished(self, running: set[Future[R]]) -> set[Future[R]]:
        """Wait until some of `running` are over; they are taken out of the set."""
        over, _ = wait(running, return_when=FIRST_COMPLETED)
        running -= over
        return over
