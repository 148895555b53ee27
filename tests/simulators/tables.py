"""Tables that commands print, read back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from renderer.errors import Finding


def rows(lines: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table below its headings, each cell by its heading."""
    headings = [(found.group(), found.start()) for found in re.finditer(r"\S+( \S+)*", lines[0])]
    ends = [start for _, start in headings[1:]]
    return [
        {name: line[start:end].strip() for (name, start), end in zip(headings, [*ends, None], strict=True)}
        for line in lines[1:]
    ]


def why_not(finding: Finding) -> list[str]:
    """Every signature that a refusal lists: `vendor: accepted`, or who and why not."""
    return [
        f"{row['signer']}: {'accepted' if row['counts'] == 'yes' else row['why not']}"
        for row in rows(finding.explanation)
    ]
