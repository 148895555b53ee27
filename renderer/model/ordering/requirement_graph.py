"""The graph of requirements between enabled extensions, and how deep each one stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.structs import Struct


class RequirementGraph(Struct, frozen=True):
    """Who requires whom among the enabled extensions; anything else is left out.

    Extensions that require each other in a circle form a knot: they can only start together. `knots` are in an order
    in which every knot comes after those that it requires; a knot of one extension is the usual case.
    """

    edges: Mapping[str, frozenset[str]]
    knots: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, names: Iterable[str], requires: Mapping[str, frozenset[str]]) -> RequirementGraph:
        """The graph over `names` (Tarjan's algorithm, without recursion; deterministic)."""
        known = sorted(set(names))
        edges = {name: requires.get(name, frozenset()).intersection(known) - {name} for name in known}
        return cls(edges, tuple(_knots(known, edges)))

    def required_by(self, knot: frozenset[str]) -> frozenset[str]:
        """What the members of `knot` require outside of it."""
        return frozenset(name for member in knot for name in self.edges[member]) - knot

    def circle(self, knot: frozenset[str]) -> tuple[str, ...]:
        """A way around in a knot of several extensions: `a, b, a`; starts at the first by name."""
        start = min(knot)
        seen: dict[str, str | None] = {start: None}
        queue = [start]
        for name in queue:
            if start in self.edges[name]:
                return (*_trail(seen, name), start)
            for below in sorted(self.edges[name] & knot):
                if below not in seen:
                    seen[below] = name
                    queue.append(below)
        return (start,)


def _trail(came_from: Mapping[str, str | None], end: str) -> tuple[str, ...]:
    steps = []
    step: str | None = end
    while step is not None:
        steps.append(step)
        step = came_from[step]
    return tuple(reversed(steps))


def _knots(names: list[str], edges: Mapping[str, frozenset[str]]) -> list[frozenset[str]]:
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_names: set[str] = set()
    knots: list[frozenset[str]] = []
    for root in names:
        work = [] if root in index else [(root, iter(sorted(edges[root])))]
        while work:
            name, below = work[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                stack.append(name)
                open_names.add(name)
            for other in below:
                if other not in index:
                    work.append((other, iter(sorted(edges[other]))))
                    break
                if other in open_names:
                    low[name] = min(low[name], index[other])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[name])
                if low[name] == index[name]:
                    place = stack.index(name)
                    knots.append(frozenset(stack[place:]))
                    open_names.difference_update(stack[place:])
                    del stack[place:]
    return knots
