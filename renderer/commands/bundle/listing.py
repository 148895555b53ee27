"""What `index.json` and `oci-layout` of a bundle or a delta must say: nobody signs them, copying tools believe them.

Everything in them follows from the signed config and from the signatures, so it is compared entry by entry and field
by field; their order and white space say nothing. Copies by skopeo and by `bundle pull` pass: skopeo leaves the field
`artifactType` out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

from renderer.commands.bundle.assembly import entry_name, listed
from renderer.errors import Finding, Where
from renderer.formats.bundle.artifact import (
    BUNDLE_TYPE,
    COPY_AGAIN,
    DELTA_TYPE,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    INDEX_LIMIT,
    LAYOUT_FILE,
    REF_NAME,
    descriptor_json,
    parse_index,
)
from renderer.formats.bundle.image_signatures import find_image_signatures, subjects_of
from renderer.formats.bundle.parts import find_referrers, find_signatures
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.formats.trust.cosign import signature_tag
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.delta import Delta
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Json, kind_of
from renderer.model.reference import Digest
from renderer.ports import BundleSource
from renderer.structs import replace

_INDEX_FIELDS: Final = frozenset({"schemaVersion", "mediaType", "manifests"})
_ENTRY_FIELDS: Final = frozenset({"mediaType", "digest", "size", "artifactType", "annotations"})


def check_index(index: bytes, verified: VerifiedBundle, source: BundleSource) -> list[Finding]:
    """Everything in `index.json` that does not follow from what is signed."""
    bundle, manifest = verified.bundle, verified.manifest
    own = _entry(manifest, f"{bundle.name}:{bundle.version}", BUNDLE_TYPE)
    beside = find_image_signatures(index, subjects_of(bundle), source.location)
    entries = [own, *listed(bundle), *_signatures(index, manifest, source)]
    entries += (_tagged(holder, digest) for digest, holder in beside.items())
    return _compared(index, entries, source, "bundle")


def check_delta_index(index: bytes, manifest: Descriptor, delta: Delta, source: BundleSource) -> list[Finding]:
    """Everything in the `index.json` of a delta that does not follow from what is signed."""
    own = _entry(manifest, f"{delta.name}:{delta.version}-delta", DELTA_TYPE)
    return _compared(index, [own, *_signatures(index, manifest, source)], source, "delta")


def _compared(index: bytes, wanted_entries: Iterable[Descriptor], source: BundleSource, noun: str) -> list[Finding]:
    where = Where(file=source.location, subject="index.json")
    findings = list(_strange_fields(parse_json(index, limit=INDEX_LIMIT), where))
    expected = {entry_name(entry): entry for entry in wanted_entries}
    for entry in parse_index(index, where):
        name, found = entry_name(entry.descriptor), entry.descriptor
        wanted = expected.pop(name, None)
        if wanted is None:
            message = f"`index.json` lists `{name}` as something that the signed {noun} does not hold"
            findings.append(_tampered(message, where, "no such entry", str(found.digest)))
        elif found != wanted and found != _without_type(wanted):
            findings.append(
                _tampered(
                    f"`index.json` lists `{name}` otherwise than the signed {noun} has it",
                    where,
                    canonical_json(descriptor_json(wanted)).decode(),
                    canonical_json(descriptor_json(found)).decode(),
                )
            )
    for name, wanted in expected.items():
        message = f"`index.json` does not list `{name}`, which the signed {noun} carries"
        findings.append(
            Finding(code="blob-missing", message=message, where=where, expected=str(wanted.digest), hint=COPY_AGAIN)
        )
    return findings


def check_marker(marker: bytes, location: str) -> list[Finding]:
    """What is wrong with the file `oci-layout` (image-layout.md)."""
    try:
        if parse_json(marker, limit=INDEX_LIMIT) == parse_json(LAYOUT_FILE, limit=INDEX_LIMIT):
            return []
    except ValueError:
        pass
    message = "`oci-layout` does not say that this is an OCI layout of version 1.0.0"
    got = f"{marker[:80]!r}" if marker else "nothing"
    return [_tampered(message, Where(file=location, subject="oci-layout"), LAYOUT_FILE.decode(), got)]


def _entry(manifest: Descriptor, name: str, artifact_type: str) -> Descriptor:
    """How `index.json` lists the manifest that is signed."""
    return replace(manifest.bare, media_type=IMAGE_MANIFEST, annotations={REF_NAME: name}, artifact_type=artifact_type)


def _signatures(index: bytes, manifest: Descriptor, source: BundleSource) -> Iterator[Descriptor]:
    """How `index.json` lists the signatures that there are."""
    for holder in find_signatures(index, manifest.digest, source.location):
        yield _tagged(holder, manifest.digest)
    for holder, referrer in find_referrers(index, manifest.digest, source.blob, source.location):
        said = holder.annotations if holder.annotations == referrer.annotations else {}
        yield replace(holder, media_type=IMAGE_MANIFEST, annotations=said, artifact_type=referrer.artifact_type)


def _tagged(holder: Descriptor, signed: Digest) -> Descriptor:
    """How `index.json` lists what cosign's tag for a digest names."""
    tag = {REF_NAME: signature_tag(signed)}
    return replace(holder, media_type=IMAGE_MANIFEST, annotations=tag, artifact_type=None)


def _without_type(entry: Descriptor) -> Descriptor:
    """An entry as skopeo writes it; what has no name is known by its type alone, and keeps it."""
    return replace(entry, artifact_type=None) if REF_NAME in entry.annotations else entry


def _strange_fields(document: Json, where: Where) -> Iterator[Finding]:
    """Fields that nobody needs here: a tool might believe them, and no signature covers them."""
    whole = cast("dict[str, Json]", document)
    surplus = sorted(whole.keys() - _INDEX_FIELDS)
    if whole.get("schemaVersion") != 2 or kind_of(whole.get("schemaVersion")) != "an integer":
        yield _tampered("`index.json` is not of schema version 2", where, "2", f"{whole.get('schemaVersion')!r}")
    if whole.get("mediaType", IMAGE_INDEX) != IMAGE_INDEX:
        message = "`index.json` gives itself another media type"
        yield _tampered(message, where, IMAGE_INDEX, f"{whole['mediaType']!r}")
    for entry in cast("list[dict[str, Json]]", whole["manifests"]):
        surplus += sorted(entry.keys() - _ENTRY_FIELDS)
    if surplus:
        names = ", ".join(f"`{name}`" for name in sorted(set(surplus))[:10])
        message = "`index.json` says more than a bundle's has to say"
        yield _tampered(message, where, "no other fields", names)


def _tampered(message: str, where: Where, expected: str, got: str) -> Finding:
    return Finding(code="bundle-tampered", message=message, where=where, expected=expected, got=got, hint=COPY_AGAIN)
