"""A conflict to prose: because, therefore, and what would solve it.

The facts are those of the solver's proof, told from the profile downwards, grouped and shortened. A suggestion is
printed only when the question, changed that way, was asked again and had an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from renderer.errors import Finding, Where
from renderer.model.extension import ClusterRole, Extension
from renderer.model.resolution import (
    PROFILE,
    Candidate,
    Cause,
    CauseKind,
    Conflict,
    Obstacle,
    ObstacleKind,
    Question,
    Resolution,
    Want,
)
from renderer.model.version import Constraint, Version

Attempt = Callable[[Question], Resolution | Conflict]

_FACT_LIMIT: Final = 16  # lines of facts; a longer story is cut in its middle
_SUGGESTION_LIMIT: Final = 5
_ATTEMPT_LIMIT: Final = 8  # each takes up to about a fifth of a second on a large catalog
_RUN_LIMIT: Final = 5  # a longer run of extensions that each require just the next is cut
_SHOWN_VERSIONS: Final = 3
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?")


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
        message = f"the extensions {_listed(names)} cannot be enabled together"
    facts = _shortened(_facts(conflict))
    told = [f"because {facts[0]}", *(f"    and {fact}" for fact in facts[1:]), f"therefore {_therefore(conflict)}"]
    return Finding(
        code="no-resolution",
        message=message,
        where=Where(path="spec.extensions"),
        explanation=(*told, offered, *_solutions(conflict, question, attempt)),
    )


_GIVEN_UP: Final = "narrow the version ranges in the profile, so that there is less to try"


def _unknown(conflict: Conflict, question: Question, attempt: Attempt) -> Finding:
    """The finding for names that no bundle offers."""
    names = [f"`{name}`" for name in conflict.unknown]
    lines = []
    for name in conflict.unknown:
        near = [f"`{other}`" for other in conflict.nearest.get(name, ())]
        lines.append(f"`{name}` is spelled like {_listed(near, 'or')}" if near else f"no offered name is like `{name}`")
    hint = "enable only what the bundles offer, or add the bundle that offers it to `spec.bundles`"
    swaps = {name: conflict.nearest[name][0] for name in conflict.unknown if conflict.nearest.get(name)}
    if len(swaps) == len(conflict.unknown):
        wants = tuple(replace(want, name=swaps.get(want.name, want.name)) for want in question.wants)
        distinct = len({want.name for want in wants}) == len(wants)
        if distinct and isinstance(attempt(replace(question, wants=wants)), Resolution):
            hint = f"write {_listed([f'`{near}` instead of `{name}`' for name, near in swaps.items()])}"
    return Finding(
        code="unknown-extension",
        message=f"no bundle offers {'the extension' if len(names) == 1 else 'the extensions'} {_listed(names)}",
        where=Where(path="spec.extensions"),
        explanation=(*lines[:_FACT_LIMIT], _searched(conflict)),
        hint=hint,
    )


def _searched(conflict: Conflict) -> str:
    if not conflict.bundles:
        return "the profile names no bundle"
    return f"looked at: {_listed([f'bundle {name}' for name in conflict.bundles])}"


# ---- because


@dataclass(frozen=True, slots=True)
class _Fact:
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
        return f"the profile enables {target}{_within(first)}{_availability(conflict, first)}"
    if kind is CauseKind.PROVIDED_BY:
        providers = [f"`{cause.target}` {_versions(cause.fitting)}" for cause in causes]
        return f"the capability `{first.source}` comes only from {_listed(providers, 'or')}"
    if kind is CauseKind.CONFLICTS:
        why = ", which provides a capability that it excludes" if first.capability else _within(first)
        return f"{_source(conflict, first)} conflicts with {target}{why}"
    verb = "requires" if kind is CauseKind.REQUIRES else "does not pull in but, where it is there, takes only"
    if first.capability and kind is CauseKind.REQUIRES:
        missing = ", which no offered extension provides for this cluster"
        missing = "" if _has_provider(conflict, first) else missing
        return f"{_source(conflict, first)} {verb} the capability {target}{_within(first)}{missing}"
    if len(causes) == 1:
        rest = _within(first) + _availability(conflict, first)
        return f"{_source(conflict, first)} {verb} {target}{rest}"
    ranges = [f"{_versions(cause.versions)} {cause.range}" for cause in causes[:_SHOWN_VERSIONS]]
    more = f" and {len(causes) - _SHOWN_VERSIONS} more ranges" if len(causes) > _SHOWN_VERSIONS else ""
    return f"`{first.source}` {verb} {target}: {'; '.join(ranges)}{more}"


def _source(conflict: Conflict, cause: Cause) -> str:
    """The versions that state a cause; `every x` when they are all that count."""
    usable = tuple(one.version for one in conflict.candidates[cause.source] if one.obstacle is None)
    if len(usable) > 1 and cause.versions == usable:
        return f"every `{cause.source}`"
    return f"`{cause.source}` {_versions(cause.versions)}"


def _within(cause: Cause) -> str:
    return f" {cause.range}" if cause.range not in {"", "*"} else ""


def _availability(conflict: Conflict, cause: Cause) -> str:
    """What the bundles offer for the target of a cause, and why the rest of it does not count."""
    candidates = conflict.candidates.get(cause.target, ())
    if cause.fitting:
        return f" (offered: {_versions(cause.fitting)})"
    if not candidates:
        near = conflict.nearest.get(cause.target, ())
        return ", which no bundle offers" + (
            f" (they do offer {_listed([f'`{name}`' for name in near])})" if near else ""
        )
    wanted = Constraint.parse(cause.range or "*")
    refused = [one for one in candidates if one.obstacle is not None and wanted.allows(one.version)]
    if refused:
        alike = [one.version for one in refused if one.obstacle == refused[0].obstacle]
        return f", but {_versions(alike)} {_unfit(refused[0].obstacle, many=len(alike) > 1)}"
    offered = f", but the bundles offer only {_versions([one.version for one in candidates])}"
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
            between = f"so on, each requiring the next, through {_few(passed)}"
            run = [*run[:2], between, *run[-2:]]
        lines += run
        start = end + 1
    if len(lines) > _FACT_LIMIT:
        head = _FACT_LIMIT // 2
        cut = len(lines) - _FACT_LIMIT + 1
        lines = [*lines[:head], f"{cut} more requirements in between", *lines[head + cut :]]
    return lines


def _therefore(conflict: Conflict) -> str:
    """Where the facts clash."""
    stated: dict[str, dict[str, set[Version]]] = {}
    required = set()
    for cause in conflict.causes:
        if cause.kind is CauseKind.REQUIRES and cause.capability:
            if not _has_provider(conflict, cause):
                return f"nothing provides the capability `{cause.target}`{_within(cause)}"
        elif cause.kind is not CauseKind.PROVIDED_BY:
            stated.setdefault(cause.target, {}).setdefault(cause.source, set()).update(cause.fitting)
            if cause.kind in {CauseKind.WANTS, CauseKind.REQUIRES}:
                required.add(cause.target)
    needed = {target: sources for target, sources in stated.items() if target in required}
    capabilities = sorted({cause.source for cause in conflict.causes if cause.kind is CauseKind.PROVIDED_BY})
    if capabilities:
        return f"nothing that provides {_listed([f'`{name}`' for name in capabilities])} will do"
    missing = [f"`{target}`" for target, sources in needed.items() if not all(sources.values())]
    if missing:
        return f"no version of {_listed(missing, 'or')} will do"
    for target, sources in needed.items():
        if not set.intersection(*sources.values()):
            names = ["the profile" if source == PROFILE else f"`{source}`" for source in sources]
            return f"no version of `{target}` suits {_listed(names)}"
    return "these cannot all hold"


def _has_provider(conflict: Conflict, need: Cause) -> bool:
    return any(one.kind is CauseKind.PROVIDED_BY and one.source == need.target for one in conflict.causes)


# ---- what would solve it


def _solutions(conflict: Conflict, question: Question, attempt: Attempt) -> list[str]:
    """The changes that were tried and do solve it, as lines."""
    wanted = {cause.target for cause in conflict.causes if cause.kind is CauseKind.WANTS}
    others = tuple(want for want in question.wants if want.name not in wanted)
    more = bool(others) and not isinstance(attempt(replace(question, wants=others)), Resolution)
    if more:  # nothing here solves everything, so it is tried what solves this conflict
        question = replace(question, wants=tuple(want for want in question.wants if want.name in wanted))
    found: list[str] = []
    for change, changed in islice(_changes(conflict, question, alone=not others), _ATTEMPT_LIMIT):
        answer = attempt(changed) if len(found) < _SUGGESTION_LIMIT else None
        if isinstance(answer, Resolution):
            found.append(f"  - {change(answer)}")
    if not found:
        return ["no single change that was tried solves it; several are needed at once"]
    each = ", each alone" if len(found) > 1 else ""
    rest = " (the other extensions of the profile have at least one more)" if more else ""
    return [f"what would solve {'this conflict' if more else 'it'}{each}{rest}:", *found]


Change = tuple[Callable[[Resolution], str], Question]


def _changes(conflict: Conflict, question: Question, *, alone: bool) -> Iterator[Change]:
    """Changes worth a try, the least first: how to say it, given the answer, and the question so changed.

    `alone` is true when the profile enables nothing but what clashes: to enable nothing at all solves nothing.
    """
    wanted = {cause.target for cause in conflict.causes if cause.kind is CauseKind.WANTS}
    for want in question.wants:
        if want.name in wanted:
            yield from _widened(question, want)
    yield from _other_cluster(conflict, question)
    for want in question.wants:
        rest = tuple(other for other in question.wants if other is not want)
        if want.name in wanted and (rest or not alone):
            yield _said(f"do not enable `{want.name}`"), replace(question, wants=rest)
    yield from _added(conflict, question)


def _said(text: str) -> Callable[[Resolution], str]:
    return lambda _: text


def _widened(question: Question, want: Want) -> Iterator[Change]:
    """The profile's range for one extension, opened to every release, or to every version where that adds none."""
    added = [one.version for one in question.offered(want.name) if not want.range.allows(one.version)]
    if not added:
        return
    wider = Constraint.parse(">=0.0.0-0" if all(version.is_prerelease for version in added) else "*")
    wants = tuple(Want(want.name, wider) if other is want else other for other in question.wants)

    def spoken(answer: Resolution) -> str:
        written = want.constraint or "any release"
        return f"let the profile's range for `{want.name}` ({written}) take {answer.version_of(want.name)}"

    yield spoken, replace(question, wants=wants)


