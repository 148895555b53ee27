"""`sitewright bundle apply`: a delta and its base, put together to the bundle that the delta was made from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import BinaryIO, Final, Protocol

from renderer.commands.bundle.verify import verify as verify_everything
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    DELTA,
)
from renderer.formats.bundle.parts import read_parts
from renderer.formats.documents.wording import count, size
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.delta import BaseKind, Delta, DeltaBlob
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import BundleSource, IncomingLayout, Layout, Progress, Registry
from renderer.stages.verify import verify
from renderer.stages.verify.deltas import verify_delta
from renderer.transfer.crew import Crew

_SHOWN: Final = 5


class Base(Protocol):
    """Where the blobs lie that a delta does not carry."""

    @property
    def location(self) -> str:
        """The base as the user named it."""
        ...

    def check(self, delta: Delta) -> None:
        """Raise BundleRefusedError (`delta-wrong-base`) when the delta was made from something else."""
        ...

    def has(self, blob: DeltaBlob) -> bool:
        """Whether the base has a blob that it should have."""
        ...

    def fetch(self, blob: DeltaBlob, begun: BinaryIO | None) -> BinaryIO:
        """What is still to come of a blob, checked; see `IncomingLayout.receive`."""
        ...


class BundleBase:
    """The base of a delta between two bundles: a layout with exactly that older bundle in it."""

    def __init__(self, source: Layout) -> None:
        self._source = source
        self._present = frozenset(source.digests())

    @property
    def location(self) -> str:
        """The layout as the user named it."""
        return self._source.location

    def check(self, delta: Delta) -> None:
        """The bundle must be the one that the delta names, by the digest of its manifest."""
        if delta.base.kind is not BaseKind.BUNDLE:
            raise BundleRefusedError(_wrong(delta, self.location, "a bundle", "name the site with --profile PROFILE"))
        found = read_parts(self._source.index(), self._source.blob, self.location).manifest.digest
        if found != delta.base.digest:
            raise BundleRefusedError(_wrong(delta, self.location, str(found), "sitewright bundle list"))

    def has(self, blob: DeltaBlob) -> bool:
        """Whether the layout lists the blob."""
        return blob.digest in self._present

    def fetch(self, blob: DeltaBlob, begun: BinaryIO | None) -> BinaryIO:
        """The blob from its start."""
        return _anew(self._source, blob, begun)


class RegistryBase:
    """The base of a delta from a receipt: the registry of the site that the receipt speaks of."""

    def __init__(self, registry: Registry, site: str) -> None:
        self._registry = registry
        self._site = site

    @property
    def location(self) -> str:
        """The registry's address."""
        return self._registry.location

    def check(self, delta: Delta) -> None:
        """The delta must be from a receipt of this site."""
        if delta.base.kind is not BaseKind.RECEIPT:
            raise BundleRefusedError(_wrong(delta, self.location, "a registry", "name the older bundle with --base"))
        if delta.base.name != self._site:
            hint = "take the delta that was made for this site"
            raise BundleRefusedError(_wrong(delta, self.location, f"site {self._site}", hint))

    def has(self, blob: DeltaBlob) -> bool:
        """Whether the registry has the blob, with its size, where the receipt saw it."""
        return self._registry.has_blob(blob.repository or "", blob.digest) == blob.size

    def fetch(self, blob: DeltaBlob, begun: BinaryIO | None) -> BinaryIO:
        """The rest of the blob."""
        return self._registry.read_blob(blob.repository or "", _plain(blob), begun=begun)


def apply(
    source: Layout,
    base: Base,
    policy: TrustPolicy,
    incoming: IncomingLayout,
    reopen: Callable[[], Layout],
    progress: Progress,
    *,
    now: datetime,
    jobs: int = 4,
) -> Outcome:
    """Let the whole bundle arrive that the delta in `source` leads to, and verify it where it lies (`reopen`).

    The delta's signatures come first, then the base, then the new bundle's own signatures; only then is something
    written, and every blob is hashed on its way. An interrupted run is continued by the next one. Raises
    BundleRefusedError (`delta-wrong-base`, `delta-base-incomplete`, and what `bundle verify` raises), InputError.
    """
    parts = read_parts(source.index(), source.blob, source.location, DELTA)
    delta, _ = verify_delta(parts, policy, now=now, source=source.location)
    base.check(delta)
    index = source.blob(delta.index)
    with Crew.of(jobs) as crew:
        there = crew.map(base.has, delta.needed)
        missing = [blob.digest for blob, found in zip(delta.needed, there, strict=True) if not found]
        if missing:
            raise BundleRefusedError(_incomplete(delta, base, missing))
        _judge(delta, index, source, base, policy, now)
        progress.begin(len(delta.blobs), sum(blob.size for blob in delta.blobs))
        try:
            came = crew.map(lambda blob: _receive(blob, source, base, incoming, progress), delta.blobs)
        finally:
            progress.end()
    incoming.finish(index, [_plain(blob) for blob in delta.blobs])
    opened = reopen()
    return _outcome(delta, base, came.count(False), verify_everything(opened, policy, now=now), opened.location)


