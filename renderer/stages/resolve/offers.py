"""What the catalog holds, as packages and sets of versions.

A catalog is finite, so a range becomes the exact set of offered versions that it admits, whatever its prerelease rules:
an integer whose bit `i` stands for the `i`th oldest version. A capability is a package of its own, whose "versions" are
the extensions that provide it. Nothing here searches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from renderer.model.bundles.extension import Extension, Requirement, RequirementKind
from renderer.model.resolution import CauseKind, Question, meets, obstacle
from renderer.model.version import Constraint, Version
from renderer.structs import Struct


class Shelf(Struct, frozen=True):
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


class Need(Struct, frozen=True):
    """A capability that is required: the package that stands for it, and the sets of versions that provide it."""

    requirement: Requirement
    providers: tuple[tuple[str, int], ...]

    @property
    def package(self) -> str:
        """A name that no extension can have, since it holds a space."""
        return str(self.requirement)


class Offers:
    """The catalog in packages and sets: packages are extension names and needs, versions are indices."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.needs: dict[str, Need] = {}
        self._shelves: dict[str, Shelf] = {}
        self._sets: dict[tuple[str, str], int] = {}
        self._capabilities: dict[str, list[str]] | None = None
        self._alike: dict[tuple[str, int], int] = {}

    def shelf(self, name: str) -> Shelf:
        """The offered versions of the extension `name`; none for an unknown name."""
        shelf = self._shelves.get(name)
        if shelf is None:
            versions = self.question.offered(name)[::-1]
            usable = sum(1 << i for i, one in enumerate(versions) if obstacle(self.question, one) is None)
            locked = self.question.preferred.get(name)
            preferred = next((i for i, one in enumerate(versions) if one.version == locked), None)
            shelf = self._shelves[name] = Shelf(versions, usable, preferred)
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

    def need(self, requirement: Requirement) -> Need:
        """The package that stands for a required capability."""
        found = self.needs.get(str(requirement))
        if found is None:
            providers = tuple((name, inside) for name, inside, _ in self.providers(requirement) if inside)
            found = Need(requirement, providers)
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

    def required(self, package: str, version: int) -> dict[str, int]:
        """What this version cannot do without: packages and the sets of their versions that will do."""
        if package in self.needs:
            return dict([self.needs[package].providers[version]])
        found: dict[str, int] = {}
        for requirement in self.shelf(package).versions[version].requires:
            if not requirement.optional:
                name, mask = self.target(requirement)
                found[name] = found.get(name, -1) & mask
        return found
