"""`sitewright bundle inspect BUNDLE --sbom [--trust POLICY]`."""

from __future__ import annotations

import json
from datetime import datetime

from renderer.commands.bundle.inspect import not_verified
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    malformed,
    parse_manifest,
)
from renderer.formats.bundle.parts import read_parts
from renderer.formats.bundle.sbom import SBOM_LAYER, SBOM_LIMIT
from renderer.formats.canonical_json import parse_json
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
    layers = [one for one in parse_manifest(parts.manifest_bytes, where).layers if one.media_type == SBOM_LAYER]
    if len(layers) != 1:
        raise BundleRefusedError(
            Finding(
                code="sbom-missing",
                message="this bundle has no bill of materials",
                where=where,
                expected=f"one layer of the type `{SBOM_LAYER}`",
                got=str(len(layers)),
                hint="build it again with this version of Sitewright",
            )
        )
    (layer,) = layers
    if layer.size > SBOM_LIMIT:
        raise malformed(where, f"its bill of materials has {layer.size} bytes; {SBOM_LIMIT} are allowed")
    try:
        document = parse_json(source.blob(layer), limit=SBOM_LIMIT)
    except ValueError as error:
        raise malformed(where, f"its bill of materials cannot be read: {error}") from error
    return Outcome(
        text=json.dumps(document, indent=2, ensure_ascii=False),
        document=document,
        findings=() if policy is not None else (not_verified(source.location),),
    )
