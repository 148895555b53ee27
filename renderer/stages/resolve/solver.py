"""The search, which is PubGrub's (https://github.com/dart-lang/pub/blob/master/doc/solver.md).

The library nab-resolver does it, and has its one home here: `_Guide` answers what it asks, and `search` hands out what
it found in words of our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from renderer.model.resolution import Want
from renderer.stages.resolve.offers import Offers
from renderer.stages.resolve.version_set import VersionSet
from renderer.structs import Struct

if TYPE_CHECKING:
    from nab_resolver.types import Incompatibility


class Clause(Struct, frozen=True):
    """What the versions in the set `stated` of the package `source` say of the package `about`.

    They need one of the set `meant`, or stand beside none of it where `forbids` is true.
    """

    source: str
    stated: int
    about: str
    meant: int
    forbids: bool


class Proof(Struct, frozen=True):
    """What contradicts each other; not `complete`, and empty, when the search was given up."""

    wants: tuple[Want, ...] = ()
    clauses: tuple[Clause, ...] = ()
    complete: bool = False


def search(offers: Offers, rounds: int) -> dict[str, int] | Proof:
    """Search in at most `rounds` rounds: the chosen index of every package, or the proof that there is none."""
    from nab_resolver.errors import ResolutionError, ResolutionTerminatedError
    from nab_resolver.resolver import Resolver
    from nab_resolver.types import RootRequirement

    roots: list[RootRequirement[str, int]] = [
        RootRequirement(want.name, VersionSet(offers.admitted(want.name, want.range)), want)
        for want in sorted(offers.question.wants, key=lambda want: want.name)
    ]
    solver = Resolver(_Guide(offers), max_iterations=rounds, range_type=VersionSet, format_range=_not_shown)
    try:
        return solver.resolve(roots)
    except ResolutionTerminatedError:
        return Proof()
    except ResolutionError as error:
        return _proof(error.incompatibility) if error.incompatibility is not None else Proof()


def _not_shown(_: object) -> str:
    """The solver writes a report of its own that nobody reads; this keeps it cheap."""
    return ""


def _proof(contradiction: Incompatibility[Any, Any]) -> Proof:
    """The leaves of the solver's proof."""
    from nab_resolver.types import IncompatibilityCause

    wants: list[Want] = []
    clauses: list[Clause] = []
    for leaf in contradiction.walk():
        if leaf.cause is IncompatibilityCause.ROOT:
            wants.append(leaf.origin)
        elif leaf.cause is IncompatibilityCause.DEPENDENCY:
            source, about = leaf.terms[0], leaf.terms[-1]
            stated, meant = cast("VersionSet", source.constraint).mask, cast("VersionSet", about.constraint).mask
            forbids = about.is_positive() and source is not about
            clauses.append(Clause(source.package, stated, about.package, meant, forbids))
    return Proof(tuple(wants), tuple(clauses), complete=True)


class _Guide:
    """Answers the solver's questions about the offers (nab_resolver.resolver.ResolverProvider says when it asks)."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers
        self._wanted = {want.name for want in offers.question.wants}
        self._present: Mapping[str, Any] = {}
        self._restricted: set[tuple[str, int]] = set()
        self._pending: list[Incompatibility[Any, Any]] = []
        self._dependencies: dict[tuple[str, int], Mapping[str, VersionSet]] = {}

    def choose_version(self, package: str, version_range: Any) -> int | None:
        need = self._offers.needs.get(package)
        if need is not None:
            open_choices = [i for i in range(len(need.providers)) if i in version_range]
            return min(open_choices, key=lambda i: self._provider_rank(need.providers[i][0]), default=None)
        shelf = self._offers.shelf(package)
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
            open_versions &= ~self._offers.alike(package, version)
        return newest

    def _leaves_something(self, name: str, wanted: VersionSet) -> bool:
        there = self._present.get(name)
        return bool(wanted.mask if there is None else wanted.mask & there.mask)

    def _provider_rank(self, name: str) -> tuple[bool, bool, str]:
        """Providers that are there anyway first, then those of the old lock, then by name."""
        there = name in self._present or name in self._wanted
        return not there, name not in self._offers.question.preferred, name

    def _restrict(self, package: str, version: int) -> None:
        """Tell the solver, once, what may not stand beside this version."""
        if not (one := self._offers.shelf(package).versions[version]).conflicts and not any(
            r.optional for r in one.requires
        ):
            return
        from nab_resolver.types import Incompatibility, IncompatibilityCause, Term

        alike = self._offers.alike(package, version)
        if (package, alike) in self._restricted:
            return
        self._restricted.add((package, alike))
        for name, forbidden, _, _ in self._offers.restrictions(package, version):
            terms: list[Term[Any, Any]] = [Term(package, VersionSet(alike)), Term(name, VersionSet(forbidden))]
            self._pending.append(Incompatibility(terms, IncompatibilityCause.DEPENDENCY))

    def has_satisfying_version(self, package: str, version_range: Any) -> bool:
        known = (
            self._offers.needs[package].providers
            if package in self._offers.needs
            else self._offers.shelf(package).versions
        )
        return any(i in version_range for i in range(len(known)))

    def get_dependencies(self, package: str, version: int) -> Mapping[str, VersionSet]:
        found = self._dependencies.get((package, version))
        if found is None:
            required = self._offers.required(package, version)
            found = {name: VersionSet(mask) for name, mask in required.items()}
            self._dependencies[package, version] = found
        return found

    def widen_decision(self, package: str, version: int) -> VersionSet | None:
        return None if package in self._offers.needs else VersionSet(self._offers.alike(package, version))

    def prioritize(self, package: str, version_range: Any, conflicts: Any, culprits: Any = None) -> tuple[int, int]:  # noqa: ARG002
        """Upgrades, what the profile names, the rest; in each the least choice first; capabilities last of all.

        By then it is known what else there will be, so that a provider which is there anyway can be preferred. Only
        versions that are still open count, so that offers outside of all ranges change nothing.
        """
        if package in self._offers.needs:
            return 3, 0
        tier = 0 if package in self._offers.question.upgrade else 1 if package in self._wanted else 2
        return tier, (version_range.mask & self._offers.shelf(package).usable).bit_count()

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
