"""`sitewright bundle build SOURCE -o DIR|FILE.tar`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from renderer.commands.bundle.assembly import assembled, is_carried
from renderer.commands.bundle.contents import Contents, Packed
from renderer.commands.bundle.images import FoundImage, collect_images
from renderer.commands.bundle.workbench import Workbench
from renderer.errors import Finding, InputError
from renderer.formats.bundle.artifact import TITLE
from renderer.formats.bundle.source import BundleSourceDocument, SourceExtension, read_bundle_source
from renderer.formats.documents.wording import count, headline, identity, size
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor, Extension
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import Blob, Files, LayoutWriter

if TYPE_CHECKING:
    from renderer.commands.bundle.discovery_report import Discovery


def build(
    files: Files,
    source: str,
    output: str,
    writer: LayoutWriter,
    bench: Workbench,
    *,
    schema: Mapping[str, Json],
    created: datetime | None = None,
) -> Outcome:
    """Make the bundle that the file `source` describes, and write it to `output`.

    `schema` is `bundle-source.v1.json`; `created` is the time to use when the source names none (SOURCE_DATE_EPOCH).
    The same source and files give the same bytes, wherever and whenever. Nothing is written when objects name images
    that the bundle lacks: the outcome says which, and where. Raises InputError with every fault found.
    """
    return build_document(read_bundle_source(files.read(source), source, schema), files, output, writer, bench, created)


def build_document(
    document: BundleSourceDocument,
    files: Files,
    output: str,
    writer: LayoutWriter,
    bench: Workbench,
    created: datetime | None,
) -> Outcome:
    """Make the bundle that `document` describes: `build` without the reading."""
    moment = document.created or created
    if moment is None:
        raise InputError(_no_time(document))
    packed, images = _collect(document, files)
    from renderer.commands.bundle.discovery_report import discover  # what inflates charts; no other verb needs it

    discovery = discover(document, files, packed, images, bench)
    if discovery.incomplete:
        return discovery.refusal(document)
    bundle = Bundle(
        name=document.name,
        version=document.version,
        sequence=document.sequence,
        created=moment.replace(microsecond=0),
        platforms=document.platforms,
        extensions=discovery.extensions,
        images=tuple(found.image for found in images),
    )
    manifest, index, blobs = assembled(bundle, packed.blobs, images)
    writer.create(output, index, blobs)
    return _outcome(bundle, manifest, blobs, output, discovery, packed.notes)


def _collect(document: BundleSourceDocument, files: Files) -> tuple[Packed, tuple[FoundImage, ...]]:
    """Everything that the source names, read and packed. Raises InputError with every fault of every part."""
    contents = Contents(document, files)
    faults: list[Finding] = []
    found: list[Packed] = []
    for entry in document.extensions:
        try:
            found.append(
                contents.extension(entry) if isinstance(entry, SourceExtension) else contents.packages(entry.packages)
            )
        except InputError as error:
            faults += error.findings
    images: tuple[FoundImage, ...] = ()
    try:
        images = collect_images(document, files)
    except InputError as error:
        faults += error.findings
    extensions = sorted((one for packed in found for one in packed.extensions), key=lambda one: (one.name, one.version))
    faults += _repeated(extensions, document)
    if faults:
        raise InputError(*faults)
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


def _no_time(document: BundleSourceDocument) -> Finding:
    return Finding(
        code="created-missing",
        message="nothing says when the bundle was made; the clock is not read, so that builds can be repeated",
        where=document.document.where(("spec",)),
        expected="`created` in the source, or the environment variable SOURCE_DATE_EPOCH",
        hint="SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) sitewright bundle build …",
    )


def _outcome(
    bundle: Bundle,
    manifest: Descriptor,
    blobs: tuple[Blob, ...],
    output: str,
    discovery: Discovery,
    notes: tuple[Finding, ...],
) -> Outcome:
    carried = sum(is_carried(image) for image in bundle.images)
    total = sum(blob.descriptor.size for blob in blobs)
    components = sum(len(extension.components) for extension in bundle.extensions)
    platforms = ", ".join(map(str, bundle.platforms))
    images = f"{count(len(bundle.images), 'image')} ({carried} carried) for {platforms}"
    lines = [
        headline(bundle),
        f"  {count(len(bundle.extensions), 'extension')}, {count(components, 'component')}, {images}",
        f"  {discovery.line}",
        f"  {count(len(blobs), 'blob')}, {size(total)}, written to {output}",
        f"  {manifest.digest} (not signed yet)",
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, manifest.digest),
            "output": output,
            "extensions": [extension.id for extension in bundle.extensions],
            "images": len(bundle.images),
            "carriedImages": carried,
            "blobs": len(blobs),
            "bytes": total,
            "discovery": discovery.document(),
        },
        findings=(*notes, *discovery.findings),
    )
