"""What is to be said about the images of a bundle that is about to be built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from renderer.commands.bundle.discovery.advice import Advice
from renderer.commands.bundle.discovery.discovery import DEFAULT, Found
from renderer.errors import Finding, Severity, Where
from renderer.formats.bundle.source import BundleSourceDocument
from renderer.formats.documents.wording import count, some
from renderer.model.bundles.extension import Extension
from renderer.model.images.discovery import ImageRecord, Sighting, Standing

_REST: Final = " (all of them: `--format json`)"
_PLACES: Final = 5
"""How many places of an image are listed in a finding; the report has all."""


def missing(records: Iterable[ImageRecord], advice: Advice) -> Iterator[Finding]:
    """Images that objects name and the bundle lacks: a site could not pull them."""
    records = tuple(records)
    for record in records:
        if record.standing is not Standing.MISSING:
            continue
        by = ", ".join(dict.fromkeys(place.extension for place in record.seen if not place.dropped))
        yield Finding(
            code="image-undeclared",
            message=f"objects of {by} name `{record.reference}`, and the bundle does not have it",
            where=advice.where,
            expected=advice.expected,
            got=_in_its_place(record, records),
            explanation=(*_places(record), *advice.lines(record)),
            hint=advice.hint(record),
        )


def _places(record: ImageRecord) -> Iterator[str]:
    seen = [place for place in record.seen if not place.dropped]
    for place in seen[:_PLACES]:
        values = "" if place.values[0] == DEFAULT else f" (values `{place.values[0]}`)"
        yield f"seen in {place.extension}, {place.component}: {place.object}, {place.path}{values}"
    if len(seen) > _PLACES:
        yield f"and in {count(len(seen) - _PLACES, 'more place')}"


def _in_its_place(record: ImageRecord, records: Iterable[ImageRecord]) -> str | None:
    """What the bundle has of the same name: another digest, another version, the same path in another registry."""
    if record.digest is not None:
        return f"`{record.digest}` in the bundle, `{record.other}` in the object"
    path = record.reference.repository.rpartition("/")[2]
    near = [one for one in records if one.digest and one.reference.repository.rpartition("/")[2] == path]
    return f"in the bundle is {', '.join(f'`{one.reference}`' for one in near[:3])}" if near else None


def unreadable(text: str, reason: str, place: Sighting) -> Finding:
    """A text that stands where an image is named, and names none."""
    return Finding(
        code="image-unreadable",
        message=f"`{text}` stands where an image is named, and is no reference: {reason}",
        where=Where(subject=f"extension {place.extension}, {place.component}, {place.object}", path=place.path),
        severity=Severity.WARNING,
        hint="put a value that only sites set into a value set of `spec.discovery.valueSets`, so that it is looked at",
    )


def not_inflated(found: Found) -> Iterator[Finding]:
    """Components under values that they cannot be inflated under; the defaults may fail where another set does not."""
    for failure in found.failures:
        never = (failure.extension, failure.component) not in found.inflated
        if not never and failure.values.startswith(DEFAULT):
            continue
        under = "under any declared values" if never else f"under the value set `{failure.values}`"
        yield Finding(
            code="component-not-inflated",
            message=f"component `{failure.component}` cannot be inflated {under}, so its images are known as far as "
            "they are declared",
            where=Where(subject=f"extension {failure.extension}, {failure.component}"),
            severity=Severity.WARNING,
            explanation=tuple(line for one in failure.findings for line in (one.message, *one.explanation)),
            hint="add a value set with what it needs under `spec.discovery.valueSets`",
        )


def untaken(records: Iterable[ImageRecord], extensions: Iterable[Extension], advice: Advice) -> Iterator[Finding]:
    """Images that are declared, stand in no object, and are not in the bundle: something may start them later."""
    untaken = [record for record in records if record.standing is Standing.UNTAKEN]
    for extension in extensions:
        missing = [one.reference for one in untaken if any(by.extension == extension.id for by in one.declared)]
        if missing:
            yield Finding(
                code="image-not-in-bundle",
                message=f"{extension.id} declares {count(len(missing), 'image')} that the bundle does not vouch for",
                where=Where(file=advice.where.file, subject=f"extension {extension.id}"),
                severity=Severity.WARNING,
                explanation=tuple(f"`{reference}`" for reference in missing),
                hint=advice.others,
            )


def unseen(records: Iterable[ImageRecord], advice: Advice) -> Iterator[Finding]:
    """Images that the bundle has and no object names."""
    unseen = [one for one in records if one.standing is Standing.VOUCHED and not one.seen]
    declared = [one for one in unseen if any(by.extension for by in one.declared)]
    for images, code, what in (
        (declared, "image-unseen", "declared by extensions, and no object names them: operators may start them later"),
        ([one for one in unseen if one not in declared], "image-unused", "neither declared nor named by any object"),
    ):
        if images:
            yield Finding(
                code=code,
                message=f"{count(len(images), 'image')} of the bundle: {what}",
                where=advice.where,
                severity=Severity.NOTE,
                explanation=some([f"`{one.reference}` ({_by_whom(one)})" for one in images], _REST),
            )


def _by_whom(record: ImageRecord) -> str:
    """The extensions that declare an image; where there is none, the field of the source."""
    extensions = [by for by in record.declared if by.extension]
    return "; ".join(map(str, extensions or record.declared))


def unused(
    records: Iterable[ImageRecord], source: BundleSourceDocument, extensions: Iterable[Extension]
) -> Iterator[Finding]:
    """Acceptances and value sets that nothing needs any more."""
    lacking = [one.reference for one in records if one.accepted is not None]
    for acceptance in source.discovery.accepted:
        if not any(acceptance.covers(reference) for reference in lacking):
            yield Finding(
                code="acceptance-unused",
                message=f"`{acceptance.reference}` is accepted as missing, and no such image is missing",
                where=source.document.where((*acceptance.at, "reference")),
                severity=Severity.WARNING,
                hint="remove the entry",
            )
    components = [(extension, component) for extension in extensions for component in extension.components]
    for one in source.discovery.value_sets:
        if not any(one.covers(*pair) for pair in components):
            yield Finding(
                code="value-set-unused",
                message=f"the value set `{one.name}` is for no component of this bundle",
                where=source.document.where((*one.at, "extension")),
                severity=Severity.WARNING,
                expected=", ".join(f"`{name}`" for name in dict.fromkeys(pair[0].name for pair in components)),
                got=f"`{one.extension}`" + (f", component `{one.component}`" if one.component else ""),
            )
