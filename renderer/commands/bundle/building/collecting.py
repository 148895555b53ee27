"""Everything that a bundle source names, read and packed."""

from __future__ import annotations

from itertools import pairwise

from renderer.commands.bundle.building.contents import Contents, Packed
from renderer.commands.bundle.building.faults import FaultsOfParts
from renderer.commands.bundle.building.images import FoundImage, collect_images
from renderer.commands.bundle.building.reading import SourceReader
from renderer.commands.bundle.building.workbench import Workbench
from renderer.errors import Finding
from renderer.formats.bundle.artifact import TITLE
from renderer.formats.bundle.source import BundleSourceDocument, SourceExtension
from renderer.model.bundles.extension import Extension
from renderer.ports import Files


def collect(document: BundleSourceDocument, files: Files, bench: Workbench) -> tuple[Packed, tuple[FoundImage, ...]]:
    """Everything that the source names, read and packed. Raises InputError or RemoteError with every fault."""
    contents = Contents(SourceReader(document.document, files), bench.registry)
    faults = FaultsOfParts()
    found: list[Packed] = []
    for entry in document.extensions:
        with faults.of_part():
            found.append(
                contents.extension(entry) if isinstance(entry, SourceExtension) else contents.packages(entry.packages)
            )
    images: tuple[FoundImage, ...] = ()
    with faults.of_part():
        images = collect_images(document, files, bench)
    extensions = sorted((one for packed in found for one in packed.extensions), key=lambda one: (one.name, one.version))
    faults.add(*_repeated(extensions, document))
    faults.raise_if_any()
    blobs = tuple(blob for packed in found for blob in packed.blobs)
    ordered = sorted(blobs, key=lambda blob: (blob.descriptor.annotations.get(TITLE, ""), str(blob.descriptor.digest)))
    return Packed(tuple(extensions), tuple(ordered), tuple(note for one in found for note in one.notes)), images


def _repeated(extensions: list[Extension], document: BundleSourceDocument) -> list[Finding]:
    return [
        Finding(
            code="duplicate-extension",
            message=f"the bundle would hold `{later.id}` twice",
            where=document.document.where(("spec", "extensions")),
            expected="each version of an extension once",
            hint="remove one of them, or narrow the glob that finds both",
        )
        for earlier, later in pairwise(extensions)
        if earlier.id == later.id
    ]
