"""Which credentials belong to which repository, and programs that keep them."""

import base64
import json
import stat
import time
from pathlib import Path

import pytest

from renderer.adapters.registry.authentication import read_challenges, union_of_scopes
from renderer.adapters.registry.credential_helpers import ask_helper
from renderer.adapters.registry.credentials import Credentials, DockerConfig, Helper, credentials_for
from renderer.adapters.registry.opening import credential_source
from renderer.errors import InputError

HOST = "harbor.site.local:5443"


def auth(user: str, password: str = "p") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


def config(**content: object) -> tuple[DockerConfig, ...]:
    return (DockerConfig("config.json", json.dumps(content).encode()),)


@pytest.mark.parametrize(
    ("repository", "user"),
    [("mirror/ghcr/app", "app"), ("mirror/ghcr/other", "project"), ("mirror2/ghcr", "host"), ("", "host")],
)
def test_the_most_specific_key_wins(repository: str, user: str) -> None:
    files = config(
        auths={HOST: auth("host"), f"{HOST}/mirror": auth("project"), f"{HOST}/mirror/ghcr/app": auth("app")}
    )
    assert credentials_for(HOST, repository, {}, files) == Credentials(user, "p")


@pytest.mark.parametrize("key", [HOST, f"https://{HOST}", f"https://{HOST}/v1/", f"http://{HOST}/v2/"])
def test_keys_may_be_addresses(key: str) -> None:
    assert credentials_for(HOST, "a", {}, config(auths={key: auth("u", "a:b")})) == Credentials("u", "a:b")


def test_another_port_is_another_registry() -> None:
    assert credentials_for("harbor.site.local", "a", {}, config(auths={HOST: auth("u")})) is None


def test_docker_hub_has_three_names() -> None:
    files = config(auths={"https://index.docker.io/v1/": auth("hub")})
    assert credentials_for("docker.io", "library/nginx", {}, files) == Credentials("hub", "p")


def test_a_helper_for_the_host_comes_before_the_store_and_what_is_written() -> None:
    files = config(auths={HOST: auth("u")}, credHelpers={HOST: "vault"}, credsStore="pass")
    assert credentials_for(HOST, "a", {}, files) == Helper("vault", HOST)


def test_an_empty_entry_beside_a_store_means_the_store() -> None:
    assert credentials_for(HOST, "a", {}, config(auths={HOST: {}}, credsStore="pass")) == Helper("pass", HOST)


def test_identity_tokens_and_plain_pairs_are_read() -> None:
    assert credentials_for(HOST, "a", {}, config(auths={HOST: {"identitytoken": "t"}})) == Credentials("", "", "t")
    plain = config(auths={HOST: {"username": "u", "password": "p"}})
    assert credentials_for(HOST, "a", {}, plain) == Credentials("u", "p")


def test_the_first_file_that_knows_the_host_answers() -> None:
    files = (*config(auths={"other.example": auth("o")}), *config(auths={HOST: auth("u")}))
    assert credentials_for(HOST, "a", {}, files) == Credentials("u", "p")


def test_the_environment_comes_first_and_may_name_its_host() -> None:
    environ = {"SITEWRIGHT_REGISTRY_USERNAME": "env", "SITEWRIGHT_REGISTRY_PASSWORD": "secret"}
    files = config(auths={HOST: auth("file")})
    assert credentials_for(HOST, "a", environ, files) == Credentials("env", "secret")
    elsewhere = {**environ, "SITEWRIGHT_REGISTRY_HOST": "other.example"}
    assert credentials_for(HOST, "a", elsewhere, files) == Credentials("file", "p")


def test_half_a_pair_is_refused() -> None:
    with pytest.raises(InputError) as raised:
        credentials_for(HOST, "a", {"SITEWRIGHT_REGISTRY_USERNAME": "u"}, ())
    (finding,) = raised.value.findings
    assert finding.code == "credentials-incomplete"
    assert finding.message == "`SITEWRIGHT_REGISTRY_USERNAME` is set, but `SITEWRIGHT_REGISTRY_PASSWORD` is not"


@pytest.mark.parametrize(
    ("content", "message", "path"),
    [
        (b"{", "line 1, column 2", None),
        (b'{"auths": []}', "this must be a mapping", "auths"),
        (b'{"auths": {"h": {"auth": "c2VjcmV0"}}}', "this must be `user:password` in base64", "auths.h.auth"),
        (b'{"auths": {"h": {"auth": "not base64"}}}', "this must be `user:password` in base64", "auths.h.auth"),
    ],
)
def test_a_broken_file_is_told_with_its_place_and_without_its_secrets(
    content: bytes, message: str, path: str | None
) -> None:
    with pytest.raises(InputError) as raised:
        credentials_for("h", "a", {}, (DockerConfig("config.json", content),))
    (finding,) = raised.value.findings
    assert (finding.code, finding.where.file, finding.where.path) == ("credentials-unreadable", "config.json", path)
    assert message in finding.message
    assert "secret" not in str(raised.value)
    assert "c2VjcmV0" not in str(raised.value)


