"""The finding that tells a conflict to a person."""

from __future__ import annotations

from typing import Final

from renderer.errors import Finding, Where
from renderer.model.resolution import CauseKind, Conflict, Question, Resolution
from renderer.stages.explain.phrases import listed
from renderer.stages.explain.solutions import Attempt, solutions
from renderer.stages.explain.story import because, therefore
from renderer.structs import replace

_GIVEN_UP: Final = "narrow the version ranges in the profile, so that there is less to try"
_NAME_LIMIT: Final = 16  # names that no bundle offers, each on a line


def explain(conflict: Conflict, question: Question, attempt: Attempt) -> Finding:
    """The finding that tells `conflict`, the answer to `question`, to a person.

    Its code is `unknown-extension` when the profile enables a name that no bundle offers, else `no-resolution`; its
    explanation has at most about 25 lines. `attempt` answers a changed question with little effort; it is called a
    bounded number of times, and what it cannot answer is not suggested.
    """
    offered = _searched(conflict)
    if not conflict.proved:
        message = "the search for versions that work together was given up before it found any or proved that none do"
        return Finding(code="no-resolution", message=message, explanation=(offered,), hint=_GIVEN_UP)
    if conflict.unknown:
        return _unknown(conflict, question, attempt)
    names = [f"`{cause.target}`" for cause in conflict.causes if cause.kind is CauseKind.WANTS]
    if len(names) == 1:
        message = f"the extension {names[0]} cannot be enabled"
    else:
        message = f"the extensions {listed(names)} cannot be enabled together"
    facts = because(conflict)
    told = [f"because {facts[0]}", *(f"    and {fact}" for fact in facts[1:]), f"therefore {therefore(conflict)}"]
    return Finding(
        code="no-resolution",
        message=message,
        where=Where(path="spec.extensions"),
        explanation=(*told, offered, *solutions(conflict, question, attempt)),
    )


def _unknown(conflict: Conflict, question: Question, attempt: Attempt) -> Finding:
    """The finding for names that no bundle offers."""
    names = [f"`{name}`" for name in conflict.unknown]
    lines = []
    for name in conflict.unknown:
        near = [f"`{other}`" for other in conflict.nearest.get(name, ())]
        lines.append(f"`{name}` is spelled like {listed(near, 'or')}" if near else f"no offered name is like `{name}`")
    hint = "enable only what the bundles offer, or add the bundle that offers it to `spec.bundles`"
    swaps = {name: conflict.nearest[name][0] for name in conflict.unknown if conflict.nearest.get(name)}
    if len(swaps) == len(conflict.unknown):
        wants = tuple(replace(want, name=swaps.get(want.name, want.name)) for want in question.wants)
        distinct = len({want.name for want in wants}) == len(wants)
        if distinct and isinstance(attempt(replace(question, wants=wants)), Resolution):
            hint = f"write {listed([f'`{near}` instead of `{name}`' for name, near in swaps.items()])}"
    return Finding(
        code="unknown-extension",
        message=f"no bundle offers {'the extension' if len(names) == 1 else 'the extensions'} {listed(names)}",
        where=Where(path="spec.extensions"),
        explanation=(*lines[:_NAME_LIMIT], _searched(conflict)),
        hint=hint,
    )


def _searched(conflict: Conflict) -> str:
    if not conflict.bundles:
        return "the profile names no bundle"
    return f"looked at: {listed([f'bundle {name}' for name in conflict.bundles])}"
