"""Every blob of a layout hashed, and whatever lies there besides."""

from __future__ import annotations

import shlex
from typing import Final

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import COPY_AGAIN, parse_manifest
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.image_signatures import find_image_signatures, subjects_of
from renderer.formats.bundle.parts import holders_of_signatures
from renderer.formats.documents.wording import count
from renderer.model.bundles.bundle import BundleImage, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Executor, Layout

_CHUNK: Final = 256 * 1024
_SHOWN: Final = 10


class BlobCheck:
    """Everything that a bundle or a delta leads to, each digest once, and what is wrong with it."""

    def __init__(self, source: Layout) -> None:
        self.source = source
        self.found: dict[Digest, Descriptor] = {}
        self.unread: list[Finding] = []

    @property
    def size(self) -> int:
        """The bytes of all of it."""
        return sum(descriptor.size for descriptor in self.found.values())

    def bundle(self, verified: VerifiedBundle, index: bytes) -> None:
        """Note what belongs to a bundle: itself, its signatures, and every image that it carries with those over it."""
        self.signed(verified.manifest, index)
        subjects = subjects_of(verified.bundle)
        for holder in find_image_signatures(index, subjects, self.source.location).values():
            self._manifest(holder)
        for image in verified.bundle.images:
            if is_carried(image):
                self._image(image)

    def signed(self, manifest: Descriptor, index: bytes) -> None:
        """Note a manifest, all that it names, and its signatures."""
        self._manifest(manifest)
        for holder in holders_of_signatures(index, manifest.digest, self.source.blob, self.source.location):
            self._manifest(holder)

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


def strangers(source: Layout, check: BlobCheck) -> list[Finding]:
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
