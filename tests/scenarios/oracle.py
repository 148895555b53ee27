"""The same question, put to resolvelib: an engine that shares nothing with ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import resolvelib

from renderer.model.bundles.extension import Extension, RequirementKind
from renderer.model.resolution import Question
from renderer.model.version import Constraint


def ask_resolvelib(asked: Question, rounds: int) -> Mapping[str, Extension] | None:
    """What resolvelib chooses, or None when it finds that there is nothing to choose.

    It knows required extensions only. Raises resolvelib.ResolutionTooDeep when it gives up after `rounds`.
    """
    requirements = [(want.name, want.range) for want in asked.wants]
    try:
        chosen = resolvelib.Resolver(Oracle(asked), resolvelib.BaseReporter()).resolve(requirements, rounds).mapping
    except resolvelib.ResolutionImpossible:
        return None
    return dict(chosen)


class Oracle(resolvelib.AbstractProvider):  # type: ignore[type-arg]
    """Requirements are (name, constraint), candidates are extensions, newest first."""

    def __init__(self, asked: Question) -> None:
        self.asked = asked

    def identify(self, requirement_or_candidate: Any) -> str:
        one = requirement_or_candidate
        return str(one.name if isinstance(one, Extension) else one[0])

    def get_preference(self, identifier: str, *_: Any, **__: Any) -> Any:
        return identifier

    def find_matches(
        self, identifier: str, requirements: Mapping[str, Iterator[Any]], incompatibilities: Mapping[str, Iterator[Any]]
    ) -> Iterable[Extension]:
        allowed: list[Constraint] = [constraint for _, constraint in requirements[identifier]]
        refused = {one.version for one in incompatibilities[identifier]}
        offers = [one for one in self.asked.offered(identifier) if one.version not in refused]
        return [one for one in offers if all(constraint.allows(one.version) for constraint in allowed)]

    def is_satisfied_by(self, requirement: Any, candidate: Extension) -> bool:
        return bool(requirement[1].allows(candidate.version))

    def get_dependencies(self, candidate: Extension) -> Sequence[Any]:
        assert all(one.kind is RequirementKind.EXTENSION for one in candidate.requires)
        return [(one.name, one.constraint) for one in candidate.requires]
