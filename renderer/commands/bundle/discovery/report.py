"""What looking for images came to: a record for each image, the findings, and the report for people and machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from renderer.commands.bundle.building.contents import Packed
from renderer.commands.bundle.building.image_reader import FoundImage
from renderer.commands.bundle.building.reading import SourceReader
from renderer.commands.bundle.building.workbench import Workbench
from renderer.commands.bundle.discovery.advice import Advice, of_source
from renderer.commands.bundle.discovery.discovery import Failure, Found, Question, look
from renderer.commands.bundle.discovery.findings import missing, not_inflated, unreadable, unseen, untaken, unused
from renderer.errors import Finding
from renderer.formats.bundle.discovery_source import Acceptance
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.source import BundleSourceDocument
from renderer.formats.documents.wording import count
from renderer.model.bundles.extension import Extension
from renderer.model.fields import Json
from renderer.model.images.discovery import Declaration, ImageRecord, Sighting, Standing
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest, ImageReference
from renderer.ports import Files
from renderer.structs import Struct, field, replace


class Discovery(Struct, frozen=True, kw_only=True):
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
        only = sum(not record.seen and any(by.extension for by in record.declared) for record in self.records)
        images = f"{count(seen, 'image')} seen, {only} declared and not seen"
        return f"{count(self.objects, 'object')} looked through: {images}"

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
                    "why": [line for finding in one.findings for line in (finding.message, *finding.explanation)],
                }
                for one in self.failures
            ],
        }


def discover(
    source: BundleSourceDocument,
    files: Files,
    packed: Packed,
    images: Sequence[FoundImage],
    bench: Workbench,
    advice: Advice | None = None,
) -> Discovery:
    """Look for the images of a bundle that is about to be built, and compare them with what is declared.

    `advice` is for whoever did not write the source. Raises InputError when a file of values cannot be read.
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
    advice = advice or of_source(source)
    findings = (
        *missing(records, advice),
        *ledger.unreadable,
        *found.notes,
        *not_inflated(found),
        *untaken(records, packed.extensions, advice),
        *unseen(records, advice),
        *unused(records, source, packed.extensions),
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


class _Ledger(Struct):
    """One record for each image, filled from all sides."""

    accepted: tuple[Acceptance, ...]
    images: dict[ImageReference, ImageRecord] = field(default_factory=dict)
    unreadable: list[Finding] = field(default_factory=list)

    def declare(self, images: Iterable[FoundImage], extensions: Iterable[Extension], found: Found) -> None:
        """What the source, the extensions and the charts declare."""
        for one in images:
            carried = is_carried(one.image)
            by = Declaration(how=one.where.path or "spec.images")
            self._declared(one.image.reference, by, one.image.digest, carried=carried)
        for extension in extensions:
            for reference in extension.images:
                self._declared_by(extension, reference, "images")
            for reference, annotation in found.annotated.get(extension.id, {}).items():
                self._declared_by(extension, reference, annotation)

    def see(self, found: Found) -> None:
        """What objects name."""
        for reference, places in found.known.items():
            self._seen(reference, places)
        for unknown, place in found.unknown:
            try:
                reference = ImageReference.parse(unknown.text)
            except ValueError as error:
                self.unreadable.append(unreadable(unknown.text, str(error), place))
                continue
            plain = reference.without_digest() if reference.tag else reference
            self._seen(plain, [place], reference.digest if reference.tag else None)

    def records(self) -> tuple[ImageRecord, ...]:
        """Every image, by reference."""
        found = [self.images[reference] for reference in sorted(self.images, key=str)]
        return tuple(replace(one, accepted=self._reason(one), seen=tuple(sorted(one.seen))) for one in found)

    def _declared_by(self, extension: Extension, reference: ImageReference, how: str) -> None:
        """An image that an extension declares; the digest that it may ask for must be that of the bundle."""
        plain = reference.without_digest() if reference.tag else reference
        self._declared(plain, Declaration(extension=extension.id, how=how))
        known = self.images[plain]
        if reference.tag and reference.digest not in (None, known.digest):
            self.images[plain] = replace(known, other=reference.digest)

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
