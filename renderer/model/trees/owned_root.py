"""Which directories of a place belong to Sitewright, and how that is proved.

A store replaces whole directories (`sites/<name>`). A directory that has files is ours only when it holds the record
that every rendered tree carries; anything else was put there by somebody else and is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.model.trees.tree import RelativePath

PROOF: Final = "records/provenance.json"
"""The file of a rendered tree that proves who wrote the directory."""


def separate_roots(roots: Iterable[str]) -> tuple[str, ...]:
    """`roots`, sorted. Raises ValueError when one is not a relative path, or lies inside another."""
    ordered = sorted(RelativePath(root).text for root in roots)
    for outer in ordered:
        inner = next((root for root in ordered if root.startswith(f"{outer}/")), None)
        if inner is not None:
            raise ValueError(f"`{inner}` lies inside `{outer}`: two trees cannot own the same directory")
    return tuple(ordered)


def foreign_files(location: str, paths: Collection[str], hint: str) -> tuple[Finding, ...]:
    """A `dirty-output` finding when the directory `location` holds `paths` and none of them is our record."""
    if not paths or PROOF in paths:
        return ()
    count = "1 file" if len(paths) == 1 else f"{len(paths)} files"
    finding = Finding(
        code="dirty-output",
        message=f"`{location}` holds files that Sitewright did not write, so it is not replaced",
        where=Where(file=location),
        expected=f"an empty directory, or a tree with `{PROOF}`",
        got=f"{count}, the first is `{min(paths)}`",
        hint=hint,
    )
    return (finding,)


def refuse(findings: Collection[Finding]) -> None:
    """Raise InputError with all of `findings`, if there are any."""
    if findings:
        raise InputError.of(findings)
