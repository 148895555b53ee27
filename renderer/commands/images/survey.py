"""What a site registry has of the images that it must have: asked by digest, before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from renderer.commands.images.loads import Hold
from renderer.commands.images.referrers import look_for_referrers
from renderer.errors import BundleRefusedError, Finding, RemoteError, RendererError, Where
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.transfer import Delivery, ImageTarget, Shipment, StoredManifest, StoredReferrer
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Journal, Registry
from renderer.structs import Struct
from renderer.transfer.crew import Crew


class Standing(Struct, frozen=True, kw_only=True):
    """One image as the registry has it before a sync.

    `tagged` is the digest that its tag stands for now; `manifests` are those that must be pushed, children first, the
    root last; `referrers` those that are missing, or not to be found, `disputed` those whose tags hold other
    signatures. `causes` say why the image cannot be synced.
    """

    target: ImageTarget
    shipment: Shipment | None
    tagged: Digest | None
    manifests: tuple[StoredManifest, ...]
    referrers: tuple[StoredReferrer, ...] = ()
    disputed: tuple[StoredReferrer, ...] = ()
    causes: tuple[Finding, ...] = ()

    @property
    def settled(self) -> bool:
        """True when all manifests are there, can be found, and the tag stands for the right one."""
        open_questions = self.causes or self.manifests or self.referrers or self.disputed
        return not open_questions and self.well_tagged

    @property
    def well_tagged(self) -> bool:
        """True when the tag stands for the image, or there is none to stand for it."""
        return self.target.tag is None or self.tagged == self.target.digest


class Survey(Struct, frozen=True, kw_only=True):
    """All images, and the blobs that some repository lacks. `present` counts blobs that need no work."""

    standings: tuple[Standing, ...]
    deliveries: tuple[Delivery, ...]
    faults: Mapping[tuple[Digest, str], tuple[Finding, ...]]
    present: int


def survey(
    targets: Sequence[ImageTarget], hold: Hold, registry: Registry, journal: Journal | None, crew: Crew
) -> Survey:
    """Ask `registry` for every manifest, tag and blob of `targets`. What fails is told with its image.

    With a journal, an image that an earlier run saw complete is asked for by its tag only: while the tag stands for
    it, nobody has deleted it. What a registry loses otherwise, `images verify` finds.
    """
    standings = tuple(crew.map(lambda target: _standing(target, hold, registry, journal, crew), targets))
    wanted: defaultdict[Digest, dict[str, None]] = defaultdict(dict)
    known: dict[Digest, tuple[Descriptor, str]] = {}
    for standing in standings:
        if standing.shipment is not None and not standing.causes:
            for blob in standing.shipment.blobs:
                wanted[blob.digest][standing.target.repository] = None
                known.setdefault(blob.digest, (blob, standing.shipment.source))
    questions = [(digest, repository) for digest, repositories in wanted.items() for repository in repositories]
    answers = dict(zip(questions, crew.map(lambda one: _has(one, known, registry, crew), questions), strict=True))
    deliveries = []
    for digest, repositories in wanted.items():
        missing = tuple(name for name in repositories if answers[digest, name] is False)
        if missing:
            held = tuple(name for name in repositories if answers[digest, name] is True)
            descriptor, source = known[digest]
            beside = hold.repository(source)
            held += (beside,) if beside else ()
            deliveries.append(Delivery(descriptor=descriptor, source=source, missing=missing, held=held))
    return Survey(
        standings=standings,
        deliveries=tuple(deliveries),
        faults={question: answer for question, answer in answers.items() if isinstance(answer, tuple)},
        present=sum(answer is True for answer in answers.values()),
    )


def _has(
    question: tuple[Digest, str], known: Mapping[Digest, tuple[Descriptor, str]], registry: Registry, crew: Crew
) -> bool | tuple[Finding, ...]:
    """Whether a repository has a blob whole; the findings when it would not say."""
    digest, repository = question
    try:
        size = crew.attempt(lambda: registry.has_blob(repository, digest))
    except RemoteError as error:
        return error.findings
    return size is not None and size == known[digest][0].size


def _standing(target: ImageTarget, hold: Hold, registry: Registry, journal: Journal | None, crew: Crew) -> Standing:
    try:
        if (
            journal is not None
            and _seen_before(target, hold, journal)
            and crew.attempt(lambda: _stands(target, registry))
        ):
            return Standing(target=target, shipment=None, tagged=target.digest, manifests=())
        tagged, here = crew.attempt(lambda: _held(target, registry))
        shipment = hold.shipment(target)
        asked = {target.digest, *target.manifests}
        others = [one.descriptor.digest for one in shipment.children if one.descriptor.digest not in asked]
        here |= crew.attempt(lambda: _there(others, target, registry))
        missing, disputed = crew.attempt(lambda: look_for_referrers(shipment, registry))
    except RemoteError as error:
        return _failed(target, error)
    except BundleRefusedError as error:
        # an image that no bundle carries may have come another way; `images verify` looks at it closely
        not_carried = all(finding.code == "image-not-carried" for finding in error.findings)
        complete = {target.digest, *target.manifests} <= here and (target.tag is None or tagged == target.digest)
        if not_carried and complete:
            return Standing(target=target, shipment=None, tagged=tagged, manifests=())
        return _failed(target, error)
    manifests = (*shipment.children, shipment.root)
    return Standing(
        target=target,
        shipment=shipment,
        tagged=tagged,
        manifests=tuple(one for one in manifests if one.descriptor.digest not in here),
        referrers=missing,
        disputed=disputed,
    )


def _seen_before(target: ImageTarget, hold: Hold, journal: Journal) -> bool:
    wanted = (*target.everything, *hold.signatures(target))
    return all(journal.was_complete(target.repository, digest) for digest in wanted)


def _stands(target: ImageTarget, registry: Registry) -> bool:
    """Whether the tag of an image stands for it; one request."""
    if target.tag is not None:
        return registry.stands_for(target.repository, target.tag, target.digest)
    return _found(target.repository, str(target.digest), registry) is not None


def _found(repository: str, reference: str, registry: Registry) -> FoundManifest | None:
    """A manifest that the registry has. One that a rule of the project keeps from readers has to be sent again.

    Harbor lets nobody read an image without signatures where it asks for them, not even who brings them.
    """
    try:
        return registry.manifest(repository, reference)
    except RemoteError as error:
        if any(finding.code != "registry-policy" for finding in error.findings):
            raise
        return None


def _held(target: ImageTarget, registry: Registry) -> tuple[Digest | None, set[Digest]]:
    """What the tag stands for, and which manifests of the image the repository has."""
    here = set()
    tagged = None
    if target.tag is not None:
        found = _found(target.repository, target.tag, registry)
        if found is not None:
            tagged = found.digest
            here.add(found.digest)
    wanted = [digest for digest in (target.digest, *target.manifests) if digest not in here]
    return tagged, here | _there(wanted, target, registry)


def _there(digests: Iterable[Digest], target: ImageTarget, registry: Registry) -> set[Digest]:
    """Those of `digests` that the repository of an image has as manifests."""
    return {one for one in digests if _found(target.repository, str(one), registry) is not None}


def _failed(target: ImageTarget, error: RendererError) -> Standing:
    return Standing(target=target, shipment=None, tagged=None, manifests=(), causes=error.findings)


def subject(target: ImageTarget) -> Where:
    """The place of a finding about one image."""
    return Where(subject=f"image {target.reference}")