def _judge(delta: Delta, index: bytes, source: Layout, base: Base, policy: TrustPolicy, now: datetime) -> None:
    """Verify the signatures of the bundle that comes out, before anything of it is written."""
    held = {blob.digest: blob for blob in delta.needed}

    def read(descriptor: Descriptor) -> bytes:
        if descriptor.digest not in held:
            return source.blob(descriptor)
        with base.fetch(held[descriptor.digest], None) as stream:
            return stream.read()

    verified = verify(read_parts(index, read, source.location), policy, now=now, source=source.location)
    if verified.manifest.digest != delta.target:
        raise BundleRefusedError(_other_target(delta, verified, source.location))


def _receive(blob: DeltaBlob, source: Layout, base: Base, incoming: IncomingLayout, progress: Progress) -> bool:
    """Get one blob; False when an earlier run had got it."""
    descriptor, name = _plain(blob), f"{blob.digest}"
    progress.sending(name, blob.size)
    here = incoming.holds(descriptor)
    if not here:
        incoming.receive(
            descriptor,
            lambda begun: base.fetch(blob, begun) if blob.held else _anew(source, blob, begun),
            lambda position: progress.sent(name, position),
        )
    progress.done(name)
    return not here


def _anew(source: BundleSource, blob: DeltaBlob, begun: BinaryIO | None) -> BinaryIO:
    """A blob of a layout, from its start: copying it again takes no longer than comparing what is there."""
    if begun is not None:
        begun.truncate(0)
    return source.open_blob(_plain(blob))


def _plain(blob: DeltaBlob) -> Descriptor:
    return Descriptor(media_type="application/octet-stream", digest=blob.digest, size=blob.size)


def _wrong(delta: Delta, location: str, got: str, hint: str) -> Finding:
    return Finding(
        code="delta-wrong-base",
        message=f"this delta was made from {delta.base}, and `{location}` is something else",
        where=Where(file=location),
        expected=f"{delta.base}, {delta.base.digest}",
        got=got,
        hint=hint,
    )


def _incomplete(delta: Delta, base: Base, missing: list[Digest]) -> Finding:
    more = [f"and {len(missing) - _SHOWN} more"] if len(missing) > _SHOWN else []
    return Finding(
        code="delta-base-incomplete",
        message=f"`{base.location}` lacks {count(len(missing), 'blob')} that the delta counts on",
        where=Where(file=base.location),
        expected=f"{count(len(delta.needed), 'blob')}, as {delta.base} had them",
        explanation=(*map(str, missing[:_SHOWN]), *more),
        hint="bring the whole bundle, or a delta from what is there now",
    )


def _other_target(delta: Delta, verified: VerifiedBundle, location: str) -> Finding:
    return Finding(
        code="bundle-tampered",
        message="the delta leads to another bundle than the one that it names",
        where=Where(file=location),
        expected=str(delta.target),
        got=str(verified.manifest.digest),
        hint="copy the delta again from where it was published",
    )


def _outcome(delta: Delta, base: Base, before: int, proof: Outcome, output: str) -> Outcome:
    taken = f"{count(len(delta.needed), 'blob')}, {size(sum(one.size for one in delta.needed))}"
    resumed = f"\n  {count(before, 'blob')} had arrived in an earlier run" if before else ""
    document = proof.document if isinstance(proof.document, dict) else {}
    return Outcome(
        text=f"{output}: {delta.name} {delta.version}, {taken} taken from {base.location}{resumed}\n{proof.text}",
        document={
            **document,
            "output": output,
            "base": str(delta.base),
            "takenBlobs": len(delta.needed),
            "arrivedBefore": before,
        },
        findings=proof.findings,
    )
