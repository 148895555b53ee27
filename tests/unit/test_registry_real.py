"""The registry client against the real registry of the Debian package `docker-registry`."""

from __future__ import annotations

import hashlib
import io
import os
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, ClassVar

import pytest

from renderer.adapters.registry.client import RegistryClient
from renderer.adapters.registry.opening import credential_source, open_registry
from renderer.adapters.registry.transport import Received, Request, Transport
from renderer.errors import BundleRefusedError, InputError, RemoteError
from renderer.formats.bundle.artifact import IMAGE_INDEX, IMAGE_MANIFEST, describe, index_content
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.ports import Registry
from tests.unit.registry_fixture import (
    AUTHORITY,
    USER,
    Clock,
    Papers,
    RealRegistry,
    docker_config,
    make_papers,
    open_real,
    real_registry,
)

pytestmark = pytest.mark.real
CHUNK = 256 * 1024
IMAGE = "application/octet-stream"


@pytest.fixture(scope="module")
def program(real: Callable[[str], Path]) -> Path:
    return real("docker-registry")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def running(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(program, tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def client(running: RealRegistry) -> Iterator[RegistryClient]:
    with open_real(running, chunk=CHUNK) as client:
        yield client


def random_blob(size: int) -> tuple[bytes, Descriptor]:
    content = os.urandom(size)
    return content, describe(content, IMAGE)


def opening(content: bytes) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(content)


def test_it_is_a_registry(client: RegistryClient) -> None:
    registry: Registry = client
    assert registry.location.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK, CHUNK + 1, 5 * CHUNK + 7])
def test_what_was_pushed_can_be_read(client: RegistryClient, size: int) -> None:
    content, descriptor = random_blob(size)
    heard: list[int] = []
    if size:
        assert client.has_blob("blobs/one", descriptor.digest) is None
    client.push_blob("blobs/one", descriptor, opening(content), on_progress=lambda _, done: heard.append(done))
    assert client.has_blob("blobs/one", descriptor.digest) == size
    with client.read_blob("blobs/one", descriptor) as stream:
        assert stream.read() == content
    assert heard == sorted(heard)
    assert heard[-1] == size


def test_a_blob_is_mounted_from_another_repository_or_not(client: RegistryClient) -> None:
    content, descriptor = random_blob(1000)
    client.push_blob("blobs/here", descriptor, opening(content))
    assert client.mount_blob("blobs/there", descriptor.digest, "blobs/here")
    assert client.has_blob("blobs/there", descriptor.digest) == 1000
    assert not client.mount_blob("blobs/there", Digest.of(b"nowhere"), "blobs/here")


def test_content_that_is_not_its_digest_is_refused(client: RegistryClient) -> None:
    for size in (1000, 3 * CHUNK):
        content, _ = random_blob(size)
        other = Descriptor(media_type=IMAGE, digest=Digest.of(b"other"), size=size)
        with pytest.raises(RemoteError) as raised:
            client.push_blob("blobs/wrong", other, opening(content))
        assert raised.value.findings[0].code == "registry-refused"
        assert "DIGEST_INVALID" in raised.value.findings[0].explanation[0]
        assert client.has_blob("blobs/wrong", other.digest) is None


def test_content_that_ends_too_early_is_the_sources_fault(client: RegistryClient) -> None:
    content, descriptor = random_blob(2 * CHUNK)
    with pytest.raises(BundleRefusedError) as raised:
        client.push_blob("blobs/short", descriptor, opening(content[:-10]))
    assert raised.value.findings[0].code == "blob-unreadable"
    assert raised.value.findings[0].message.endswith("it ends 10 bytes too early")


