"""A name that is not there, and the one that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(path: str, siblings: Iterable[str]) -> str | None:
    """A hint at the name among `siblings` that is most like that of `path` and ends as it does."""
    above, slash, name = path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending}" if dot and stem else ""
    stems = {one.removesuffix(suffix): one for one in sorted(siblings) if one.endswith(suffix)}
    found = difflib.get_close_matches(name.removesuffix(suffix), list(stems), n=1, cutoff=0.7)
    return f"did you mean `{above}{slash}{stems[found[0]]}`?" if found else None
