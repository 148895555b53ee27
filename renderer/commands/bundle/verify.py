"""`sitewright bundle verify BUNDLE --trust POLICY`."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Final

from renderer.commands.bundle.listing import check_index, check_marker
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    COPY_AGAIN,
    parse_manifest,
)
from renderer.formats.bundle.document import is_carried, spell_time
from renderer.formats.bundle.image_signatures import find_image_signatures, subjects_of
from renderer.formats.bundle.parts import holders_of_signatures, read_parts
from renderer.formats.documents.wording import count, headline, identity, size
from renderer.formats.trust.table import signature_table, signatures_json
from renderer.model.bundles.bundle import BundleImage, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import Executor, Layout
from renderer.stages.verify import verify as verify_parts
from renderer.stages.verify.images import ImageVerdict, image_verdict, signatures_over_images

_CHUNK: Final = 256 * 1024
_SHOWN: Final = 10


def verify(source: Layout, policy: TrustPolicy, *, now: datetime, executor: Executor | None = None) -> Outcome:
    """Judge every signature by `policy`, and hash every blob that the bundle carries, a few at once with `executor`.

    Nothing else may lie there. Raises BundleRefusedError with everything that is wrong: with signatures first, then
    with `oci-layout` and `index.json`, with each blob, and with what does not belong.
    """
    index = source.index()
    parts = read_parts(index, source.blob, source.location)
    verified = verify_parts(parts, policy, now=now, source=source.location)
    check = _BlobCheck(source)
    check.bundle(verified, index)
    beside, malformed = signatures_over_images(index, verified.bundle, source.blob, source.location)
    faults = [
        *check_marker(source.marker(), source.location),
        *check_index(index, verified, source),
        *(one for one in malformed if one.code == "bundle-tampered"),
        *check.faults(executor),
        *_strangers(source, check),
    ]
    if faults:
        raise BundleRefusedError(*faults)
    return _outcome(verified, check, image_verdict(verified.bundle, beside, policy, now=now))


class _BlobCheck:
    """Everything that a bundle leads to, each digest once, and what is wrong with it."""

    def __init__(self, source: Layout) -> None:
        self.source = source
        self.found: dict[Digest, Descriptor] = {}
        self.unread: list[Finding] = []

    @property
    def size(self) -> int:
        """The bytes of all of it."""
        return sum(descriptor.size for descriptor in self.found.values())

    def bundle(self, verified: VerifiedBundle, index: bytes) -> None:
        """Note what belongs to a bundle: itself, its signatures, and every image that it carries."""
        self._manifest(verified.manifest)
        for holder in holders_of_signatures(index, verified.manifest.digest, self.source.blob, self.source.location):
            self._manifest(holder)
        subjects = subjects_of(verified.bundle)
        for holder in find_image_signatures(index, subjects, self.source.location).values():
            self._manifest(holder)
        for image in verified.bundle.images:
            if is_carried(image):
                self._image(image)

    def _image(self, image: BundleImage) -> None:
        """An image for every platform that the bundle carries, and what speaks of it."""
        self._content(image.content)
        for manifest in image.manifests:
            self._manifest(manifest)

    def _manifest(self, descriptor: Descriptor) -> None:
        """An image manifest and everything that it names."""
        self._content(descriptor)
        try:
            where = Where(file=self.source.location, subject=f"manifest {descriptor.digest}")
            parsed = parse_manifest(self.source.blob(descriptor), where)
        except BundleRefusedError as error:
            # a wrong digest is told when all blobs are hashed
            self.unread += [one for one in error.findings if one.code == "bundle-malformed"]
            return
        self._content(parsed.config, *parsed.layers)

    def _content(self, *descriptors: Descriptor) -> None:
        for descriptor in descriptors:
            self.found.setdefault(descriptor.digest, descriptor)

    def faults(self, executor: Executor | None) -> list[Finding]:
        """Hash every blob, the largest first; what is wrong, in the order in which the bundle leads to them."""
        largest = sorted(self.found.values(), key=lambda descriptor: -descriptor.size)
        told = executor.map(self._fault, largest) if executor else [self._fault(one) for one in largest]
        by_digest = dict(zip((one.digest for one in largest), told, strict=True))
        return [*self.unread, *(finding for digest in self.found for finding in by_digest[digest])]

    def _fault(self, descriptor: Descriptor) -> tuple[Finding, ...]:
        buffer = bytearray(min(_CHUNK, max(descriptor.size, 1)))
        try:
            with self.source.open_blob(descriptor) as stream:
                while stream.readinto(buffer):  # type: ignore[attr-defined]
                    pass
        except BundleRefusedError as error:
            return error.findings
        return ()


def _strangers(source: Layout, check: _BlobCheck) -> list[Finding]:
    """What nobody vouches for must not travel along, though nothing would ever use it."""
    where = Where(file=source.location)
    blobs = [f"blobs/{one.algorithm}/{one.hex}" for one in source.digests() if one not in check.found]
    files = [path.encode(errors="backslashreplace").decode() for path in source.strangers()]
    findings = []
    for code, paths, what in (
        ("unreferenced-blob", blobs, f"nothing that is signed leads to {count(len(blobs), 'blob')} of the layout"),
        ("foreign-file", files, f"an OCI layout has no place for {count(len(files), 'file')} found in it"),
    ):
        if paths:
            findings.append(
                Finding(
                    code=code,
                    message=what,
                    where=where,
                    expected="nothing but `oci-layout`, `index.json` and the blobs that the bundle leads to",
                    explanation=(*paths[:_SHOWN], *(("…",) if len(paths) > _SHOWN else ())),
                    hint=_remove(source.location, paths[0]),
                )
            )
    return findings


def _remove(location: str, path: str) -> str:
    if location.endswith(".tar"):
        return f"{COPY_AGAIN}; or: tar --delete -f {shlex.quote(location)} {shlex.quote(path)}"
    return f"rm {shlex.quote(f'{location}/{path}')}"


def verdict_json(verdict: Verdict) -> dict[str, Json]:
    """A verdict for machines."""
    return {
        "policy": verdict.policy,
        "threshold": verdict.threshold,
        "signers": list(verdict.signers),
        "verifiedAt": spell_time(verdict.verified_at),
        "signatures": signatures_json(verdict.signatures),
    }


def verified_lines(verified: VerifiedBundle) -> list[str]:
    """Which bundle it is, and who says so."""
    verdict = verified.verdict
    return [
        f"{headline(verified.bundle)}: verified",
        f"  {verified.manifest.digest}",
        f"  {' and '.join(verdict.signers)} signed; trust policy {verdict.policy} asks for {verdict.threshold}",
    ]


def _outcome(verified: VerifiedBundle, check: _BlobCheck, images: ImageVerdict) -> Outcome:
    bundle, verdict = verified.bundle, verified.verdict
    carried = sum(is_carried(image) for image in bundle.images)
    lines = [
        *verified_lines(verified),
        *signature_table(verdict.signatures),
        f"  {count(len(check.found), 'blob')} hashed ({size(check.size)}), all as signed",
        f"  {count(len(bundle.images), 'image')}, {carried} of them carried",
        *_signed_lines(images, carried),
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, verified.manifest.digest),
            "verified": True,
            "verdict": verdict_json(verdict),
            "blobs": len(check.found),
            "bytes": check.size,
            "images": len(bundle.images),
            "carriedImages": carried,
            "imageSignatures": {
                "signers": {signer: len(signed) for signer, signed in images.signed.items()},
                "strangers": images.strangers,
            },
        },
    )


def _signed_lines(images: ImageVerdict, carried: int) -> list[str]:
    """How many of the images each signer has signed for container runtimes; nothing when nobody has."""
    lines = [
        f"  {signer} signed {len(signed)} of {count(carried, 'image')}" for signer, signed in images.signed.items()
    ]
    if images.strangers:
        lines.append(f"  {count(images.strangers, 'signature')} over images by keys that count for nothing here")
    return lines