def test_nothing_shows_a_password() -> None:
    known = Credentials("robot", "hunter2", "token-of-identity")
    for text in (repr(known), str(known), repr(DockerConfig("f", b"hunter2"))):
        assert "hunter2" not in text
        assert "token-of" not in text
        assert "robot" not in text


# --- where files are looked for ---


def test_the_file_that_was_named_is_the_only_one(tmp_path: Path) -> None:
    named = tmp_path / "auth.json"
    named.write_text(json.dumps({"auths": {HOST: auth("named")}}))
    environ = {"SITEWRIGHT_REGISTRY_USERNAME": "env", "SITEWRIGHT_REGISTRY_PASSWORD": "secret"}
    assert credential_source(f"https://{HOST}", environ, str(named))("a") == Credentials("named", "p")
    with pytest.raises(InputError) as raised:
        credential_source(f"https://{HOST}", environ, str(tmp_path / "absent"))("a")
    assert raised.value.findings[0].code == "credentials-unreadable"


def test_what_login_wrote_is_found(tmp_path: Path) -> None:
    for place, user in (("home/.docker/config.json", "docker"), ("run/containers/auth.json", "podman")):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(json.dumps({"auths": {HOST: auth(user)}}))
    home = {"HOME": str(tmp_path / "home")}
    assert credential_source(f"https://{HOST}", home)("a") == Credentials("docker", "p")
    both = {**home, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert credential_source(f"https://{HOST}", both)("a") == Credentials("podman", "p")
    assert credential_source(f"https://{HOST}", {})("a") is None


# --- helpers: real processes ---


def helper(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Helper:
    program = directory / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    return Helper("test", HOST)


def test_a_helper_is_asked_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'read server; printf \'{"ServerURL":"%s","Username":"%s","Secret":"%s"}\' "$server" "$1" "$server"'
    assert ask_helper(helper(tmp_path, monkeypatch, script)) == Credentials("get", HOST)


def test_a_helper_may_give_an_identity_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = helper(tmp_path, monkeypatch, 'echo \'{"Username":"<token>","Secret":"t"}\'')
    assert ask_helper(asked) == Credentials(identity_token="t")


def test_a_helper_that_knows_nothing_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_helper(helper(tmp_path, monkeypatch, "echo credentials not found in native keychain; exit 1")) is None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo my-secret; exit 3", "it ended with exit code 3"),
        ("echo my-secret", "its answer is not JSON with `Username` and `Secret`"),
        ("yes my-secret", "it ended with exit code -9"),
        ("exec sleep 60", "it did not answer within 0.5 seconds"),
    ],
)
def test_a_helper_that_fails_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    asked = helper(tmp_path, monkeypatch, script)
    started = time.monotonic()
    with pytest.raises(InputError) as raised:
        ask_helper(asked, timeout=0.5)
    assert time.monotonic() - started < 10
    (finding,) = raised.value.findings
    assert finding.code == "credential-helper"
    assert finding.message == f"the credential helper `docker-credential-test` failed: {message}"
    assert "my-secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["../evil", "a b", "", "-x"])
def test_a_helper_is_a_program_on_the_path(name: str) -> None:
    with pytest.raises(InputError, match="its name may hold"):
        ask_helper(Helper(name, HOST))


def test_a_helper_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="it cannot be started: No such file or directory"):
        ask_helper(Helper("absent", HOST))


# --- challenges ---


def test_challenges_are_read_from_one_header_or_many() -> None:
    one = 'Basic realm="a, b", Bearer realm="https://x/token",service=harbor , scope="repository:a/b:pull,push"'
    basic, bearer = read_challenges([one])
    assert (basic.scheme, basic.parameters) == ("basic", {"realm": "a, b"})
    assert bearer.parameters == {"realm": "https://x/token", "service": "harbor", "scope": "repository:a/b:pull,push"}
    assert len(read_challenges(['Basic realm="a"', 'Bearer realm="b"'])) == 2
    assert read_challenges(["", "Negotiate", 'Basic realm="never ends', "x" * 100_000]) == ()


def test_scopes_are_united_by_repository() -> None:
    scopes = ["repository:a/b:pull", "repository:c:pull", "repository:a/b:push,pull", "nonsense"]
    assert union_of_scopes(scopes) == ("repository:a/b:pull,push", "repository:c:pull")
