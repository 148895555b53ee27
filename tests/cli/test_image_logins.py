"""`sitewright images` with registries as sites have them: a private CA, passwords, tokens, client certificates."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.image_shop import PROFILE, QUEUE, WEB, an_image_shop, is_at
from tests.cli.site_fixture import Shop, edit
from tests.realworld.stand_ins import write_layout
from tests.simulators.token_service import TokenService, token_service
from tests.unit.registry_fixture import USER, Papers, RealRegistry, docker_config, make_papers, real_registry

SECRETS = (USER.password, base64.b64encode(f"{USER.username}:{USER.password}".encode()).decode())

pytestmark = pytest.mark.real

Start = Callable[..., AbstractContextManager[RealRegistry]]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def start(tmp_path: Path, real: Callable[[str], Path], papers: Papers) -> Start:
    """`start(basic=True, …)`: a docker-registry behind TLS."""
    return lambda **dress: real_registry(real("docker-registry"), tmp_path / "registry", tls=papers, **dress)


@pytest.fixture
def shop(bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, papers: Papers) -> Shop:
    """The shop, its bundle built with images; `at` names its registry and locks it."""
    made = an_image_shop(bare, capsys, monkeypatch)
    monkeypatch.setenv("HOME", str(bare))
    for name in ("SITEWRIGHT_REGISTRY_USERNAME", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    write_layout(Path("sources/images"), (QUEUE, WEB))
    Path("certs").mkdir()
    shutil.copy(papers.directory / "ca.pem", "certs/ca.pem")
    made.build()
    return made


def at(shop: Shop, registry: RealRegistry) -> None:
    """The site is at `registry`, and the profile names its CA."""
    assert registry.scheme == "https"
    is_at(registry, "ca: certs/ca.pem")
    shop.ok("lock", PROFILE)


def brought(shop: Shop, *more: str) -> None:
    """Synced, verified to the last byte, and synced again without work; no secret is ever said."""
    for words, expected in (
        (("sync", PROFILE), "2 sent, 0 there already"),
        (("verify", PROFILE, "--deep"), "2 complete"),
        (("sync", PROFILE), "0 sent, 2 there already"),
    ):
        code, out, err = shop.run("images", *words, *more)
        assert code == 0, err
        assert expected in out
        assert not any(secret in out + err for secret in SECRETS)


def refused(shop: Shop, code: str, *more: str) -> str:
    status, out, err = shop.run("images", "sync", PROFILE, *more)
    assert status == 5
    assert f"error[{code}]" in err
    assert not any(secret in out + err for secret in SECRETS)
    return err


# --- a private CA --------------------------------------------------------------------------------------------------


def test_the_ca_of_the_profile_is_trusted_and_no_other(shop: Shop, start: Start, tmp_path: Path) -> None:
    with start() as registry:
        at(shop, registry)
        brought(shop)
        other = make_papers(tmp_path / "other", "Somebody Else")
        said = refused(shop, "registry-tls", "--ca", str(other.directory / "ca.pem"))
        assert f"expected: a certificate for `127.0.0.1:{registry.port}` that was issued by `Somebody Else`" in said


def test_without_a_ca_the_systems_authorities_decide(shop: Shop, start: Start) -> None:
    with start() as registry:
        is_at(registry)
        shop.ok("lock", PROFILE)
        assert "name its CA with --ca, or in the profile" in refused(shop, "registry-tls")
        brought(shop, "--ca", "certs/ca.pem")


# --- a password ----------------------------------------------------------------------------------------------------


def authfile(registry: RealRegistry) -> str:
    Path("auth.json").write_bytes(docker_config(f"127.0.0.1:{registry.port}"))
    return "auth.json"


def test_basic_authentication(shop: Shop, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with start(basic=True) as registry:
        at(shop, registry)
        said = refused(shop, "registry-unauthorized")
        assert f"hint: docker login 127.0.0.1:{registry.port}, or set SITEWRIGHT_REGISTRY_USERNAME" in said
        monkeypatch.setenv("SITEWRIGHT_REGISTRY_USERNAME", USER.username)
        monkeypatch.setenv("SITEWRIGHT_REGISTRY_PASSWORD", "not this one")
        refused(shop, "registry-unauthorized")
        monkeypatch.setenv("SITEWRIGHT_REGISTRY_PASSWORD", USER.password)
        brought(shop)


def test_a_password_out_of_a_docker_config(shop: Shop, start: Start) -> None:
    with start(basic=True) as registry:
        at(shop, registry)
        brought(shop, "--authfile", authfile(registry))


def test_the_file_of_the_command_line_counts_for_a_bundle_in_the_same_registry(
    shop: Shop, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start(basic=True) as registry:
        place = f"oci://127.0.0.1:{registry.port}/bundles/pantry"
        login = authfile(registry)
        shop.ok("bundle", "push", "bundles/pantry", place, "--ca", "certs/ca.pem", "--authfile", login)
        edit(PROFILE, "source: bundles/pantry", f"source: {place}")
        monkeypatch.setenv("REGISTRY_AUTH_FILE", login)
        at(shop, registry)
        monkeypatch.delenv("REGISTRY_AUTH_FILE")
        shutil.rmtree("bundles/pantry")
        monkeypatch.setenv("XDG_CACHE_HOME", str(Path("empty").resolve()))
        refused(shop, "registry-unauthorized")
        brought(shop, "--authfile", login)


# --- tokens --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tokens(papers: Papers) -> Iterator[TokenService]:
    with token_service(papers) as service:
        yield service


def test_token_authentication(shop: Shop, start: Start, tokens: TokenService) -> None:
    with start(more=tokens.settings) as registry:
        at(shop, registry)
        assert "the token service" in refused(shop, "registry-unauthorized")
        assert {who for who, _ in tokens.asked} == {"nobody"}
        tokens.asked.clear()
        brought(shop, "--authfile", authfile(registry))
        assert {who for who, _ in tokens.asked} == {USER.username}
        scopes = {scope for _, scope in tokens.asked}
        assert "repository:mirror/example/web:pull" in scopes
        assert "repository:mirror/example/web:pull,push" in scopes


def test_a_token_without_the_right_to_push(shop: Shop, start: Start, tokens: TokenService) -> None:
    tokens.may_push = False
    with start(more=tokens.settings) as registry:
        at(shop, registry)
        said = refused(shop, "registry-denied", "--authfile", authfile(registry))
        assert "expected: access to `repository:mirror/example/" in said
        assert "hint: let the user push to the project `mirror`" in said
        assert "--create-projects" in said


# --- client certificates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basic", [False, True], ids=["alone", "with a password"])
def test_a_client_certificate(shop: Shop, start: Start, papers: Papers, basic: bool) -> None:
    certificate, key = papers.client
    with start(client_ca=True, basic=basic) as registry:
        at(shop, registry)
        said = refused(shop, "registry-tls")
        assert "expected: a client certificate that the registry accepts" in said
        more: Any = ("--client-certificate", certificate, "--client-key", key)
        if basic:
            refused(shop, "registry-unauthorized", *more)
            more = (*more, "--authfile", authfile(registry))
        brought(shop, *more)