def _other_cluster(conflict: Conflict, question: Question) -> Iterator[Change]:
    """Another Kubernetes version, or another role of the cluster, for versions that are refused only for that."""
    seen = set()
    for cause in conflict.causes:
        for candidate in conflict.candidates.get(cause.target, ()) if not cause.fitting else ():
            obstacle = candidate.obstacle
            if obstacle is None or obstacle in seen:
                continue
            seen.add(obstacle)
            if obstacle.kind is ObstacleKind.KUBERNETES:
                version = _nearest(Constraint.parse(obstacle.needs), question.kubernetes)
                if version is not None:
                    text = (
                        f"run Kubernetes {version} (any that {obstacle.needs} admits may do) instead of {obstacle.has}"
                    )
                    yield _said(text), replace(question, kubernetes=version)
            elif obstacle.kind is ObstacleKind.ROLE:
                text = f"enable `{cause.target}` on a {obstacle.needs} cluster"
                yield _said(text), replace(question, role=ClusterRole(obstacle.needs))


def _added(conflict: Conflict, question: Question) -> Iterator[Change]:
    """A bundle that offers what is missing, taken to require nothing that is not there."""
    for cause in conflict.causes:
        if cause.kind not in {CauseKind.WANTS, CauseKind.REQUIRES} or cause.fitting:
            continue
        version = _nearest(Constraint.parse(cause.range or "*"), Version(1, 0, 0))
        if version is None:
            continue
        if cause.capability:
            missing = Extension(name="assumed", version=Version(1, 0, 0), provides={cause.target: version})
            what = f"an extension that provides `{cause.target}`{_within(cause)}"
        else:
            missing = Extension(name=cause.target, version=version)
            what = f"`{cause.target}`{_within(cause)}"
        known = any(one.version == missing.version for one in question.offered(missing.name))
        fit = " for this cluster" if known or conflict.candidates.get(cause.target) else ""
        text = f"add a bundle that offers {what}{fit}, and what that in turn requires"
        yield _said(text), replace(question, assumed=(*question.assumed, missing))


