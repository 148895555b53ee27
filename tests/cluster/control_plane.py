"""A real API server with its etcd on loopback, for a test: objects are stored and judged, but nothing runs.

There are no controllers and no nodes, so Pods are never started, and a Service has no endpoints. Everything that the
server itself does is real: schemas, defaults, field ownership, RBAC, admission by webhook.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.unit.registry_fixture import free_port

_ADMIN = "a-token-for-tests"
_ISSUER = "https://kubernetes.default.svc"
_PATIENCE = 120.0


@dataclass(frozen=True)
class Cluster:
    """A running API server. `directory` holds its papers, logs and the kubeconfigs that are made."""

    directory: Path
    program: Path
    port: int

    def kubectl(self, *words: str, stdin: str | None = None, token: str = _ADMIN) -> subprocess.CompletedProcess[str]:
        """Run kubectl with `token` (the administrator's when left out); the caller looks at the return code."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig(token)}", *words]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LANG": "C.UTF-8"}
        return subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)

    def apply(self, *bodies: dict[str, Any], manager: str = "gitops") -> None:
        """Server-side apply of them all, as Flux does it; a refusal fails the test with what was said."""
        words = ("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "-f", "-")
        done = self.kubectl(*words, stdin=_together(bodies))
        assert done.returncode == 0, done.stderr

    def look(self, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
        """These objects as the cluster has them, in the same order."""
        done = self.kubectl("get", "-o", "json", "-f", "-", stdin=_together(bodies))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        listed: list[dict[str, Any]] = found["items"]
        return listed

    def get(self, *words: str) -> dict[str, Any]:
        """One object, or a list."""
        done = self.kubectl("get", *words, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def token(self, account: str, namespace: str) -> str:
        """A token of a ServiceAccount, as its Pods would get it."""
        done = self.kubectl("create", "token", account, "-n", namespace)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def kubeconfig(self, token: str = _ADMIN) -> Path:
        """A kubeconfig for this token."""
        path = self.directory / "admin.kubeconfig"
        if token != _ADMIN:
            path = self.directory / f"{abs(hash(token))}.kubeconfig"
        authority = base64.b64encode((self.directory / "papers/apiserver.crt").read_bytes()).decode()
        server = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": authority}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "it", "cluster": server}],
            "users": [{"name": "me", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
            "current-context": "it",
        }
        path.write_text(json.dumps(document))
        path.chmod(0o600)
        return path


def _together(bodies: tuple[dict[str, Any], ...]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})


@contextmanager
def control_plane(server: Path, etcd: Path, kubectl: Path, directory: Path) -> Iterator[Cluster]:
    """A new, empty cluster with its state below `directory`, stopped at the end."""
    papers = directory / "papers"
    papers.mkdir(parents=True)
    _account_key(papers)
    (directory / "tokens.csv").write_text(f'{_ADMIN},admin,admin,"system:masters"\n')
    store, port = free_port(), free_port()
    with (
        _running(directory / "etcd.log", etcd, *_etcd_flags(directory, store)),
        _running(directory / "apiserver.log", server, *_server_flags(directory, store, port)) as process,
    ):
        cluster = Cluster(directory, kubectl, port)
        _await_ready(cluster, process)
        yield cluster


def _etcd_flags(directory: Path, port: int) -> tuple[str, ...]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    return (
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    )


def _server_flags(directory: Path, store: int, port: int) -> tuple[str, ...]:
    papers = directory / "papers"
    return (
        f"--etcd-servers=http://127.0.0.1:{store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={papers}",
        f"--service-account-key-file={papers / 'accounts.key'}",
        f"--service-account-signing-key-file={papers / 'accounts.key'}",
        f"--service-account-issuer={_ISSUER}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        # Its controller would make the account of every namespace; there is none here.
        "--disable-admission-plugins=ServiceAccount",
    )


def _account_key(papers: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    (papers / "accounts.key").write_bytes(key)


@contextmanager
def _running(log: Path, *command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _await_ready(cluster: Cluster, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    request = urllib.request.Request(
        f"https://127.0.0.1:{cluster.port}/readyz", headers={"Authorization": f"Bearer {_ADMIN}"}
    )
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            trusted = ssl.create_default_context(cafile=str(cluster.directory / "papers/apiserver.crt"))
            with urllib.request.urlopen(request, context=trusted, timeout=5) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.1)
    raise AssertionError((cluster.directory / "apiserver.log").read_text()[-4000:])
