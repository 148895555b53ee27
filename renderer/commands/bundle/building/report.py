"""What `bundle build` says when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from renderer.errors import Finding
from renderer.formats.bundle.document import is_carried
from renderer.formats.documents.wording import count, headline, identity, size
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.outcome import Outcome
from renderer.ports import Blob

if TYPE_CHECKING:
    from renderer.commands.bundle.building.image_reader import FoundImage
    from renderer.commands.bundle.discovery.report import Discovery


def outcome(
    bundle: Bundle,
    manifest: Descriptor,
    blobs: Sequence[Blob],
    images: Sequence[FoundImage],
    output: str,
    discovery: Discovery,
    notes: tuple[Finding, ...],
) -> Outcome:
    """The bundle in numbers, what discovery found, and every tag that was followed to a digest."""
    carried = sum(is_carried(image) for image in bundle.images)
    total = sum(blob.descriptor.size for blob in blobs)
    components = sum(len(extension.components) for extension in bundle.extensions)
    platforms = ", ".join(map(str, bundle.platforms))
    held = f"{count(len(bundle.images), 'image')} ({carried} carried) for {platforms}"
    resolved = [one for one in images if not one.pinned]
    lines = [
        headline(bundle),
        f"  {count(len(bundle.extensions), 'extension')}, {count(components, 'component')}, {held}",
        f"  {discovery.line}",
        *(f"  {one.image.reference} is {one.image.digest}, from {one.remote}" for one in resolved),
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
            "resolved": [
                {"reference": str(one.image.reference), "from": str(one.remote), "digest": str(one.image.digest)}
                for one in resolved
            ],
            "blobs": len(blobs),
            "bytes": total,
            "discovery": discovery.document(),
        },
        findings=(*notes, *discovery.findings),
    )
