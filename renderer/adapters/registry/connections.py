"""HTTP/1.1 connections that are kept: a pool per origin, TLS as the site asks for, bounded answers."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from types import TracebackType
from typing import Final
from urllib.parse import unquote, urlsplit

from renderer import __version__
from renderer.structs import Struct

_IDLE_LIMIT: Final = 20.0
"""Seconds after which an idle connection is not used again: load balancers close theirs after 30 to 60."""
_KEPT: Final = 16
_PORTS: Final = {"http": 80, "https": 443}


class Origin(Struct, frozen=True):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """The origin of an absolute `http` or `https` URL. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"`{url}` is not an `https://` address")
        return cls(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])

    @property
    def netloc(self) -> str:
        """`host[:port]`, the port only when it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


class Content(Struct, frozen=True):
    """A request body of a known size, in pieces: never whole in memory."""

    size: int
    pieces: Iterable[bytes]


class TooLargeError(Exception):
    """An answer is larger than what was agreed."""


class Answer:
    """A response whose body has not been read. Read it or close it: then its connection can serve the next request."""

    def __init__(self, response: http.client.HTTPResponse, done: Callable[[bool], None]) -> None:
        self._response = response
        self._done: Callable[[bool], None] | None = done
        self.status: int = response.status
        self.headers: Message = response.headers

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, limit: int) -> bytes:
        """The whole body. Raises TooLargeError when it has more than `limit` bytes."""
        with self:
            content = self._response.read(limit + 1)
            if len(content) > limit:
                raise TooLargeError
            expected = self._response.length
            if expected:  # what http.client still waits for
                raise http.client.IncompleteRead(content, expected)
            return content

    def some(self, size: int) -> bytes:
        """Up to `size` bytes more; none at the end. Raises IncompleteRead when the connection ended too early."""
        content = self._response.read(size)
        if not content and size and self._response.length:
            raise http.client.IncompleteRead(b"", self._response.length)
        return content

    def drain(self, limit: int) -> None:
        """Read on to the end when it is near, so that the connection can be kept; what fails here does not matter."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._response.read(limit)
            if not self._response.isclosed():
                self._response.read(1)

    def close(self) -> None:
        """Give the connection back when the body was read to its end, else close it."""
        if self._done is not None:
            done, self._done = self._done, None
            if not self._response.isclosed() and self._response.length == 0:
                self._response.read()
            reusable = self._response.isclosed() and not self._response.will_close
            self._response.close()
            done(reusable)


class Connections:
    """A pool of connections. Thread-safe; each connection serves one request at a time.

    `tls` speaks with the registry itself (it may hold a client certificate), `other_tls` with every other host that
    the registry sends us to. `proxy` is an `http://` proxy that all connections are tunnelled through; the
    environment is never asked for one.
    """

    def __init__(
        self,
        home: Origin,
        *,
        tls: ssl.SSLContext,
        other_tls: ssl.SSLContext,
        proxy: str | None,
        now: Callable[[], float],
        connect_timeout: float,
        read_timeout: float,
    ) -> None:
        self.home = home
        self._tls = tls
        self._other_tls = other_tls
        self._proxy = proxy
        self._now = now
        self._timeouts = (connect_timeout, read_timeout)
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[tuple[float, http.client.HTTPConnection]]] = {}
        self.close = weakref.finalize(self, _close_all, self._idle)

    def exchange(
        self, origin: Origin, method: str, target: str, headers: Mapping[str, str], body: bytes | Content
    ) -> Answer:
        """Send one request, once. Raises OSError (`ssl.SSLError` among them) or `http.client.HTTPException`."""
        connection = self._take(origin) or self._connect(origin)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", origin.netloc)
            connection.putheader("User-Agent", f"sitewright/{__version__}")
            size = body.size if isinstance(body, Content) else len(body)
            if size or method in {"POST", "PUT", "PATCH"}:
                connection.putheader("Content-Length", str(size))
            for name, value in headers.items():
                connection.putheader(name, value)
            response = self._converse(connection, [body] if isinstance(body, bytes) else body.pieces)
        except BaseException:
            connection.close()
            raise
        return Answer(response, lambda reusable: self._give_back(origin, connection, reusable=reusable))

    @staticmethod
    def _converse(connection: http.client.HTTPConnection, pieces: Iterable[bytes]) -> http.client.HTTPResponse:
        """Send the body and wait for the answer, which may come before all of the body has been taken."""
        try:
            connection.endheaders()
            for piece in pieces:
                if piece:
                    connection.send(piece)
        except (BrokenPipeError, ConnectionResetError) as lost:
            try:
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                raise lost from None
            response.will_close = True
            return response
        return connection.getresponse()

    def _take(self, origin: Origin) -> http.client.HTTPConnection | None:
        """An idle connection that the other side has not closed."""
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    return None
                since, connection = idle.pop()
            if self._now() - since < _IDLE_LIMIT and not _is_readable(connection.sock):
                return connection
            connection.close()

    def _give_back(self, origin: Origin, connection: http.client.HTTPConnection, *, reusable: bool) -> None:
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            if reusable and len(idle) < _KEPT and self.close.alive:
                idle.append((self._now(), connection))
                return
        connection.close()

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        connect_timeout, read_timeout = self._timeouts
        proxy = urlsplit(self._proxy) if self._proxy else None
        host, port = (proxy.hostname or "", proxy.port or 3128) if proxy else (origin.host, origin.port)
        connection: http.client.HTTPConnection
        if origin.scheme == "https":
            context = self._tls if origin == self.home else self._other_tls
            connection = http.client.HTTPSConnection(host, port, timeout=connect_timeout, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=connect_timeout)
        if proxy:
            connection.set_tunnel(origin.host, origin.port, headers=_proxy_headers(proxy.username, proxy.password))
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(read_timeout)
        return connection


def tls_context(ca: bytes | None, client_certificate: tuple[str, str] | None) -> ssl.SSLContext:
    """TLS 1.2 or newer, names checked. `ca` (PEM) replaces the system's authorities; the pair is (certificate, key).

    Raises OSError when a file cannot be read and ssl.SSLError (a ValueError for text) when one makes no sense.
    """
    authorities = None if ca is None else ca.decode("utf-8", "replace")
    if authorities is not None:  # people write comments between the blocks; OpenSSL wants ASCII
        blocks = authorities.split("-----BEGIN CERTIFICATE-----")[1:]
        ends = "-----END CERTIFICATE-----"
        authorities = "".join(f"-----BEGIN CERTIFICATE-----{block.partition(ends)[0]}{ends}\n" for block in blocks)
        if not authorities:
            raise ValueError("it holds no PEM certificate")
    context = ssl.create_default_context(cadata=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_certificate is not None:
        context.load_cert_chain(*client_certificate)
    return context


def _proxy_headers(username: str | None, password: str | None) -> dict[str, str]:
    if not username:
        return {}
    pair = f"{unquote(username)}:{unquote(password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _is_readable(sock: socket.socket | None) -> bool:
    """True when something waits to be read: on an idle connection that is its end, or nonsense."""
    if sock is None:
        return True
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


def _close_all(idle: dict[Origin, list[tuple[float, http.client.HTTPConnection]]]) -> None:
    for connections in idle.values():
        while connections:
            connections.pop()[1].close()
