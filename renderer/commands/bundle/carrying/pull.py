"""`sitewright bundle pull oci://… -o DIR|FILE.tar`: signatures first, then what they stand for, then nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO, Final

from renderer.commands.bundle.listing import check_index
from renderer.commands.bundle.verify import verdict_json, verified_lines
from renderer.errors import BundleRefusedError, Finding, InputError, RendererError, Where
from renderer.formats.bundle.artifact import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    REF_NAME,
    index_content,
    malformed,
    parse_index,
)
from renderer.formats.bundle.closure import closure
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.packing import PackingList, packing_tag, read_packing_list
from renderer.formats.bundle.parts import holders_of_signatures, read_parts
from renderer.formats.documents.wording import count, identity, size
from renderer.model.bundles.address import BundleAddress
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import BundleSource, IncomingLayout, Progress, Registry
from renderer.stages.verify import verify
from renderer.stages.verify.images import signatures_over_images
from renderer.structs import Struct, field
from renderer.transfer.crew import Crew

_UNSIGNED_LIMIT: Final = 64 * 2**20


class Origin(Struct, frozen=True, kw_only=True):
    """Where a bundle is pulled from. `source` reads the bundle at `address` and its signatures as they are now."""

    address: BundleAddress
    registry: Registry
    source: BundleSource


def pull(
    origin: Origin, policy: TrustPolicy, incoming: IncomingLayout, progress: Progress, *, jobs: int, now: datetime
) -> Outcome:
    """Fetch the bundle of `origin` if `policy` accepts it; what is here already is not fetched.

    Nothing but the manifest and its signatures is asked for before they have been judged. What comes out is the layout
    that was pushed, byte for byte, with the signatures that the registry has now. An interrupted run is continued by
    the next one. Raises BundleRefusedError, RemoteError, InputError (`bundle-not-packed`).
    """
    source, location = origin.source, origin.source.location
    beside = source.index()
    verified = verify(read_parts(beside, source.blob, location), policy, now=now, source=location)
    packed = _packing_list(origin, verified)
    index = _current(_index_of(origin, packed), _signatures(beside, verified, source), verified, location)
    with Crew.of(jobs) as crew:
        run = _Pull(origin, incoming, progress, crew)
        strange = check_index(index, verified, source)
        if strange:
            raise BundleRefusedError(*strange)
        wanted = run.explored(index, verified, frozenset(blob.digest for blob in packed.blobs))
        run.fetch(wanted.values())
        _, faults = signatures_over_images(index, verified.bundle, incoming.blob, location)
        if faults:
            raise BundleRefusedError(*faults)
    incoming.finish(index, _ordered(wanted, packed))
    return _outcome(verified, origin, wanted, run.fetched.values())


def _packing_list(origin: Origin, verified: VerifiedBundle) -> PackingList:
    repository, tag = origin.address.repository, packing_tag(verified.manifest.digest)
    found = origin.registry.manifest(repository, tag)
    where = Where(file=origin.source.location, subject=f"packing list {tag}")
    if found is None:
        raise InputError(
            Finding(
                code="bundle-not-packed",
                message=f"the registry has the bundle {verified.id}, but not the list of all that belongs to it",
                where=where,
                expected=f"the tag `{tag}`, as `bundle push` makes it",
                hint=f"sitewright bundle push BUNDLE {origin.address}",
            )
        )
    return read_packing_list(found.content, where)


def _index_of(origin: Origin, packed: PackingList) -> bytes:
    with origin.registry.read_blob(origin.address.repository, packed.index) as stream:
        return stream.read()


def _signatures(beside: bytes, verified: VerifiedBundle, source: BundleSource) -> list[Descriptor]:
    """What the registry has of signatures now; what else refers to the bundle there stays there."""
    digest = verified.manifest.digest
    holders = {one.digest for one in holders_of_signatures(beside, digest, source.blob, source.location)}
    entries = parse_index(beside, Where(file=source.location, subject="index.json"))
    return [entry.descriptor for entry in entries if entry.descriptor.digest in holders]


def _current(index: bytes, signatures: Sequence[Descriptor], verified: VerifiedBundle, location: str) -> bytes:
    """The packed `index.json`; signatures that are in the registry now and not in it are added, or take a place in it.

    Under one tag lies one manifest: the newer one takes the place of the one before.
    """
    packed = parse_index(index, Where(file=location, subject="index.json"))
    known = {entry.descriptor.digest for entry in packed}
    new = [one for one in signatures if one.digest not in known]
    if not new:
        return index
    names = {one.annotations.get(REF_NAME) for one in new} - {None}
    kept = [entry.descriptor for entry in packed if entry.name not in names]
    behind = 1 + next((at for at, one in enumerate(kept) if one.digest == verified.manifest.digest), -1)
    return index_content([*kept[:behind], *new, *kept[behind:]])


def _ordered(wanted: Mapping[Digest, Descriptor], packed: PackingList) -> list[Descriptor]:
    """The blobs in the order in which they were packed; what came later stands in front, as `bundle sign` does it."""
    before = {blob.digest: None for blob in packed.blobs if blob.digest in wanted}
    return [*(one for digest, one in wanted.items() if digest not in before), *(wanted[digest] for digest in before)]


class _Pull(Struct, frozen=True):
    """One pull under way. `fetched` are the blobs that were fetched so far."""

    origin: Origin
    incoming: IncomingLayout
    progress: Progress
    crew: Crew
    fetched: dict[Digest, Descriptor] = field(default_factory=dict)

    def explored(self, index: bytes, verified: VerifiedBundle, packed: frozenset[Digest]) -> dict[Digest, Descriptor]:
        """Everything that `index.json` leads to and that was packed; manifests are fetched on the way.

        Raises BundleRefusedError when something lacks that the signed bundle carries, or when too much is there that
        nobody signed.
        """
        location = self.origin.source.location
        signed = _signed(verified)
        missing = [one for one in signed if one.digest not in packed]
        if missing:
            raise BundleRefusedError(*(_missing(one, location) for one in missing))
        self._raise(self.crew.map(self._arrived, signed))
        listed = [entry.descriptor for entry in parse_index(index, Where(file=location, subject="index.json"))]
        vouched = closure([verified.manifest, *signed], self._manifest, packed.__contains__, location)
        wanted = closure([*listed, *signed], self._manifest, packed.__contains__, location)
        unsigned = sum(one.size for digest, one in wanted.items() if digest not in vouched)
        if unsigned > _UNSIGNED_LIMIT:
            message = f"what lies beside the signed bundle has {unsigned} bytes; {_UNSIGNED_LIMIT} are allowed"
            raise malformed(Where(file=location, subject="index.json"), message)
        return wanted

    def fetch(self, wanted: Iterable[Descriptor]) -> None:
        """Get what is not here. Everything is tried; raises with each cause once."""
        wanted = list(wanted)
        here = self.crew.map(self.incoming.holds, wanted)
        missing = [blob for blob, is_here in zip(wanted, here, strict=True) if not is_here]
        self.progress.begin(len(missing), sum(blob.size for blob in missing))
        try:
            self._raise(self.crew.map(self._watched, missing))
        finally:
            self.progress.end()

    def _manifest(self, descriptor: Descriptor) -> bytes:
        self._raise([self._arrived(descriptor)])
        return self.incoming.blob(descriptor)

    def _watched(self, descriptor: Descriptor) -> RendererError | None:
        """Like `_arrived`, and somebody watches."""
        what = str(descriptor.digest)

        def told(position: int) -> None:
            self.crew.step()
            self.progress.sent(what, position)

        self.progress.sending(what, descriptor.size)
        try:
            return self._arrived(descriptor, told)
        finally:
            self.progress.done(what)

    def _arrived(self, descriptor: Descriptor, told: Callable[[int], None] = lambda _: None) -> RendererError | None:
        """Get one blob, unless it is here; why not, if it did not arrive."""
        try:
            if self.incoming.holds(descriptor):
                return None
            self.crew.attempt(lambda: self.incoming.receive(descriptor, self._opener(descriptor), told))
        except RendererError as error:
            return error
        self.fetched[descriptor.digest] = descriptor
        return None

    def _opener(self, descriptor: Descriptor) -> Callable[[BinaryIO | None], BinaryIO]:
        if descriptor.media_type in INDEX_TYPES | MANIFEST_TYPES:
            return lambda _: io.BytesIO(self.origin.source.blob(descriptor))
        repository = self.origin.address.repository
        return lambda begun: self.origin.registry.read_blob(repository, descriptor, begun=begun)

    @staticmethod
    def _raise(results: Sequence[RendererError | None]) -> None:
        """Raise what went wrong, each finding once; a refusal weighs more than a failure."""
        errors = [error for error in results if error is not None]
        if errors:
            worst = next((error for error in errors if isinstance(error, BundleRefusedError)), errors[0])
            raise type(worst)(*dict.fromkeys(finding for error in errors for finding in error.findings))


def _signed(verified: VerifiedBundle) -> list[Descriptor]:
    """The manifests and indexes of images that the signed bundle says it carries, each once."""
    found: dict[Digest, Descriptor] = {}
    for image in verified.bundle.images:
        if is_carried(image):
            for part in (image.content, *image.manifests):
                found.setdefault(part.digest, part.bare)
    return list(found.values())


def _missing(descriptor: Descriptor, location: str) -> Finding:
    return Finding(
        code="blob-missing",
        message=f"the registry does not hold `{descriptor.digest}`, which the signed bundle carries",
        where=Where(file=location, subject=f"manifest {descriptor.digest}"),
        hint="push the bundle again from where it was published",
    )


def _outcome(
    verified: VerifiedBundle, origin: Origin, wanted: Mapping[Digest, Descriptor], fetched: Collection[Descriptor]
) -> Outcome:
    bundle, verdict = verified.bundle, verified.verdict
    volume, total = sum(one.size for one in fetched), sum(one.size for one in wanted.values())
    lines = [
        *verified_lines(verified),
        f"  {count(len(fetched), 'blob')} fetched ({size(volume)}), {len(wanted) - len(fetched)} here already",
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, verified.manifest.digest),
            "address": str(origin.address),
            "verified": True,
            "verdict": verdict_json(verdict),
            "blobs": len(wanted),
            "bytes": total,
            "fetched": len(fetched),
            "fetchedBytes": volume,
        },
    )