def _nearest(wanted: Constraint, to: Version) -> Version | None:
    """A version that `wanted` admits, made from the versions that it names, as near to `to` as can be."""
    named = [Version.parse(text) for text in _NUMBERS.findall(wanted.text) if _reads(text)]
    steps = [(one.major, one.minor + step) for one in [to, *named] for step in (-1, 0, 1)]
    steps += [(one.major - 1, 0) for one in named]
    near = [Version(major, minor, 0) for major, minor in steps if major >= 0 and minor >= 0]
    releases = [Version(one.major, one.minor, one.patch) for one in named]
    admitted = [one for one in [*releases, *near, *named] if wanted.allows(one)]
    # Releases before prereleases, upgrades before downgrades of the same size.
    return min(
        admitted,
        key=lambda one: (one.is_prerelease, abs(one.major - to.major), abs(one.minor - to.minor), one < to, one),
        default=None,
    )


def _reads(text: str) -> bool:
    try:
        Version.parse(text)
    except ValueError:
        return False
    return True


# ---- words


def _versions(versions: Sequence[Version]) -> str:
    """Versions newest first; of a long list only how many and how far."""
    if len(versions) <= _SHOWN_VERSIONS:
        return ", ".join(str(version) for version in versions)
    return f"{len(versions)} versions from {versions[-1]} to {versions[0]}"


def _few(names: Sequence[str]) -> str:
    return (
        _listed(names)
        if len(names) <= _SHOWN_VERSIONS
        else f"{names[0]}, {names[1]} … {names[-1]} ({len(names)} extensions)"
    )


def _listed(names: Sequence[str], last: str = "and") -> str:
    """`a`, `b` and `c`; more than eight are cut."""
    if len(names) > 8:
        names = [*names[:7], f"{len(names) - 7} more"]
    return f" {last} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
