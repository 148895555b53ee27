"""`sitewright bundle push BUNDLE oci://…`: a bundle into a repository, only what is missing, each thing once."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from renderer.commands.bundle.carrying.cargo import Cargo, Stowed, cargo_of, levels
from renderer.commands.bundle.carrying.delta_check import is_delta
from renderer.commands.bundle.carrying.standing import check_tags, is_there, known_blobs, push_referrers
from renderer.errors import Finding, InputError, RemoteError, Severity, Where
from renderer.formats.bundle.artifact import IMAGE_MANIFEST
from renderer.formats.bundle.packing import image_tag
from renderer.formats.documents.wording import count, headline, identity, size
from renderer.model.bundles.address import BundleAddress, version_tag, versions
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import Delivery, Traffic
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Journal, Layout, Progress, Registry
from renderer.structs import Struct
from renderer.transfer.courier import Courier, Delivered
from renderer.transfer.crew import Crew

_CONTENT_REFUSED = frozenset({"registry-refused", "registry-not-found"})


class PushOptions(Struct, frozen=True, kw_only=True):
    """How to push.

    `retag` moves a tag that stands for another bundle; `recheck` asks for every blob, also for those that the packing
    list of an earlier push names; `dry_run` asks and sends nothing.
    """

    jobs: int = 4
    retag: bool = False
    recheck: bool = False
    dry_run: bool = False


def push(
    source: Layout,
    address: BundleAddress,
    registry: Registry,
    journal: Journal,
    progress: Progress,
    options: PushOptions,
) -> Outcome:
    """Bring the bundle in `source` to `address`; without a tag there, under its version. What is there is not sent.

    The tag comes last: it never stands for half a bundle. An interrupted run leaves blobs and open uploads that the
    next run continues with. Raises RemoteError with each cause once, BundleRefusedError for a damaged layout,
    InputError (`delta-not-pushed`, `tag-differs`, `bundle-tag-differs`, `signatures-differ`).
    """
    if is_delta(source):
        raise InputError(_whole_bundle(source.location, address))
    cargo = cargo_of(source)
    place = _place(address, cargo)
    with Crew.of(options.jobs) as crew:
        if not options.recheck and is_there(cargo, place, registry):
            return _outcome(cargo, place, Traffic(present=len(cargo.blobs)), dry_run=options.dry_run)
        untagged = check_tags(cargo, place, registry, source, crew, retag=options.retag)
        known = frozenset() if options.recheck else known_blobs(cargo, place, registry)
        run = _Push(cargo, source, place, registry, journal, progress, crew, known, untagged)
        missing = run.missing()
        if options.dry_run:
            return _foreseen(cargo, place, missing)
        traffic = run.deliver(missing)
        notes = run.manifests()
    return _outcome(cargo, place, traffic, notes=notes, dry_run=False)


def _whole_bundle(location: str, address: BundleAddress) -> Finding:
    return Finding(
        code="delta-not-pushed",
        message="a delta travels as a file: between registries only what lacks travels anyway",
        where=Where(file=location),
        expected="the bundle that the delta leads to",
        got="a delta",
        hint=f"sitewright bundle push BUNDLE {address}; the site takes only what it lacks: "
        f"sitewright bundle pull {address} --base OLD -o NEW",
    )


def _place(address: BundleAddress, cargo: Cargo) -> BundleAddress:
    """The address with a tag. Raises InputError when the tag is another version: nobody could use it."""
    version = cargo.bundle.version
    tag = address.tag or version_tag(version)
    if versions([tag]) and tag != version_tag(version):
        raise InputError(
            Finding(
                code="bundle-tag-differs",
                message=f"the bundle `{cargo.bundle.name}` has another version than the tag",
                where=Where(subject=str(address)),
                expected=f"`{version_tag(version)}`",
                got=f"`{tag}`",
                hint=f"leave the tag out: {address.at(version_tag(version))}",
            )
        )
    return address.at(tag)


class _Push(Struct, frozen=True):
    """One push under way. `known` are blobs, manifests among them, that an earlier push has brought.

    `untagged` are signatures whose tags belong to another bundle.
    """

    cargo: Cargo
    source: Layout
    place: BundleAddress
    registry: Registry
    journal: Journal
    progress: Progress
    crew: Crew
    known: frozenset[Digest]
    untagged: frozenset[Digest]

    def missing(self) -> list[Descriptor]:
        """The blobs that the repository lacks. Raises RemoteError."""
        has = self.crew.map(self._has, self.cargo.blobs)
        return [blob for blob, there in zip(self.cargo.blobs, has, strict=True) if not there]

    def _has(self, blob: Descriptor) -> bool:
        if blob.digest in self.known:
            return True
        return self.crew.attempt(lambda: self.registry.has_blob(self.place.repository, blob.digest)) == blob.size

    def deliver(self, missing: Sequence[Descriptor]) -> Traffic:
        """Send blobs. Everything is tried; raises RemoteError with each cause once."""
        courier = Courier(
            source=lambda _: self.source,
            registry=self.registry,
            journal=self.journal,
            progress=self.progress,
            crew=self.crew,
        )
        repository = self.place.repository
        deliveries = [
            Delivery(descriptor=one, source=self.source.location, missing=(repository,), held=()) for one in missing
        ]
        self.progress.begin(len(deliveries), sum(one.size for one in missing))
        try:
            delivered = self.crew.map(courier.deliver, deliveries)
        finally:
            self.progress.end()
        causes = _causes(delivered)
        if causes:
            raise RemoteError(*causes)
        return Traffic(
            present=len(self.cargo.blobs) - len(missing),
            sent=sum(one.traffic.sent for one in delivered),
            sent_bytes=sum(one.traffic.sent_bytes for one in delivered),
            mounted=sum(one.traffic.mounted for one in delivered),
        )

    def manifests(self) -> tuple[Finding, ...]:
        """Put the manifests there, the bundle's own and its tag last. Raises RemoteError."""
        cargo, registry, repository = self.cargo, self.registry, self.place.repository
        opaque: list[Descriptor] = []
        new = {digest: one for digest, one in cargo.manifests.items() if one.tag or digest not in self.known}
        for level in levels(new):
            opaque += [one for one in self.crew.map(self._put, level) if one is not None]
        index = cargo.packed_index
        if registry.has_blob(repository, index.digest) != index.size:
            registry.push_blob(repository, index, lambda: io.BytesIO(cargo.index))
        registry.push_manifest(repository, cargo.packing_tag, cargo.packing, IMAGE_MANIFEST)
        content = self.source.blob(cargo.manifest)
        registry.push_manifest(repository, self.place.tag or "", content, cargo.manifest.media_type)
        push_referrers(new.values(), self.place, registry, self.source, self.crew)
        return _kept_as_blobs(opaque, self.registry.location)

    def _put(self, stowed: Stowed) -> Descriptor | None:
        """Put one manifest there. An index that the registry takes only whole is returned: it is there as a blob."""
        descriptor = stowed.descriptor
        # what refers to another manifest is found, and kept, by that; a tag would only be in the way
        tag = stowed.tag if descriptor.digest not in self.untagged else None
        reference = tag or (str(descriptor.digest) if stowed.subject else image_tag(descriptor.digest))
        content = self.source.blob(descriptor)
        try:
            self.crew.attempt(
                lambda: self.registry.push_manifest(self.place.repository, reference, content, descriptor.media_type)
            )
        except RemoteError as error:
            if stowed.sparse and all(finding.code in _CONTENT_REFUSED for finding in error.findings):
                return descriptor
            raise
        return None


