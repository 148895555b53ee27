"""What looking for images came to: a record for each image, the findings, and the report for people and machines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from renderer.commands.bundle.contents import Packed
from renderer.commands.bundle.discovery import DEFAULT, Failure, Found, Question, look
from renderer.commands.bundle.image_reader import FoundImage
from renderer.commands.bundle.reading import SourceReader
from renderer.commands.bundle.workbench import Workbench
from renderer.errors import Finding, Severity, Where
from renderer.formats.bundle.artifact import CARRIED
from renderer.formats.bundle.discovery_source import Acceptance
from renderer.formats.bundle.source import BundleSourceDocument
from renderer.formats.documents.wording import count
from renderer.model.bundles.extension import Extension
from renderer.model.fields import Json
from renderer.model.images.discovery import Declaration, ImageRecord, Sighting, Standing
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest, ImageReference
from renderer.ports import Files

_PLACES: Final = 5
"""How many places of an image are listed in a finding; the report has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Every image that is declared or was seen, what is to be said about them, and the extensions as they declare.

    `extensions` are those of the bundle, each with the images that the annotations of its charts declare.
    """

    records: tuple[ImageRecord, ...]
    extensions: tuple[Extension, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    objects: int

    @property
    def incomplete(self) -> bool:
        """True when the bundle must not be built: objects name an image that it lacks."""
        return any(record.standing is Standing.MISSING for record in self.records)

    def counted(self, *standings: Standing) -> int:
        """How many images stand like that."""
        return sum(record.standing in standings for record in self.records)

    @property
    def line(self) -> str:
        """What people read of it."""
        seen = sum(bool(record.seen) for record in self.records)
        declared = sum(bool(record.declared) for record in self.records)
        return f"{count(self.objects, 'object')} looked through: {count(seen, 'image')} seen, {declared} declared"

    def refusal(self, source: BundleSourceDocument) -> Outcome:
        """What is said instead of building the bundle."""
        missing = count(self.counted(Standing.MISSING), "image")
        lines = [f"bundle {source.name} {source.version}: not built, {missing} missing", f"  {self.line}"]
        document: dict[str, Json] = {"bundle": source.name, "version": str(source.version)}
        return Outcome(
            text="\n".join(lines),
            document={**document, "output": None, "discovery": self.document()},
            findings=self.findings,
            failed=True,
        )

    def document(self) -> dict[str, Json]:
        """The whole report, for machines."""
        return {
            "objects": self.objects,
            "images": [_record_json(record) for record in self.records],
            "notInflated": [
                {
                    "extension": one.extension,
                    "component": one.component,
                    "values": one.values,
                    "why": [finding.message for finding in one.findings],
                }
                for one in self.failures
            ],
        }


def discover(
    source: BundleSourceDocument, files: Files, packed: Packed, images: Sequence[FoundImage], bench: Workbench
) -> Discovery:
    """Look for the images of a bundle that is about to be built, and compare them with what is declared.

    Raises InputError when a file of values cannot be read.
    """
    reader = SourceReader(source.document, files)
    sets = source.discovery.value_sets
    found = look(
        Question(
            extensions=packed.extensions,
            blobs=packed.blobs,
            images=tuple(one.image for one in images),
            platforms=source.platforms,
            kubernetes=source.discovery.kubernetes,
            value_sets=sets,
            values={one.name: reader.values(one) for one in sets},
        ),
        bench,
    )
    ledger = _Ledger(source.discovery.accepted)
    ledger.declare(images, packed.extensions, found)
    ledger.see(found)
    records = ledger.records()
    findings = (
        *_missing(records, source),
        *ledger.unreadable,
        *found.notes,
        *_not_inflated(found),
        *_untaken(records, packed.extensions, source),
        *_unseen(records, source),
        *_unused(records, source, packed.extensions),
    )
    return Discovery(
        records=records,
        extensions=tuple(_with_annotated(one, found) for one in packed.extensions),
        findings=findings,
        failures=tuple(found.failures),
        objects=found.objects,
    )


def _with_annotated(extension: Extension, found: Found) -> Extension:
    images = dict.fromkeys((*extension.images, *found.annotated.get(extension.id, ())))
    return replace(extension, images=tuple(images))


@dataclass(slots=True)
class _Ledger:
    """One record for each image, filled from all sides."""

    accepted: tuple[Acceptance, ...]
    images: dict[ImageReference, ImageRecord] = field(default_factory=dict)
    unreadable: list[Finding] = field(default_factory=list)

    def declare(self, images: Iterable[FoundImage], extensions: Iterable[Extension], found: Found) -> None:
        """What the source, the extensions and the charts declare."""
        for one in images:
            carried = one.image.content.annotations.get(CARRIED) == "true"
            by = Declaration(how=one.where.path or "spec.images")
            self._declared(one.image.reference, by, one.image.digest, carried=carried)
        for extension in extensions:
            for reference in extension.images:
                self._declared(reference, Declaration(extension=extension.id, how="images"))
            for reference, annotation in found.annotated.get(extension.id, {}).items():
                self._declared(reference, Declaration(extension=extension.id, how=annotation))

    def see(self, found: Found) -> None:
        """What objects name."""
        for reference, places in found.known.items():
            self._seen(reference, places)
        for unknown, place in found.unknown:
            try:
                reference = ImageReference.parse(unknown.text)
            except ValueError as error:
                self.unreadable.append(_unreadable(unknown.text, str(error), place))
                continue
            plain = reference.without_digest() if reference.tag else reference
            self._seen(plain, [place], reference.digest if reference.tag else None)

    def records(self) -> tuple[ImageRecord, ...]:
        """Every image, by reference."""
        found = [self.images[reference] for reference in sorted(self.images, key=str)]
        return tuple(replace(one, accepted=self._reason(one), seen=tuple(sorted(one.seen))) for one in found)

    def _declared(
        self, reference: ImageReference, by: Declaration, digest: Digest | None = None, *, carried: bool = False
    ) -> None:
        known = self.images.get(reference) or ImageRecord(reference=reference)
        self.images[reference] = replace(
            known, declared=(*known.declared, by), digest=digest or known.digest, carried=carried or known.carried
        )

    def _seen(self, reference: ImageReference, places: Sequence[Sighting], other: Digest | None = None) -> None:
        known = self.images.get(reference) or ImageRecord(reference=reference)
        self.images[reference] = replace(known, seen=(*known.seen, *places), other=other or known.other)

    def _reason(self, record: ImageRecord) -> str | None:
        if record.digest is not None and record.other is None:
            return None
        return next((one.reason for one in self.accepted if one.covers(record.reference)), None)


# --- findings ------------------------------------------------------------------------------------------------------


def _missing(records: Iterable[ImageRecord], source: BundleSourceDocument) -> Iterator[Finding]:
    """Images that objects name and the bundle lacks: a site could not pull them."""
    records = tuple(records)
    for record in records:
        if record.standing is not Standing.MISSING:
            continue
        by = ", ".join(dict.fromkeys(place.extension for place in record.seen if not place.dropped))
        yield Finding(
            code="image-undeclared",
            message=f"objects of {by} name `{record.reference}`, and the bundle does not have it",
            where=source.document.where(("spec", "images")),
            expected="an entry of `spec.images` that brings it, or a reason under `spec.discovery.accepted`",
            got=_in_its_place(record, records),
            explanation=(*_places(record), *_lines_to_add(record.reference)),
            hint=f"skopeo copy --all docker://{record.reference} oci:images:{record.reference}",
        )


def _places(record: ImageRecord) -> Iterator[str]:
    seen = [place for place in record.seen if not place.dropped]
    for place in seen[:_PLACES]:
        values = "" if place.values[0] == DEFAULT else f" (values `{place.values[0]}`)"
        yield f"seen in {place.extension}, {place.component}: {place.object}, {place.path}{values}"
    if len(seen) > _PLACES:
        yield f"and in {count(len(seen) - _PLACES, 'more place')}"


def _lines_to_add(reference: ImageReference) -> Iterator[str]:
    yield "to accept that it is missing:"
    yield "  spec:"
    yield "    discovery:"
    yield "      accepted:"
    yield f'      - {{reference: "{reference}", reason: …}}'


def _in_its_place(record: ImageRecord, records: Iterable[ImageRecord]) -> str | None:
    """What the bundle has of the same name: another digest, another version, the same path in another registry."""
    if record.digest is not None:
        return f"`{record.digest}` in the bundle, `{record.other}` in the object"
    path = record.reference.repository.rpartition("/")[2]
    near = [one for one in records if one.digest and one.reference.repository.rpartition("/")[2] == path]
    return f"in the bundle is {', '.join(f'`{one.reference}`' for one in near[:3])}" if near else None


def _unreadable(text: str, reason: str, place: Sighting) -> Finding:
    return Finding(
        code="image-unreadable",
        message=f"`{text}` stands where an image is named, and is no reference: {reason}",
        where=Where(subject=f"extension {place.extension}, {place.component}, {place.object}", path=place.path),
        severity=Severity.WARNING,
        hint="put a value that only sites set into a value set of `spec.discovery.valueSets`, so that it is looked at",
    )


def _not_inflated(found: Found) -> Iterator[Finding]:
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


def _untaken(
    records: Iterable[ImageRecord], extensions: Iterable[Extension], source: BundleSourceDocument
) -> Iterator[Finding]:
    """Images that are declared, stand in no object, and are not in the bundle: something may start them later."""
    untaken = [record for record in records if record.standing is Standing.UNTAKEN]
    for extension in extensions:
        missing = [one.reference for one in untaken if any(by.extension == extension.id for by in one.declared)]
        if missing:
            yield Finding(
                code="image-not-in-bundle",
                message=f"{extension.id} declares {count(len(missing), 'image')} that the bundle does not vouch for",
                where=Where(file=source.document.file, subject=f"extension {extension.id}"),
                severity=Severity.WARNING,
                explanation=tuple(f"`{reference}`" for reference in missing),
                hint="add them under `spec.images`, or accept that they are missing under `spec.discovery.accepted`",
            )


def _unseen(records: Iterable[ImageRecord], source: BundleSourceDocument) -> Iterator[Finding]:
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
                where=source.document.where(("spec", "images")),
                severity=Severity.NOTE,
                explanation=tuple(f"`{one.reference}` ({'; '.join(map(str, one.declared))})" for one in images),
            )


def _unused(
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


def _record_json(record: ImageRecord) -> dict[str, Json]:
    return {
        "reference": str(record.reference),
        "standing": record.standing.value,
        "digest": str(record.digest) if record.digest else None,
        "carried": record.carried,
        "declared": [{"extension": by.extension, "how": by.how} for by in record.declared],
        "seen": [
            {
                "extension": place.extension,
                "component": place.component,
                "object": place.object,
                "path": place.path,
                "valueSets": list(place.values),
                "certain": place.certain,
                "dropped": place.dropped,
            }
            for place in record.seen
        ],
        "accepted": record.accepted,
    }
