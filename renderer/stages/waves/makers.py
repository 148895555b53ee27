"""Extensions whose Secrets are made by the operator of another one (cert-manager)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.model.objects.admission import custom_kinds
from renderer.model.objects.manifest import MADE_BEFORE, Manifest
from renderer.model.objects.scope import is_built_in_group


def with_makers(everything: Iterable[Manifest], requires: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """The requirements, and for extensions whose Secrets an operator makes (cert-manager) that operator's extension.

    What such an operator is declared to require of an extension whose Secrets it makes is no order: a package of
    KubeSphere requires ks-core to be managed by it, and ks-core does not start without its certificates.
    """
    made = [one for one in everything if one.origin.source == MADE_BEFORE and not is_built_in_group(one.id.group)]
    if not made:
        return requires
    kinds = custom_kinds(everything)
    needed = {name: set(names) for name, names in requires.items()}
    makers: set[tuple[str, str]] = set()
    for one in made:
        kind = kinds.get((one.id.group, one.id.kind))
        if kind is not None and kind.extension != one.origin.extension:
            needed.setdefault(one.origin.extension, set()).add(kind.extension)
            makers.add((kind.extension, one.origin.extension))
    for maker, extension in sorted(makers):
        needed[maker] = {one for one in needed.get(maker, ()) if extension not in _behind(one, needed, maker)}
    return {name: frozenset(names) for name, names in needed.items()}


def _behind(name: str, needed: Mapping[str, set[str]], but: str) -> set[str]:
    """The extension itself and everything that it requires, directly or not, without what only `but` leads to."""
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one not in found and one != but:
            found.add(one)
            left.extend(needed.get(one, ()))
    return found
