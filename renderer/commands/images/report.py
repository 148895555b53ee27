"""What a sync says in the end: a line for each image that moved or failed, and each cause of failure once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from renderer.errors import Finding, RemoteError, Where
from renderer.formats.documents.wording import count, size, some, table
from renderer.model.fields import Json
from renderer.model.images.transfer import Delivery, ImageResult, ImageState, Traffic
from renderer.model.outcome import Outcome
from renderer.structs import replace

_NAMING: Final = frozenset({"registry-unauthorized", "registry-denied", "registry-full", "registry-quota"})
"""Causes of which the registry's own words name the one thing that was asked for, or how much that was."""


def sync_outcome(
    results: Sequence[ImageResult],
    traffic: Traffic,
    deliveries: Sequence[Delivery],
    location: str,
    *,
    dry_run: bool,
) -> Outcome:
    """The outcome of a sync: failed, with exit code 5, when an image failed."""
    numbers = {state: sum(result.state is state for result in results) for state in ImageState}
    failed = numbers[ImageState.FAILED]
    rows = [
        (str(one.target.reference), one.target.repository, _state(one))
        for one in results
        if one.state is not ImageState.PRESENT
    ]
    moved = ImageState.TO_SEND if dry_run else ImageState.SENT
    head = f"{count(len(results), 'image')} for {location}: {numbers[moved]} {moved.value}"
    head += f", {numbers[ImageState.PRESENT]} there already" + (f", {failed} failed" if failed else "")
    if dry_run:
        places, volume = sum(len(one.missing) for one in deliveries), sum(one.descriptor.size for one in deliveries)
        blobs = f"{count(len(deliveries), 'blob')} to send ({size(volume)}) for {count(places, 'place')}"
    else:
        blobs = f"{count(traffic.sent, 'blob')} sent ({size(traffic.sent_bytes)}), {traffic.mounted} mounted"
    lines = [head, f"  {blobs}, {traffic.present} there already"]
    if rows:
        lines += ["", *table(("image", "repository", ""), rows)]
    document: Json = {
        "registry": location,
        "dryRun": dry_run,
        "images": [_image_json(result) for result in results],
        "blobs": {
            "present": traffic.present,
            "sent": traffic.sent,
            "mounted": traffic.mounted,
            "sentBytes": traffic.sent_bytes,
            "missing": len(deliveries),
            "missingBytes": sum(one.descriptor.size for one in deliveries),
        },
    }
    return Outcome(
        text="\n".join(lines),
        document=document,
        findings=grouped((str(one.target.reference), one.causes) for one in results),
        failed=bool(failed),
        exit_code=RemoteError.exit_code,
    )


def grouped(causes: Iterable[tuple[str, Sequence[Finding]]]) -> tuple[Finding, ...]:
    """Each cause once, with the images that it stopped; in the order in which causes come up.

    What is said of several blobs or repositories in the same words is one cause, and so is a login that is missing.
    """
    stopped: dict[tuple[str, ...], tuple[Finding, dict[str, None]]] = {}
    for image, findings in causes:
        for finding in findings:
            said = () if finding.code in _NAMING else finding.explanation
            key = (finding.code, finding.message, str(finding.hint), *said)
            stopped.setdefault(key, (finding, {}))[1][image] = None
    told = []
    for finding, images in stopped.values():
        lines = some([f"`{image}`" for image in images])
        if len(images) > 1:
            told.append(replace(finding, where=Where(), explanation=(*finding.explanation, "it stops:", *lines)))
        else:
            told.append(finding if finding.where else finding.at(Where(subject=f"image {next(iter(images))}")))
    return tuple(told)


def _state(result: ImageResult) -> str:
    codes = ", ".join(dict.fromkeys(finding.code for finding in result.causes))
    return f"{result.state.value}: {codes}" if codes else result.state.value


def _image_json(result: ImageResult) -> Json:
    target = result.target
    return {
        "reference": str(target.reference),
        "repository": target.repository,
        "digest": str(target.digest),
        "platforms": {str(platform): str(digest) for platform, digest in sorted(target.platforms.items())},
        "state": result.state.value,
        "causes": [finding.code for finding in result.causes],
    }