def test_manifests_stay_as_they_are(client: RegistryClient) -> None:
    content, descriptor = random_blob(100)
    client.push_blob("apps/one", descriptor, opening(content))
    odd = (
        b'{"schemaVersion":2 , "mediaType":"%s","config":{"mediaType":"application/vnd.oci.image.config.v1+json",'
        b'"digest":"%s","size":100},\n"layers":[]}' % (IMAGE_MANIFEST.encode(), str(descriptor.digest).encode())
    )
    digest = client.push_manifest("apps/one", "v1", odd, IMAGE_MANIFEST)
    for reference in ("v1", str(digest)):
        found = client.manifest("apps/one", reference)
        assert found is not None
        assert (found.content, found.media_type, found.digest) == (odd, IMAGE_MANIFEST, Digest.of(odd))
    index = index_content([Descriptor(media_type=IMAGE_MANIFEST, digest=digest, size=len(odd))])
    client.push_manifest("apps/one", str(Digest.of(index)), index, IMAGE_INDEX)
    assert client.manifest("apps/one", "v2") is None
    assert client.manifest("apps/none", "v1") is None
    assert client.tags("apps/one") == ("v1",)
    assert client.tags("apps/none") == ()


def test_a_tag_that_stands_for_a_manifest_is_told_without_it(
    client: RegistryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = client.push_manifest("shop/standing", "1.0", index_content([]), IMAGE_INDEX)
    answers: list[Received] = []
    call = Transport.call

    def watched(self: Transport, request: Request, expected: Collection[int], **more: int) -> Received:
        answers.append(call(self, request, expected, **more))
        return answers[-1]

    monkeypatch.setattr(Transport, "call", watched)
    assert client.stands_for("shop/standing", "1.0", digest)
    assert not client.stands_for("shop/standing", "1.0", Digest.of(b"another"))
    assert not client.stands_for("shop/standing", "2.0", digest)
    assert [answer.status for answer in answers] == [304, 200, 404]
    assert answers[0].body == b""


def test_referrers_are_found_by_tag_where_the_api_is_missing(client: RegistryClient) -> None:
    empty = b"{}"
    client.push_blob("apps/signed", describe(empty, IMAGE), opening(empty))
    subject = Digest.of(b"some image")
    assert client.referrers("apps/signed", subject) == ()
    config = f'{{"mediaType":"a/b","digest":"{Digest.of(empty)}","size":2}}'
    signature = f'{{"schemaVersion":2,"mediaType":"{IMAGE_MANIFEST}","config":{config},"layers":[]}}'.encode()
    digest = client.push_manifest("apps/signed", str(Digest.of(signature)), signature, IMAGE_MANIFEST)
    listed = Descriptor(media_type=IMAGE_MANIFEST, digest=digest, size=len(signature), artifact_type="a/signature")
    client.push_manifest("apps/signed", f"sha256-{subject.hex}", index_content([listed]), IMAGE_INDEX)
    assert client.referrers("apps/signed", subject) == (listed,)


def test_an_interrupted_process_goes_on_with_its_session(running: RealRegistry) -> None:
    content, descriptor = random_blob(6 * CHUNK)
    told: list[tuple[str, int]] = []

    def die(session: str, done: int) -> None:
        told.append((session, done))
        if done == 3 * CHUNK:
            raise KeyboardInterrupt

    with open_real(running, chunk=CHUNK) as first, pytest.raises(KeyboardInterrupt):
        first.push_blob("blobs/long", descriptor, opening(content), on_progress=die)
    later: list[int] = []
    with open_real(running, chunk=CHUNK) as second:
        session = told[-1][0]
        second.push_blob(
            "blobs/long", descriptor, opening(content), session=session, on_progress=lambda _, done: later.append(done)
        )
        assert later[0] == 4 * CHUNK
        assert second.has_blob("blobs/long", descriptor.digest) == len(content)
        # an end that was reached already, and a session that nobody knows, start over
        for old in (session, f"{running.url}/v2/blobs/long/blobs/uploads/unknown", "http://other.example/v2/x", "::"):
            second.push_blob("blobs/long", descriptor, opening(content), session=old)


class Killed(io.BytesIO):
    """Content whose reader is killed in the middle of a chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= 3 * CHUNK:
            raise KeyboardInterrupt
        return super().read(min(size or 0, CHUNK // 4))


def test_a_process_killed_within_a_chunk(running: RealRegistry) -> None:
    content, descriptor = random_blob(2 * CHUNK * 4)
    told: list[str] = []
    with open_real(running, chunk=2 * CHUNK) as first, pytest.raises(KeyboardInterrupt):
        first.push_blob("blobs/half", descriptor, lambda: Killed(content), on_progress=lambda s, _: told.append(s))
    assert len(told) == 1
    with open_real(running, chunk=2 * CHUNK) as second:
        # this registry gives up an upload that broke off within a chunk: it starts over
        second.push_blob("blobs/half", descriptor, opening(content), session=told[0])
        assert second.has_blob("blobs/half", descriptor.digest) == len(content)


def test_a_session_that_holds_something_else_is_not_trusted(client: RegistryClient) -> None:
    content, descriptor = random_blob(4 * CHUNK)
    told: list[str] = []

    def die(session: str, _: int) -> None:
        told.append(session)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.push_blob("blobs/mixed", random_blob(4 * CHUNK)[1], opening(os.urandom(4 * CHUNK)), on_progress=die)
    client.push_blob("blobs/mixed", descriptor, opening(content), session=told[0])
    assert client.has_blob("blobs/mixed", descriptor.digest) == len(content)


def test_a_registry_that_restarts_is_waited_for(program: Path, tmp_path: Path) -> None:
    content, descriptor = random_blob(4 * CHUNK)
    clock = Clock()
    with real_registry(program, tmp_path) as registry:

        def restart(_: float) -> None:
            if registry.process is None:
                registry.start()

        def stop(_: str, done: int) -> None:
            if done == 2 * CHUNK and not clock.slept:
                clock.slept.append(0)
                registry.stop()

        patience = clock.patience()
        waiting = type(patience)(attempts=6, sleep=restart, now=clock.now)
        with open_registry(
            registry.url, environ={}, insecure=True, chunk=CHUNK, patience=waiting, timeouts=(5, 5)
        ) as client:
            client.push_blob("a/b", descriptor, opening(content), on_progress=stop)
            assert client.has_blob("a/b", descriptor.digest) == len(content)


def test_many_threads_share_one_client(client: RegistryClient) -> None:
    blobs = [random_blob(CHUNK + 100 * number) for number in range(16)]

    def push(number: int) -> int | None:
        content, descriptor = blobs[number]
        client.push_blob(f"threads/{number % 3}", descriptor, opening(content))
        return client.has_blob(f"threads/{number % 3}", descriptor.digest)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(push, range(16))) == [descriptor.size for _, descriptor in blobs]


class Zeros(io.RawIOBase):
    """Many zeros, and how much of them was asked for at once."""

    largest = 0

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        assert size >= 0
        Zeros.largest = max(Zeros.largest, size)
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def test_a_blob_is_never_whole_in_memory(running: RealRegistry) -> None:
    size = 40 * 2**20
    digest = hashlib.sha256(bytes(size)).hexdigest()
    descriptor = Descriptor(media_type=IMAGE, digest=Digest("sha256", digest), size=size)
    with open_real(running) as client:
        client.push_blob("blobs/zeros", descriptor, lambda: Zeros(size))  # type: ignore[arg-type,return-value]
        assert Zeros.largest <= 2**20
        with client.read_blob("blobs/zeros", descriptor) as stream:
            assert sum(len(stream.read(65536)) for _ in range(size // 65536 * 2)) == size


# --- TLS ---


@pytest.fixture(scope="module")
def encrypted(program: Path, papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(program, tmp_path_factory.mktemp("tls"), tls=papers, client_ca=True) as registry:
        yield registry


def test_a_private_ca_and_a_client_certificate(encrypted: RealRegistry, papers: Papers) -> None:
    content, descriptor = random_blob(3 * CHUNK)
    commented = "# 根证书\n".encode() + papers.ca
    with open_real(encrypted, ca=commented, client_certificate=papers.client, chunk=CHUNK) as client:
        client.push_blob("a/b", descriptor, opening(content))
        with client.read_blob("a/b", descriptor) as stream:
            assert stream.read() == content


def test_without_a_client_certificate_the_finding_asks_for_one(encrypted: RealRegistry, papers: Papers) -> None:
    with open_real(encrypted, ca=papers.ca) as client, pytest.raises(RemoteError) as raised:
        client.has_blob("a/b", Digest.of(b""))
    (finding,) = raised.value.findings
    assert finding.code == "registry-tls"
    assert finding.expected == "a client certificate that the registry accepts"


def test_an_unknown_authority_names_the_one_that_was_expected(encrypted: RealRegistry, tmp_path: Path) -> None:
    other = make_papers(tmp_path, "Some Other CA")
    clock = Clock()
    with open_real(encrypted, clock, ca=other.ca) as client, pytest.raises(RemoteError) as raised:
        client.has_blob("a/b", Digest.of(b""))
    (finding,) = raised.value.findings
    host = encrypted.url.removeprefix("https://")
    assert finding.code == "registry-tls"
    assert finding.expected == f"a certificate for `{host}` that was issued by `Some Other CA`"
    assert finding.hint == f"openssl s_client -connect {host} -showcerts </dev/null"
    assert clock.slept == []  # a certificate does not get better by waiting


def test_without_a_ca_the_systems_are_asked(encrypted: RealRegistry) -> None:
    with open_real(encrypted) as client, pytest.raises(RemoteError) as raised:
        client.has_blob("a/b", Digest.of(b""))
    assert "name its CA with --ca, or in the profile" in (raised.value.findings[0].expected or "")


def test_another_name_than_the_certificates(encrypted: RealRegistry, papers: Papers) -> None:
    url = encrypted.url.replace("127.0.0.1", "localhost")
    with (
        open_registry(url, environ={}, ca=papers.ca, patience=Clock().patience()) as client,
        pytest.raises(RemoteError) as raised,
    ):
        client.has_blob("a/b", Digest.of(b""))
    assert "mismatch" in raised.value.findings[0].message.lower()
    assert AUTHORITY in (raised.value.findings[0].expected or "")


def test_tls_with_a_registry_that_speaks_none(running: RealRegistry, papers: Papers) -> None:
    url = running.url.replace("http:", "https:")
    with (
        open_registry(url, environ={}, ca=papers.ca, patience=Clock().patience()) as client,
        pytest.raises(RemoteError) as raised,
    ):
        client.has_blob("a/b", Digest.of(b""))
    assert raised.value.findings[0].code == "registry-tls"
    assert "insecure: true" in (raised.value.findings[0].expected or "")


# --- users ---


@pytest.fixture(scope="module")
def guarded(program: Path, papers: Papers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with real_registry(program, tmp_path_factory.mktemp("basic"), tls=papers, basic=True) as registry:
        yield registry


def test_basic_credentials_from_a_docker_config(guarded: RealRegistry, papers: Papers, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(docker_config(guarded.url.removeprefix("https://")))
    source = credential_source(guarded.url, {}, str(file))
    content, descriptor = random_blob(3 * CHUNK)
    with open_real(guarded, ca=papers.ca, credentials=source, chunk=CHUNK) as client:
        client.push_blob("a/b", descriptor, opening(content))
        assert client.has_blob("a/b", descriptor.digest) == len(content)


def test_wrong_credentials_are_told_once_and_never_shown(guarded: RealRegistry, papers: Papers) -> None:
    wrong = {"SITEWRIGHT_REGISTRY_USERNAME": USER.username, "SITEWRIGHT_REGISTRY_PASSWORD": "hunter2"}
    clock = Clock()
    source = credential_source(guarded.url, wrong)
    with open_real(guarded, clock, ca=papers.ca, credentials=source) as client, pytest.raises(RemoteError) as raised:
        client.manifest("a/b", "v1")
    (finding,) = raised.value.findings
    assert finding.code == "registry-unauthorized"
    assert finding.expected == "access to `repository:a/b:pull`"
    assert (finding.hint or "").startswith("docker login 127.0.0.1:")
    for text in (str(raised.value), repr(raised.value), repr(client)):
        assert "hunter2" not in text
    assert clock.slept == []


def test_nobody_is_told_to_say_who_they_are(guarded: RealRegistry, papers: Papers) -> None:
    with open_real(guarded, ca=papers.ca) as client, pytest.raises(RemoteError) as raised:
        client.manifest("a/b", "v1")
    assert raised.value.findings[0].code == "registry-unauthorized"


# --- proxies ---


class Tunnel(socketserver.StreamRequestHandler):
    """A proxy that knows CONNECT, and writes down what it was asked."""

    asked: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        head = []
        while (line := self.rfile.readline()).strip():
            head.append(line.strip())
        Tunnel.asked += head
        host, _, port = head[0].split()[1].decode().rpartition(":")
        with socket.create_connection((host, int(port)), 5) as far:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: far, far: self.connection}
            while True:
                for end in select.select(list(ends), [], [], 5)[0]:
                    if not (piece := end.recv(65536)):
                        return
                    ends[end].sendall(piece)


def test_a_proxy_that_was_asked_for_is_a_tunnel(guarded: RealRegistry, papers: Papers) -> None:
    content, descriptor = random_blob(3 * CHUNK)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            proxy = f"http://me:p%40ss@127.0.0.1:{server.server_address[1]}"
            with open_real(guarded, ca=papers.ca, credentials=lambda _: USER, proxy=proxy) as client:
                client.push_blob("a/proxied", descriptor, opening(content))
                assert client.has_blob("a/proxied", descriptor.digest) == len(content)
        finally:
            server.shutdown()
            serving.join()
    assert Tunnel.asked[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in Tunnel.asked
    assert not any(line.startswith(b"Authorization") for line in Tunnel.asked)


# --- addresses ---


def test_plain_http_must_be_meant() -> None:
    with pytest.raises(InputError) as raised:
        open_registry("http://127.0.0.1:5000", environ={})
    assert raised.value.findings[0].code == "registry-url"
    assert "insecure: true" in (raised.value.findings[0].expected or "")


@pytest.mark.parametrize("url", ["ftp://x", "harbor.site.local", "https://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InputError) as raised:
        open_registry(url, environ={})
    assert raised.value.findings[0].code == "registry-url"


def test_a_ca_and_a_client_certificate_that_are_none(tmp_path: Path) -> None:
    for ca in (b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(InputError) as raised:
            open_registry("https://x.example", environ={}, ca=ca)
        assert raised.value.findings[0].code == "ca-unreadable"
    with pytest.raises(InputError) as raised:
        open_registry("https://x.example", environ={}, client_certificate=(str(tmp_path / "a"), str(tmp_path / "b")))
    assert raised.value.findings[0].code == "client-certificate"


def test_nobody_listens_and_a_proxy_is_set() -> None:
    clock = Clock()
    environ = {"HTTPS_PROXY": "http://user:hunter2@proxy.example:3128"}
    with (
        open_registry("http://127.0.0.1:1", environ=environ, insecure=True, patience=clock.patience()) as client,
        pytest.raises(RemoteError) as raised,
    ):
        client.has_blob("a/b", Digest.of(b""))
    (finding,) = raised.value.findings
    assert finding.code == "registry-unreachable"
    assert finding.message == "`127.0.0.1:1` cannot be reached: nothing listens there"
    assert finding.explanation == (
        "`HTTPS_PROXY` set: not used here, because registries of a site are spoken to directly",
    )
    assert finding.hint == "curl -v --noproxy '*' http://127.0.0.1:1/v2/"
    assert "hunter2" not in str(raised.value)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_threads_do_not_outlive_a_push(running: RealRegistry) -> None:
    before = threading.active_count()
    content, descriptor = random_blob(10)
    with open_real(running) as client:
        client.push_blob("a/b", descriptor, opening(content))
    time.sleep(0)
    assert threading.active_count() <= before
