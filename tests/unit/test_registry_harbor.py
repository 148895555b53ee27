"""The registry client and Harbor, whose answers differ from those of distribution: as Harbor 2.15 gives them."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from renderer.adapters.registry.authentication import union_of_scopes
from renderer.adapters.registry.client import RegistryClient
from renderer.adapters.registry.credentials import Credentials
from renderer.adapters.registry.opening import open_registry
from renderer.errors import Finding, HopelessError, RemoteError
from renderer.formats.bundle.artifact import IMAGE_MANIFEST, describe
from renderer.model.reference import Digest
from tests.simulators.registry_server import Fault, Simulator, registry_server
from tests.unit.registry_fixture import Clock

USER = Credentials("robot$shop", "hunter2")
WRONG = Credentials("robot$shop", "typed wrongly")
BLOB = describe(b"content", "application/octet-stream")


@pytest.fixture
def harbor() -> Iterator[Simulator]:
    with registry_server() as simulator:
        simulator.user, simulator.bearer = (USER.username, USER.password), True
        simulator.projects = ["mine", "other"]
        simulator.harbor = {"mine": "pull,push"}
        yield simulator


def connect(harbor: Simulator, user: Credentials | None = USER) -> RegistryClient:
    return open_registry(
        harbor.url, environ={}, insecure=True, credentials=lambda _: user, patience=Clock().patience(), timeouts=(5, 5)
    )


def push(client: RegistryClient, repository: str) -> None:
    client.push_blob(repository, BLOB, lambda: io.BytesIO(b"content"))


def refusal(client: RegistryClient, repository: str) -> tuple[type[RemoteError], Finding]:
    """How Harbor's refusal to take a blob is told, in a run that has asked for a manifest before."""

    def ask() -> None:
        client.manifest(repository, "1.0")
        push(client, repository)

    with pytest.raises(RemoteError) as raised:
        ask()
    (finding,) = raised.value.findings
    assert "hunter2" not in str(raised.value)
    return type(raised.value), finding


def test_one_token_serves_a_project(harbor: Simulator) -> None:
    with connect(harbor) as client:
        for name in ("mine/a", "mine/b", "mine/c/d"):
            assert client.manifest(name, "1.0") is None
        assert len(harbor.tokens) == 1
        for name in ("mine/a", "mine/b"):
            push(client, name)
        assert len(harbor.tokens) == 2, "one more, that may push"


def test_other_registries_get_a_token_for_each_repository(harbor: Simulator) -> None:
    harbor.harbor = None
    with connect(harbor) as client:
        client.manifest("mine/a", "1.0")
        client.manifest("mine/b", "1.0")
    assert len(harbor.tokens) == 2


def test_a_wrong_password_is_told_as_one_and_ends_the_run(harbor: Simulator) -> None:
    with connect(harbor, WRONG) as client:
        kind, finding = refusal(client, "mine/a")
        assert (kind, finding.code) == (HopelessError, "registry-unauthorized")
        assert finding.got == "the token service does not know this user with this password"
        asked = len(harbor.lines("GET /token"))
        assert asked == 2, "accounts are locked after a few"
        assert refusal(client, "mine/b")[0] is HopelessError
        assert len(harbor.lines("GET /token")) <= asked + 1


def test_a_missing_right_is_a_missing_right(harbor: Simulator) -> None:
    with connect(harbor) as client:
        kind, finding = refusal(client, "other/a")
        assert (kind, finding.code, finding.got) == (RemoteError, "registry-denied", "HTTP 401")
        assert finding.explanation == (
            "the registry says: UNAUTHORIZED: unauthorized to access repository: other/a/manifests/1.0, action: pull",
        )
        assert "let the user pull from the project `other`" in (finding.hint or "")
        push(client, "mine/a")
    sent = {seen.headers.get("authorization", "").partition(" ")[0] for seen in harbor.seen if "/v2/" in seen.line}
    assert sent == {"", "Bearer"}, "the registry is not told the password because one project is closed"


@pytest.mark.parametrize("user", [USER, None], ids=["somebody", "nobody"])
def test_a_missing_project_holds_nothing_and_is_told_when_something_goes_there(
    harbor: Simulator, user: Credentials | None
) -> None:
    if user is None:
        harbor.user = None
    with connect(harbor, user) as client:
        assert client.manifest("gone/a", "1.0") is None
        assert client.has_blob("gone/a", BLOB.digest) is None
        assert not client.stands_for("gone/a", "1.0", BLOB.digest)
        kind, finding = refusal(client, "gone/a")
    assert (kind, finding.code) == (RemoteError, "registry-not-found")
    assert finding.explanation == ("the registry says: UNAUTHORIZED: project gone not found",)
    assert len(harbor.tokens) <= 3, "to pull, to push, and to see whether the password is right"


def test_what_may_not_be_mounted_can_be_sent(harbor: Simulator) -> None:
    with connect(harbor) as client:
        assert not client.mount_blob("mine/a", BLOB.digest, "other/a"), "its source may not be read"
        # it is not there, an upload is begun instead, and who may only push may not give it up
        assert not client.mount_blob("mine/a", BLOB.digest, "mine/b")
        assert harbor.lines("DELETE")
        push(client, "mine/a")
        assert client.has_blob("mine/a", BLOB.digest) == 7


def test_where_something_is_pushed_comes_first() -> None:
    # the robot of a project gets rights in the project of the first scope only
    scopes = ["repository:base/a:pull", "repository:shop/a:pull,push", "repository:shop/a:pull"]
    assert union_of_scopes(scopes) == ("repository:shop/a:pull,push", "repository:base/a:pull")


def test_an_image_that_a_rule_keeps_from_readers(harbor: Simulator) -> None:
    body = b'{"errors":[{"code":"PROJECTPOLICYVIOLATION","message":"The image is not signed by cosign."}]}'
    harbor.faults = [Fault("GET /v2/mine/a/manifests", 412, body=body)]
    with connect(harbor) as client, pytest.raises(RemoteError) as raised:
        client.manifest("mine/a", "1.0")
    (finding,) = raised.value.findings
    assert finding.code == "registry-policy"
    assert "images sync" in (finding.hint or "")
    with connect(harbor) as client:
        harbor.faults = [Fault("GET /v2/mine/a/manifests", 412, body=body)]
        assert not client.stands_for("mine/a", "1.0", Digest.of(b"")), "then it is looked at closely"


@pytest.mark.parametrize("message", ["The system is in read only mode.", "can not push artifact to a proxy project: p"])
def test_a_registry_that_takes_nothing(harbor: Simulator, message: str) -> None:
    body = f'{{"errors":[{{"code":"DENIED","message":"{message}"}}]}}'.encode()
    harbor.faults = [Fault("PUT /v2/mine/a/manifests", 403, body=body)]
    with connect(harbor) as client, pytest.raises(RemoteError) as raised:
        client.push_manifest("mine/a", "1.0", b"{}", IMAGE_MANIFEST)
    (finding,) = raised.value.findings
    assert finding.code == "registry-denied"
    assert "read-only" in (finding.hint or "")


def test_a_harbor_is_known_without_a_login(harbor: Simulator) -> None:
    for user in (USER, WRONG, None):
        with connect(harbor, user) as client:
            assert client.harbor.is_harbor()
    with connect(harbor, WRONG) as client, pytest.raises(HopelessError) as raised:
        client.harbor.exists("mine")
    assert raised.value.findings[0].code == "registry-unauthorized"
