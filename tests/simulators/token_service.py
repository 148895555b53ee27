"""A token service for docker-registry (https://distribution.github.io/distribution/spec/auth/jwt/), behind TLS.

The registry itself judges the tokens: they are signed with a certificate that its `rootcertbundle` leads to.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.unit.registry_fixture import USER, Papers

SERVICE, ISSUER = "registry of the test", "token service of the test"


@dataclass
class TokenService:
    """What it was asked for, and what it grants: `push` to those who log in as USER, `pull` to nobody else."""

    papers: Papers
    may_push: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def settings(self) -> str:
        """The part of docker-registry's configuration that makes it ask for these tokens."""
        values = {
            "realm": f"{self.url}/token",
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": f"{self.papers.directory}/ca.pem",
        }
        return f"auth: {{token: {json.dumps(values)}}}\n"

    def answer(self, authorization: str, query: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """Status and body for one request."""
        scopes = [one for text in query.get("scope", []) for one in text.split()]
        known = authorization == "Basic " + base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode()
        self.asked.append((USER.username if known else "nobody", " ".join(scopes)))
        if not known:
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you?"}]}
        granted = [
            {
                "type": kind,
                "name": name,
                "actions": [one for one in actions.split(",") if one == "pull" or self.may_push],
            }
            for kind, name, actions in (scope.split(":") for scope in scopes)
        ]
        return 200, {"token": self._signed(granted), "expires_in": 300}

    def _signed(self, access: Sequence[Mapping[str, object]]) -> str:
        now = int(time.time())
        certificate = (self.papers.directory / "server.pem").read_text()
        der = "".join(line for line in certificate.splitlines() if not line.startswith("-"))
        header = {"typ": "JWT", "alg": "ES256", "x5c": [der]}
        claims = {
            "iss": ISSUER, "sub": USER.username, "aud": SERVICE, "exp": now + 300, "nbf": now - 60, "iat": now,
            "jti": str(len(self.asked)), "access": access,
        }  # fmt: skip
        text = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
        key = serialization.load_pem_private_key((self.papers.directory / "server.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def token_service(papers: Papers) -> Iterator[TokenService]:
    """A running service."""
    state = TokenService(papers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = state.answer(self.headers.get("Authorization", ""), parse_qs(urlsplit(self.path).query))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.directory / "server.pem", papers.directory / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
