"""`sitewright images sync`: from bundles to the site registry, only what is missing, each thing once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future

from renderer.commands.images.loads import Hold
from renderer.commands.images.manifests import push_manifests, tag_causes
from renderer.commands.images.referrers import disputes
from renderer.commands.images.report import sync_outcome
from renderer.commands.images.survey import Standing, Survey, survey
from renderer.errors import Finding, RendererError
from renderer.model.images.transfer import ImageResult, ImageState, ImageTarget, Traffic
from renderer.model.outcome import Outcome
from renderer.ports import Journal, Progress, Registry
from renderer.structs import Struct, field
from renderer.transfer.courier import Courier, Delivered, Place
from renderer.transfer.crew import Crew


class SyncOptions(Struct, frozen=True, kw_only=True):
    """How to sync.

    `retag` moves tags that stand for another digest; `dry_run` only says what would be done; `recheck` asks for every
    blob, also of images that an earlier run saw complete and whose tags still stand for them.
    """

    jobs: int = 4
    recheck: bool = False
    retag: bool = False
    dry_run: bool = False


def sync(
    targets: Sequence[ImageTarget],
    hold: Hold,
    registry: Registry,
    journal: Journal,
    progress: Progress,
    options: SyncOptions,
) -> Outcome:
    """Bring `targets` from the bundles of `hold` to `registry`; what is there already is not sent.

    Everything is tried; what failed is told at the end, each cause once with the images that it stopped, and the
    outcome is failed. An interrupted run leaves blobs and open uploads that the next run continues with.
    """
    with Crew.of(options.jobs) as crew:
        seen = survey(targets, hold, registry, None if options.recheck else journal, crew)
        if options.dry_run:
            results, traffic = _foreseen(seen, retag=options.retag), Traffic(present=seen.present)
            return sync_outcome(results, traffic, seen.deliveries, registry.location, dry_run=True)
        courier = Courier(source=hold.source, registry=registry, journal=journal, progress=progress, crew=crew)
        run = _Run(seen=seen, registry=registry, crew=crew, courier=courier, retag=options.retag)
        progress.begin(len(seen.deliveries), sum(one.descriptor.size for one in seen.deliveries))
        try:
            run.carry_out()
        finally:
            progress.end()
        return sync_outcome(run.in_order(), run.traffic, seen.deliveries, registry.location, dry_run=False)


def _foreseen(seen: Survey, *, retag: bool) -> list[ImageResult]:
    """What a sync would come to, as far as asking can tell."""
    lacking = {(one.descriptor.digest, name) for one in seen.deliveries for name in one.missing}
    results = []
    for standing in seen.standings:
        blobs = standing.shipment.blobs if standing.shipment else ()
        places = {(blob.digest, standing.target.repository) for blob in blobs}
        refused = (finding for place in sorted(places) for finding in seen.faults.get(place, ()))
        foreign = () if retag else (*tag_causes(standing), *disputes(standing.disputed, standing.target))
        causes = (*standing.causes, *refused, *foreign)
        state = ImageState.PRESENT if standing.settled and not places & lacking else ImageState.TO_SEND
        results.append(_result(standing, state, causes))
    return results


def _result(standing: Standing, state: ImageState, causes: Sequence[Finding]) -> ImageResult:
    unique = tuple(dict.fromkeys(causes))
    return ImageResult(target=standing.target, state=ImageState.FAILED if unique else state, causes=unique)


class _Run(Struct, kw_only=True):
    """One sync under way: blobs in threads, and an image's manifests as soon as its last blob is over.

    The calling thread keeps the books; only it touches the fields.
    """

    seen: Survey
    registry: Registry
    crew: Crew
    courier: Courier
    retag: bool
    traffic: Traffic = field(default_factory=Traffic)
    faults: dict[Place, tuple[Finding, ...]] = field(default_factory=dict)
    waiting: dict[int, set[Place]] = field(default_factory=dict)
    results: dict[int, ImageResult] = field(default_factory=dict)
    blobs: set[Future[Delivered]] = field(default_factory=set)
    images: set[Future[tuple[int, ImageResult]]] = field(default_factory=set)

    def carry_out(self) -> None:
        """Do it all."""
        self.faults |= self.seen.faults
        self.traffic = Traffic(present=self.seen.present)
        moving = {(one.descriptor.digest, name) for one in self.seen.deliveries for name in one.missing}
        needed_by: defaultdict[Place, list[int]] = defaultdict(list)
        for index, standing in enumerate(self.seen.standings):
            self.waiting[index] = _places(standing) & moving
            for place in self.waiting[index]:
                needed_by[place].append(index)
        self.blobs = {self.crew.submit(self.courier.deliver, delivery) for delivery in self.seen.deliveries}
        for index, needs in self.waiting.items():
            if not needs:
                self._finish(index, moved=False)
        while self.blobs:
            for future in self.crew.finished(self.blobs):
                self._book(future.result(), needed_by)
        for image in self.images:
            index, result = image.result()
            self.results[index] = result

    def in_order(self) -> list[ImageResult]:
        """What became of every image, in the order of the survey."""
        return [self.results[index] for index in range(len(self.seen.standings))]

    def _book(self, delivered: Delivered, needed_by: dict[Place, list[int]]) -> None:
        before, now = self.traffic, delivered.traffic
        self.traffic = Traffic(
            present=before.present,
            sent=before.sent + now.sent,
            sent_bytes=before.sent_bytes + now.sent_bytes,
            mounted=before.mounted + now.mounted,
        )
        self.faults |= delivered.faults
        for place in delivered.places:
            for index in needed_by[place]:
                self.waiting[index].discard(place)
                if not self.waiting[index]:
                    self._finish(index, moved=True)

    def _finish(self, index: int, *, moved: bool) -> None:
        """An image whose blobs are over: failed with one of them, there already, or its manifests may follow."""
        standing = self.seen.standings[index]
        lost = [finding for place in sorted(_places(standing)) for finding in self.faults.get(place, ())]
        causes = (*standing.causes, *lost)
        if causes or standing.settled:
            state = ImageState.SENT if moved else ImageState.PRESENT
            self.results[index] = _result(standing, state, causes)
            if not causes:
                self._complete(standing)
        else:
            self.images.add(self.crew.submit(self._push, index))

    def _push(self, index: int) -> tuple[int, ImageResult]:
        standing = self.seen.standings[index]
        try:
            causes = self.crew.attempt(lambda: push_manifests(standing, self.registry, retag=self.retag))
        except RendererError as error:
            causes = error.findings
        if not causes:
            self._complete(standing)
        return index, _result(standing, ImageState.SENT, causes)

    def _complete(self, standing: Standing) -> None:
        """Remember an image whose every blob and manifest was seen: the next run asks for its tag only."""
        if standing.shipment is not None:
            target = standing.target
            beside = (one.manifest.descriptor.digest for one in standing.shipment.referrers)
            for digest in dict.fromkeys((*target.everything, *beside)):
                self.courier.journal.completed(target.repository, digest)


def _places(standing: Standing) -> set[Place]:
    blobs = standing.shipment.blobs if standing.shipment else ()
    return {(blob.digest, standing.target.repository) for blob in blobs}
