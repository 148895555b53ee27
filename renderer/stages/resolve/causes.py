"""The proof that there is no answer, in the words of the profile and the bundles."""

from __future__ import annotations

from collections.abc import Iterator

from renderer.model.bundles.extension import Requirement, RequirementKind
from renderer.model.resolution import PROFILE, Cause, CauseKind, Want
from renderer.model.version import Version
from renderer.stages.resolve.offers import Offers
from renderer.stages.resolve.solver import Clause, Proof
from renderer.structs import replace


def causes_of(offers: Offers, proof: Proof) -> tuple[Cause, ...]:
    """The facts of a proof as causes, told from the profile downwards, each extension's own together."""
    found: dict[Cause, set[Version]] = {}
    for cause in _stated(offers, proof):
        found.setdefault(replace(cause, versions=()), set()).update(cause.versions)
    causes = [replace(cause, versions=tuple(sorted(versions, reverse=True))) for cause, versions in found.items()]
    by_source: dict[str, list[Cause]] = {}
    for cause in sorted(causes, key=lambda cause: (cause.target, cause.kind.value, cause.range)):
        by_source.setdefault(cause.source, []).append(cause)
    told: list[Cause] = []
    waiting = [PROFILE]
    while waiting:
        here = by_source.pop(waiting.pop(), [])
        told += here
        # What the profile wants comes first, then each want with all that it leads to.
        waiting += [cause.target for cause in reversed(here)]
    return tuple(told + [cause for rest in by_source.values() for cause in rest])


def _stated(offers: Offers, proof: Proof) -> Iterator[Cause]:
    for want in proof.wants:
        yield _wanted(offers, want)
    for clause in proof.clauses:
        if clause.source in offers.needs:
            yield _provided(offers, clause)
        elif clause.forbids:
            yield from _forbidden(offers, clause)
        else:
            yield from _required(offers, clause)


def _wanted(offers: Offers, want: Want) -> Cause:
    """What the profile asks for."""
    fitting = offers.shelf(want.name).of(offers.admitted(want.name, want.range))
    written = str(want.constraint or "")
    return Cause(kind=CauseKind.WANTS, source=PROFILE, target=want.name, range=written, fitting=fitting)


def _provided(offers: Offers, clause: Clause) -> Cause:
    """One of those who provide a capability."""
    capability = offers.needs[clause.source].requirement.name
    fitting = offers.shelf(clause.about).of(clause.meant)
    return Cause(kind=CauseKind.PROVIDED_BY, source=capability, target=clause.about, fitting=fitting)


def _forbidden(offers: Offers, clause: Clause) -> Iterator[Cause]:
    """The optional requirements and the conflicts that a clause comes from."""
    others = offers.shelf(clause.about)
    fitting = others.of(others.usable & ~clause.meant)
    for i, version in _stating(offers, clause):
        for name, forbidden, kind, requirement in offers.restrictions(clause.source, i):
            if (name, forbidden) == (clause.about, clause.meant):
                yield _statement(kind, clause.source, version, requirement, name, fitting)


def _required(offers: Offers, clause: Clause) -> Iterator[Cause]:
    """The requirements that a clause comes from."""
    shelf = offers.shelf(clause.source)
    for i, version in _stating(offers, clause):
        for requirement in shelf.versions[i].requires:
            package, mask = offers.target(requirement)
            if package == clause.about and not requirement.optional:
                fitting = () if package in offers.needs else offers.shelf(package).of(mask)
                yield _statement(CauseKind.REQUIRES, clause.source, version, requirement, requirement.name, fitting)


def _stating(offers: Offers, clause: Clause) -> Iterator[tuple[int, Version]]:
    """The versions that say what the clause says, oldest first, with their indices."""
    for i, one in enumerate(offers.shelf(clause.source).versions):
        if clause.stated >> i & 1:
            yield i, one.version


def _statement(
    kind: CauseKind,
    source: str,
    version: Version,
    requirement: Requirement,
    target: str,
    fitting: tuple[Version, ...],
) -> Cause:
    """What a version of an extension says of another extension, or of a capability."""
    return Cause(
        kind=kind,
        source=source,
        target=target,
        range=str(requirement.constraint),
        versions=(version,),
        fitting=fitting,
        capability=requirement.kind is RequirementKind.CAPABILITY,
    )
