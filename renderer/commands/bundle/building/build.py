"""`sitewright bundle build SOURCE -o DIR|FILE.tar`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from renderer.commands.bundle.assembly import assembled
from renderer.commands.bundle.building.blobs import in_memory
from renderer.commands.bundle.building.report import outcome
from renderer.commands.bundle.building.watching import watched
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.discovery.advice import Advice
from renderer.errors import Finding, InputError
from renderer.formats.bundle.artifact import describe
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.reference import Platform
from renderer.ports import Blob, Files, LayoutWriter, Progress
from renderer.structs import Struct, replace

if TYPE_CHECKING:
    from renderer.commands.bundle.building.image_reader import FoundImage
    from renderer.commands.bundle.discovery.report import Discovery
    from renderer.formats.bundle.source import BundleSourceDocument


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
    from renderer.formats.bundle.source import read_bundle_source  # reads YAML; no other verb needs it

    document = read_bundle_source(files.read(source), source, schema)
    if platforms:
        document = replace(document, platforms=platforms)
    prepared = prepare(document, files, bench, created)
    return prepared if isinstance(prepared, Outcome) else write(prepared, output, writer, progress)


class Prepared(Struct, frozen=True, kw_only=True):
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
    from renderer.commands.bundle.building.collecting import collect
    from renderer.commands.bundle.discovery.report import discover  # what inflates charts; no other verb needs it

    packed, images = collect(document, files, bench)
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
