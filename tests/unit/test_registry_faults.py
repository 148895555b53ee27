"""The registry client when things go wrong: against a small server that misbehaves when told to."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from renderer.adapters.registry.client import RegistryClient
from renderer.adapters.registry.credentials import Credentials
from renderer.adapters.registry.opening import open_registry
from renderer.errors import BundleRefusedError, Finding, HopelessError, InputError, RemoteError
from renderer.formats.bundle.artifact import IMAGE_INDEX, IMAGE_MANIFEST, describe, descriptor_json
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Projects
from tests.simulators.registry_server import Fault, Simulator, registry_server
from tests.unit.registry_fixture import Clock, free_port, make_papers

CHUNK = 64 * 1024
USER = Credentials("robot", "hunter2")


@pytest.fixture
def server() -> Iterator[Simulator]:
    with registry_server() as simulator:
        yield simulator


@pytest.fixture
def clock() -> Clock:
    return Clock()


def connect(
    server: Simulator, clock: Clock, user: Credentials | None = None, environ: dict[str, str] | None = None
) -> RegistryClient:
    return open_registry(
        server.url,
        environ=environ or {},
        insecure=True,
        credentials=lambda _: user,
        patience=clock.patience(),
        chunk=CHUNK,
        timeouts=(5, 5),
    )


def blob(size: int) -> tuple[Descriptor, Callable[[], BinaryIO], bytes]:
    content = os.urandom(size)
    return describe(content, "application/octet-stream"), lambda: io.BytesIO(content), content


def the_finding(action: Callable[[], object]) -> Finding:
    with pytest.raises(RemoteError) as raised:
        action()
    (finding,) = raised.value.findings
    assert "hunter2" not in str(raised.value)
    return finding


# --- what passes ---


def test_a_broken_chunk_goes_on_where_it_broke(server: Simulator, clock: Clock) -> None:
    descriptor, content, expected = blob(5 * CHUNK)
    server.faults = [Fault("PATCH", take=1000), Fault("PATCH", take=CHUNK - 1)]
    heard: list[int] = []
    with connect(server, clock) as client:
        client.push_blob("library/a", descriptor, content, on_progress=lambda _, done: heard.append(done))
    assert server.blobs[str(descriptor.digest)] == expected
    ranges = [seen.headers["content-range"] for seen in server.seen if seen.line.startswith("PATCH")]
    # half a chunk is not sent again
    assert ranges[:3] == ["0-65535", "1000-66535", f"66535-{66535 + CHUNK - 1}"]
    assert heard == sorted(heard)
    assert len(server.lines("POST")) == 1


def test_an_upload_that_gets_further_may_break_more_often_than_patience_lasts(server: Simulator, clock: Clock) -> None:
    descriptor, content, expected = blob(20 * CHUNK)
    server.faults = [Fault("PATCH", take=CHUNK // 2) for _ in range(15)]
    with connect(server, clock) as client:
        client.push_blob("library/a", descriptor, content)
    assert server.blobs[str(descriptor.digest)] == expected
    assert set(clock.slept) == {0.5}


def test_an_upload_that_never_gets_further_ends(server: Simulator, clock: Clock) -> None:
    descriptor, content, _ = blob(3 * CHUNK)
    server.faults = [Fault("PATCH", take=0) for _ in range(20)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.push_blob("library/a", descriptor, content))
    assert finding.code == "registry-unreachable"
    assert len(server.lines("PATCH")) == 6


def test_a_lost_answer_is_no_lost_blob(server: Simulator, clock: Clock) -> None:
    descriptor, content, expected = blob(100)
    with connect(server, clock) as client:
        server.blobs[str(descriptor.digest)] = expected  # the registry has it, and breaks off before it says so
        server.faults = [Fault("PUT")]
        client.push_blob("library/a", descriptor, content)
    assert len(server.lines("PUT")) == 1


def test_an_upload_that_the_registry_forgot_starts_over(server: Simulator, clock: Clock) -> None:
    descriptor, content, expected = blob(3 * CHUNK)

    def forget(_: str, done: int) -> None:
        if done == 2 * CHUNK and len(server.lines("POST")) == 1:
            server.uploads.clear()

    with connect(server, clock) as client:
        client.push_blob("library/a", descriptor, content, on_progress=forget)
    assert server.blobs[str(descriptor.digest)] == expected
    assert len(server.lines("POST")) == 2


def test_a_read_goes_on_by_a_range(server: Simulator, clock: Clock) -> None:
    descriptor, _, content = blob(3 * CHUNK)
    server.blobs[str(descriptor.digest)] = content
    server.faults = [
        Fault("GET", 200, {"Content-Length": str(len(content)), "Connection": "close"}, content[:1000]),
        Fault("GET", 206, {"Content-Length": str(len(content) - 1000), "Connection": "close"}, content[1000:5000]),
    ]
    with connect(server, clock) as client, client.read_blob("library/a", descriptor) as stream:
        assert stream.read() == content
    assert [seen.headers.get("range") for seen in server.seen] == [None, "bytes=1000-", "bytes=5000-"]


def test_a_read_goes_on_without_ranges_too(server: Simulator, clock: Clock) -> None:
    descriptor, _, content = blob(3 * CHUNK)
    whole = {"Content-Length": str(len(content)), "Connection": "close"}
    server.faults = [Fault("GET", 200, whole, content[:1000]), Fault("GET", 200, whole, content)]
    with connect(server, clock) as client, client.read_blob("library/a", descriptor) as stream:
        assert stream.read() == content


def test_what_is_read_is_checked(server: Simulator, clock: Clock) -> None:
    descriptor, _, content = blob(1000)
    for wrong in (content[:-1] + b"x", content[:500], content + b"more"):
        server.blobs[str(descriptor.digest)] = wrong
        with connect(server, clock) as client, client.read_blob("library/a", descriptor) as stream:
            if wrong.startswith(content):
                assert stream.read() == content  # never more than the descriptor says
                continue
            with pytest.raises(BundleRefusedError) as raised:
                stream.read()
            assert raised.value.findings[0].code == "blob-digest-mismatch"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(server: Simulator, clock: Clock, status: int) -> None:
    server.faults = [Fault("HEAD", status), Fault("HEAD", status)]
    with connect(server, clock) as client:
        assert client.has_blob("library/a", Digest.of(b"")) is None
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("asked", "slept"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 0.5),
        ({"Retry-After": "99999999"}, 300.0),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:47 GMT", "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}, 10.0),
        ({"Retry-After": "soon"}, 0.5),
    ],
)
def test_the_registry_says_when_to_come_back(
    server: Simulator, clock: Clock, asked: dict[str, str], slept: float
) -> None:
    server.faults = [Fault("GET", 429, asked)]
    with connect(server, clock) as client:
        client.manifest("library/a", "v1")
    # the server adds a Date of its own before ours; the first one counts for the HTTP date
    assert clock.slept == [slept] or "Date" in asked


def test_patience_ends(server: Simulator, clock: Clock) -> None:
    body = b'{"errors":[{"code":"UNAVAILABLE","message":"the database is gone"}]}'
    server.faults = [Fault("GET", 503, body=body) for _ in range(10)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
    assert (finding.code, finding.got) == ("registry-refused", "HTTP 503")
    assert finding.explanation == ("the registry says: UNAVAILABLE: the database is gone",)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_connections_are_kept(server: Simulator, clock: Clock) -> None:
    with connect(server, clock) as client:
        for _ in range(5):
            client.has_blob("library/a", Digest.of(b""))
        client.manifest("library/a", "v1")
        idle = client._transport.connections._idle
        assert [len(connections) for connections in idle.values()] == [1]


def test_a_connection_that_the_registry_closed_is_not_used(server: Simulator, clock: Clock) -> None:
    with connect(server, clock) as client:
        server.faults = [Fault("HEAD", 404, {"Connection": "close"})]
        assert client.has_blob("library/a", Digest.of(b"")) is None
        assert client.has_blob("library/a", Digest.of(b"")) is None
    assert clock.slept == []


# --- what does not pass ---


def errors(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (403, errors("DENIED", "requested access is denied"), "registry-denied", "the project `library`"),
        (403, errors("DENIED", "... will exceed the configured upper limit of 1 GiB."), "registry-quota", "quota"),
        (412, errors("", "Quota exceeded when processing the request"), "registry-quota", "quota"),
        (507, b"", "registry-full", "free space"),
        (500, errors("UNKNOWN", "write /var/lib: no space left on device"), "registry-full", "free space"),
        (413, b"<html>413 Request Entity Too Large</html>", "registry-refused", "client_max_body_size"),
        (404, errors("NAME_UNKNOWN", "repository name not known"), "registry-not-found", "/api/v2.0/projects"),
        (405, errors("UNSUPPORTED", "read only"), "registry-refused", ""),
    ],
)
def test_each_refusal_has_a_cause_and_a_remedy(
    server: Simulator, clock: Clock, status: int, body: bytes, code: str, words: str
) -> None:
    descriptor, content, _ = blob(100)
    server.faults = [Fault("POST", status, body=body)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.push_blob("library/a", descriptor, content))
    assert finding.code == code
    assert finding.got == f"HTTP {status}"
    assert words in (finding.hint or "")
    full = code == "registry-full"
    place = server.url if full else f"127.0.0.1:{server.port}/library/a@{descriptor.digest}"
    assert finding.where.subject == place
    assert clock.slept == []


def test_a_full_disk_is_known_by_its_number(server: Simulator, clock: Clock) -> None:
    detail = {"DriverName": "filesystem", "Enclosed": {"Op": "write", "Path": "/storage/x/startedat", "Err": 28}}
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "unknown error", "detail": detail}]}).encode()
    server.faults = [Fault("POST", 500, body=body)]
    descriptor, content, _ = blob(100)
    with connect(server, clock) as client, pytest.raises(HopelessError) as raised:
        client.push_blob("library/a", descriptor, content)
    assert raised.value.findings[0].code == "registry-full"
    assert clock.slept == []


def test_a_denial_names_the_scope_that_was_asked_for(server: Simulator, clock: Clock) -> None:
    server.faults = [Fault("PUT", 403)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.push_manifest("library/a", "v1", b"{}", IMAGE_MANIFEST))
    assert finding.expected == "access to `repository:library/a:pull,push`"


def test_a_project_that_is_missing(server: Simulator, clock: Clock) -> None:
    descriptor, content, _ = blob(100)
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.push_blob("ghcr/a", descriptor, content))
    assert finding.code == "registry-not-found"
    assert finding.explanation == ("the registry says: NOT_FOUND: project ghcr not found",)
    assert finding.expected == "a project `ghcr`"
    curl = f'curl -u USER {server.url}/api/v2.0/projects --json \'{{"project_name":"ghcr"}}\''
    assert finding.hint == f"`sitewright images sync` with --create-projects makes it on Harbor; by hand: {curl}"


def test_an_immutable_tag_is_success_when_it_holds_the_same(server: Simulator, clock: Clock) -> None:
    server.immutable.add("v1")
    with connect(server, clock) as client:
        client.push_manifest("library/a", "v1", b"{}", IMAGE_MANIFEST)
        assert client.push_manifest("library/a", "v1", b"{}", IMAGE_MANIFEST) == Digest.of(b"{}")
        finding = the_finding(lambda: client.push_manifest("library/a", "v1", b"{ }", IMAGE_MANIFEST))
    assert finding.code == "tag-immutable"
    assert finding.where.subject == f"127.0.0.1:{server.port}/library/a:v1"


def test_what_a_registry_says_is_bounded_and_printable(server: Simulator, clock: Clock) -> None:
    server.faults = [Fault("GET", 400, body=b"\x1b[31m" + b"x" * 200_000)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
        assert client.manifest("library/a", "v1") is None
    assert "\x1b" not in str(finding)
    assert len(str(finding)) < 1000


def test_an_answer_without_end_is_refused(server: Simulator, clock: Clock) -> None:
    server.manifests["library/a", "v1"] = (IMAGE_MANIFEST, bytes(5 * 2**20))
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
    assert finding.message == "the registry's answer is larger than 4194304 bytes"


def test_a_manifest_that_is_not_its_digest(server: Simulator, clock: Clock) -> None:
    wanted = str(Digest.of(b"one"))
    server.manifests["library/a", wanted] = (IMAGE_MANIFEST, b"other")
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.manifest("library/a", wanted))
    assert (finding.code, finding.expected) == ("registry-refused", wanted)


def test_a_server_that_speaks_nonsense(server: Simulator, clock: Clock) -> None:
    with connect(server, clock) as client:
        server.faults = [Fault("HEAD", 200, {"Content-Length": "many"})]
        assert "size of a blob" in the_finding(lambda: client.has_blob("library/a", Digest.of(b""))).message
        server.faults = [Fault("POST", 202)]
        descriptor, content, _ = blob(10)
        assert "names no place" in the_finding(lambda: client.push_blob("library/a", descriptor, content)).message
        server.faults = [Fault("GET", 200, body=b"[")]
        assert "tags cannot be read" in the_finding(lambda: client.tags("library/a")).message


# --- tokens ---


def test_a_token_is_asked_for_once_a_scope(server: Simulator, clock: Clock) -> None:
    server.bearer, server.user = True, (USER.username, USER.password)
    descriptor, content, expected = blob(3 * CHUNK)
    with connect(server, clock, USER) as client:
        client.push_blob("library/a", descriptor, content)
        client.push_manifest("library/a", "v1", b"{}", IMAGE_MANIFEST)
        assert client.has_blob("library/a", descriptor.digest) == len(expected)
        client.manifest("library/b", "v1")
    # a token that may push may pull, too
    assert list(server.tokens.values()) == ["repository:library/a:pull,push", "repository:library/b:pull"]


def test_a_token_is_renewed_before_its_end_and_when_it_is_refused(server: Simulator, clock: Clock) -> None:
    server.bearer = True
    with connect(server, clock) as client:
        client.manifest("library/a", "v1")
        clock.time += 280
        client.manifest("library/a", "v1")
        assert len(server.tokens) == 1
        clock.time += 11
        client.manifest("library/a", "v1")
        assert len(server.tokens) == 2
        server.tokens = {"old": "", "older": "", "oldest": ""}  # revoked
        client.manifest("library/a", "v1")
    assert clock.slept == []


def test_a_token_that_ends_within_an_upload(server: Simulator, clock: Clock) -> None:
    server.bearer = True
    descriptor, content, expected = blob(4 * CHUNK)
    revoked: list[int] = []

    def revoke(_: str, done: int) -> None:
        if done == 2 * CHUNK and not revoked:
            revoked.append(done)
            server.tokens = {f"old-{number}": "" for number in range(9)}

    with connect(server, clock) as client:
        client.push_blob("library/a", descriptor, content, on_progress=revoke)
    assert server.blobs[str(descriptor.digest)] == expected


def test_a_mount_asks_for_both_repositories(server: Simulator, clock: Clock) -> None:
    server.bearer = True
    with connect(server, clock) as client:
        assert not client.mount_blob("library/a", Digest.of(b""), "library/b")
    assert list(server.tokens.values()) == ["repository:library/a:pull,push repository:library/b:pull"]
    assert server.uploads == {}  # what was begun instead has been cancelled


def test_a_token_service_that_does_not_know_us(server: Simulator, clock: Clock) -> None:
    server.bearer, server.user = True, ("robot", "another")
    with connect(server, clock, USER) as client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
    assert finding.code == "registry-unauthorized"
    assert finding.expected == "access to `repository:library/a:pull`"
    assert "HTTP 401" in (finding.got or "")


def test_a_registry_that_is_never_content_with_its_tokens(server: Simulator, clock: Clock) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="s"'}
    server.faults = [Fault("manifests", 401, challenge) for _ in range(10)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
    assert finding.code == "registry-unauthorized"
    assert len(server.lines("GET /v2")) == 3


def test_a_known_user_without_the_right_is_denied(server: Simulator, clock: Clock) -> None:
    server.bearer, server.user = True, (USER.username, USER.password)
    body = errors("UNAUTHORIZED", "unauthorized to access repository: library/a, action: push")
    challenge = {"WWW-Authenticate": f'Bearer realm="{server.url}/token",service="harbor-registry"'}
    server.faults = [Fault("PUT", 401, challenge, body) for _ in range(10)]
    with connect(server, clock, USER) as client:
        finding = the_finding(lambda: client.push_manifest("library/a", "v1", b"{}", IMAGE_MANIFEST))
    assert finding.code == "registry-denied"
    assert finding.expected == "access to `repository:library/a:pull,push`"


def test_an_identity_token_is_traded_in(server: Simulator, clock: Clock) -> None:
    server.bearer = True
    server.faults = [Fault("POST /token", 200, body=b'{"access_token": "token-x", "expires_in": 100}')]
    server.tokens["token-x"] = "repository:library/a:pull"
    with connect(server, clock, Credentials(identity_token="hunter2")) as client:
        client.manifest("library/a", "v1")
    (asked,) = (seen for seen in server.seen if seen.line == "POST /token")
    assert b"grant_type=refresh_token&refresh_token=hunter2" in asked.body


# --- other places ---


def test_credentials_do_not_follow_to_another_host(server: Simulator, clock: Clock) -> None:
    server.user = (USER.username, USER.password)
    descriptor, _, content = blob(1000)
    with registry_server() as store, connect(server, clock, USER) as client:
        store.blobs[str(descriptor.digest)] = content
        elsewhere = f"{store.url}/v2/library/a/blobs/{descriptor.digest}"
        client.manifest("library/a", "v1")
        server.faults = [Fault("/blobs/", 307, {"Location": elsewhere})]
        with client.read_blob("library/a", descriptor) as stream:
            assert stream.read() == content
        assert server.seen[-1].headers["authorization"].startswith("Basic ")
        assert "authorization" not in store.seen[-1].headers


def test_an_upload_may_lead_to_another_host_without_credentials(server: Simulator, clock: Clock) -> None:
    server.user = (USER.username, USER.password)
    descriptor, content, expected = blob(100)
    with registry_server() as store, connect(server, clock, USER) as client:
        client.manifest("library/a", "v1")
        store.uploads["s"] = bytearray()
        server.faults = [Fault("POST", 202, {"Location": f"{store.url}/v2/library/a/blobs/uploads/s?x=1"})]
        client.push_blob("library/a", descriptor, content)
        assert store.blobs[str(descriptor.digest)] == expected
        assert all("authorization" not in seen.headers for seen in store.seen)


def test_a_circle_of_redirects_ends(server: Simulator, clock: Clock) -> None:
    server.faults = [Fault("GET", 302, {"Location": "/v2/library/a/manifests/v1"}) for _ in range(20)]
    with connect(server, clock) as client:
        assert "circle" in the_finding(lambda: client.manifest("library/a", "v1")).message


@pytest.mark.parametrize("location", ["file:///etc/passwd", "/a b", "/\u00e9"])
def test_a_location_that_is_none(server: Simulator, clock: Clock, location: str) -> None:
    server.faults = [Fault("GET", 302, {"Location": location})]
    with connect(server, clock) as client:
        assert the_finding(lambda: client.manifest("library/a", "v1")).code == "registry-refused"


def test_where_a_registry_with_tls_may_send_us(clock: Clock) -> None:
    with open_registry("https://harbor.example:5443", environ={}, patience=clock.patience()) as client:
        transport, base = client._transport, "https://harbor.example:5443/v2/a/blobs/uploads/"
        ours = "https://harbor.example:5443/v2/a/blobs/uploads/1?x=2"
        assert transport.absolute(base, "/v2/a/blobs/uploads/1?x=2", "s") == ours
        assert transport.absolute(base, ours, "s") == ours
        # behind a proxy that ends TLS a registry takes itself for one without
        assert transport.absolute(base, "http://harbor.example/v2/a/blobs/uploads/1?x=2", "s") == ours
        assert transport.absolute(base, "https://store.example/x", "s") == "https://store.example/x"
        finding = the_finding(lambda: transport.absolute(base, "http://store.example/x", "s"))
    assert finding.message == "the registry sends us to `http://store.example`, where nothing is encrypted"


def test_the_client_certificate_is_for_the_registry_alone(tmp_path: Path, clock: Clock) -> None:
    papers = make_papers(tmp_path)
    with open_registry(
        "https://harbor.example", environ={}, ca=papers.ca, client_certificate=papers.client, patience=clock.patience()
    ) as client:
        connections = client._transport.connections
        assert connections._tls is not connections._other_tls


def test_a_proxy_is_used_when_it_was_asked_for(clock: Clock) -> None:
    port = free_port()
    client = open_registry(
        "https://registry.example", environ={}, proxy=f"http://user:hunter2@127.0.0.1:{port}", patience=clock.patience()
    )
    with client:
        finding = the_finding(lambda: client.manifest("library/a", "v1"))
    assert finding.code == "registry-unreachable"
    assert finding.explanation == ("the connection goes through the proxy that was asked for",)
    with pytest.raises(InputError):
        open_registry("https://registry.example", environ={}, proxy="socks5://x")


# --- lists ---


def test_lists_are_read_page_by_page(server: Simulator, clock: Clock) -> None:
    server.page_size = 3
    for number in range(10):
        server.manifests["library/a", f"v{number}"] = (IMAGE_MANIFEST, b"{}")
    with connect(server, clock) as client:
        assert client.tags("library/a") == tuple(f"v{number}" for number in range(10))


def test_referrers_from_the_api(server: Simulator, clock: Clock) -> None:
    subject = Digest.of(b"image")
    listed = Descriptor(media_type=IMAGE_MANIFEST, digest=Digest.of(b"s"), size=1, artifact_type="a/b")
    index = {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [descriptor_json(listed)]}
    server.referrers = {str(subject): json.dumps(index).encode()}
    with connect(server, clock) as client:
        assert client.referrers("library/a", subject) == (listed,)
        assert client.referrers("library/a", Digest.of(b"other")) == ()
        server.referrers = {str(subject): b'{"manifests": 1}'}
        assert "referrers cannot be read" in the_finding(lambda: client.referrers("library/a", subject)).message


# --- Harbor (simulated: no Harbor is at hand where these tests run) ---


def test_projects_are_listed_and_made(server: Simulator, clock: Clock) -> None:
    server.user = (USER.username, USER.password)
    server.projects = [f"p{number:03}" for number in range(150)]
    with connect(server, clock, USER) as client:
        harbor: Projects = client.harbor
        assert harbor.is_harbor()
        assert harbor.names() == tuple(server.projects)
        assert not harbor.exists("ghcr")
        assert harbor.create("ghcr", public=True)
        assert harbor.exists("ghcr")
        assert not harbor.create("ghcr", public=True)
    (made, _) = (seen for seen in server.seen if seen.line == "POST /api/v2.0/projects")
    assert json.loads(made.body) == {"project_name": "ghcr", "metadata": {"public": "true"}}


@pytest.mark.parametrize("name", ["Upper", "a/b", "", "-a", "a..b"])
def test_a_name_that_no_project_can_have(server: Simulator, clock: Clock, name: str) -> None:
    with connect(server, clock) as client, pytest.raises(InputError) as raised:
        client.harbor.create(name, public=False)
    assert raised.value.findings[0].code == "project-name"


def test_a_user_who_may_not_make_projects(server: Simulator, clock: Clock) -> None:
    server.faults = [Fault("POST", 403, body=errors("FORBIDDEN", "forbidden"))]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.harbor.create("ghcr", public=False))
    assert finding.code == "registry-denied"
    assert "permission to create projects" in (finding.hint or "")


def test_a_registry_that_is_no_harbor(server: Simulator, clock: Clock) -> None:
    for fault in (Fault("systeminfo", 404), Fault("systeminfo", 200, body=b"<html>"), Fault("systeminfo", 401)):
        server.faults = [fault]
        with connect(server, clock) as client:
            assert not client.harbor.is_harbor()


def test_making_a_project_where_there_are_none(server: Simulator, clock: Clock) -> None:
    server.faults = [Fault("POST", 404)]
    with connect(server, clock) as client:
        finding = the_finding(lambda: client.harbor.create("ghcr", public=False))
    assert (finding.code, finding.expected) == ("registry-not-found", "Harbor's API")
    assert (finding.hint or "").startswith("is this Harbor?")
