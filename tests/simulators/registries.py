"""A registry in memory behind `renderer.ports.Registry`: strict like docker-registry, and able to fail on demand."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from renderer.errors import BundleRefusedError, Finding, HopelessError, RemoteError, Where
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import FoundManifest

CHUNK = 64 * 1024


@dataclass
class MemoryRegistry:
    """Repositories with blobs, manifests and tags. Every request is written down in `log`.

    `sparse` lets indexes in whose manifests are not all there. `denied` repositories refuse everything that is
    written, `mounts` says whether blobs may be mounted, `down` makes every request fail.
    """

    sparse: bool = False
    mounts: bool = True
    down: bool = False
    denied: set[str] = field(default_factory=set)
    blobs: dict[str, dict[Digest, bytes]] = field(default_factory=dict)
    manifests: dict[str, dict[Digest, tuple[bytes, str]]] = field(default_factory=dict)
    tagged: dict[str, dict[str, Digest]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)
    on_chunk: Callable[[], None] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)

    location: str = "https://registry.site.example"

    def count(self, verb: str) -> int:
        """How many requests of a kind there were."""
        return sum(entry[0] == verb for entry in self.log)

    def has_blob(self, repository: str, digest: Digest) -> int | None:
        self._note("has", repository, str(digest))
        content = self.blobs.get(repository, {}).get(digest)
        return None if content is None else len(content)

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        self._note("mount", repository, str(digest), write=True)
        content = self.blobs.get(source, {}).get(digest)
        if content is None or not self.mounts:
            return False
        self.blobs.setdefault(repository, {})[digest] = content
        return True

    def push_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_content: Callable[[], BinaryIO],
        *,
        session: str | None = None,
        on_progress: Callable[[str, int], None] | None = None,
    ) -> None:
        self._note("push", repository, str(descriptor.digest), write=True)
        with self.lock:
            if session is None or session not in self.uploads:
                session = f"{repository}/{len(self.log)}"
                self.uploads[session] = bytearray()
            else:
                self._note("resume", repository, str(descriptor.digest))
        upload = self.uploads[session]
        with open_content() as stream:
            stream.read(len(upload))
            while chunk := stream.read(CHUNK):
                upload += chunk
                self.on_chunk()
                if on_progress is not None:
                    on_progress(session, len(upload))
        content = bytes(self.uploads.pop(session))
        assert Digest.of(content) == descriptor.digest
        with self.lock:
            self.blobs.setdefault(repository, {})[descriptor.digest] = content

    def read_blob(self, repository: str, descriptor: Descriptor, *, begun: BinaryIO | None = None) -> BinaryIO:
        self._note("read", repository, str(descriptor.digest))
        content = self.blobs[repository][descriptor.digest]
        first = begun.read() if begun is not None else b""
        if Digest.of(first + content[len(first) :]) != descriptor.digest:
            raise BundleRefusedError(Finding(code="blob-digest-mismatch", message="wrong", got=str(Digest.of(content))))
        return io.BytesIO(content[len(first) :])

    def manifest(self, repository: str, reference: str) -> FoundManifest | None:
        self._note("manifest", repository, reference)
        held = self.tagged.get(repository, {}).get(reference)
        digest = held or (Digest.parse(reference) if ":" in reference else None)
        found = self.manifests.get(repository, {}).get(digest) if digest else None
        if found is None or digest is None:
            return None
        return FoundManifest(content=found[0], media_type=found[1], digest=digest)

    def stands_for(self, repository: str, tag: str, digest: Digest) -> bool:
        found = self.manifest(repository, tag)
        return found is not None and found.digest == digest

    def push_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> Digest:
        self._note("put", repository, reference, write=True)
        digest, document = Digest.of(content), json.loads(content)
        there = self.manifests.setdefault(repository, {})
        needed = [] if self.sparse else [Digest.parse(one["digest"]) for one in document.get("manifests", [])]
        parts = [document[key] for key in ("config",) if key in document] + document.get("layers", [])
        blobs = [Digest.parse(part["digest"]) for part in parts]
        if any(one not in there for one in needed) or any(one not in self.blobs[repository] for one in blobs):
            raise fault("registry-refused", "the registry refused the request with HTTP 400", repository)
        there[digest] = (content, media_type)
        if ":" not in reference:
            self.tagged.setdefault(repository, {})[reference] = digest
        return digest

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        self._note("referrers", repository, str(digest))
        found = []
        for own, (content, media_type) in sorted(self.manifests.get(repository, {}).items()):
            document = json.loads(content)
            if document.get("subject", {}).get("digest") == str(digest):
                kind = document.get("artifactType")
                found.append(Descriptor(media_type=media_type, digest=own, size=len(content), artifact_type=kind))
        return tuple(found)

    def tags(self, repository: str) -> tuple[str, ...]:
        return tuple(sorted(self.tagged.get(repository, {})))

    def _note(self, verb: str, repository: str, what: str, *, write: bool = False) -> None:
        with self.lock:
            self.log.append((verb, repository, what))
        if self.down:
            raise HopelessError(
                *fault("registry-unreachable", "`registry.site.example` cannot be reached", repository).findings
            )
        if write and repository in self.denied:
            raise fault("registry-denied", "this user may not do that", repository)


def fault(code: str, message: str, subject: str) -> RemoteError:
    """What an adapter says when a registry fails."""
    return RemoteError(Finding(code=code, message=message, where=Where(subject=subject), hint="mend it"))
