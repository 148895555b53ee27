"""A question and its catalog to one version per extension, or to a conflict as data.

The search is PubGrub's (https://github.com/dart-lang/pub/blob/master/doc/solver.md), by the library nab-resolver,
which has its one home here. Its sets of versions are exact: a catalog is finite, so a range becomes the set of offered
versions that it admits, whatever its prerelease rules. A capability is a package of its own, whose "versions" are the
extensions that provide it. What it answers is checked again by `broken_rules`, which knows nothing of the search.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from renderer.model.extension import Extension, Requirement, RequirementKind
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
    Want,
    broken_rules,
    meets,
    obstacle,
)
from renderer.model.version import Constraint, Version

if TYPE_CHECKING:
    from collections.abc import Callable

    from nab_resolver.types import Incompatibility

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
    universe = _Universe(question)
    answer = _search(universe, rounds)
    if isinstance(answer, _Proof):
        return _conflict(question, answer.causes, proved=answer.complete)
    resolution = _resolution(question, universe, answer)
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
        answer = _search(_Universe(replace(question, wants=kept)), _FEW_ROUNDS) if kept else None
        if isinstance(answer, _Proof) and answer.complete:
            conflict = _conflict(question, answer.causes)
    return conflict


class _Relation(NamedTuple):
    """How one set lies to another, as the solver asks for it."""

    is_subset: bool
    is_disjoint: bool


class _VersionSet:
    """A set of indices into the offered versions of one package, as the bits of an integer.

    Negative integers are sets that also hold all indices beyond the offered ones, so every operation is exact.
    """

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask

    @classmethod
    def empty(cls) -> _VersionSet:
        return cls(0)

    @classmethod
    def full(cls) -> _VersionSet:
        return cls(-1)

    @classmethod
    def singleton(cls, version: int) -> _VersionSet:
        return cls(1 << version)

    @property
    def is_empty(self) -> bool:
        return not self.mask

    def __contains__(self, version: int) -> bool:
        return bool(self.mask >> version & 1)

    def __and__(self, other: object) -> _VersionSet:
        return _VersionSet(self.mask & other.mask) if isinstance(other, _VersionSet) else NotImplemented

    def __or__(self, other: object) -> _VersionSet:
        return _VersionSet(self.mask | other.mask) if isinstance(other, _VersionSet) else NotImplemented

    def __sub__(self, other: object) -> _VersionSet:
        return _VersionSet(self.mask & ~other.mask) if isinstance(other, _VersionSet) else NotImplemented

    def __invert__(self) -> _VersionSet:
        return _VersionSet(~self.mask)

    def is_subset(self, other: _VersionSet) -> bool:
        return not self.mask & ~other.mask

    def is_superset(self, other: _VersionSet) -> bool:
        return not other.mask & ~self.mask

    def is_disjoint(self, other: _VersionSet) -> bool:
        return not self.mask & other.mask

    def relation(self, other: _VersionSet) -> _Relation:
        return _Relation(not self.mask & ~other.mask, not self.mask & other.mask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _VersionSet) and self.mask == other.mask

    def __hash__(self) -> int:
        return hash(self.mask)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The offered versions of one extension, oldest first, and the set of those that the cluster takes."""

    versions: tuple[Extension, ...]
    usable: int
    preferred: int | None

    def where(self, admits: Callable[[Extension], bool]) -> int:
        """The set of usable versions that `admits` admits."""
        return sum(1 << i for i, one in enumerate(self.versions) if self.usable >> i & 1 and admits(one))

    def of(self, mask: int) -> tuple[Version, ...]:
        """The versions in the set, newest first."""
        return tuple(one.version for i, one in reversed(list(enumerate(self.versions))) if mask >> i & 1)


@dataclass(frozen=True, slots=True)
class _Need:
    """A capability that is required: the package that stands for it, and the sets of versions that provide it."""

    requirement: Requirement
    providers: tuple[tuple[str, int], ...]

    @property
    def package(self) -> str:
        """A name that no extension can have, since it holds a space."""
        return str(self.requirement)


