"""The table of all signatures of a bundle, for people."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.formats.documents.wording import table
from renderer.model.bundles.trust import SignatureFact


def signature_table(signatures: Sequence[SignatureFact], indent: str = "  ") -> list[str]:
    """Who made each signature, how, whether it counts, and why not. Certificates have a column when there are any."""
    certified = any(fact.subject for fact in signatures)
    headings = ("#", "form", "signer", "algorithm", *(("certificate",) if certified else ()), "counts", "why not")
    rows = [
        (
            str(number),
            fact.form,
            fact.signer or "unknown",
            fact.algorithm.value if fact.algorithm else "-",
            *((fact.subject or "-",) if certified else ()),
            "yes" if fact.accepted else "no",
            "" if fact.accepted else fact.reason,
        )
        for number, fact in enumerate(signatures, start=1)
    ]
    return table(headings, rows, indent)
