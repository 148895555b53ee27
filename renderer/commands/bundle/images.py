"""The images of a bundle: those that it names by digest, and those that it takes over from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from renderer.commands.bundle.image_reader import FoundImage, read_image
from renderer.commands.bundle.places import LayoutPlace, name_in_layout
from renderer.errors import BundleRefusedError, Finding, InputError
from renderer.formats.bundle.source import BundleSourceDocument, DeclaredImage, SourceLayout
from renderer.model.reference import ImageReference, Platform
from renderer.ports import Files

__all__ = ["FoundImage", "collect_images"]


def collect_images(source: BundleSourceDocument, files: Files) -> tuple[FoundImage, ...]:
    """Every image that the source names, by reference. Raises InputError with every fault found.

    The same reference may come up twice when it stands for the same content; what carries the image wins.
    """
    chosen: dict[ImageReference, FoundImage] = {}
    faults: list[Finding] = []
    for entry in source.images:
        try:
            for found in _entry_images(entry, source, files, faults):
                before = chosen.setdefault(found.image.reference, found)
                if before.image.digest != found.image.digest:
                    faults.append(_conflict(before, found))
                elif len(found.blobs) > len(before.blobs):
                    chosen[found.image.reference] = found
        except (InputError, BundleRefusedError) as error:
            faults += error.findings
    for found in chosen.values():
        faults += _missing_platforms(found, source.platforms)
    if faults:
        raise InputError(*faults)
    return tuple(chosen[reference] for reference in sorted(chosen, key=str))


def _entry_images(
    entry: DeclaredImage | SourceLayout, source: BundleSourceDocument, files: Files, faults: list[Finding]
) -> Iterator[FoundImage]:
    """The images of one entry; an image that cannot be read adds to `faults`, the others are given all the same."""
    if isinstance(entry, DeclaredImage):
        yield FoundImage(entry.image, (), source.document.where(entry.at))
        return
    where = source.document.where(entry.layout.at)
    try:
        layout = files.source(entry.layout.path)
        layout.index()
    except InputError as error:
        raise InputError(*(finding.at(where) for finding in error.findings)) from error
    place = LayoutPlace(layout)
    for listed in place.images():
        try:
            reference = name_in_layout(listed, place.location, where)
            yield read_image(place, reference, listed.descriptor, source.platforms, where)
        except (InputError, BundleRefusedError) as error:
            faults += error.findings


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
            expected=f"an image for {', '.join(map(str, wanted))}, as `spec.platforms` demands",
            got=", ".join(str(platform) for platform in (*have, *found.image.omitted)) or "no platform at all",
            hint="skopeo copy --all docker://REFERENCE oci:DIRECTORY:REFERENCE",
        )
