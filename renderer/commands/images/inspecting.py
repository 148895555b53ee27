"""One image of a lock in the site registry, looked at from its tag down to its layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from renderer.commands.images.referrers import is_part_of, speaks_by_itself
from renderer.errors import BundleRefusedError, Finding, RemoteError, RendererError, Where
from renderer.formats.bundle.artifact import INDEX_TYPES, MANIFEST_TYPES, parse_index, parse_manifest
from renderer.formats.bundle.image_signatures import identity, signature_of
from renderer.formats.documents.wording import count, size
from renderer.formats.trust.cosign import make_payload, signature_tag
from renderer.formats.trust.keys import PublicKey
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.referrers import PinnedReferrer
from renderer.model.images.transfer import ImageTarget, Inspection, Lack
from renderer.model.reference import Digest
from renderer.ports import FoundManifest, Registry
from renderer.structs import Struct, field
from renderer.transfer.crew import Crew

_CHUNK: Final = 1024 * 1024
_KINDS: Final = {"sig": "signature", "att": "attestation", "sbom": "SBOM"}


def inspect(
    target: ImageTarget, registry: Registry, crew: Crew, *, deep: bool, keys: Mapping[str, PublicKey]
) -> Inspection | tuple[Finding, ...]:
    """What `registry` has of the image and what it lacks; the findings when it does not answer.

    `keys` are those of the trust policy by name: of them are the signatures that nodes demand.
    """
    look = _Look(target=target, registry=registry, crew=crew, deep=deep, keys=keys)
    try:
        look.image()
    except RendererError as error:
        return error.findings
    return Inspection(target=target, blobs=look.blobs, lacks=tuple(look.lacks))


class _Look(Struct, kw_only=True):
    """Looks at one image, from its tag down to its layers. Nothing is believed but digests."""

    target: ImageTarget
    registry: Registry
    crew: Crew
    deep: bool
    keys: Mapping[str, PublicKey]
    blobs: dict[Digest, int] = field(default_factory=dict)
    lacks: list[Lack] = field(default_factory=list)

    def image(self) -> None:
        """Raises RemoteError when the registry does not answer."""
        target = self.target
        by_tag = self._manifest(target.tag) if target.tag is not None else None
        right = by_tag is not None and by_tag.digest == target.digest
        root = by_tag if right else self._manifest(str(target.digest))
        if target.tag is not None and not right:
            got = str(by_tag.digest) if by_tag is not None else "no such tag"
            self.lacks.append(Lack(what=f"tag {target.tag}", digest=target.digest, got=got))
        if root is None:
            kind = "index" if target.manifests else "manifest"
            self.lacks.append(Lack(what=kind, digest=target.digest, got="nothing"))
        elif root.media_type in INDEX_TYPES:
            self.blobs[root.digest] = len(root.content)
            self._index(root)
        if target.digest in target.platforms.values() and root is not None:
            self._platform(root)
        for platform, digest in sorted(target.platforms.items()):
            if digest == target.digest:
                continue
            found = self._manifest(str(digest))
            if found is None:
                self.lacks.append(Lack(what=f"manifest for {platform}", digest=digest, got="nothing"))
            else:
                self._platform(found)
        for referrer in target.referrers:
            self._referrer(referrer)
        if target.signers:
            for subject in (target.digest, *target.manifests):
                self._signatures(subject)

    def _signatures(self, subject: Digest) -> None:
        """Every signer whom the lock names must have signed, where runtimes look for that."""
        tag = signature_tag(subject)
        found = self._manifest(tag)
        if found is not None and found.digest not in self.blobs:
            self._platform(found)
        layers = _layers(found)
        payload = make_payload(identity(self.target.reference), subject)
        signatures = [signature_of(layer) for layer in layers if layer.digest == Digest.of(payload)]
        got = f"not among {count(len(layers), 'signature')}" if found is not None else f"no tag {tag[:19]}….sig"
        for name in self.target.signers:
            key = self.keys.get(name)
            if key is None or not any(key.check(payload, signature) for signature in signatures):
                self.lacks.append(Lack(what=f"signature by {name}", digest=subject, got=got))

    def _referrer(self, pinned: PinnedReferrer) -> None:
        """What speaks of the image must be there, and where people look for it."""
        what = _KINDS.get((pinned.tag or "").rpartition(".")[2], "referrer")
        by_tag = self._manifest(pinned.tag) if pinned.tag is not None else None
        right = by_tag is not None and by_tag.digest == pinned.digest
        found = by_tag if right else self._manifest(str(pinned.digest))
        if found is None:
            self.lacks.append(Lack(what=what, digest=pinned.digest, got="nothing"))
            return
        self._platform(found)
        if right or (by_tag is not None and is_part_of(found.content, by_tag)):
            return
        if pinned.tag is not None:
            got = str(by_tag.digest) if by_tag is not None else "no such tag"
            self.lacks.append(Lack(what=f"{what} {pinned.tag}", digest=pinned.digest, got=got))
        elif speaks_by_itself(found.content) and pinned.digest not in self._listed(pinned.subject):
            self.lacks.append(Lack(what=what, digest=pinned.digest, got=f"not listed for {pinned.subject}"))

    def _listed(self, subject: Digest) -> frozenset[Digest]:
        found = self.crew.attempt(lambda: self.registry.referrers(self.target.repository, subject))
        return frozenset(one.digest for one in found)

    def _manifest(self, reference: str) -> FoundManifest | None:
        found = self.crew.attempt(lambda: self.registry.manifest(self.target.repository, reference))
        if found is None or ":" not in reference or str(found.digest) == reference:
            return found
        self.lacks.append(Lack(what="manifest", digest=Digest.parse(reference), got=str(found.digest)))
        return None

    def _index(self, root: FoundManifest) -> None:
        """Every manifest that the site needs must stand in the index, or no node finds it."""
        try:
            listed = {entry.descriptor.digest for entry in parse_index(root.content, self._where(root.digest))}
        except BundleRefusedError:
            self.lacks.append(Lack(what="index", digest=root.digest, got="not an index that can be read"))
            return
        self.lacks += [
            Lack(what=f"index entry for {platform}", digest=digest, got="nothing")
            for platform, digest in sorted(self.target.platforms.items())
            if digest not in listed
        ]

    def _platform(self, found: FoundManifest) -> None:
        self.blobs[found.digest] = len(found.content)
        try:
            parsed = parse_manifest(found.content, self._where(found.digest))
        except BundleRefusedError:
            self.lacks.append(Lack(what="manifest", digest=found.digest, got=f"`{found.media_type}`, not readable"))
            return
        for what, blob in (("config", parsed.config), *(("layer", layer) for layer in parsed.layers)):
            if blob.digest not in self.blobs:
                self._blob(what, blob)

    def _blob(self, what: str, blob: Descriptor) -> None:
        held = self.crew.attempt(lambda: self.registry.has_blob(self.target.repository, blob.digest))
        if held != blob.size:
            got = "nothing" if held is None else f"{size(held)} instead of {size(blob.size)}"
            self.lacks.append(Lack(what=what, digest=blob.digest, got=got))
        elif not self.deep or self._hashed(what, blob):
            self.blobs[blob.digest] = blob.size

    def _hashed(self, what: str, blob: Descriptor) -> bool:
        """Read a blob to its end: its stream refuses the last byte when the digest is wrong."""
        try:
            with self.crew.attempt(lambda: self.registry.read_blob(self.target.repository, blob)) as stream:
                while stream.read(_CHUNK):
                    self.crew.step()
        except BundleRefusedError as error:
            self.lacks.append(Lack(what=what, digest=blob.digest, got=error.findings[0].got or "another content"))
            return False
        except RemoteError as error:
            if not any(finding.code == "registry-not-found" for finding in error.findings):
                raise
            self.lacks.append(Lack(what=what, digest=blob.digest, got="nothing"))
            return False
        return True

    def _where(self, digest: Digest) -> Where:
        return Where(subject=f"manifest {digest}")


def _layers(found: FoundManifest | None) -> tuple[Descriptor, ...]:
    """The layers of what lies under a tag of signatures; none when that is something else."""
    if found is None or found.media_type not in MANIFEST_TYPES:
        return ()
    try:
        return parse_manifest(found.content, Where(subject=f"manifest {found.digest}")).layers
    except BundleRefusedError:
        return ()
