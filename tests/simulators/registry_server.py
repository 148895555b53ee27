"""A small OCI registry over HTTP that misbehaves when told to: for the faults that a real one cannot be asked for.

Unlike registries built on distribution it keeps half a chunk, as the specification allows. Port 0, loopback, threads.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Fault:
    """What happens once to a request whose line (`PATCH /v2/...`) contains `line`."""

    line: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    take: int | None = None
    """Without a status: take this many bytes of the body, then cut the connection. None: before the answer."""


@dataclass
class Seen:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes = b""


class Simulator:
    """The state of the registry, and what tests may tell it."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.projects: list[str] = ["library"]
        self.immutable: set[str] = set()
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.tokens: dict[str, str] = {}
        self.user: tuple[str, str] | None = None
        self.bearer = False
        self.expires_in = 300
        self.harbor: dict[str, str] | None = None
        """Answers as Harbor 2.15 does (seen on the wire): what the user may do in each project, such as `pull,push`."""
        self.referrers: dict[str, bytes] | None = None
        self.page_size = 1000
        self.lock = threading.Lock()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def lines(self, method: str) -> list[str]:
        return [seen.line for seen in self.seen if seen.line.startswith(method)]

    def fault_for(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.line in line:
                    self.faults.remove(fault)
                    return fault
        return None


@contextmanager
def registry_server() -> Iterator[Simulator]:
    """A running simulator."""
    simulator = Simulator()

    class Handler(_Handler):
        state = simulator

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Cut connections are meant."""

    with Server(("127.0.0.1", 0), Handler) as server:
        simulator.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield simulator
        finally:
            server.shutdown()
            thread.join()


_ACTIONS = {"GET": "pull", "HEAD": "pull", "POST": "push", "PUT": "push", "PATCH": "push", "DELETE": "delete"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Simulator

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def handle_any(self) -> None:
        state, line = self.state, f"{self.command} {self.path}"
        seen = Seen(line, {key.lower(): value for key, value in self.headers.items()})
        state.seen.append(seen)
        fault = state.fault_for(line)
        if fault is not None and fault.status == 0:
            if fault.take is not None:
                self._keep(self.rfile.read(fault.take))
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        seen.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault is not None:
            self._answer(fault.status, fault.body, fault.headers)
            return
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self._token(parse_qs(parts.query))
        elif parts.path.startswith("/api/v2.0/"):
            self._harbor(parts.path.removeprefix("/api/v2.0"), query, seen.body)
        elif self._may():
            self._registry(parts.path.removeprefix("/v2/"), query, seen.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names of the library

    def _answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)

    # --- who may ---

    def _basic(self) -> bool:
        if self.state.user is None:
            return True
        pair = base64.b64encode(":".join(self.state.user).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {pair}"

    def _may(self) -> bool:
        state = self.state
        if not state.bearer:
            if self._basic():
                return True
            self._error(401, "UNAUTHORIZED", "who are you", {"WWW-Authenticate": 'Basic realm="simulator"'})
            return False
        scope = state.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if state.harbor is not None and scope is not None:
            return self._harbor_lets(scope)
        repository = re.split(r"/(?:blobs|manifests|tags|referrers)/", self.path.removeprefix("/v2/"), maxsplit=1)[0]
        action = "pull" if self.command in {"GET", "HEAD"} else "push"
        wanted = f"repository:{repository}:"
        granted = [part for part in (scope or "").split() if part.startswith(wanted)]
        if any(action in part.removeprefix(wanted).split(",") for part in granted):
            return True
        service = "simulator" if state.harbor is None else "harbor-registry"
        realm = f'Bearer realm="{state.url}/token",service="{service}",scope="{wanted}{action}"'
        self._error(401, "UNAUTHORIZED", "a token, please", {"WWW-Authenticate": realm})
        return False

    def _harbor_lets(self, scope: str) -> bool:
        """Harbor judges by project, and asks those for Basic whose token is not enough; no project, no challenge."""
        parts = urlsplit(self.path)
        source = parse_qs(parts.query).get("from")
        asked = [(parts.path.removeprefix("/v2/"), _ACTIONS[self.command])]
        asked += [(name, "pull") for name in source or ()]
        for path, action in asked:
            project = path.partition("/")[0]
            if project not in self.state.projects:
                said = f"project {project} not found"
                self._error(401, "UNAUTHORIZED", f"{said}: {said}", {"WWW-Authenticate": ""})
                return False
            if action not in (self.state.harbor or {}).get(project, "") or f"repository:{project}/" not in scope:
                said = f"unauthorized to access repository: {path}, action: {action}"
                self._error(401, "UNAUTHORIZED", f"{said}: {said}", {"WWW-Authenticate": 'Basic realm="harbor"'})
                return False
        return True

    def _token(self, query: dict[str, list[str]]) -> None:
        known = self._basic()
        if not known and (self.state.harbor is None or "scope" not in query):
            self._error(401, "UNAUTHORIZED", "incorrect username or password")
            return
        with self.state.lock:
            token = f"token-{len(self.state.tokens)}"
            # Harbor takes a wrong password for nobody
            self.state.tokens[token] = " ".join(query.get("scope", [])) if known else "nothing"
        self._answer(200, json.dumps({"token": token, "expires_in": self.state.expires_in}).encode())

    # --- what is asked ---

    def _registry(self, path: str, query: dict[str, str], body: bytes) -> None:
        repository, _, rest = path.partition("/blobs/")
        if rest.startswith("uploads/"):
            self._upload(repository, rest.removeprefix("uploads/"), query, body)
        elif rest:
            self._blob(rest)
        elif "/manifests/" in path:
            repository, _, reference = path.partition("/manifests/")
            self._manifest(repository, reference, body)
        elif "/referrers/" in path and self.state.referrers is not None:
            found = self.state.referrers.get(path.rpartition("/")[2], b'{"schemaVersion":2,"manifests":[]}')
            self._answer(200, found, {"Content-Type": "application/vnd.oci.image.index.v1+json"})
        elif path.endswith("/tags/list"):
            self._tags(path.removesuffix("/tags/list"), query)
        else:
            self._error(404, "NOT_FOUND", "page not found")

    def _tags(self, repository: str, query: dict[str, str]) -> None:
        tags = sorted(tag for name, tag in self.state.manifests if name == repository and ":" not in tag)
        page = [tag for tag in tags if tag > query.get("last", "")][: self.state.page_size]
        more = bool(page) and page[-1] != tags[-1]
        link = {"Link": f'</v2/{repository}/tags/list?last={page[-1]}>; rel="next"'} if more else {}
        self._answer(200, json.dumps({"name": repository, "tags": page or None}).encode(), link)

    def _blob(self, digest: str) -> None:
        content = self.state.blobs.get(digest)
        if content is None:
            self._error(404, "BLOB_UNKNOWN", "blob unknown")
        elif self.command == "HEAD":
            self._answer(200, headers={"Content-Length": str(len(content))})
        else:
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            self._answer(206 if start else 200, content[start:])

    def _manifest(self, repository: str, reference: str, body: bytes) -> None:
        held = self.state.manifests.get((repository, reference))
        if self.command == "PUT":
            if reference in self.state.immutable and held is not None:
                self._error(412, "PRECONDITION", f"tag '{reference}' configured as immutable, cannot be updated")
                return
            self.state.manifests[repository, reference] = (self.headers.get("Content-Type", ""), body)
            self._answer(201, headers={"Docker-Content-Digest": f"sha256:{hashlib.sha256(body).hexdigest()}"})
        elif held is None:
            self._error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        else:
            self._answer(200, held[1], {"Content-Type": held[0]})

    def _keep(self, part: bytes) -> None:
        session = urlsplit(self.path).path.rpartition("/")[2]
        if self.command == "PATCH" and session in self.state.uploads:
            self.state.uploads[session] += part

    def _upload(self, repository: str, session: str, query: dict[str, str], body: bytes) -> None:
        uploads = self.state.uploads
        if self.command == "POST":
            project = repository.partition("/")[0]
            if project not in self.state.projects:
                self._error(404, "NOT_FOUND", f"project {project} not found")
                return
            session = f"session-{len(self.state.seen)}"
            uploads[session] = bytearray()
            self._answer(202, headers={"Location": f"/v2/{repository}/blobs/uploads/{session}"})
            return
        if session not in uploads:
            self._error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
            return
        here = {"Location": f"/v2/{repository}/blobs/uploads/{session}"}
        if self.command == "PATCH":
            if int(self.headers["Content-Range"].partition("-")[0]) != len(uploads[session]):
                self._answer(416, headers=here | {"Range": f"0-{max(len(uploads[session]) - 1, 0)}"})
                return
            uploads[session] += body
            self._answer(202, headers=here | {"Range": f"0-{max(len(uploads[session]) - 1, 0)}"})
        elif self.command == "GET":
            self._answer(204, headers=here | {"Range": f"0-{max(len(uploads[session]) - 1, 0)}"})
        elif self.command == "DELETE":
            del uploads[session]
            self._answer(204)
        else:
            content = bytes(uploads.pop(session)) + body
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if digest != query["digest"]:
                self._error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                return
            self.state.blobs[digest] = content
            self._answer(201, headers={"Docker-Content-Digest": digest})

    def _harbor(self, path: str, query: dict[str, str], body: bytes) -> None:
        projects = self.state.projects
        if path == "/systeminfo":
            version = b'{"auth_mode": "db_auth", "harbor_version": "v2.15.2-simulated"}'
            self._answer(200, version if self._basic() else b'{"auth_mode": "db_auth"}')
        elif not self._basic():
            self._error(401, "UNAUTHORIZED", "unauthorized")
        elif self.command == "HEAD":
            self._answer(200 if query["project_name"] in projects else 404)
        elif self.command == "GET":
            first = (int(query["page"]) - 1) * int(query["page_size"])
            page = projects[first : first + int(query["page_size"])]
            self._answer(200, json.dumps([{"name": name} for name in page]).encode())
        else:
            name = json.loads(body)["project_name"]
            if name in projects:
                self._error(409, "CONFLICT", f"The project named {name} already exists")
                return
            projects.append(name)
            self._answer(201)
