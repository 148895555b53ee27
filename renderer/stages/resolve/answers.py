"""Ask the solver, and make a checked resolution or a conflict of what it says.

What the search answers is checked again by `broken_rules`, which knows nothing of the search.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from renderer.model.bundles.extension import ClusterRole, RequirementKind
from renderer.model.resolution import (
    PROFILE,
    Candidate,
    Cause,
    CauseKind,
    Conflict,
    Link,
    Question,
    Resolution,
    Skipped,
    broken_rules,
    meets,
    obstacle,
)
from renderer.stages.resolve.causes import causes_of
from renderer.stages.resolve.offers import Offers
from renderer.stages.resolve.solver import Proof, search
from renderer.structs import replace

_ROUNDS: Final = 100_000  # of the search; 200 extensions of 30 versions with much conflict take some 10,000
_FEW_ROUNDS: Final = 2_000  # where an answer is nice to have: about a fifth of a second on such a catalog
_NARROWING_LIMIT: Final = 8  # searches spent on finding out which of the wants clash


def resolve(question: Question) -> Resolution | Conflict:
    """The newest versions that work together, or why there are none.

    Deterministic, and independent of offers that nothing asks for. Preferred versions are kept while they fit.
    Raises RuntimeError when the solver's answer does not stand its check, which is a bug.
    """
    answer = _answer(question, _ROUNDS)
    return _narrowed(question, answer) if isinstance(answer, Conflict) else answer


def attempt(question: Question, rounds: int = _FEW_ROUNDS) -> Resolution | Conflict:
    """Like `resolve`, with little effort, counted in rounds of the search: to see what a change would bring."""
    return _answer(question, rounds)


def _answer(question: Question, rounds: int) -> Resolution | Conflict:
    unknown = tuple(sorted({want.name for want in question.wants} - set(question.names())))
    if unknown:
        causes = (Cause(kind=CauseKind.WANTS, source=PROFILE, target=name) for name in unknown)
        return _conflict(question, causes, unknown=unknown)
    offers = Offers(question)
    answer = search(offers, rounds)
    if isinstance(answer, Proof):
        return _conflict(question, causes_of(offers, answer), proved=answer.complete)
    resolution = _resolution(question, offers, answer)
    broken = broken_rules(question, resolution)
    if broken:
        raise RuntimeError(f"the solver's answer is wrong, please report it: {'; '.join(broken)}")
    return resolution


def _narrowed(question: Question, conflict: Conflict) -> Conflict:
    """The conflict of as few wants as a bounded number of further searches can isolate; fewer tell better."""

    def wanted() -> set[str]:
        return {cause.target for cause in conflict.causes if cause.kind is CauseKind.WANTS}

    if conflict.unknown:
        return conflict
    for name in sorted(wanted())[:_NARROWING_LIMIT]:
        kept = tuple(want for want in question.wants if want.name in wanted() - {name})
        offers = Offers(replace(question, wants=kept))
        answer = search(offers, _FEW_ROUNDS) if kept else None
        if isinstance(answer, Proof) and answer.complete:
            conflict = _conflict(question, causes_of(offers, answer))
    return conflict


def _conflict(
    question: Question, causes: Iterable[Cause], *, unknown: tuple[str, ...] = (), proved: bool = True
) -> Conflict:
    """The causes with what the bundles offer for every extension that they name."""
    told = tuple(causes)
    sources = {cause.source for cause in told if cause.kind is not CauseKind.PROVIDED_BY} - {PROFILE}
    targets = {cause.target for cause in told if not (cause.capability and cause.kind is CauseKind.REQUIRES)}
    offered = {name: question.offered(name) for name in sorted(sources | targets)}
    every = question.names()
    return Conflict(
        causes=told,
        candidates={
            name: tuple(Candidate(one.version, obstacle(question, one)) for one in versions)
            for name, versions in offered.items()
        },
        unknown=unknown,
        nearest={
            name: tuple(difflib.get_close_matches(name, every, n=3, cutoff=0.6))
            for name, versions in offered.items()
            if not versions
        },
        bundles=tuple(bundle.id for bundle in question.catalog.bundles),
        proved=proved,
    )


def _resolution(question: Question, offers: Offers, chosen: Mapping[str, int]) -> Resolution:
    """What the solver chose, with the links between the chosen and the optional requirements that brought nothing."""
    names = sorted(name for name in chosen if name not in offers.needs)
    extensions = {name: offers.shelf(name).versions[chosen[name]] for name in names}
    links = {Link(PROFILE, want.name): None for want in question.wants}
    skipped = []
    for name, extension in extensions.items():
        for requirement in extension.requires:
            if requirement.kind is RequirementKind.EXTENSION:
                targets = [requirement.name] if requirement.name in extensions else []
            elif requirement.optional:
                targets = [other for other, one in extensions.items() if meets(one, requirement)]
            else:
                need = offers.need(requirement)
                targets = [need.providers[chosen[need.package]][0]]
            links |= {Link(name, target, requirement): None for target in targets if target != name}
            if not targets:
                offered = requirement.kind is RequirementKind.EXTENSION and offers.shelf(requirement.name).versions
                why = "it is not enabled" if offered else "no bundle offers it"
                if offered and offers.question.role is ClusterRole.MEMBER and not offers.shelf(requirement.name).usable:
                    why = "only the host cluster runs it"
                skipped.append(Skipped(name, requirement, why))
    ordered = sorted(links, key=lambda link: (link.source != PROFILE, link.source, link.target, str(link.requirement)))
    return Resolution(extensions=tuple(extensions.values()), links=tuple(ordered), skipped=tuple(skipped))