def _causes(delivered: Iterable[Delivered]) -> list[Finding]:
    """Why blobs did not arrive, each cause once."""
    found: dict[tuple[str, str], Finding] = {}
    for one in delivered:
        for findings in one.faults.values():
            for finding in findings:
                found.setdefault((finding.code, finding.message), finding)
    return list(found.values())


def _kept_as_blobs(opaque: Sequence[Descriptor], location: str) -> tuple[Finding, ...]:
    if not opaque:
        return ()
    return (
        Finding(
            code="sparse-index-as-blob",
            message=f"{location} takes an index only when it has all that the index lists; for "
            f"{count(len(opaque), 'image')} that the bundle carries in part, the index lies there as a plain blob",
            where=Where(subject=location),
            severity=Severity.NOTE,
            explanation=tuple(str(one.digest) for one in opaque[:10]),
            hint="`bundle pull` restores them; other tools find these images by the digests of their platforms",
        ),
    )


def _foreseen(cargo: Cargo, place: BundleAddress, missing: Sequence[Descriptor]) -> Outcome:
    volume = sum(one.size for one in missing)
    there = len(cargo.blobs) - len(missing)
    lines = [
        headline(cargo.bundle),
        f"  {cargo.manifest.digest}",
        f"  {count(len(missing), 'blob')} to send ({size(volume)}) to {place}, {there} there already",
    ]
    blobs = {"present": there, "missing": len(missing), "missingBytes": volume}
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(cargo.bundle, cargo.manifest.digest),
            "address": str(place),
            "dryRun": True,
            "blobs": dict(blobs),
        },
    )


def _outcome(
    cargo: Cargo, place: BundleAddress, traffic: Traffic, *, notes: tuple[Finding, ...] = (), dry_run: bool
) -> Outcome:
    moved = f"{count(traffic.sent, 'blob')} sent ({size(traffic.sent_bytes)})"
    mounted = f", {traffic.mounted} mounted" if traffic.mounted else ""
    lines = [
        headline(cargo.bundle),
        f"  {cargo.manifest.digest}",
        f"  {moved}{mounted}, {traffic.present} there already: {place}",
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(cargo.bundle, cargo.manifest.digest),
            "address": str(place),
            "dryRun": dry_run,
            "blobs": {
                "present": traffic.present,
                "sent": traffic.sent,
                "mounted": traffic.mounted,
                "sentBytes": traffic.sent_bytes,
            },
        },
        findings=notes,
    )
