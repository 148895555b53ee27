"""What `bundle build` inflates charts with."""

from __future__ import annotations

from dataclasses import dataclass, field

from renderer.ports import ChartEngine, Executor
from renderer.stages.memo import Memo


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What inflates charts, how many at a time, and what it remembers, so that equal work is done once."""

    engine: ChartEngine
    executor: Executor
    memo: Memo = field(default_factory=Memo)
