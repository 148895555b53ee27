"""Which credentials belong to which repository: pure rules over an environment and docker's `config.json`.

Formats: docker's `config.json` (`auths`, `credHelpers`, `credsStore`) and containers-auth.json(5), whose keys may
name a namespace or a repository behind the host: the most specific key wins.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.canonical_json import parse_json
from renderer.model.fields import FieldError, Fields, spell_path
from renderer.structs import Struct

USERNAME: Final = "SITEWRIGHT_REGISTRY_USERNAME"
PASSWORD: Final = "SITEWRIGHT_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable
ONLY_HOST: Final = "SITEWRIGHT_REGISTRY_HOST"
CONFIG_LIMIT: Final = 1024 * 1024
_DOCKER_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and a password, or an identity token (an OAuth2 refresh token). Never shown."""

    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


class Helper(Struct, frozen=True):
    """The program `docker-credential-<name>` knows the credentials of `server`."""

    name: str
    server: str


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """One `config.json`: its content, and its path for messages."""

    path: str
    content: bytes = field(repr=False)


CredentialSource = Callable[[str], Credentials | None]
"""The credentials for a repository of one registry. May start a credential helper; asked once a repository."""


def credentials_for(
    host: str, repository: str, environ: Mapping[str, str], configs: tuple[DockerConfig, ...]
) -> Credentials | Helper | None:
    """What to say to `host` about `repository`, or None.

    First the variables SITEWRIGHT_REGISTRY_USERNAME and SITEWRIGHT_REGISTRY_PASSWORD (with SITEWRIGHT_REGISTRY_HOST
    only for that host), then each file in turn. Raises InputError (`credentials-unreadable`, `credentials-incomplete`).
    """
    if environ.get(ONLY_HOST, host) == host:
        username, password = environ.get(USERNAME), environ.get(PASSWORD)
        if username and password:
            return Credentials(username, password)
        if username or password:
            missing, there = (PASSWORD, USERNAME) if username else (USERNAME, PASSWORD)
            raise InputError(
                Finding(
                    code="credentials-incomplete",
                    message=f"`{there}` is set, but `{missing}` is not",
                    where=Where(subject="environment"),
                    expected="both variables, or neither",
                )
            )
    for config in configs:
        found = _look_up(config, host, repository)
        if found is not None:
            return found
    return None


def _look_up(config: DockerConfig, host: str, repository: str) -> Credentials | Helper | None:
    try:
        document = Fields.of(parse_json(config.content, limit=CONFIG_LIMIT))
        helpers = {_normal(key): (key, name) for key, name in document.text_map("credHelpers").items()}
        auths = document.child("auths")
        known = {_normal(key): key for key in auths.content}
        for key in _keys(host, repository):
            if key in helpers:
                server, name = helpers[key]
                return Helper(name, server)
            found = _read_entry(auths.child(known[key])) if key in known else None
            if found is not None:
                return found
        store = document.optional_text("credsStore")
        return Helper(store, known.get(host, _server(host))) if store else None
    except FieldError as error:
        raise _unreadable(config.path, error.message, spell_path(error.path)) from None
    except ValueError as error:
        raise _unreadable(config.path, str(error), None) from None


def _keys(host: str, repository: str) -> Iterator[str]:
    """`host/a/b`, `host/a`, `host`: the most specific first. Docker Hub has three names."""
    hosts = _DOCKER_HUB if host in _DOCKER_HUB else (host,)
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):
        for name in hosts:
            yield "/".join((name, *parts[:count]))


def _normal(key: str) -> str:
    """A key as `host[/path]`: docker also writes `https://host` and `https://host/v1/`."""
    name = key.partition("://")[2] or key
    name = name.rstrip("/")
    return name.removesuffix("/v1").removesuffix("/v2")


def _server(host: str) -> str:
    return "https://index.docker.io/v1/" if host in _DOCKER_HUB else host


def _read_entry(entry: Fields) -> Credentials | None:
    """One value of `auths`; an empty one (docker leaves it beside a credential store) says nothing."""
    token = entry.text("identitytoken", "")
    if token:
        return Credentials(identity_token=token)
    encoded = entry.text("auth", "")
    if not encoded:
        username = entry.text("username", "")
        return Credentials(username, entry.text("password", "")) if username else None
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise FieldError(entry.at("auth"), "this must be `user:password` in base64") from error
    if not colon:
        raise FieldError(entry.at("auth"), "this must be `user:password` in base64")
    return Credentials(username, password.rstrip("\0"))


def _unreadable(path: str, message: str, field_path: str | None) -> InputError:
    return InputError(
        Finding(
            code="credentials-unreadable",
            message=f"the credentials file cannot be used: {message}",
            where=Where(file=path, path=field_path or None),
            expected="docker's `config.json`, as `docker login` and `podman login --authfile FILE` write it",
        )
    )
