"""What is judged about a bundle: its manifest, and the signatures that lie beside it in both forms.

FORMATS ("Signatures"); cosign's tag scheme, and OCI 1.1 referrers as `index.json` lists them. Everything is bounded,
and nothing of it counts until `renderer.stages.verify` has spoken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    BUNDLE,
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    REF_NAME,
    ArtifactKind,
    ImageManifest,
    IndexEntry,
    ReadBlob,
    bounded,
    find_bundle,
    malformed,
    parse_index,
    parse_manifest,
)
from renderer.formats.trust.cosign import (
    CERTIFICATE_ANNOTATION,
    CHAIN_ANNOTATION,
    SIGNATURE_ANNOTATION,
    SIGNATURE_LAYER,
    signature_tag,
)
from renderer.formats.trust.pem import bounded_chain, certificates_of
from renderer.formats.trust.sigstore import SIGSTORE_BUNDLE_LIMIT, is_sigstore_bundle, read_sigstore_bundle
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.structs import Struct, replace

SIGNATURE_LIMIT: Final = 64
_PAYLOAD_LIMIT: Final = 64 * 1024
_REFERRER_LIMIT: Final = 64 * 1024
_REFERRERS_LIMIT: Final = 4_000
SIGNATURES_LIMIT: Final = 4 * 2**20
"""Bytes of all manifests of signatures in cosign's form together."""
REFERRERS_LIMIT: Final = 16 * 2**20
"""Bytes of all manifests together that may refer to a bundle; images have such, too."""


class BundleParts(Struct, frozen=True, kw_only=True):
    """What `renderer.stages.verify` judges: the manifest of a bundle or delta, and the signatures over it.

    Blobs have been checked against the descriptors that led to them, but nobody has vouched for the first of those:
    the manifest has not been parsed, and what it leads to has not been read. `read` gives the blobs behind it.
    """

    manifest: Descriptor
    manifest_bytes: bytes
    signatures: tuple[StoredSignature, ...]
    read: ReadBlob
    kind: ArtifactKind = BUNDLE

    def config_bytes(self, manifest: ImageManifest, location: str) -> bytes:
        """The bytes of the config that `manifest` names, which is this one's, parsed. Raises BundleRefusedError."""
        bounded(manifest.config, CONFIG_LIMIT, Where(file=location, subject=f"manifest {self.manifest.digest}"))
        return self.read(manifest.config)


def read_parts(index: bytes, read: ReadBlob, location: str, kind: ArtifactKind = BUNDLE) -> BundleParts:
    """Everything that has to be judged about the bundle (or delta) that `index` lists. Raises BundleRefusedError.

    `read` gives checked blobs (`BundleSource.blob`), `location` is the source as the user named it.
    """
    manifest = find_bundle(index, location, kind)
    where = Where(file=location, subject=f"manifest {manifest.digest}")
    bounded(manifest, MANIFEST_LIMIT, where)
    manifest_bytes = read(manifest)
    return BundleParts(
        manifest=manifest,
        manifest_bytes=manifest_bytes,
        signatures=read_signatures(index, manifest, manifest_bytes, read, location),
        read=read,
        kind=kind,
    )


def find_signatures(index: bytes, manifest: Digest, location: str) -> tuple[Descriptor, ...]:
    """The signature manifests that `index.json` lists for `manifest`, by cosign's tag. Raises BundleRefusedError."""
    tag = signature_tag(manifest)
    where = Where(file=location, subject="index.json")
    entries = parse_index(index, where, lambda entry: entry.mapping("annotations").get(REF_NAME) == tag)
    if len(entries) > SIGNATURE_LIMIT:
        raise malformed(where, f"there are more than {SIGNATURE_LIMIT} manifests of signatures")
    _bounded_together(entries, SIGNATURES_LIMIT, where)
    return tuple(entry.descriptor for entry in entries)