class _Universe:
    """The catalog as the solver sees it: packages are extension names and needs, versions are indices."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.needs: dict[str, _Need] = {}
        self._shelves: dict[str, _Shelf] = {}
        self._sets: dict[tuple[str, str], int] = {}
        self._capabilities: dict[str, list[str]] | None = None
        self._wanted = {want.name for want in question.wants}
        self._present: Mapping[str, Any] = {}
        self._restricted: set[tuple[str, int]] = set()
        self._pending: list[Incompatibility[Any, Any]] = []
        self._alike: dict[tuple[str, int], int] = {}
        self._dependencies: dict[tuple[str, int], Mapping[str, _VersionSet]] = {}

    def shelf(self, name: str) -> _Shelf:
        """The offered versions of the extension `name`; none for an unknown name."""
        shelf = self._shelves.get(name)
        if shelf is None:
            versions = self.question.offered(name)[::-1]
            usable = sum(1 << i for i, one in enumerate(versions) if obstacle(self.question, one) is None)
            locked = self.question.preferred.get(name)
            preferred = next((i for i, one in enumerate(versions) if one.version == locked), None)
            shelf = self._shelves[name] = _Shelf(versions, usable, preferred)
        return shelf

    def admitted(self, name: str, constraint: Constraint) -> int:
        """The usable versions of the extension `name` that lie in the range."""
        key = (name, constraint.text)
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = self.shelf(name).where(lambda one: constraint.allows(one.version))
        return found

    def providers(self, requirement: Requirement) -> Iterator[tuple[str, int, int]]:
        """Every extension that knows the capability, in name order: its versions inside and outside of the range."""
        if self._capabilities is None:
            self._capabilities = {}
            for name in self.question.names():
                for capability in sorted({c for one in self.question.offered(name) for c in one.provides}):
                    self._capabilities.setdefault(capability, []).append(name)
        for name in self._capabilities.get(requirement.name, ()):
            shelf = self.shelf(name)
            every = shelf.where(lambda one: requirement.name in one.provides)
            inside = shelf.where(lambda one: meets(one, requirement))
            yield name, inside, every & ~inside

    def need(self, requirement: Requirement) -> _Need:
        """The package that stands for a required capability."""
        found = self.needs.get(str(requirement))
        if found is None:
            providers = tuple((name, inside) for name, inside, _ in self.providers(requirement) if inside)
            found = _Need(requirement, providers)
            self.needs[found.package] = found
        return found

    def target(self, requirement: Requirement) -> tuple[str, int]:
        """The package and the set that a requirement names."""
        if requirement.kind is RequirementKind.EXTENSION:
            return requirement.name, self.admitted(requirement.name, requirement.constraint)
        need = self.need(requirement)
        return need.package, (1 << len(need.providers)) - 1

    def alike(self, package: str, version: int) -> int:
        """The versions that say exactly what this one says of others: what is learned of one holds for all."""
        found = self._alike.get((package, version))
        if found is None:
            shelf = self.shelf(package)
            says = (shelf.versions[version].requires, shelf.versions[version].conflicts)
            found = shelf.where(lambda other: (other.requires, other.conflicts) == says)
            self._alike[package, version] = found
        return found

    def restrictions(self, package: str, version: int) -> Iterator[tuple[str, int, CauseKind, Requirement]]:
        """What may not stand beside this version: packages, their forbidden versions, and by which rule."""
        one = self.shelf(package).versions[version]
        optional = [(CauseKind.RESTRICTS, requirement) for requirement in one.requires if requirement.optional]
        for kind, requirement in optional + [(CauseKind.CONFLICTS, requirement) for requirement in one.conflicts]:
            if requirement.kind is RequirementKind.EXTENSION:
                inside = self.admitted(requirement.name, requirement.constraint)
                outside = self.shelf(requirement.name).usable & ~inside
                sides = [(requirement.name, inside, outside)]
            else:
                sides = list(self.providers(requirement))
            for name, inside, outside in sides:
                forbidden = outside if kind is CauseKind.RESTRICTS else inside
                if forbidden and name != package:
                    yield name, forbidden, kind, requirement

    # From here on: what the solver calls (nab_resolver.resolver.ResolverProvider says when).

    def choose_version(self, package: str, version_range: Any) -> int | None:
        need = self.needs.get(package)
        if need is not None:
            open_choices = [i for i in range(len(need.providers)) if i in version_range]
            return min(open_choices, key=lambda i: self._provider_rank(need.providers[i][0]), default=None)
        shelf = self.shelf(package)
        open_versions: int = version_range.mask & shelf.usable
        if not open_versions:
            return None
        if shelf.preferred is not None and open_versions >> shelf.preferred & 1:
            version = shelf.preferred
        else:
            version = self._newest(package, open_versions)
        self._restrict(package, version)
        return version

    def _newest(self, package: str, open_versions: int) -> int:
        """The newest version whose requirements do not clash at once with what is there, or the newest of all.

        The solver would find out by itself, but only by trying and taking back one version after the other.
        """
        newest = open_versions.bit_length() - 1
        while open_versions:
            version = open_versions.bit_length() - 1
            if all(
                self._leaves_something(name, wanted) for name, wanted in self.get_dependencies(package, version).items()
            ):
                return version
            open_versions &= ~self.alike(package, version)
        return newest

    def _leaves_something(self, name: str, wanted: _VersionSet) -> bool:
        there = self._present.get(name)
        return bool(wanted.mask if there is None else wanted.mask & there.mask)

    def _provider_rank(self, name: str) -> tuple[bool, bool, str]:
        """Providers that are there anyway first, then those of the old lock, then by name."""
        there = name in self._present or name in self._wanted
        return not there, name not in self.question.preferred, name

    def _restrict(self, package: str, version: int) -> None:
        """Tell the solver, once, what may not stand beside this version."""
        if not (one := self.shelf(package).versions[version]).conflicts and not any(r.optional for r in one.requires):
            return
        from nab_resolver.types import Incompatibility, IncompatibilityCause, Term

        alike = self.alike(package, version)
        if (package, alike) in self._restricted:
            return
        self._restricted.add((package, alike))
        for name, forbidden, _, _ in self.restrictions(package, version):
            terms: list[Term[Any, Any]] = [Term(package, _VersionSet(alike)), Term(name, _VersionSet(forbidden))]
            self._pending.append(Incompatibility(terms, IncompatibilityCause.DEPENDENCY))

    def has_satisfying_version(self, package: str, version_range: Any) -> bool:
        known = self.needs[package].providers if package in self.needs else self.shelf(package).versions
        return any(i in version_range for i in range(len(known)))

    def get_dependencies(self, package: str, version: int) -> Mapping[str, _VersionSet]:
        found = self._dependencies.get((package, version))
        if found is None:
            found = self._dependencies[package, version] = dict(self._required(package, version))
        return found

    def _required(self, package: str, version: int) -> Iterator[tuple[str, _VersionSet]]:
        """What this version cannot do without: packages and the sets of their versions that will do."""
        if package in self.needs:
            name, mask = self.needs[package].providers[version]
            yield name, _VersionSet(mask)
            return
        found: dict[str, int] = {}
        for requirement in self.shelf(package).versions[version].requires:
            if not requirement.optional:
                name, mask = self.target(requirement)
                found[name] = found.get(name, -1) & mask
        for name, mask in found.items():
            yield name, _VersionSet(mask)

    def widen_decision(self, package: str, version: int) -> _VersionSet | None:
        return None if package in self.needs else _VersionSet(self.alike(package, version))

    def prioritize(self, package: str, version_range: Any, conflicts: Any, culprits: Any = None) -> tuple[int, int]:  # noqa: ARG002
        """Upgrades, what the profile names, the rest; in each the least choice first; capabilities last of all.

        By then it is known what else there will be, so that a provider which is there anyway can be preferred. Only
        versions that are still open count, so that offers outside of all ranges change nothing.
        """
        if package in self.needs:
            return 3, 0
        tier = 0 if package in self.question.upgrade else 1 if package in self._wanted else 2
        return tier, (version_range.mask & self.shelf(package).usable).bit_count()

    def receive_partial_solution_hint(self, positive_ranges: Mapping[str, Any], decisions: object) -> None:  # noqa: ARG002
        self._present = positive_ranges

    def consume_pending_clauses(self) -> list[Incompatibility[Any, Any]]:
        pending, self._pending = self._pending, []
        return pending

    def begin_decision_scan(self) -> None:
        return None

    def is_ready(self, package: str) -> bool:  # noqa: ARG002
        return True

    def consume_force_backtrack_targets(self) -> list[str]:
        return []

    def narrow_for_display(self, package: str, constraint: Any) -> Any:  # noqa: ARG002
        return constraint


@dataclass(frozen=True, slots=True)
class _Proof:
    """The facts that contradict each other, or none when the search was given up."""

    causes: tuple[Cause, ...]
    complete: bool


def _search(universe: _Universe, rounds: int) -> dict[str, int] | _Proof:
    """Run the solver over `universe`: the chosen index of every package, or the proof that there is none."""
    from nab_resolver.errors import ResolutionError, ResolutionTerminatedError
    from nab_resolver.resolver import Resolver
    from nab_resolver.types import IncompatibilityCause, RootRequirement

    roots: list[RootRequirement[str, int]] = [
        RootRequirement(want.name, _VersionSet(universe.admitted(want.name, want.range)), want)
        for want in sorted(universe.question.wants, key=lambda want: want.name)
    ]
    solver = Resolver(universe, max_iterations=rounds, range_type=_VersionSet, format_range=_not_shown)
    try:
        return solver.resolve(roots)
    except ResolutionTerminatedError:
        return _Proof((), complete=False)
    except ResolutionError as error:
        if error.incompatibility is None:
            return _Proof((), complete=False)
        leaves = [node for node in error.incompatibility.walk() if node.cause is not IncompatibilityCause.DERIVED]
        return _Proof(_causes(universe, leaves), complete=True)


def _not_shown(_: object) -> str:
    """The solver writes a report of its own that nobody reads; this keeps it cheap."""
    return ""


def _causes(universe: _Universe, leaves: Sequence[Incompatibility[Any, Any]]) -> tuple[Cause, ...]:
    """The leaves of a proof as causes, told from the profile downwards, each extension's own together."""
    found: dict[Cause, set[Version]] = {}
    for leaf in leaves:
        for cause in _cause(universe, leaf):
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


