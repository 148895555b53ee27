"""What a person may do about an image that a bundle lacks: the lines to add, the command to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from renderer.errors import Where
from renderer.formats.bundle.remote_source import RemoteImage
from renderer.formats.bundle.source import BundleSourceDocument, SourceLayout
from renderer.model.fields import spell_path
from renderer.model.images.discovery import ImageRecord
from renderer.model.reference import ImageReference
from renderer.structs import Struct, replace


class Advice(Struct, frozen=True, kw_only=True):
    """How a missing image is brought into the bundle, or done without.

    `where` is the place that decides, `expected` what belongs there. `lines` and `hint` are for one image, `others`
    is the hint for images that are declared and not taken.
    """

    where: Where
    expected: str
    lines: Callable[[ImageRecord], Iterable[str]]
    hint: Callable[[ImageRecord], str | None]
    others: str


def of_source(source: BundleSourceDocument) -> Advice:
    """The advice for somebody who wrote a bundle source."""
    return Advice(
        where=source.document.where(("spec", "images")),
        expected="an entry of `spec.images` that brings it, or a reason under `spec.discovery.accepted`",
        lines=lambda record: _lines_to_add(record, source),
        hint=lambda record: _into_the_layout(record, source),
        others="add them under `spec.images`, or accept that they are missing under `spec.discovery.accepted`",
    )


def tagged(reference: ImageReference) -> ImageReference:
    """The same image with a tag, as bundles name it; one that has only a digest gets its first digits as its tag."""
    if reference.tag is not None or reference.digest is None:
        return reference
    return replace(reference, tag=reference.digest.hex[:12])


def _lines_to_add(record: ImageRecord, source: BundleSourceDocument) -> Iterator[str]:
    """The lines that bring the image into the bundle, and those that do without it."""
    named = tagged(record.reference)
    pinned = f"{named}@{record.other}" if record.other else str(named)
    listing = next((one for one in source.images if isinstance(one, RemoteImage) and "images" in one.source.at), None)
    if listing is not None:
        yield f"add it to `{spell_path(listing.source.at[:-1])}`:"
        yield f"  - {pinned}"
    elif named == record.reference:
        yield "add it to `spec.images`:"
        yield f'  - {{registry: "oci://{pinned}"}}'
    else:
        yield "add it to `spec.images`:"
        yield f'  - {{registry: "oci://{record.reference}", reference: "{named.without_digest()}"}}'
    yield "or to `spec.discovery.accepted`, with the reason why sites do without:"
    yield f'  - {{reference: "{record.reference}", reason: …}}'


def _into_the_layout(record: ImageRecord, source: BundleSourceDocument) -> str | None:
    """The command that puts the image where the source takes images from."""
    files = [one.layout for one in source.images if isinstance(one, SourceLayout)]
    path = next((file.path for file in files if file.at[-1] == "layout"), None)
    if path is None:
        return None
    return f"skopeo copy --all docker://{record.reference} oci:{path}:{tagged(record.reference).without_digest()}"
