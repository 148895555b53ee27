"""A token service for a real registry: JSON web tokens as https://distribution.github.io/distribution/spec/auth/jwt/."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from renderer.adapters.registry.credentials import Credentials
from tests.unit.registry_fixture import Papers


@dataclass
class TokenService:
    """`config` is what a registry must be told of it; `scopes` are those that were granted."""

    url: str
    config: str
    scopes: list[str] = field(default_factory=list)


@contextmanager
def token_service(papers: Papers, user: Credentials) -> Iterator[TokenService]:
    """Grants everything to `user`, who says the password by Basic, and signs with the server's papers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            wanted = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            known = self.headers.get("Authorization") == f"Basic {wanted}"
            scopes = [one for part in parse_qs(urlsplit(self.path).query).get("scope", []) for one in part.split()]
            service.scopes += scopes if known else []
            body = json.dumps({"token": _token(papers, scopes)}).encode() if known else b"{}"
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/token"
        roots = papers.directory / "server.pem"
        config = f"auth: {{token: {{realm: '{url}', service: test, issuer: tests, rootcertbundle: {roots}}}}}\n"
        service = TokenService(url, config)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def _token(papers: Papers, scopes: list[str]) -> str:
    """A token for what is asked, signed with ES256; the certificate travels in its header."""
    access = [
        {"type": kind, "name": name, "actions": actions.split(",")}
        for kind, name, actions in (scope.split(":", 2) for scope in scopes)
    ]
    certificate = x509.load_pem_x509_certificate(_read(papers, "server.pem"))
    key = serialization.load_pem_private_key(_read(papers, "server.key"), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()
    now = int(time.time())
    claims = {"iss": "tests", "sub": "robot", "aud": "test", "jti": str(time.time_ns()), "access": access}
    times = {"iat": now - 5, "nbf": now - 5, "exp": now + 300}
    signed = f"{_part({'typ': 'JWT', 'alg': 'ES256', 'x5c': [der]})}.{_part(claims | times)}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _read(papers: Papers, name: str) -> bytes:
    return (Path(papers.directory) / name).read_bytes()


def _part(document: dict[str, Any]) -> str:
    return _base64(json.dumps(document).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