def _cause(universe: _Universe, leaf: Incompatibility[Any, Any]) -> Iterator[Cause]:
    """What one leaf of a proof says, in the words of the profile and the bundles."""
    from nab_resolver.types import IncompatibilityCause

    if leaf.cause is IncompatibilityCause.ROOT:
        want: Want = leaf.origin
        constraint = want.range
        fitting = universe.shelf(want.name).of(universe.admitted(want.name, constraint))
        written = str(want.constraint or "")
        yield Cause(kind=CauseKind.WANTS, source=PROFILE, target=want.name, range=written, fitting=fitting)
    if leaf.cause is not IncompatibilityCause.DEPENDENCY:
        return
    source, about = leaf.terms[0], leaf.terms[-1]
    stated, meant = cast("_VersionSet", source.constraint).mask, cast("_VersionSet", about.constraint).mask
    need = universe.needs.get(source.package)
    if need is not None:
        capability, fitting = need.requirement.name, universe.shelf(about.package).of(meant)
        yield Cause(kind=CauseKind.PROVIDED_BY, source=capability, target=about.package, fitting=fitting)
        return
    shelf = universe.shelf(source.package)
    if about.is_positive() and source is not about:
        others = universe.shelf(about.package)
        fitting = others.of(others.usable & ~meant)
        for i, one in enumerate(shelf.versions):
            for name, forbidden, kind, requirement in (
                universe.restrictions(source.package, i) if stated >> i & 1 else ()
            ):
                if (name, forbidden) == (about.package, meant):
                    yield _statement(kind, source.package, (one.version,), requirement, name, fitting)
        return
    for i, one in enumerate(shelf.versions):
        for requirement in one.requires if stated >> i & 1 else ():
            package, mask = universe.target(requirement)
            if package == about.package and not requirement.optional:
                fitting = () if package in universe.needs else universe.shelf(package).of(mask)
                versions = (one.version,)
                yield _statement(CauseKind.REQUIRES, source.package, versions, requirement, requirement.name, fitting)


