"""What would solve a conflict: changes that were tried, and with which there is an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from renderer.model.bundles.extension import ClusterRole, Extension
from renderer.model.resolution import CauseKind, Conflict, ObstacleKind, Question, Resolution, Want
from renderer.model.version import Constraint, Version
from renderer.stages.explain.phrases import within
from renderer.structs import replace

Attempt = Callable[[Question], Resolution | Conflict]

_SUGGESTION_LIMIT: Final = 5
_ATTEMPT_LIMIT: Final = 8  # each takes up to about a fifth of a second on a large catalog
_NUMBERS = re.compile(r"[0-9]+(?:\.[0-9]+){0,2}(?:-[0-9A-Za-z.-]+)?")


def solutions(conflict: Conflict, question: Question, attempt: Attempt) -> list[str]:
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
            what = f"an extension that provides `{cause.target}`{within(cause)}"
        else:
            missing = Extension(name=cause.target, version=version)
            what = f"`{cause.target}`{within(cause)}"
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
