"""A blob as a stream: hashed while it is read, taken up again where the connection broke."""

from __future__ import annotations

import http.client
from typing import BinaryIO

from renderer.adapters.registry.connections import Answer
from renderer.adapters.registry.transport import PassingError, Request, Transport
from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.checked_stream import PIECE, CheckedStream
from renderer.model.bundles.extension import Descriptor


class BlobStream(CheckedStream):
    """The bytes of one blob of a registry.

    With `begun`, the first bytes from an earlier run, it gives the rest; bytes too many there are a wrong digest.
    """

    def __init__(
        self, transport: Transport, request: Request, descriptor: Descriptor, begun: BinaryIO | None = None
    ) -> None:
        super().__init__(descriptor, self._mismatch)
        self._transport = transport
        self._request = request
        self._failures = 0
        self._answer: Answer | None = None
        while begun is not None and (piece := begun.read(PIECE)):
            self._hash.update(piece)
            self._position += len(piece)
        if self._position >= descriptor.size:
            self._check()
        else:
            self._answer = self._open_patiently()

    def close(self) -> None:
        """Give the connection back, or close it when there is more to read."""
        if not self.closed and self._answer is not None:
            self._answer.close()
        super().close()

    def _some(self, wanted: int) -> bytes:
        while True:
            answer = self._answer or self._open_patiently()
            self._answer = answer
            try:
                content = answer.some(wanted)
            except (OSError, http.client.HTTPException) as error:
                self._broken(PassingError(self._transport.faults.lost(error, self._request.subject)))
                continue
            if not content:
                raise self._refuse(f"{self._position} bytes")
            self._failures = 0
            return content

    def _open_patiently(self) -> Answer:
        while True:
            try:
                return self._open()
            except PassingError as passing:
                self._broken(passing)

    def _open(self) -> Answer:
        """Begin at the position: by a range where the registry serves one, else by reading up to it."""
        headers = {"Range": f"bytes={self._position}-"} if self._position else {}
        request = Request(
            method="GET", url=self._request.url, subject=self._request.subject, repository=self._request.repository,
            scopes=self._request.scopes, headers=headers,
        )  # fmt: skip
        answer, _ = self._transport.open(request, {200, 206} if self._position else {200})
        try:
            skip = self._position if answer.status == 200 else 0
            while skip:
                skipped = len(answer.some(min(skip, PIECE)))
                if not skipped:
                    raise self._refuse(f"{self._position - skip} bytes")
                skip -= skipped
        except (OSError, http.client.HTTPException) as error:
            answer.close()
            raise PassingError(self._transport.faults.lost(error, self._request.subject)) from error
        except BaseException:
            answer.close()
            raise
        return answer

    def _broken(self, passing: PassingError) -> None:
        """Wait, or give up after too many failures without a byte in between."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        self._failures += 1
        if self._failures >= self._transport.patience.attempts:
            raise passing.error from None
        self._transport.patience.pause(self._failures, passing.delay)

    def _mismatch(self, got: str) -> BundleRefusedError:
        return BundleRefusedError(
            Finding(
                code="blob-digest-mismatch",
                message=f"the registry serves something else as blob `{self._descriptor.digest}`",
                where=Where(subject=self._request.subject),
                expected=f"{self._descriptor.digest}, {self._descriptor.size} bytes",
                got=got,
                hint="delete the blob in the registry, then push the image again",
            )
        )
