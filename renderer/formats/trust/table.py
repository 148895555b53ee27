"""The table of all signatures of a bundle, for people and for machines."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.formats.documents.wording import table
from renderer.model.bundles.trust import SignatureFact
from renderer.model.fields import Json


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


def signatures_json(signatures: Sequence[SignatureFact]) -> list[Json]:
    """The same for machines, with the key and the certificate."""
    return [
        {
            "form": fact.form,
            "signer": fact.signer,
            "algorithm": fact.algorithm.value if fact.algorithm else None,
            "key": str(fact.key) if fact.key else None,
            "subject": fact.subject,
            "serial": fact.serial,
            "accepted": fact.accepted,
            "reason": fact.reason,
        }
        for fact in signatures
    ]
