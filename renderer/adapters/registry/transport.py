"""Requests to one registry: authenticated, redirected, tried again, and told as findings when they fail."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Collection, Mapping
from email.message import Message
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from renderer.adapters.registry.connections import Answer, Connections, Content, Origin, TooLargeError
from renderer.adapters.registry.faults import Faults, Refusal
from renderer.adapters.registry.patience import Patience, retry_after
from renderer.errors import RemoteError
from renderer.structs import Struct, field, replace

if TYPE_CHECKING:
    from renderer.adapters.registry.authentication import Authentication
    from renderer.adapters.registry.credentials import CredentialSource

ERROR_LIMIT: Final = 64 * 1024
ANSWER_LIMIT: Final = 4 * 2**20
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_REDIRECT_LIMIT: Final = 5
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Request(Struct, frozen=True, kw_only=True):
    """What is asked. `url` is absolute, or a path of the registry; `subject` names the thing in findings.

    A `plain` request brings its own credentials, for an API beside the registry's; they never go to another host.
    """

    method: str
    url: str
    subject: str
    repository: str = ""
    scopes: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Content = b""
    plain: bool = False


class Received(Struct, frozen=True, kw_only=True):
    """A whole answer. `url` is where it came from."""

    status: int
    headers: Message
    body: bytes
    url: str


class PassingError(Exception):
    """What may pass: the connection broke, or the registry is busy. `error` is what to raise when it does not."""

    def __init__(self, error: RemoteError, delay: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.delay = delay


class Transport:
    """Speaks with one registry. Thread-safe."""

    def __init__(self, connections: Connections, source: CredentialSource, faults: Faults, patience: Patience) -> None:
        self.home = connections.home
        self.faults = faults
        self.patience = patience
        self.connections = connections
        self._source = source
        self._lock = threading.Lock()
        self._authentication: Authentication | None = None

    @property
    def authentication(self) -> Authentication:
        """Who we are. Made when somebody first asks: many registries of sites never do."""
        from renderer.adapters.registry.authentication import Authentication

        with self._lock:
            if self._authentication is None:
                self._authentication = Authentication(
                    self._source,
                    ask=self._ask_for_token,
                    faults=self.faults,
                    patience=self.patience,
                    secure=self.home.scheme == "https",
                )
            return self._authentication

    def call(self, request: Request, expected: Collection[int], *, limit: int = ANSWER_LIMIT) -> Received:
        """The answer, read whole, after as many attempts as patience allows. Raises RemoteError.

        `expected` are the statuses that the caller can use; every other one is an error.
        """
        failures = 0
        while True:
            try:
                return self.attempt(request, expected, limit=limit)
            except PassingError as passing:
                failures += 1
                if failures >= self.patience.attempts:
                    raise passing.error from None
                self.patience.pause(failures, passing.delay)

    def attempt(self, request: Request, expected: Collection[int], *, limit: int = ANSWER_LIMIT) -> Received:
        """One attempt. Raises PassingError for what may pass, RemoteError for the rest."""
        answer, url = self.open(request, expected)
        try:
            return Received(status=answer.status, headers=answer.headers, body=answer.read(limit), url=url)
        except TooLargeError:
            message = f"the registry's answer is larger than {limit} bytes"
            raise self.faults.malformed(message, request.subject) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, request.subject) from error

    def open(self, request: Request, expected: Collection[int]) -> tuple[Answer, str]:
        """One attempt; the answer with its body unread, and its URL. Raises PassingError and RemoteError."""
        url = self.absolute(str(self.home), request.url, request.subject)
        for _ in range(_REDIRECT_LIMIT + 1):
            answer = self._authenticated(request, url)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not location or request.method not in {"GET", "HEAD"}:
                if answer.status in expected:
                    return answer, url
                raise self._refusal(answer, request)
            answer.close()
            url = self.absolute(url, str(location), request.subject)
        raise self.faults.malformed("the registry redirects in a circle", request.subject)

    def absolute(self, base: str, location: str, subject: str) -> str:
        """The URL that a `Location` means, seen from `base`. Raises RemoteError.

        A registry behind a proxy that ends TLS often calls itself `http://`: that is taken as this registry. To any
        other place without TLS a registry with TLS does not send us.
        """
        url = urljoin(base, location)
        try:
            origin = Origin.of(url)
        except ValueError:
            message = "the registry sends us to a place that is no web address"
            raise self.faults.malformed(message, subject) from None
        if origin.scheme == "http" and self.home.scheme == "https":
            if origin.host != self.home.host:
                message = f"the registry sends us to `{origin}`, where nothing is encrypted"
                raise self.faults.malformed(message, subject, expected="a place behind `https://`")
            return str(self.home) + url.removeprefix(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}")
        return url

    def _authenticated(self, request: Request, url: str) -> Answer:
        """One exchange; a challenge is answered, credentials are sent to the registry itself only."""
        origin = Origin.of(url)
        if request.plain:
            if origin != self.home:
                raise self.faults.malformed(f"the registry sends us to `{origin}`", request.subject)
            return self._exchange(request, origin, url, request.headers)
        refusal = Refusal(status=401, body=b"")
        sent = None
        refused_tokens = 0
        for _ in range(3):
            headers = dict(request.headers)
            asked_before = self._authentication if origin == self.home else None
            sent = asked_before.header(request.repository, request.scopes) if asked_before else None
            if sent is not None:
                headers["Authorization"] = sent
            answer = self._exchange(request, origin, url, headers)
            if answer.status != 401 or origin != self.home:
                return answer
            challenges = [str(value) for value in answer.headers.get_all("WWW-Authenticate", [])]
            refusal = self._words(answer)
            refused_tokens += sent is not None and sent.startswith("Bearer ")
            if self.authentication.is_harbor and not any(challenges):  # it asks for nothing where there is no project
                refusal = replace(refusal, missing=True)
                break
            again = self.authentication.challenged(challenges, request.repository, request.scopes, sent)
            if not again or refused_tokens == 2:
                break
            if isinstance(request.body, Content):  # it has been read: who sends it must begin again
                raise PassingError(self.faults.refused(refusal, request.subject, request.scopes), 0.0)
        # Whom the token service knows lacks the right, and Harbor says 401 for that, too.
        there = self.authentication.check(request.repository)
        known, given = there and refused_tokens > 0, there and sent is not None
        raise self.faults.refused(refusal, request.subject, request.scopes, known=known, given=given)

    def _exchange(self, request: Request, origin: Origin, url: str, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not target.isascii() or not target.isprintable() or " " in target:
            raise self.faults.malformed(
                "the registry names an address with characters that none may hold", request.subject
            )
        try:
            return self.connections.exchange(origin, request.method, target, headers, request.body)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, request.subject) from error

    def _lost(self, error: Exception, subject: str) -> RemoteError | PassingError:
        found = self.faults.lost(error, subject)
        unknown_name = isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN
        # A certificate does not get better; a TLS connection that was cut off does.
        tls = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        return found if tls or unknown_name else PassingError(found)

    def _refusal(self, answer: Answer, request: Request) -> RemoteError | PassingError:
        """What an answer with an error status means."""
        given = request.plain and "Authorization" in request.headers
        error = self.faults.refused(self._words(answer), request.subject, request.scopes, given=given)
        final = error.findings[0].code in {"registry-quota", "registry-full", "tag-immutable"}
        return PassingError(error, retry_after(answer.headers)) if answer.status in _PASSING and not final else error

    @staticmethod
    def _words(answer: Answer) -> Refusal:
        """The beginning of an error's text; the connection is given back."""
        with answer:
            try:
                body = answer.some(ERROR_LIMIT)
            except (OSError, http.client.HTTPException):
                body = b""
            answer.drain(ERROR_LIMIT)
        return Refusal(status=answer.status, body=body)

    def _ask_for_token(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """A request to a token service: no challenges, no redirects, tried again like any other."""
        request = Request(method=method, url=url, headers=headers, body=body, subject=f"token service of {self.home}")
        failures = 0
        while True:
            try:
                answer = self._exchange(request, Origin.of(url), url, headers)
                if answer.status in _PASSING:
                    raise self._refusal(answer, request)
                return answer.status, answer.read(ERROR_LIMIT * 4)
            except TooLargeError:
                raise self.faults.malformed("the token service's answer is too large", request.subject) from None
            except (OSError, http.client.HTTPException) as error:
                passing = self._lost(error, request.subject)
                if isinstance(passing, RemoteError):
                    raise passing from error
            except PassingError as busy:
                passing = busy
            failures += 1
            if failures >= self.patience.attempts:
                raise passing.error
            self.patience.pause(failures, passing.delay)
