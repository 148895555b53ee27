"""`sitewright bundle inspect BUNDLE --sbom [--trust POLICY]`."""

from __future__ import annotations

import json
from datetime import datetime

from renderer.commands.bundle.inspect import not_verified
from renderer.errors import Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.formats.bundle.parts import read_parts
from renderer.formats.bundle.sbom import find_bill, read_bill
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.outcome import Outcome
from renderer.ports import BundleSource
from renderer.stages.verify import verify


def show_bill(source: BundleSource, policy: TrustPolicy | None = None, *, now: datetime) -> Outcome:
    """The bill of materials in a bundle. Without a trust policy nothing is vouched for, and a warning says so.

    Raises BundleRefusedError: `sbom-missing`, or what the trust policy has against the bundle.
    """
    parts = read_parts(source.index(), source.blob, source.location)
    if policy is not None:
        verify(parts, policy, now=now, source=source.location)
    where = Where(file=source.location, subject=f"manifest {parts.manifest.digest}")
    bill = find_bill(parse_manifest(parts.manifest_bytes, where).layers, where)
    document = read_bill(bill, source.blob, where)
    return Outcome(
        text=json.dumps(document, indent=2, ensure_ascii=False),
        document=document,
        findings=() if policy is not None else (not_verified(source.location),),
    )