def find_referrers(
    index: bytes, manifest: Digest, read: ReadBlob, location: str
) -> tuple[tuple[Descriptor, ImageManifest], ...]:
    """The manifests of Sigstore bundles that `index.json` lists and whose `subject` is `manifest`.

    Bundles of other subjects (an image's own signatures) are passed over. Raises BundleRefusedError.
    """
    where = Where(file=location, subject="index.json")
    entries = parse_index(index, where, lambda entry: is_sigstore_bundle(entry.text("artifactType", "")))
    if len(entries) > _REFERRERS_LIMIT:
        raise malformed(where, f"there are more than {_REFERRERS_LIMIT} Sigstore bundles")
    _bounded_together(entries, REFERRERS_LIMIT, where)
    found = []
    for entry in entries:
        where = Where(file=location, subject=f"signatures {entry.descriptor.digest}")
        bounded(entry.descriptor, _REFERRER_LIMIT, where)
        referrer = parse_manifest(read(entry.descriptor), where)
        if referrer.subject is not None and referrer.subject.digest == manifest:
            found.append((entry.descriptor, referrer))
    return tuple(found)


def _bounded_together(entries: Sequence[IndexEntry], limit: int, where: Where) -> None:
    total = sum(entry.descriptor.size for entry in entries)
    if total > limit:
        raise malformed(where, f"manifests of signatures have {total} bytes together; {limit} are allowed")


def holders_of_signatures(index: bytes, manifest: Digest, read: ReadBlob, location: str) -> tuple[Descriptor, ...]:
    """Every manifest that `index.json` lists as one of signatures over `manifest`, in both forms.

    Raises BundleRefusedError.
    """
    referrers = find_referrers(index, manifest, read, location)
    return (*find_signatures(index, manifest, location), *(descriptor for descriptor, _ in referrers))


def read_signatures(
    index: bytes, manifest: Descriptor, manifest_bytes: bytes, read: ReadBlob, location: str
) -> tuple[StoredSignature, ...]:
    """Every signature stored beside `manifest`, in both forms, unchecked. Raises BundleRefusedError."""
    found: list[StoredSignature] = []
    for descriptor in find_signatures(index, manifest.digest, location):
        where = Where(file=location, subject=f"signatures {descriptor.digest}")
        bounded(descriptor, MANIFEST_LIMIT, where)
        parsed = parse_manifest(read(descriptor), where)
        for layer in parsed.layers:
            if layer.media_type == SIGNATURE_LAYER:
                _room_for_one_more(found, where)
                bounded(layer, _PAYLOAD_LIMIT, where)
                fault = _other_subject(parsed, manifest)
                found.append(_cosign_signature(read(layer), layer.annotations, descriptor.digest, fault))
    for descriptor, parsed in find_referrers(index, manifest.digest, read, location):
        where = Where(file=location, subject=f"signatures {descriptor.digest}")
        fault = _other_subject(parsed, manifest)
        for layer in parsed.layers:
            if is_sigstore_bundle(layer.media_type):
                _room_for_one_more(found, where)
                bounded(layer, SIGSTORE_BUNDLE_LIMIT, where)
                stored = read_sigstore_bundle(read(layer), manifest_bytes, descriptor.digest)
                found.append(replace(stored, fault=stored.fault or fault))
    return tuple(found)


def _room_for_one_more(found: list[StoredSignature], where: Where) -> None:
    if len(found) == SIGNATURE_LIMIT:
        raise malformed(where, f"there are more than {SIGNATURE_LIMIT} signatures")


def _other_subject(signatures: ImageManifest, manifest: Descriptor) -> str | None:
    """What is wrong with the `subject` of a manifest of signatures; cosign's tag scheme does without one."""
    subject = signatures.subject
    if subject is None or (subject.digest, subject.size) == (manifest.digest, manifest.size):
        return None
    return f"the manifest that holds it refers to {subject.digest} of {subject.size} bytes, which is not this bundle"


def _cosign_signature(
    payload: bytes, annotations: Mapping[str, str], held_by: Digest, fault: str | None
) -> StoredSignature:
    certificates: tuple[bytes, ...] = ()
    try:
        spelled = (annotations.get(key, "") for key in (CERTIFICATE_ANNOTATION, CHAIN_ANNOTATION))
        certificates = tuple(one for text in spelled for one in certificates_of(text.encode()))
        bounded_chain(certificates)
    except ValueError as error:
        fault = fault or f"its certificates cannot be read: {error}"
    signature = annotations.get(SIGNATURE_ANNOTATION, "")
    return StoredSignature(payload, signature, certificates=certificates, held_by=held_by, fault=fault)
