"""Because and therefore: the causes of a conflict as sentences, and where they clash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from renderer.model.resolution import PROFILE, Candidate, Cause, CauseKind, Conflict, Obstacle, ObstacleKind
from renderer.model.version import Constraint, Version
from renderer.stages.explain.phrases import SHOWN_VERSIONS, ends, listed, listed_versions, within
from renderer.structs import Struct

_FACT_LIMIT: Final = 16  # lines of facts; a longer story is cut in its middle
_RUN_LIMIT: Final = 5  # a longer run of extensions that each require just the next is cut


def because(conflict: Conflict) -> list[str]:
    """The causes as sentences, long stories cut."""
    return _shortened(_facts(conflict))


class _Fact(Struct, frozen=True):
    """One sentence of the story, and the step from extension to extension that it makes, for cutting long runs."""

    text: str
    source: str
    target: str
    chains: bool


def _facts(conflict: Conflict) -> list[_Fact]:
    """The causes as sentences; the ranges that one extension states for another in one sentence."""
    groups: dict[tuple[CauseKind, str, str], list[Cause]] = {}
    for cause in conflict.causes:
        if cause.kind is CauseKind.PROVIDED_BY:
            groups.setdefault((cause.kind, cause.source, ""), []).append(cause)
        else:
            groups.setdefault((cause.kind, cause.source, cause.target), []).append(cause)
    sources = [source for _, source, _ in groups]
    facts = []
    for (kind, source, target), causes in groups.items():
        chains = kind is CauseKind.REQUIRES and len(causes) == 1 and sources.count(source) == 1
        facts.append(_Fact(_sentence(conflict, kind, causes), source, target, chains))
    return facts


def _sentence(conflict: Conflict, kind: CauseKind, causes: Sequence[Cause]) -> str:
    """What one source says of one target."""
    first = causes[0]
    target = f"`{first.target}`"
    if kind is CauseKind.WANTS:
        return f"the profile enables {target}{within(first)}{_availability(conflict, first)}"
    if kind is CauseKind.PROVIDED_BY:
        providers = [f"`{cause.target}` {listed_versions(cause.fitting)}" for cause in causes]
        return f"the capability `{first.source}` comes only from {listed(providers, 'or')}"
    if kind is CauseKind.CONFLICTS:
        why = ", which provides a capability that it excludes" if first.capability else within(first)
        return f"{_source(conflict, first)} conflicts with {target}{why}"
    verb = "requires" if kind is CauseKind.REQUIRES else "does not pull in but, where it is there, takes only"
    if first.capability and kind is CauseKind.REQUIRES:
        missing = ", which no offered extension provides for this cluster"
        missing = "" if _has_provider(conflict, first) else missing
        return f"{_source(conflict, first)} {verb} the capability {target}{within(first)}{missing}"
    if len(causes) == 1:
        rest = within(first) + _availability(conflict, first)
        return f"{_source(conflict, first)} {verb} {target}{rest}"
    ranges = [f"{listed_versions(cause.versions)} {cause.range}" for cause in causes[:SHOWN_VERSIONS]]
    more = f" and {len(causes) - SHOWN_VERSIONS} more ranges" if len(causes) > SHOWN_VERSIONS else ""
    return f"`{first.source}` {verb} {target}: {'; '.join(ranges)}{more}"


def _source(conflict: Conflict, cause: Cause) -> str:
    """The versions that state a cause; `every x` when they are all that count."""
    usable = tuple(one.version for one in conflict.candidates[cause.source] if one.obstacle is None)
    if len(usable) > 1 and cause.versions == usable:
        return f"every `{cause.source}`"
    return f"`{cause.source}` {listed_versions(cause.versions)}"


def _availability(conflict: Conflict, cause: Cause) -> str:
    """What the bundles offer for the target of a cause, and why the rest of it does not count."""
    candidates = conflict.candidates.get(cause.target, ())
    if cause.fitting:
        return f" (offered: {listed_versions(cause.fitting)})"
    if not candidates:
        near = conflict.nearest.get(cause.target, ())
        return ", which no bundle offers" + (
            f" (they do offer {listed([f'`{name}`' for name in near])})" if near else ""
        )
    wanted = Constraint.parse(cause.range or "*")
    refused = [one for one in candidates if one.obstacle is not None and wanted.allows(one.version)]
    if refused:
        alike = [one.version for one in refused if one.obstacle == refused[0].obstacle]
        return f", but {listed_versions(alike)} {_unfit(refused[0].obstacle, many=len(alike) > 1)}"
    offered = f", but the bundles offer only {listed_versions([one.version for one in candidates])}"
    return offered + _prerelease_note(wanted, candidates)


def _unfit(obstacle: Obstacle | None, *, many: bool) -> str:
    if obstacle is None:
        return "will not do"
    if obstacle.kind is ObstacleKind.KUBERNETES:
        return f"{'need' if many else 'needs'} Kubernetes {obstacle.needs}, and the cluster has {obstacle.has}"
    if obstacle.kind is ObstacleKind.PLATFORM:
        return f"{'are' if many else 'is'} built for {obstacle.needs} only, and the cluster has {obstacle.has}"
    return f"{'belong' if many else 'belongs'} on a {obstacle.needs} cluster, and this is a {obstacle.has} cluster"


def _prerelease_note(wanted: Constraint, candidates: Sequence[Candidate]) -> str:
    """The trap of `>=1.0.0`, which no prerelease satisfies, however new."""
    if any(one.version.is_prerelease and _opened(wanted).allows(one.version) for one in candidates):
        return ", and a range that names no prerelease admits none"
    return ""


def _opened(wanted: Constraint) -> Constraint:
    """`wanted` with prereleases admitted in every group, by a comparator that refuses nothing."""
    try:
        return Constraint.parse("||".join(f"{group} >=0.0.0-0" for group in wanted.text.split("||")))
    except ValueError:  # too long by these few characters
        return wanted


def _shortened(facts: Sequence[_Fact]) -> list[str]:
    """The sentences of `facts`, long runs of simple requirements and then the middle of a long story cut."""
    lines: list[str] = []
    start = 0
    while start < len(facts):
        end = start
        while end + 1 < len(facts) and facts[end].chains and facts[end + 1].chains:
            if facts[end].target != facts[end + 1].source:
                break
            end += 1
        run = [fact.text for fact in facts[start : end + 1]]
        if len(run) > _RUN_LIMIT:
            passed = [f"`{fact.source}`" for fact in facts[start + 2 : end - 1]]
            between = f"so on, each requiring the next, through {ends(passed)}"
            run = [*run[:2], between, *run[-2:]]
        lines += run
        start = end + 1
    if len(lines) > _FACT_LIMIT:
        head = _FACT_LIMIT // 2
        cut = len(lines) - _FACT_LIMIT + 1
        lines = [*lines[:head], f"{cut} more requirements in between", *lines[head + cut :]]
    return lines


def therefore(conflict: Conflict) -> str:
    """Where the facts clash."""
    stated: dict[str, dict[str, set[Version]]] = {}
    required = set()
    for cause in conflict.causes:
        if cause.kind is CauseKind.REQUIRES and cause.capability:
            if not _has_provider(conflict, cause):
                return f"nothing provides the capability `{cause.target}`{within(cause)}"
        elif cause.kind is not CauseKind.PROVIDED_BY:
            stated.setdefault(cause.target, {}).setdefault(cause.source, set()).update(cause.fitting)
            if cause.kind in {CauseKind.WANTS, CauseKind.REQUIRES}:
                required.add(cause.target)
    needed = {target: sources for target, sources in stated.items() if target in required}
    capabilities = sorted({cause.source for cause in conflict.causes if cause.kind is CauseKind.PROVIDED_BY})
    if capabilities:
        return f"nothing that provides {listed([f'`{name}`' for name in capabilities])} will do"
    missing = [f"`{target}`" for target, sources in needed.items() if not all(sources.values())]
    if missing:
        return f"no version of {listed(missing, 'or')} will do"
    for target, sources in needed.items():
        if not set.intersection(*sources.values()):
            names = ["the profile" if source == PROFILE else f"`{source}`" for source in sources]
            return f"no version of `{target}` suits {listed(names)}"
    return "these cannot all hold"


def _has_provider(conflict: Conflict, need: Cause) -> bool:
    return any(one.kind is CauseKind.PROVIDED_BY and one.source == need.target for one in conflict.causes)
