"""`sitewright bundle apply`: a delta and its base, put together to the bundle that the delta was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from renderer.commands.bundle.verify import verify as verify_everything
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import DELTA, read_parts
from renderer.formats.documents.wording import count, size
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.delta import BaseKind, Delta, DeltaBlob
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Blob, BundleSource, Layout, LayoutWriter, Registry
from renderer.stages.verify import verify, verify_delta

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where the blobs lie that a delta does not carry. `missing` names those that are not there."""

    location: str
    missing: Callable[[Delta], list[Digest]]
    open: Callable[[DeltaBlob], Blob]


def bundle_base(source: Layout) -> Callable[[Delta], Base]:
    """The base of a delta between two bundles: a layout with exactly that older bundle in it."""

    def of(delta: Delta) -> Base:
        if delta.base.kind is not BaseKind.BUNDLE:
            raise BundleRefusedError(_wrong(delta, source.location, "a bundle", "--registry PROFILE"))
        digest = read_parts(source.index(), source.blob, source.location).manifest.digest
        if digest != delta.base.digest:
            raise BundleRefusedError(_wrong(delta, source.location, str(digest), "sitewright bundle list"))
        present = frozenset(source.digests())
        return Base(
            location=source.location,
            missing=lambda delta: [one.digest for one in delta.needed if one.digest not in present],
            open=lambda one: _blob(source, _plain(one)),
        )

    return of


def registry_base(registry: Registry, site: str) -> Callable[[Delta], Base]:
    """The base of a delta from a receipt: the registry of the site that the receipt speaks of."""

    def of(delta: Delta) -> Base:
        if delta.base.kind is not BaseKind.RECEIPT:
            raise BundleRefusedError(_wrong(delta, registry.location, "a registry", "--base BUNDLE"))
        if delta.base.name != site:
            raise BundleRefusedError(_wrong(delta, registry.location, f"site {site}", "take the delta of this site"))

        def missing(delta: Delta) -> list[Digest]:
            return [
                one.digest for one in delta.needed if registry.has_blob(one.repository or "", one.digest) != one.size
            ]

        def open_blob(one: DeltaBlob) -> Blob:
            return Blob(descriptor=_plain(one), open=lambda: registry.read_blob(one.repository or "", _plain(one)))

        return Base(location=registry.location, missing=missing, open=open_blob)

    return of


def apply(
    source: Layout,
    base_of: Callable[[Delta], Base],
    policy: TrustPolicy,
    writer: LayoutWriter,
    output: str,
    reopen: Callable[[], Layout],
    *,
    now: datetime,
) -> Outcome:
    """Write to `output` the whole bundle that the delta in `source` leads to, and verify it there once more.

    The delta's signatures come first, then the base, then the new bundle's own signatures; only then is something
    written, and every blob is hashed on its way. Raises BundleRefusedError (`delta-wrong-base`,
    `delta-base-incomplete`, and what `bundle verify` raises), InputError.
    """
    parts = read_parts(source.index(), source.blob, source.location, DELTA)
    delta, _ = verify_delta(parts, policy, now=now, source=source.location)
    base = base_of(delta)
    missing = base.missing(delta)
    if missing:
        raise BundleRefusedError(_incomplete(delta, base, missing))
    index = source.blob(delta.index)

    held = {one.digest: one for one in delta.needed}

    def read(descriptor: Descriptor) -> bytes:
        if descriptor.digest not in held:
            return source.blob(descriptor)
        with base.open(held[descriptor.digest]).open() as stream:
            return stream.read()

    verified = verify(read_parts(index, read, source.location), policy, now=now, source=source.location)
    if verified.manifest.digest != delta.target:
        raise BundleRefusedError(_other_target(delta, verified, source.location))
    writer.create(output, index, [base.open(one) if one.held else _blob(source, _plain(one)) for one in delta.blobs])
    proof = verify_everything(reopen(), policy, now=now)
    return _outcome(delta, base, proof, output)


def _blob(source: BundleSource, descriptor: Descriptor) -> Blob:
    return Blob(descriptor=descriptor, open=lambda: source.open_blob(descriptor))


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


def _outcome(delta: Delta, base: Base, proof: Outcome, output: str) -> Outcome:
    taken = f"{count(len(delta.needed), 'blob')}, {size(sum(one.size for one in delta.needed))}"
    document = proof.document if isinstance(proof.document, dict) else {}
    return Outcome(
        text=f"{output}: {delta.name} {delta.version}, {taken} taken from {base.location}\n{proof.text}",
        document={**document, "output": output, "base": str(delta.base), "takenBlobs": len(delta.needed)},
        findings=proof.findings,
    )
