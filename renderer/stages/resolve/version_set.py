"""Exact sets of versions, as the solver asks for them."""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """How one set lies to another."""

    is_subset: bool
    is_disjoint: bool


class VersionSet:
    """A set of indices into the offered versions of one package, as the bits of an integer.

    Negative integers are sets that also hold all indices beyond the offered ones, so every operation is exact.
    """

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask

    # The methods are those that nab_resolver.types.RangeProtocol asks for.

    @classmethod
    def empty(cls) -> VersionSet:
        """No version."""
        return cls(0)

    @classmethod
    def full(cls) -> VersionSet:
        """Every version, offered or not."""
        return cls(-1)

    @classmethod
    def singleton(cls, version: int) -> VersionSet:
        """That version alone."""
        return cls(1 << version)

    @property
    def is_empty(self) -> bool:
        """Whether no version is in it."""
        return not self.mask

    def __contains__(self, version: int) -> bool:
        return bool(self.mask >> version & 1)

    def __and__(self, other: object) -> VersionSet:
        return VersionSet(self.mask & other.mask) if isinstance(other, VersionSet) else NotImplemented

    def __or__(self, other: object) -> VersionSet:
        return VersionSet(self.mask | other.mask) if isinstance(other, VersionSet) else NotImplemented

    def __sub__(self, other: object) -> VersionSet:
        return VersionSet(self.mask & ~other.mask) if isinstance(other, VersionSet) else NotImplemented

    def __invert__(self) -> VersionSet:
        return VersionSet(~self.mask)

    def is_subset(self, other: VersionSet) -> bool:
        """Whether all of it is in `other`."""
        return not self.mask & ~other.mask

    def is_superset(self, other: VersionSet) -> bool:
        """Whether all of `other` is in it."""
        return not other.mask & ~self.mask

    def is_disjoint(self, other: VersionSet) -> bool:
        """Whether the two share no version."""
        return not self.mask & other.mask

    def relation(self, other: VersionSet) -> Relation:
        """Both answers in one."""
        return Relation(not self.mask & ~other.mask, not self.mask & other.mask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionSet) and self.mask == other.mask

    def __hash__(self) -> int:
        return hash(self.mask)
