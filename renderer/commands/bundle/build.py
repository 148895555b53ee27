"""`sitewright bundle build SOURCE -o DIR|FILE.tar`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from renderer.commands.bundle.assembly import assembled
from renderer.commands.bundle.build_report import outcome
from renderer.commands.bundle.contents import Contents, Packed, in_memory
from renderer.commands.bundle.discovery_advice import Advice
from renderer.commands.bundle.faults import FaultsOfParts
from renderer.commands.bundle.images import FoundImage, collect_images
from renderer.commands.bundle.reading import SourceReader
from renderer.commands.bundle.watching import watched
from renderer.commands.bundle.workbench import Workbench
from renderer.errors import Finding, InputError
from renderer.formats.bundle.artifact import TITLE, describe
from renderer.formats.bundle.source import BundleSourceDocument, SourceExtension, read_bundle_source
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor, Extension
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.reference import Platform
from renderer.ports import Blob, Files, LayoutWriter, Progress

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
    platforms: tuple[Platform, ...] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Make the bundle that the file `source` describes, and write it to `output`.

    `schema` is `bundle-source.v1.json`; `created` is the time to use when the source names none (SOURCE_DATE_EPOCH);
    `platforms` replace those of the source. Somebody may watch the `progress` of writing.
    The same source and files give the same bytes, wherever and whenever. Nothing is written when objects name images
    that the bundle lacks: the outcome says which, and where. Raises InputError with every fault found.
    """
    document = read_bundle_source(files.read(source), source, schema)
    if platforms:
        document = replace(document, platforms=platforms)
    prepared = prepare(document, files, bench, created)
    return prepared if isinstance(prepared, Outcome) else write(prepared, output, writer, progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A bundle that lacks nothing, before it is written; the content of big blobs has not been read yet."""

    bundle: Bundle
    manifest: Descriptor
    index: bytes
    blobs: tuple[Blob, ...]
    images: tuple[FoundImage, ...]
    discovery: Discovery
    notes: tuple[Finding, ...]


def write(prepared: Prepared, output: str, writer: LayoutWriter, progress: Progress | None = None) -> Outcome:
    """Write a bundle, and say what is in it. Somebody may watch its `progress`."""
    if progress is None:
        writer.create(output, prepared.index, prepared.blobs)
    else:
        with watched(prepared.blobs, progress) as blobs:
            writer.create(output, prepared.index, blobs)
    one = prepared
    return outcome(one.bundle, one.manifest, one.blobs, one.images, output, one.discovery, one.notes)


def prepare(
    document: BundleSourceDocument,
    files: Files,
    bench: Workbench,
    created: datetime | None,
    advice: Advice | None = None,
) -> Prepared | Outcome:
    """Everything that `document` names, put together; the outcome of the build when images are missing.

    `advice` says what may be done about those, for somebody who did not write the document.
    """
    moment = document.created or created
    if moment is None:
        raise InputError(_no_time(document))
    if not document.platforms:
        raise InputError(_no_platforms(document))
    packed, images = collect(document, files, bench)
    from renderer.commands.bundle.discovery_report import discover  # what inflates charts; no other verb needs it

    discovery = discover(document, files, packed, images, bench, advice)
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
    manifest, index, blobs = assembled(bundle, (*packed.blobs, _bill(bundle, discovery)), images)
    return Prepared(
        bundle=bundle,
        manifest=manifest,
        index=index,
        blobs=blobs,
        images=images,
        discovery=discovery,
        notes=packed.notes,
    )


def _bill(bundle: Bundle, discovery: Discovery) -> Blob:
    """The bill of materials, a layer like the others: it is signed with them."""
    from renderer.formats.bundle.sbom import SBOM_LAYER, SBOM_TITLE, bill_of_materials

    users = {one.reference: {seen.extension for seen in one.seen if not seen.dropped} for one in discovery.records}
    content = bill_of_materials(bundle, users)
    return in_memory(describe(content, SBOM_LAYER, title=SBOM_TITLE), content)


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


def _no_time(document: BundleSourceDocument) -> Finding:
    return Finding(
        code="created-missing",
        message="nothing says when the bundle was made; the clock is not read, so that builds can be repeated",
        where=document.document.where(("spec",)),
        expected="`created` in the source, or the environment variable SOURCE_DATE_EPOCH",
        hint="SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) sitewright bundle build …",
    )


def _no_platforms(document: BundleSourceDocument) -> Finding:
    return Finding(
        code="platforms-missing",
        message="nothing says for which platforms the bundle is",
        where=document.document.where(("spec",)),
        expected="`platforms` in the source, or `--platform`",
        hint="add `platforms: [linux/amd64]`",
    )
