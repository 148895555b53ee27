"""`sitewright bundle verify|inspect DELTA`: what a delta is, which base it needs, and whether all of it arrived."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from renderer.commands.bundle.blob_check import BlobCheck, strangers
from renderer.commands.bundle.inspect import not_verified, standing
from renderer.commands.bundle.listing import check_delta_index, check_marker
from renderer.commands.bundle.unverified import read_delta_unverified
from renderer.commands.bundle.verify import signers_line, verdict_json
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import COPY_AGAIN, DELTA, kind_of
from renderer.formats.bundle.delta import base_json
from renderer.formats.bundle.document import spell_time
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.formats.documents.wording import count, size
from renderer.formats.trust.table import signature_table
from renderer.model.bundles.delta import Delta
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import BundleSource, Executor, Layout
from renderer.stages.verify.deltas import verify_delta


def is_delta(source: BundleSource) -> bool:
    """Whether a layout says that it holds a delta. Raises BundleRefusedError."""
    return kind_of(source.index(), source.location) is DELTA


def check_delta(source: Layout, policy: TrustPolicy, *, now: datetime, executor: Executor) -> Outcome:
    """Judge every signature of a delta by `policy`, and hash every blob that it carries; nothing else may lie there.

    Whether its base is the right one, and what comes out, is for `bundle apply`. Raises BundleRefusedError with
    everything that is wrong.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location, DELTA)
    delta, verdict = verify_delta(parts, policy, now=now, source=source.location)
    check = BlobCheck(source)
    check.signed(parts.manifest, index)
    faults = [
        *check_marker(source.marker(), source.location),
        *check_delta_index(index, parts.manifest, delta, source),
        *_not_listed(delta, check, source.location),
        *check.faults(executor),
        *strangers(source, check),
    ]
    if faults:
        raise BundleRefusedError(*faults)
    lines = [
        f"{_headline(delta)}: verified",
        f"  {parts.manifest.digest}",
        f"  {signers_line(verdict)}",
        *signature_table(verdict.signatures),
        f"  {count(len(check.found), 'blob')} hashed ({size(check.size)}), all as signed",
        *_needs(delta),
    ]
    document = {**_document(delta, parts, verdict), "blobs": len(check.found), "bytes": check.size}
    return Outcome(text="\n".join(lines), document=document)


def inspect_delta(source: BundleSource, policy: TrustPolicy | None, *, now: datetime) -> Outcome:
    """Show which bundle a delta leads to, and which base it needs. Raises BundleRefusedError."""
    parts = read_parts(source.index(), source.blob, source.location, DELTA)
    if policy is None:
        delta, verdict = read_delta_unverified(parts, source.location), None
    else:
        delta, verdict = verify_delta(parts, policy, now=now, source=source.location)
    lines = [_headline(delta), f"  {standing(parts, verdict)}", f"  {parts.manifest.digest}", *_needs(delta)]
    return Outcome(
        text="\n".join(lines),
        document=_document(delta, parts, verdict),
        findings=() if verdict else (not_verified(source.location),),
    )


def _not_listed(delta: Delta, check: BlobCheck, location: str) -> Iterable[Finding]:
    """What `delta.json` says that the delta carries, and its manifest does not list."""
    for blob in delta.blobs:
        if not blob.held and blob.digest not in check.found:
            yield Finding(
                code="blob-missing",
                message=f"the delta does not carry `{blob.digest}`, which it should bring",
                where=Where(file=location),
                hint=COPY_AGAIN,
            )


def _headline(delta: Delta) -> str:
    created = spell_time(delta.created)
    return f"delta to bundle {delta.name} {delta.version}, sequence {delta.sequence}, created {created}"


def _needs(delta: Delta) -> list[str]:
    carried = [blob for blob in delta.blobs if not blob.held]
    here, there = (sum(blob.size for blob in blobs) for blobs in (carried, delta.needed))
    return [
        f"  brings {count(len(carried), 'blob')}, {size(here)}, of {size(here + there)}; leads to {delta.target}",
        f"  needs {delta.base}, {delta.base.digest}",
    ]


def _document(delta: Delta, parts: BundleParts, verdict: Verdict | None) -> dict[str, Json]:
    carried = [blob for blob in delta.blobs if not blob.held]
    return {
        "bundle": delta.name,
        "version": str(delta.version),
        "sequence": delta.sequence,
        "created": spell_time(delta.created),
        "target": str(delta.target),
        "manifest": str(parts.manifest.digest),
        "base": base_json(delta.base),
        "verified": verdict is not None,
        "verdict": verdict_json(verdict) if verdict else None,
        "signaturesFound": len(parts.signatures),
        "carriedBlobs": len(carried),
        "carriedBytes": sum(blob.size for blob in carried),
        "neededBlobs": len(delta.needed),
        "neededBytes": sum(blob.size for blob in delta.needed),
    }
