"""`renderer.ports.Registry` over HTTP: what the distribution specification v1.1 calls pull, push and discovery."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, Final, cast
from urllib.parse import quote

from renderer.adapters.registry.downloads import BlobStream
from renderer.adapters.registry.harbor import HarborProjects
from renderer.adapters.registry.transport import Received, Request, Transport
from renderer.adapters.registry.uploads import CHUNK, Upload
from renderer.errors import BundleRefusedError, HopelessError, RemoteError, Where
from renderer.formats.bundle.artifact import (
    IMAGE_INDEX,
    INDEX_TYPES,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    parse_index,
)
from renderer.formats.canonical_json import parse_json
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Fields
from renderer.model.reference import Digest
from renderer.ports import FoundManifest

_ACCEPT: Final = ", ".join(sorted(INDEX_TYPES | MANIFEST_TYPES))
_PAGE_LIMIT: Final = 200
_NEXT = re.compile(r'<([^<>]{1,4000})>[^<]*;[ \t]*rel="?next"?')


class RegistryClient:
    """Satisfies `renderer.ports.Registry`. Close it, or use it as a context, to close its connections."""

    def __init__(self, transport: Transport, *, chunk: int = CHUNK) -> None:
        self._transport = transport
        self._chunk = chunk
        self._faults = transport.faults

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RegistryClient({self.location!r})"

    def close(self) -> None:
        """Close all connections."""
        self._transport.connections.close()

    @property
    def location(self) -> str:
        """`https://host[:port]`, for messages."""
        return self._faults.location

    @property
    def harbor(self) -> HarborProjects:
        """The projects of this registry, when it is a Harbor."""
        return HarborProjects(self._transport)

    def has_blob(self, repository: str, digest: Digest) -> int | None:
        """The size of a blob that the repository has, or None. Raises RemoteError."""
        subject = self._named(repository, f"@{digest}")
        received = self._sought("HEAD", repository, f"blobs/{digest}", {200}, subject)
        if received is None:
            return None
        size = str(received.headers.get("Content-Length", "")).strip()
        if not (size.isascii() and size.isdigit()):
            raise self._faults.malformed("the registry does not tell the size of a blob", subject)
        return int(size[:18])

    def mount_blob(self, repository: str, digest: Digest, source: str) -> bool:
        """Make a blob of the repository `source` available in `repository`; False when the registry will not."""
        path = f"blobs/uploads/?mount={digest}&from={quote(source, safe='/')}"
        scopes = (f"repository:{repository}:pull,push", f"repository:{source}:pull")
        subject = self._named(repository, f"@{digest}")
        try:
            received = self._call("POST", repository, path, {201, 202, 403, 404, 405}, subject, scopes=scopes)
            if received.status == 202:  # an upload was begun instead: it would stay until the registry's next cleaning
                self._cancel(repository, received, subject)
        except HopelessError:
            raise
        except RemoteError as error:
            # Who may not read the source, or not cancel what was begun (Harbor wants the right to delete), can send.
            if error.findings[0].code not in {"registry-unauthorized", "registry-denied", "registry-not-found"}:
                raise
            return False
        return received.status == 201

    def _cancel(self, repository: str, received: Received, subject: str) -> None:
        location = received.headers.get("Location")
        if location:
            request = Request(
                method="DELETE", url=self._transport.absolute(received.url, str(location), subject), subject=subject,
                repository=repository, scopes=frozenset({f"repository:{repository}:pull,push"}),
            )  # fmt: skip
            self._transport.call(request, range(200, 500))

    def push_blob(
        self,
        repository: str,
        descriptor: Descriptor,
        open_content: Callable[[], BinaryIO],
        *,
        session: str | None = None,
        on_progress: Callable[[str, int], None] | None = None,
    ) -> None:
        """Upload a blob, streamed; see `renderer.ports.Registry`. Raises RemoteError, BundleRefusedError."""
        upload = Upload(
            self._transport, repository, descriptor, open_content, chunk=self._chunk, on_progress=on_progress
        )
        upload.run(session)

    def read_blob(self, repository: str, descriptor: Descriptor, *, begun: BinaryIO | None = None) -> BinaryIO:
        """The bytes of a blob as a stream; reading the last one raises BundleRefusedError when the digest is wrong.

        With `begun`, its first bytes, the stream gives those behind them.
        """
        request = self._request(
            "GET", repository, f"blobs/{descriptor.digest}", self._named(repository, f"@{descriptor.digest}"), ()
        )
        return cast("BinaryIO", BlobStream(self._transport, request, descriptor, begun))

    def manifest(self, repository: str, reference: str) -> FoundManifest | None:
        """The manifest behind a tag or a digest, its digest computed from the bytes; None when there is none."""
        is_digest = ":" in reference
        subject = self._named(repository, f"@{reference}" if is_digest else f":{reference}")
        received = self._sought(
            "GET", repository, f"manifests/{reference}", {200}, subject, headers={"Accept": _ACCEPT}
        )
        if received is None:
            return None
        digest = _digest_like(received.body, reference)
        if is_digest and str(digest) != reference:
            message = f"the registry serves something else as `{reference}`"
            raise self._faults.malformed(message, subject, expected=reference)
        return FoundManifest(content=received.body, media_type=_media_type(received), digest=digest)

    def stands_for(self, repository: str, tag: str, digest: Digest) -> bool:
        """Whether a tag stands for `digest`: a registry that knows RFC 9110 (13.1.2) need not send the manifest."""
        headers = {"Accept": _ACCEPT, "If-None-Match": f'"{digest}"'}
        subject = self._named(repository, f":{tag}")
        try:
            received = self._sought("GET", repository, f"manifests/{tag}", {200, 304}, subject, headers=headers)
        except RemoteError as error:
            if error.findings[0].code != "registry-policy":
                raise
            return False
        if received is None:
            return False
        if received.status == 200:
            return _digest_like(received.body, str(digest)) == digest
        return received.status == 304

    def push_manifest(self, repository: str, reference: str, content: bytes, media_type: str) -> Digest:
        """Put a manifest byte for byte under a tag or its digest. Raises RemoteError (`tag-immutable` and others)."""
        is_digest = ":" in reference
        subject = self._named(repository, f"@{reference}" if is_digest else f":{reference}")
        digest = _digest_like(content, reference)
        try:
            received = self._call(
                "PUT", repository, f"manifests/{reference}", {201, 200}, subject, body=content, push=True,
                headers={"Content-Type": media_type},
            )  # fmt: skip
        except RemoteError as error:
            # A tag that must not change, and need not: the registry holds what we bring.
            held = self.manifest(repository, reference) if error.findings[0].code == "tag-immutable" else None
            if held is not None and held.content == content:
                return digest
            raise
        stored = str(received.headers.get("Docker-Content-Digest", digest)).strip()
        if stored != str(digest) and stored.startswith(f"{digest.algorithm}:"):
            message = f"the registry changed the manifest: it has `{stored}` now"
            raise self._faults.malformed(message, subject, expected=str(digest))
        return digest

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        """What refers to a manifest: the referrers API, or the tag schema where a registry lacks it."""
        subject = self._named(repository, f"@{digest}")
        found: dict[Digest, Descriptor] = {}
        pages = self._pages(repository, f"referrers/{digest}", subject)
        first = next(pages, None)
        if first is None or _media_type(first) != IMAGE_INDEX:
            fallback = self.manifest(repository, f"{digest.algorithm}-{digest.hex}")
            if fallback is None or fallback.media_type not in INDEX_TYPES:
                return ()
            contents = [fallback.content]
        else:
            contents = [first.body, *(page.body for page in pages)]
        for content in contents:
            try:
                for entry in parse_index(content, Where(subject=subject)):
                    found.setdefault(entry.descriptor.digest, entry.descriptor)
            except BundleRefusedError as error:
                message = f"the list of referrers cannot be read: {error.findings[0].message}"
                raise self._faults.malformed(message, subject) from error
        return tuple(found.values())

    def tags(self, repository: str) -> tuple[str, ...]:
        """The tags of a repository, sorted; none when the repository does not exist."""
        found: set[str] = set()
        for page in self._pages(repository, "tags/list?n=1000", self._named(repository, "")):
            try:
                document = Fields.of(parse_json(page.body, limit=MANIFEST_LIMIT))
                found.update(document.texts("tags"))
            except ValueError as error:
                message = f"the list of tags cannot be read: {error}"
                raise self._faults.malformed(message, self._named(repository, "")) from error
        return tuple(sorted(found))

    def _pages(self, repository: str, path: str, subject: str) -> Iterator[Received]:
        """The pages of a list (`Link: <…>; rel="next"`), none when there is no such thing."""
        request = self._request("GET", repository, path, subject, ())
        for _ in range(_PAGE_LIMIT):
            received = self._transport.call(request, {200, 404})
            if received.status == 404:
                return
            yield received
            following = _NEXT.search(str(received.headers.get("Link", "")))
            if following is None:
                return
            url = self._transport.absolute(received.url, following[1], subject)
            request = Request(method="GET", url=url, subject=subject, repository=repository, scopes=request.scopes)
        raise self._faults.malformed(f"the registry's list has more than {_PAGE_LIMIT} pages", subject)

    def _named(self, repository: str, suffix: str) -> str:
        return f"{self._faults.host}/{repository}{suffix}"

    def _request(
        self, method: str, repository: str, path: str, subject: str, scopes: tuple[str, ...], *,
        headers: dict[str, str] | None = None, body: bytes = b"",
    ) -> Request:  # fmt: skip
        return Request(
            method=method, url=f"/v2/{repository}/{path}", subject=subject, repository=repository,
            scopes=frozenset(scopes or (f"repository:{repository}:pull",)), headers=headers or {}, body=body,
        )  # fmt: skip

    def _sought(
        self, method: str, repository: str, path: str, expected: set[int], subject: str, *,
        headers: dict[str, str] | None = None,
    ) -> Received | None:  # fmt: skip
        """What is there, or None: nothing lies in a project that does not exist, either."""
        try:
            received = self._call(method, repository, path, expected | {404}, subject, headers=headers)
        except RemoteError as error:
            if error.findings[0].code != "registry-not-found":
                raise
            return None
        return None if received.status == 404 else received

    def _call(
        self, method: str, repository: str, path: str, expected: set[int], subject: str, *,
        headers: dict[str, str] | None = None, body: bytes = b"", push: bool = False, scopes: tuple[str, ...] = (),
    ) -> Received:  # fmt: skip
        asked = (f"repository:{repository}:pull,push",) if push else scopes
        request = self._request(method, repository, path, subject, asked, headers=headers, body=body)
        return self._transport.call(request, expected, limit=MANIFEST_LIMIT)


def _digest_like(content: bytes, reference: str) -> Digest:
    """The digest of `content`, by the algorithm of `reference` when that is a digest."""
    import hashlib

    if reference.startswith("sha512:"):
        return Digest("sha512", hashlib.sha512(content).hexdigest())
    return Digest.of(content)


def _media_type(received: Received) -> str:
    return str(received.headers.get("Content-Type", "")).partition(";")[0].strip()
