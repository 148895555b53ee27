"""The images of a bundle: those that it names by digest, and those that it takes over from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from renderer.commands.bundle.building.faults import FaultsOfParts
from renderer.commands.bundle.building.image_reader import FoundImage, read_image
from renderer.commands.bundle.building.places import LayoutPlace, name_in_layout
from renderer.commands.bundle.building.remotes import RegistryPlace, resolve
from renderer.commands.bundle.building.workbench import Workbench
from renderer.errors import Finding, InputError, RendererError, Where
from renderer.formats.bundle.remote_source import RemoteImage
from renderer.formats.bundle.source import BundleSourceDocument, DeclaredImage, SourceImage, SourceLayout
from renderer.model.reference import ImageReference, Platform
from renderer.ports import Files, Registry
from renderer.structs import replace
from renderer.transfer.crew import Crew

__all__ = ["FoundImage", "collect_images"]


def collect_images(source: BundleSourceDocument, files: Files, bench: Workbench) -> tuple[FoundImage, ...]:
    """Every image that the source names, by reference. Raises InputError or RemoteError with every fault found.

    The same reference may come up twice when it stands for the same content; what carries the image wins.
    """
    chosen: dict[ImageReference, FoundImage] = {}
    faults = FaultsOfParts()
    local = (found for entry in source.images for found in _local_images(entry, source, files, faults))
    for found in (*local, *_remote_images(source, bench, faults)):
        before = chosen.setdefault(found.image.reference, found)
        if before.image.digest != found.image.digest:
            faults.add(_conflict(before, found))
        elif len(found.blobs) > len(before.blobs):
            chosen[found.image.reference] = found
    for found in chosen.values():
        faults.add(*_missing_platforms(found, source.platforms))
    faults.raise_if_any()
    return tuple(chosen[reference] for reference in sorted(chosen, key=str))


def _local_images(
    entry: SourceImage, source: BundleSourceDocument, files: Files, faults: FaultsOfParts
) -> Iterator[FoundImage]:
    """The images of one entry; an image that cannot be read adds to `faults`, the others are given all the same."""
    if isinstance(entry, DeclaredImage):
        yield FoundImage(entry.image, (), source.document.where(entry.at))
    if not isinstance(entry, SourceLayout):
        return
    where = source.document.where(entry.layout.at)
    place = None
    with faults.of_part():
        place = _open(entry, files, where)
    absent = dict.fromkeys(entry.images if place else ())
    for listed in place.images() if place else ():
        with faults.of_part():
            reference = entry.reference or name_in_layout(listed, entry.layout.path, where)
            if not entry.images or reference in entry.images:
                absent.pop(reference, None)
                yield read_image(place, reference, listed.descriptor, source.platforms, where)
    faults.add(*(_not_there(reference, entry, where) for reference in absent))


def _not_there(reference: ImageReference, entry: SourceLayout, where: Where) -> Finding:
    return Finding(
        code="image-not-there",
        message=f"`{entry.layout.path}` does not hold `{reference}`",
        where=where,
        expected="an image of this name in `index.json`",
        hint=f"skopeo copy --all docker://{reference} oci:{entry.layout.path}:{reference}",
    )


def no_images(finding: Finding) -> Finding:
    """A layout that is not there, told to somebody who wants images and no bundle; every other finding as it is."""
    path = finding.where.file
    if finding.code not in {"bundle-not-found", "not-a-layout"}:
        return finding
    made = f"podman save -o {path} REFERENCE" if f"{path}".endswith(".tar") else None
    if finding.hint and finding.hint.startswith("gunzip"):
        made = finding.hint
    return replace(
        finding,
        message=finding.message.replace("there is no bundle at", "there are no images at"),
        expected="an OCI image layout (a directory or a tar file), or a docker archive",
        hint=made or f"skopeo copy --all docker://REFERENCE oci:{path}:REFERENCE",
    )


def _open(entry: SourceLayout, files: Files, where: Where) -> LayoutPlace:
    try:
        layout = files.source(entry.layout.path)
        layout.index()
    except InputError as error:
        raise InputError(*(no_images(finding).at(where) for finding in error.findings)) from error
    place = LayoutPlace(layout)
    if entry.reference is not None and len(place.images()) != 1:
        names = ", ".join(f"`{one.name}`" for one in place.images()[:5])
        raise InputError(
            Finding(
                code="image-unnamed",
                message=f"`reference` names one image, and `{place.location}` holds {len(place.images())}",
                where=where,
                expected="one image",
                got=names or "none",
                hint="leave `reference` out: images are called as the layout calls them",
            )
        )
    return place


def _remote_images(source: BundleSourceDocument, bench: Workbench, faults: FaultsOfParts) -> Iterator[FoundImage]:
    """The images that lie in registries, a few at a time; all that one registry has, then the next registry."""
    wanted: dict[str, list[RemoteImage]] = {}
    for entry in source.images:
        if isinstance(entry, RemoteImage):
            wanted.setdefault(entry.source.url, []).append(entry)
    for url, images in wanted.items():
        with faults.of_part(), Crew.of(bench.jobs) as crew:
            registry = bench.registry(url)
            yield from _in_registry(registry, images, source, crew, faults)


def _in_registry(
    registry: Registry,
    images: Sequence[RemoteImage],
    source: BundleSourceDocument,
    crew: Crew,
    faults: FaultsOfParts,
) -> Iterator[FoundImage]:
    def read(image: RemoteImage) -> FoundImage | RendererError:
        where = source.document.where(image.source.at)
        try:
            return crew.attempt(lambda: read_remote(registry, image, source.platforms, where))
        except RendererError as error:
            return error

    for found in crew.map(read, images):
        with faults.of_part():
            if isinstance(found, RendererError):
                raise found
            yield found


def read_remote(registry: Registry, image: RemoteImage, platforms: Iterable[Platform], where: Where) -> FoundImage:
    """One image of a registry. Raises InputError, BundleRefusedError, RemoteError."""
    place = RegistryPlace(registry, image.source.repository)
    root = resolve(registry, image.source, where)
    found = read_image(place, image.reference, root, platforms, where)
    return replace(found, remote=image.source, pinned=image.source.digest is not None)


def _conflict(before: FoundImage, found: FoundImage) -> Finding:
    return Finding(
        code="image-conflict",
        message=f"`{found.image.reference}` stands for two different images",
        where=found.where,
        expected=f"{before.image.digest}, as at {before.where}",
        got=str(found.image.digest),
        hint="name each reference once, with the content that sites shall get",
    )


def _missing_platforms(found: FoundImage, wanted: Iterable[Platform]) -> Iterator[Finding]:
    have = found.image.platforms
    missing = [platform for platform in wanted if not any(one.serves(platform) for one in have)]
    if missing:
        yield Finding(
            code="platform-missing",
            message=f"`{found.image.reference}` does not exist for {', '.join(map(str, missing))}",
            where=found.where,
            expected=f"an image for {', '.join(map(str, wanted))}",
            got=", ".join(str(platform) for platform in (*have, *found.image.omitted)) or "no platform at all",
            hint=f"skopeo inspect --raw {found.remote.for_skopeo}"
            if found.remote
            else f"skopeo copy --all docker://{found.image.reference} oci:DIRECTORY:{found.image.reference}",
        )
