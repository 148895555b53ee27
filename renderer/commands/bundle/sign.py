"""`sitewright bundle sign --key KEY BUNDLE`."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from renderer.commands.bundle.image_signing import ImagesSigned, sign_images
from renderer.commands.bundle.signature_store import SignatureStore
from renderer.commands.bundle.unverified import read_unverified
from renderer.errors import Where
from renderer.formats.bundle.artifact import (
    BUNDLE,
    TITLE,
    VERSION,
    ImageManifest,
    kind_of,
    parse_manifest,
)
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.formats.documents.wording import count
from renderer.formats.trust.cosign import make_payload
from renderer.formats.trust.dsse import IN_TOTO, make_statement, pre_authentication
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.formats.trust.sigstore import make_sigstore_bundle
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.signing import SignatureForm
from renderer.model.outcome import Outcome
from renderer.ports import Layout, LayoutWriter, Signer
from renderer.structs import Struct


def sign(
    source: Layout,
    signer: Signer,
    writer: LayoutWriter,
    path: str,
    *,
    forms: Sequence[SignatureForm] = (SignatureForm.COSIGN_TAG,),
    certificates: Sequence[bytes] = (),
    images: bool = False,
) -> Outcome:
    """Add a signature over the manifest of the bundle (or delta) at `path`, which `source` reads, in each form.

    `certificates` (DER, the signer's first) go with the signature. With `images` every image that the bundle carries
    is signed, too, for container runtimes. One key has one signature in each form: signing again changes nothing,
    unless it brings other certificates. Raises BundleRefusedError when the bundle is damaged, InputError
    (`no-images-to-sign`, `image-signature-unreadable`), and what `signer` raises.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location, kind_of(index, source.location))
    manifest = _well_formed(parts, source.location)
    work = _Signing(parts, signer, parse_public_key(signer.public_key), tuple(certificates))
    store = SignatureStore(source, index, parts)
    added = []
    for form in forms:
        before = work.made_before(form)
        if before and (not certificates or any(one.certificates == work.certificates for one in before)):
            continue
        if form is SignatureForm.COSIGN_TAG:
            payload = make_payload(manifest.annotations[TITLE], parts.manifest.digest)
            store.put_cosign(payload, signer.sign(payload), work.certificates, instead_of=before)
        else:
            store.put_sigstore(work.sigstore_bundle(), instead_of=before)
        added.append(form)
    of_images = sign_images(source, index, parts, signer, store) if images else None
    if added or (of_images and of_images.new):
        store.write(writer, path)
    return _outcome(parts, manifest, work.key, added, store.total, forms, of_images)


def _well_formed(parts: BundleParts, location: str) -> ImageManifest:
    """The manifest; what cannot be read is not signed."""
    where = Where(file=location, subject=f"manifest {parts.manifest.digest}")
    manifest = parse_manifest(parts.manifest_bytes, where)
    if parts.kind is BUNDLE:
        read_unverified(parts, location)
    return manifest


class _Signing(Struct, frozen=True):
    parts: BundleParts
    signer: Signer
    key: PublicKey
    certificates: tuple[bytes, ...]

    def made_before(self, form: SignatureForm) -> list[StoredSignature]:
        """The valid signatures of this key over this manifest, in one form."""
        return [one for one in self.parts.signatures if one.form is form and self._made(one)]

    def _made(self, stored: StoredSignature) -> bool:
        try:
            made = self.key.check(stored.signed_bytes, stored.signature())
            return made is not None and stored.digest() == self.parts.manifest.digest
        except ValueError:
            return False

    def sigstore_bundle(self) -> bytes:
        """A new signature in the form of a Sigstore bundle."""
        statement = make_statement(self.parts.manifest.digest)
        return make_sigstore_bundle(
            IN_TOTO,
            statement,
            self.signer.sign(pre_authentication(IN_TOTO, statement)),
            # as cosign writes it: the fingerprint in base64
            key_hint=base64.b64encode(bytes.fromhex(self.key.fingerprint.hex)).decode(),
            certificates=self.certificates,
        )


def _outcome(
    parts: BundleParts,
    manifest: ImageManifest,
    key: PublicKey,
    added: Sequence[SignatureForm],
    total: int,
    forms: Sequence[SignatureForm],
    images: ImagesSigned | None,
) -> Outcome:
    name, version = manifest.annotations[TITLE], manifest.annotations.get(VERSION, "")
    did = "signed" if added else "was signed before"
    # The form that everybody reads goes without saying.
    stored = f" ({', '.join(form.value for form in forms)})" if tuple(forms) != (SignatureForm.COSIGN_TAG,) else ""
    return Outcome(
        text=f"{parts.kind.noun} {name} {version} {did} with the {key.kind} key {key.fingerprint}\n"
        f"  {parts.manifest.digest}, {count(total, 'signature')}{stored}{images.told if images else ''}",
        document={
            "bundle": name,
            "version": version,
            "manifest": str(parts.manifest.digest),
            "key": str(key.fingerprint),
            "added": bool(added),
            "forms": [form.value for form in added],
            "signatures": total,
            **({"images": images.images, "imageSignatures": images.new} if images else {}),
        },
    )
