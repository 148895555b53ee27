"""`sitewright bundle verify BUNDLE --trust POLICY`."""

from __future__ import annotations

from datetime import datetime

from renderer.commands.bundle.blob_check import BlobCheck, strangers
from renderer.commands.bundle.listing import check_index, check_marker
from renderer.errors import BundleRefusedError
from renderer.formats.bundle.document import is_carried, spell_time
from renderer.formats.bundle.parts import read_parts
from renderer.formats.documents.wording import count, headline, identity, size
from renderer.formats.trust.table import signature_table, signatures_json
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import Executor, Layout
from renderer.stages.verify import verify as verify_parts
from renderer.stages.verify.images import ImageVerdict, image_verdict, signatures_over_images


def verify(source: Layout, policy: TrustPolicy, *, now: datetime, executor: Executor | None = None) -> Outcome:
    """Judge every signature by `policy`, and hash every blob that the bundle carries, a few at once with `executor`.

    Nothing else may lie there. Raises BundleRefusedError with everything that is wrong: with signatures first, then
    with `oci-layout` and `index.json`, with each blob, and with what does not belong.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location)
    verified = verify_parts(parts, policy, now=now, source=source.location)
    check = BlobCheck(source)
    check.bundle(verified, index)
    beside, malformed = signatures_over_images(index, verified.bundle, source.blob, source.location)
    faults = [
        *check_marker(source.marker(), source.location),
        *check_index(index, verified, source),
        *(one for one in malformed if one.code == "bundle-tampered"),
        *check.faults(executor),
        *strangers(source, check),
    ]
    if faults:
        raise BundleRefusedError(*faults)
    return _outcome(verified, check, image_verdict(verified.bundle, beside, policy, now=now))


def verdict_json(verdict: Verdict) -> dict[str, Json]:
    """A verdict for machines."""
    return {
        "policy": verdict.policy,
        "threshold": verdict.threshold,
        "signers": list(verdict.signers),
        "verifiedAt": spell_time(verdict.verified_at),
        "signatures": signatures_json(verdict.signatures),
    }


def verified_lines(verified: VerifiedBundle) -> list[str]:
    """Which bundle it is, and who says so."""
    verdict = verified.verdict
    return [
        f"{headline(verified.bundle)}: verified",
        f"  {verified.manifest.digest}",
        f"  {signers_line(verdict)}",
    ]


def signers_line(verdict: Verdict) -> str:
    """Who signed, and how many the trust policy asks for."""
    return f"{' and '.join(verdict.signers)} signed; trust policy {verdict.policy} asks for {verdict.threshold}"


def _outcome(verified: VerifiedBundle, check: BlobCheck, images: ImageVerdict) -> Outcome:
    bundle, verdict = verified.bundle, verified.verdict
    carried = sum(is_carried(image) for image in bundle.images)
    lines = [
        *verified_lines(verified),
        *signature_table(verdict.signatures),
        f"  {count(len(check.found), 'blob')} hashed ({size(check.size)}), all as signed",
        f"  {count(len(bundle.images), 'image')}, {carried} of them carried",
        *_signed_lines(images, carried),
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, verified.manifest.digest),
            "verified": True,
            "verdict": verdict_json(verdict),
            "blobs": len(check.found),
            "bytes": check.size,
            "images": len(bundle.images),
            "carriedImages": carried,
            "imageSignatures": {
                "signers": {signer: len(signed) for signer, signed in images.signed.items()},
                "strangers": images.strangers,
            },
        },
    )


def _signed_lines(images: ImageVerdict, carried: int) -> list[str]:
    """How many of the images each signer has signed for container runtimes; nothing when nobody has."""
    lines = [
        f"  {signer} signed {len(signed)} of {count(carried, 'image')}" for signer, signed in images.signed.items()
    ]
    if images.strangers:
        lines.append(f"  {count(images.strangers, 'signature')} over images by keys that count for nothing here")
    return lines
