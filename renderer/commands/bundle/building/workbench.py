"""What `bundle build` works with, beside files: a chart engine, and registries."""

from __future__ import annotations

from collections.abc import Callable

from renderer.ports import ChartEngine, Executor, Registry
from renderer.stages.memo import Memo
from renderer.structs import Struct, field


class Workbench(Struct, frozen=True, kw_only=True):
    """What inflates charts, how many at a time, and what it remembers, so that equal work is done once.

    `registry` gives the registry at an address (`https://host[:port]`), the same one each time; it may raise
    InputError and must stay usable until the bundle is written. `jobs` is how many images are asked for at once.
    """

    engine: ChartEngine
    executor: Executor
    registry: Callable[[str], Registry]
    jobs: int = 4
    memo: Memo = field(default_factory=Memo)
