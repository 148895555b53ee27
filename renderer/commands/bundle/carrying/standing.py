"""What a repository says of a bundle before and after a push: its tags, its signatures, what refers to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from renderer.commands.bundle.carrying.cargo import Cargo, Stowed
from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.formats.bundle.packing import packing_tag, read_packing_list
from renderer.formats.trust.cosign import signature_tag
from renderer.model.bundles.address import BundleAddress, versions
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Layout, Registry
from renderer.transfer.crew import Crew
from renderer.transfer.listing import as_referrer, see_to_referrers


def is_there(cargo: Cargo, place: BundleAddress, registry: Registry) -> bool:
    """Whether all of a bundle is at `place`: its tag, its packing list, and its signatures under cosign's tag.

    A registry takes a packing list only when it has all blobs that the list names, and keeps them as long as it keeps
    the list.
    """
    wanted = {place.tag or "": cargo.manifest.digest, cargo.packing_tag: cargo.packing_digest}
    own = signature_tag(cargo.manifest.digest)
    wanted |= {stowed.tag: digest for digest, stowed in cargo.manifests.items() if stowed.tag == own}
    for tag, digest in wanted.items():
        found = registry.manifest(place.repository, tag)
        if found is None or found.digest != digest:
            return False
    return True


def known_blobs(cargo: Cargo, place: BundleAddress, registry: Registry) -> frozenset[Digest]:
    """What need not be asked for: the blobs of an earlier push of this bundle, else of the newest version there."""
    packed = registry.manifest(place.repository, cargo.packing_tag)
    if packed is None:
        before = versions(registry.tags(place.repository))
        found = registry.manifest(place.repository, before[0][1]) if before else None
        packed = registry.manifest(place.repository, packing_tag(found.digest)) if found else None
    if packed is None:
        return frozenset()
    try:
        listed = read_packing_list(packed.content, Where(subject=f"{place.host}/{place.repository}@{packed.digest}"))
    except BundleRefusedError:
        return frozenset()
    return frozenset(blob.digest for blob in listed.blobs)


def check_tags(
    cargo: Cargo, place: BundleAddress, registry: Registry, source: Layout, crew: Crew, *, retag: bool
) -> frozenset[Digest]:
    """Refuse to take something away: a tag from another bundle, or signatures that were added in the registry.

    Signatures over images give way: when another bundle has its own under their tag, they go without one. `pull` and
    `images sync` find them by the packing list. Returns those. Raises InputError (`tag-differs`, `signatures-differ`),
    with every fault.
    """
    faults = []
    give_way = cargo.over_images
    if give_way and registry.manifest(place.repository, cargo.packing_tag) is not None:
        give_way = frozenset()  # they are of this bundle: somebody signed its images in another copy
    found = registry.manifest(place.repository, place.tag or "")
    if found is not None and found.digest != cargo.manifest.digest and not retag:
        faults.append(_other_bundle(cargo, place, found))
    named = [(stowed, stowed.tag) for stowed in cargo.manifests.values() if stowed.tag]
    held = crew.map(lambda one: crew.attempt(lambda: registry.manifest(place.repository, one[1])), named)
    untagged = set()
    for (stowed, _), standing in zip(named, held, strict=True):
        digest = stowed.descriptor.digest
        if standing is None or standing.digest == digest:
            continue
        if not _adds_nothing(standing, stowed.descriptor, source, place):
            if digest in give_way:
                untagged.add(digest)
            else:
                faults.append(_would_be_lost(stowed, standing, place))
    if faults:
        raise InputError(*faults)
    return frozenset(untagged)


def _other_bundle(cargo: Cargo, place: BundleAddress, found: FoundManifest) -> Finding:
    return Finding(
        code="tag-differs",
        message=f"`{place}` is another bundle",
        where=Where(subject=str(place)),
        expected=str(cargo.manifest.digest),
        got=str(found.digest),
        hint="publish changes under a new version; or move the tag with --retag: locks name digests",
    )


def _adds_nothing(standing: FoundManifest, ours: Descriptor, source: Layout, place: BundleAddress) -> bool:
    """Whether all that lies under a tag now is part of what we bring; cosign puts one signature in each layer."""
    where = Where(subject=f"{place.host}/{place.repository}@{standing.digest}")
    try:
        here, there = parse_manifest(source.blob(ours), where).layers, parse_manifest(standing.content, where).layers
    except BundleRefusedError:
        return False
    return all(layer in here for layer in there)


def _would_be_lost(stowed: Stowed, standing: FoundManifest, place: BundleAddress) -> Finding:
    return Finding(
        code="signatures-differ",
        message=f"`{stowed.tag}` in the registry holds signatures that this layout lacks; they would be lost",
        where=Where(subject=f"{place.host}/{place.repository}"),
        expected=f"{stowed.descriptor.digest}, or a part of it",
        got=str(standing.digest),
        hint=f"sitewright bundle pull {place} -o DIR, sign that, and push it",
    )


def push_referrers(
    manifests: Iterable[Stowed], place: BundleAddress, registry: Registry, source: Layout, crew: Crew
) -> None:
    """See to it that those of `manifests` that refer to others can be found. Raises RemoteError."""
    about: defaultdict[Digest, list[Stowed]] = defaultdict(list)
    for stowed in manifests:
        if stowed.subject is not None:
            about[stowed.subject].append(stowed)

    def see_to(subject: Digest) -> None:
        described = ((one.descriptor, source.blob(one.descriptor)) for one in about[subject])
        listed = [as_referrer(descriptor, content, source.location) for descriptor, content in described]
        see_to_referrers(registry, place.repository, subject, listed)

    crew.map(lambda subject: crew.attempt(lambda: see_to(subject)), sorted(about))
