"""Registries for tests: the real one of the Debian package `docker-registry`, on loopback, in four dresses."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import ipaddress
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from renderer.adapters.registry.client import RegistryClient
from renderer.adapters.registry.credentials import Credentials
from renderer.adapters.registry.opening import open_registry
from renderer.adapters.registry.patience import Patience

USER = Credentials("robot$site", "correct horse: battery")
AUTHORITY = "Sitewright Test Root CA"
_CONFIG = """version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: %(root)s}, delete: {enabled: true}}
http:
  addr: 127.0.0.1:%(port)d
  secret: same-after-a-restart
"""


@dataclass(frozen=True)
class Papers:
    """A private CA with its files: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`."""

    directory: Path

    @property
    def ca(self) -> bytes:
        return (self.directory / "ca.pem").read_bytes()

    @property
    def client(self) -> tuple[str, str]:
        return str(self.directory / "client.pem"), str(self.directory / "client.key")


def make_papers(directory: Path, authority: str = AUTHORITY) -> Papers:
    """A root, a certificate for 127.0.0.1, and one for a client."""
    directory.mkdir(parents=True, exist_ok=True)
    root_key, root_name = ec.generate_private_key(ec.SECP256R1()), _name(authority)
    root = _certificate(root_name, root_key, root_name, root_key, ca=True)
    (directory / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    for who in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(_name(who), key, root_name, root_key, ca=False)
        (directory / f"{who}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (directory / f"{who}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return Papers(directory)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass
class RealRegistry:
    """A running registry. `stop` and `start` are for tests of what a restart does."""

    program: Path
    directory: Path
    port: int
    scheme: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", str(self.directory / "config.yml")], stdout=log, stderr=log
            )
        for _ in range(400):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError((self.directory / "log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def real_registry(
    program: Path,
    directory: Path,
    *,
    tls: Papers | None = None,
    client_ca: bool = False,
    basic: bool = False,
    more: str = "",
) -> Iterator[RealRegistry]:
    """A `docker-registry` with its store below `directory`; `more` is further configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = _CONFIG % {"root": directory / "store", "port": port}
    if tls is not None:
        config += f"  tls:\n    certificate: {tls.directory}/server.pem\n    key: {tls.directory}/server.key\n"
        if client_ca:
            config += f"    clientcas: [{tls.directory}/ca.pem]\n"
    if basic:
        (directory / "htpasswd").write_text(htpasswd_line(USER) + "\n")
        config += f"auth: {{htpasswd: {{realm: test, path: {directory}/htpasswd}}}}\n"
    (directory / "config.yml").write_text(config + more)
    registry = RealRegistry(program, directory, port, "http" if tls is None else "https")
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def htpasswd_line(user: Credentials) -> str:
    """`user:bcrypt`, which is the only hash that the registry takes; the system's crypt(3) makes it."""
    program = "use strict; my ($u, $p) = @ARGV; print $u, ':', crypt($p, '$2b$04$abcdefghijklmnopqrstuu');"
    made = subprocess.run(["perl", "-e", program, user.username, user.password], capture_output=True, check=True)
    return made.stdout.decode()


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def patience(self, attempts: int = 6) -> Patience:
        return Patience(attempts=attempts, sleep=self.sleep, now=self.now)


def docker_config(host: str, user: Credentials = USER) -> bytes:
    auth = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
    return f'{{"auths": {{"{host}": {{"auth": "{auth}"}}}}}}'.encode()


def open_real(registry: RealRegistry, clock: Clock | None = None, **options: object) -> RegistryClient:
    opened: Callable[..., RegistryClient] = open_registry
    patience = (clock or Clock()).patience()
    return opened(registry.url, environ={}, insecure=registry.scheme == "http", patience=patience, **options)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False
