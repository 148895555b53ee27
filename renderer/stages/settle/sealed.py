"""The mode `sealed`: captured once by `sitewright lock`, encrypted in git, the same bytes at every render."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.errors import Finding
from renderer.model.generated.groups import GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Mode, Ruling
from renderer.model.generated.values import GeneratedValue
from renderer.stages.settle.unbuilt import not_built
from renderer.stages.settle.ways import Answer, Task


def settled(task: Task) -> Answer:
    """Nothing yet: the placeholders stay, and `lacking` stops the run."""
    return Answer(drafts=tuple(item.draft for item in task.items))


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]],
    groups: Mapping[str, GeneratedGroup],  # noqa: ARG001 - all ways are asked alike
    policy: GeneratedPolicy,  # noqa: ARG001 - all ways are asked alike
) -> tuple[Finding, ...]:
    """One finding (`generated-mode-unsupported`) for everything."""
    return not_built(fields, Mode.SEALED)
