"""`sitewright bundle verify BUNDLE --trust POLICY`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from renderer.commands.bundle.assembly import entry_name, is_carried, listed
from renderer.errors import BundleRefusedError, Finding, Severity, Where
from renderer.formats.bundle.artifact import (
    holders_of_signatures,
    parse_index,
    parse_manifest,
    read_parts,
)
from renderer.formats.bundle.document import spell_time
from renderer.formats.documents.wording import count, headline, identity, size, table
from renderer.model.bundles.bundle import BundleImage, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import BundleSource, Layout
from renderer.stages.verify import verify as verify_parts

_CHUNK: Final = 1024 * 1024
_SHOWN: Final = 10
_COPY_AGAIN: Final = "copy the bundle again from where it was published"


def verify(source: Layout, policy: TrustPolicy, *, now: datetime) -> Outcome:
    """Judge every signature by `policy`, and hash every blob that the bundle carries.

    Raises BundleRefusedError with everything that is wrong: with signatures first, then with blobs, each of them.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location)
    verified = verify_parts(parts, policy, now=now, source=source.location)
    check = _check_blobs(index, verified, source)
    faults = [*check_index(index, verified, source), *check.findings]
    if faults:
        raise BundleRefusedError(*faults)
    return _outcome(verified, check, _unused(source, check))


def check_index(index: bytes, verified: VerifiedBundle, source: BundleSource) -> list[Finding]:
    """`index.json` is not signed, and copying tools believe it: its images must be those of the signed config."""
    where = Where(file=source.location, subject="index.json")
    expected = {entry_name(entry): entry for entry in listed(verified.bundle)}
    beside = {verified.manifest.digest}
    holders = holders_of_signatures(index, verified.manifest.digest, source.blob, source.location)
    beside |= {one.digest for one in holders}
    findings = []
    for entry in parse_index(index, where):
        name, found = entry_name(entry.descriptor), entry.descriptor
        image = expected.pop(name, None)
        if image is None and found.digest in beside:
            continue
        if image is None or (found.digest, found.size, found.media_type) != (
            image.digest,
            image.size,
            image.media_type,
        ):
            findings.append(
                Finding(
                    code="bundle-tampered",
                    message=f"`index.json` lists `{name}` as something that the signed bundle does not hold",
                    where=where,
                    expected=str(image.digest) if image else "no such entry",
                    got=str(found.digest),
                    hint=_COPY_AGAIN,
                )
            )
    findings += [
        Finding(
            code="blob-missing",
            message=f"`index.json` does not list `{name}`, which the signed bundle carries",
            where=where,
            expected=str(image.digest),
            hint=_COPY_AGAIN,
        )
        for name, image in expected.items()
    ]
    return findings


class _BlobCheck:
    """Hashes every blob that the bundle leads to, each once, and remembers what is wrong."""

    def __init__(self, source: Layout) -> None:
        self.source = source
        self.sizes: dict[Digest, int] = {}
        self.findings: list[Finding] = []

    def content(self, *descriptors: Descriptor) -> None:
        """Hash blobs without keeping them."""
        for descriptor in descriptors:
            if descriptor.digest in self.sizes:
                continue
            self.sizes[descriptor.digest] = descriptor.size
            try:
                with self.source.open_blob(descriptor) as stream:
                    while stream.read(_CHUNK):
                        pass
            except BundleRefusedError as error:
                self.findings += error.findings

    def manifest(self, descriptor: Descriptor) -> None:
        """Hash an image manifest and everything that it names."""
        try:
            where = Where(file=self.source.location, subject=f"manifest {descriptor.digest}")
            parsed = parse_manifest(self.source.blob(descriptor), where)
        except BundleRefusedError as error:
            self.sizes[descriptor.digest] = descriptor.size
            self.findings += error.findings
            return
        self.content(descriptor, parsed.config, *parsed.layers)

    def image(self, image: BundleImage) -> None:
        """Hash an image for every platform that the bundle carries, and what speaks of it."""
        self.content(image.content)
        for manifest in (*image.platforms.values(), *(referrer.content for referrer in image.referrers)):
            self.manifest(manifest)


def _check_blobs(index: bytes, verified: VerifiedBundle, source: Layout) -> _BlobCheck:
    check = _BlobCheck(source)
    check.manifest(verified.manifest)
    for signatures in holders_of_signatures(index, verified.manifest.digest, source.blob, source.location):
        check.manifest(signatures)
    for image in verified.bundle.images:
        if is_carried(image):
            check.image(image)
    return check


def _unused(source: Layout, check: _BlobCheck) -> tuple[Finding, ...]:
    """Blobs that nothing leads to. Harmless, but nobody vouches for them either."""
    unused = [digest for digest in source.digests() if digest not in check.sizes]
    if not unused:
        return ()
    return (
        Finding(
            code="unreferenced-blob",
            message=f"{count(len(unused), 'blob')} in the layout belong to nothing that is signed; nothing uses them",
            where=Where(file=source.location),
            severity=Severity.NOTE,
            explanation=tuple(str(digest) for digest in unused[:_SHOWN]),
            hint="build the bundle again to be rid of them",
        ),
    )


def verdict_lines(verdict: Verdict) -> list[str]:
    """The table of every signature: who made it, whether it counts, why not."""
    rows = [
        (
            str(number),
            fact.signer or "unknown",
            fact.algorithm.value if fact.algorithm else "-",
            "yes" if fact.accepted else "no",
            "" if fact.accepted else fact.reason,
        )
        for number, fact in enumerate(verdict.signatures, start=1)
    ]
    return table(("#", "signer", "algorithm", "counts", "why not"), rows)


def verdict_json(verdict: Verdict) -> dict[str, Json]:
    """A verdict for machines."""
    return {
        "policy": verdict.policy,
        "threshold": verdict.threshold,
        "signers": list(verdict.signers),
        "verifiedAt": spell_time(verdict.verified_at),
        "signatures": [
            {
                "form": fact.form,
                "signer": fact.signer,
                "algorithm": fact.algorithm.value if fact.algorithm else None,
                "accepted": fact.accepted,
                "reason": fact.reason,
            }
            for fact in verdict.signatures
        ],
    }


def _outcome(verified: VerifiedBundle, check: _BlobCheck, notes: tuple[Finding, ...]) -> Outcome:
    bundle, verdict = verified.bundle, verified.verdict
    total = sum(check.sizes.values())
    carried = sum(is_carried(image) for image in bundle.images)
    lines = [
        f"{headline(bundle)}: verified",
        f"  {verified.manifest.digest}",
        f"  {' and '.join(verdict.signers)} signed; trust policy {verdict.policy} asks for {verdict.threshold}",
        *verdict_lines(verdict),
        f"  {count(len(check.sizes), 'blob')} hashed ({size(total)}), all as signed",
        f"  {count(len(bundle.images), 'image')}, {carried} of them carried",
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, verified.manifest.digest),
            "verified": True,
            "verdict": verdict_json(verdict),
            "blobs": len(check.sizes),
            "bytes": total,
            "images": len(bundle.images),
            "carriedImages": carried,
        },
        findings=notes,
    )