def _statement(
    kind: CauseKind,
    source: str,
    versions: tuple[Version, ...],
    requirement: Requirement,
    target: str,
    fitting: tuple[Version, ...],
) -> Cause:
    """What versions of an extension say of another extension, or of a capability."""
    capability = requirement.kind is RequirementKind.CAPABILITY
    written = str(requirement.constraint)
    return Cause(
        kind=kind,
        source=source,
        target=target,
        range=written,
        versions=versions,
        fitting=fitting,
        capability=capability,
    )


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


def _resolution(question: Question, universe: _Universe, chosen: Mapping[str, int]) -> Resolution:
    """What the solver chose, with the links between the chosen and the optional requirements that brought nothing."""
    names = sorted(name for name in chosen if name not in universe.needs)
    extensions = {name: universe.shelf(name).versions[chosen[name]] for name in names}
    links = {Link(PROFILE, want.name): None for want in question.wants}
    skipped = []
    for name, extension in extensions.items():
        for requirement in extension.requires:
            if requirement.kind is RequirementKind.EXTENSION:
                targets = [requirement.name] if requirement.name in extensions else []
            elif requirement.optional:
                targets = [other for other, one in extensions.items() if meets(one, requirement)]
            else:
                need = universe.need(requirement)
                targets = [need.providers[chosen[need.package]][0]]
            links |= {Link(name, target, requirement): None for target in targets if target != name}
            if not targets:
                offered = requirement.kind is RequirementKind.EXTENSION and universe.shelf(requirement.name).versions
                why = "it is not enabled" if offered else "no bundle offers it"
                skipped.append(Skipped(name, requirement, why))
    ordered = sorted(links, key=lambda link: (link.source != PROFILE, link.source, link.target, str(link.requirement)))
    return Resolution(extensions=tuple(extensions.values()), links=tuple(ordered), skipped=tuple(skipped))
