"""`sitewright bundle sign --key KEY BUNDLE`."""

from __future__ import annotations

import base64
from dataclasses import replace

from renderer.commands.bundle.contents import in_memory
from renderer.commands.bundle.unverified import named_unverified
from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    IMAGE_MANIFEST,
    REF_NAME,
    BundleParts,
    describe,
    find_signatures,
    index_content,
    kind_of,
    parse_index,
    parse_manifest,
    read_parts,
    signature_manifest,
)
from renderer.formats.documents.wording import count
from renderer.formats.trust.cosign import make_payload, payload_digest, signature_tag
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.extension import Descriptor
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Layout, LayoutWriter, Signer


def sign(source: Layout, signer: Signer, writer: LayoutWriter, path: str) -> Outcome:
    """Add a signature over the manifest of the bundle (or delta) at `path`, which `source` reads, beside those it has.

    Signing again with the same key changes nothing. Raises BundleRefusedError when the bundle is damaged.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location, kind_of(index, source.location))
    named = named_unverified(parts, source.location)
    key = parse_public_key(signer.public_key)
    digest = parts.manifest.digest
    payload = make_payload(named.name, digest)
    already = any(_made_by(signature, signer.public_key, parts) for signature in parts.signatures)
    signatures = parts.signatures
    if not already:
        signature = base64.b64encode(signer.sign(payload)).decode()
        signatures = (*signatures, StoredSignature(payload, signature))
        _store(source, index, parts, signatures, writer, path)
    total = len(signatures)
    did = "was signed before" if already else "signed"
    return Outcome(
        text=f"{named} {did} with the {key.kind} key {key.fingerprint}\n  {digest}, {count(total, 'signature')}",
        document={
            "bundle": named.name,
            "version": str(named.version),
            "manifest": str(digest),
            "key": str(key.fingerprint),
            "added": not already,
            "signatures": total,
        },
    )


def _made_by(signature: StoredSignature, public_pem: bytes, parts: BundleParts) -> bool:
    try:
        made = parse_public_key(public_pem).check(signature.payload, signature.signature())
        return made is not None and payload_digest(signature.payload) == parts.manifest.digest
    except ValueError:
        return False


def _store(
    source: Layout,
    index: bytes,
    parts: BundleParts,
    signatures: tuple[StoredSignature, ...],
    writer: LayoutWriter,
    path: str,
) -> None:
    """Write the signatures' manifest in place of the one before it, and list it in `index.json`."""
    tag = signature_tag(parts.manifest.digest)
    content, others = signature_manifest(signatures)
    manifest = replace(describe(content, IMAGE_MANIFEST), annotations={REF_NAME: tag})
    entries = parse_index(index, Where(file=source.location, subject="index.json"))
    kept = [entry.descriptor for entry in entries if entry.name != tag]
    # The bundle first, its signatures next, then images: what a render reads stands in front.
    position = kept.index(parts.manifest) + 1
    before = find_signatures(index, parts.manifest.digest, source.location)
    stale = {one.digest for one in before} | {_config_of(source, one) for one in before}
    blobs = [in_memory(describe(blob, ""), blob) for blob in (content, *others)]
    writer.extend(
        path,
        index_content([*kept[:position], manifest, *kept[position:]]),
        blobs,
        drop=stale - {blob.descriptor.digest for blob in blobs},
    )


def _config_of(source: Layout, manifest: Descriptor) -> Digest:
    return parse_manifest(source.blob(manifest), Where(file=source.location)).config.digest
