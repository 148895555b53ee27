"""Uploading one blob (distribution-spec v1.1, "Pushing blobs"): at once when small, in chunks when large.

A chunk that broke off is taken up where the registry says it stands (`Range` of the upload's status). Registries
built on distribution refuse to go on after half a chunk (the state in their address does not fit what they hold); then
the upload starts over. Who stops between two chunks, by raising from `on_progress`, can go on everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, Final
from urllib.parse import quote, urlsplit

from renderer.adapters.registry.connections import Content, Origin
from renderer.adapters.registry.faults import Refusal
from renderer.adapters.registry.transport import PassingError, Received, Request, Transport
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.model.bundles.extension import Descriptor

CHUNK: Final = 16 * 2**20
_PIECE: Final = 1024 * 1024
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]{1,18})\Z")

Progress = Callable[[str, int], None]
"""(session, bytes that the registry has)."""


class Upload:
    """One blob on its way into one repository."""

    def __init__(
        self,
        transport: Transport,
        repository: str,
        descriptor: Descriptor,
        open_content: Callable[[], BinaryIO],
        *,
        chunk: int,
        on_progress: Progress | None,
    ) -> None:
        self._transport = transport
        self._repository = repository
        self._descriptor = descriptor
        self._open_content = open_content
        self._chunk = chunk
        self._on_progress = on_progress or (lambda _session, _size: None)
        self._subject = f"{transport.faults.host}/{repository}@{descriptor.digest}"
        self._scopes = frozenset({f"repository:{repository}:pull,push"})
        self._session: str | None = None
        self._offset = 0
        self._resumed = False

    def run(self, session: str | None) -> None:
        """Upload what the registry does not have yet. `session` is what an earlier run was told. Raises RemoteError."""
        if session is not None and self._is_ours(session):
            self._session = session
            self._ask_status()
        furthest, failures = self._offset, 0
        while True:
            try:
                self._send()
            except PassingError as passing:
                # Patience is for attempts that bring nothing: who gets further may fail again and again.
                failures = 1 if self._offset > furthest else failures + 1
                furthest = max(furthest, self._offset)
                if failures >= self._transport.patience.attempts:
                    raise passing.error from None
                self._transport.patience.pause(failures, passing.delay)
                if self._has_arrived():
                    return
                self._ask_status()
            else:
                return

    def _send(self) -> None:
        """From the offset to the end. Raises PassingError."""
        if self._session is None:
            self._begin()
        size = self._descriptor.size
        if self._offset == 0 and size <= self._chunk:
            with self._open_content() as stream:
                self._finish(Content(size, self._pieces(stream, size)))
            return
        while self._offset < size:
            self._send_chunks()
        self._finish(b"")

    def _send_chunks(self) -> None:
        """Chunk after chunk from the offset on; ends early when the registry took less than it was sent."""
        size = self._descriptor.size
        with self._open_content() as stream:
            for _ in self._pieces(stream, self._offset):
                pass
            while self._offset < size:
                start, end = self._offset, min(self._offset + self._chunk, size)
                headers = {"Content-Range": f"{start}-{end - 1}"}
                received = self._change(
                    "PATCH", self._url(), Content(end - start, self._pieces(stream, end - start)), headers
                )
                self._note(received, end)
                if self._offset <= start:
                    message = f"the registry still has {self._offset} bytes after a chunk that began at {start}"
                    raise PassingError(self._transport.faults.malformed(message, self._subject))
                self._on_progress(self._url(), self._offset)
                if self._offset != end:
                    return

    def _finish(self, body: bytes | Content) -> None:
        digest = str(self._descriptor.digest)
        url = self._url()
        address = f"{url}{'&' if urlsplit(url).query else '?'}digest={quote(digest, safe=':')}"
        received = self._change("PUT", address, body, {})
        stored = received.headers.get("Docker-Content-Digest")
        if stored and str(stored).strip() != digest:
            message = "the registry stored the blob under another digest"
            raise self._transport.faults.malformed(message, self._subject, expected=digest)
        self._on_progress(url, self._descriptor.size)

    def _change(self, method: str, url: str, body: bytes | Content, headers: dict[str, str]) -> Received:
        """One PATCH or PUT. An upload that the registry no longer knows, or knows otherwise, starts over."""
        done = {"PATCH": {202}, "PUT": {201, 204}}[method]
        lost = {404, 416} | ({400} if self._resumed else set())
        headers = {"Content-Type": "application/octet-stream", **headers}
        received = self._transport.attempt(self._request(method, url, headers, body), done | lost)
        if received.status in done:
            return received
        self._forget()
        refusal = Refusal(status=received.status, body=received.body)
        raise PassingError(self._transport.faults.refused(refusal, self._subject, self._scopes))

    def _begin(self) -> None:
        received = self._transport.attempt(self._request("POST", f"/v2/{self._repository}/blobs/uploads/"), {202})
        self._offset, self._resumed = 0, False
        self._session = self._location(received)
        if self._session is None:
            raise self._transport.faults.malformed("the registry names no place to upload to", self._subject)
        least = str(received.headers.get("OCI-Chunk-Min-Length", "")).strip()
        if least.isascii() and least.isdigit():
            self._chunk = max(self._chunk, int(least[:18]))

    def _ask_status(self) -> None:
        """Where the upload stands; one that the registry does not know, or will not tell about, starts over."""
        if self._session is None:
            return
        request = self._request("GET", self._session)
        received = self._transport.call(request, {200, 204, 202, 400, 404, 405, 410, 416})
        if received.status >= 400:
            self._forget()
        else:
            self._resumed = True
            self._note(received, 0)

    def _note(self, received: Received, default: int) -> None:
        """Take the offset and the new place from an answer. `0-0` is told for no byte, too: one byte is sent again."""
        self._session = self._location(received) or self._session
        found = _RANGE.match(str(received.headers.get("Range", "")).strip())
        last = int(found[1]) if found else default - 1
        self._offset = min(last + 1 if last > 0 else 0, self._descriptor.size)

    def _has_arrived(self) -> bool:
        """True when the registry has the blob: the answer may be all that was lost."""
        url = f"/v2/{self._repository}/blobs/{self._descriptor.digest}"
        received = self._transport.call(self._request("HEAD", url), {200, 404})
        return received.status == 200

    def _forget(self) -> None:
        self._session, self._offset, self._resumed = None, 0, False

    def _is_ours(self, session: str) -> bool:
        """A session of another registry is not asked for: its address would get our credentials or none."""
        try:
            return Origin.of(session) == self._transport.home and session.isascii() and session.isprintable()
        except ValueError:
            return False

    def _location(self, received: Received) -> str | None:
        location = received.headers.get("Location")
        return self._transport.absolute(received.url, str(location), self._subject) if location else None

    def _url(self) -> str:
        return self._session or ""

    def _request(
        self, method: str, url: str, headers: Mapping[str, str] = MappingProxyType({}), body: bytes | Content = b""
    ) -> Request:
        return Request(
            method=method, url=url, subject=self._subject, repository=self._repository, scopes=self._scopes,
            headers=headers, body=body,
        )  # fmt: skip

    def _pieces(self, stream: BinaryIO, size: int) -> Iterator[bytes]:
        """The next `size` bytes. Raises BundleRefusedError when they cannot be read: that is no fault of the line."""
        left = size
        while left:
            try:
                piece = stream.read(min(left, _PIECE))
            except OSError as error:
                raise self._unreadable(error.strerror or str(error)) from error
            if not piece:
                raise self._unreadable(f"it ends {left} bytes too early")
            left -= len(piece)
            yield piece

    def _unreadable(self, why: str) -> BundleRefusedError:
        message = f"the blob `{self._descriptor.digest}` cannot be read: {why}"
        return BundleRefusedError(
            Finding(
                code="blob-unreadable",
                message=message,
                where=Where(subject=self._subject),
                expected=f"{self._descriptor.size} bytes",
            )
        )
