"""Opening a registry: TLS, credentials and patience put together."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.adapters.registry.client import RegistryClient
from renderer.adapters.registry.connections import Connections, Origin, tls_context
from renderer.adapters.registry.faults import Faults, authority_names, set_proxies
from renderer.adapters.registry.patience import Patience
from renderer.adapters.registry.transport import Transport
from renderer.adapters.registry.uploads import CHUNK
from renderer.errors import Finding, InputError, Where

if TYPE_CHECKING:
    from renderer.adapters.registry.credentials import Credentials, CredentialSource, DockerConfig

__all__ = ["credential_source", "open_registry"]

_CONNECT: Final = 15.0
_READ: Final = 300.0
"""Seconds of silence. Long: after the last byte of a large blob, a registry hashes it, or copies it to its store."""


def open_registry(
    url: str,
    *,
    environ: Mapping[str, str],
    ca: bytes | None = None,
    client_certificate: tuple[str, str] | None = None,
    credentials: CredentialSource | None = None,
    insecure: bool = False,
    proxy: str | None = None,
    patience: Patience | None = None,
    chunk: int = CHUNK,
    timeouts: tuple[float, float] = (_CONNECT, _READ),
) -> RegistryClient:
    """A client for the registry at `url` (`https://host[:port]`; `http://…` only with `insecure`).

    `ca` (PEM) is trusted instead of the system's authorities; `client_certificate` names the files of a certificate
    and its key; `credentials` is nobody when left out (see `credential_source`); `proxy` is an `http://` proxy to
    tunnel through: proxy variables of the environment are named in errors, never used. Nothing is sent yet.
    Raises InputError (`registry-url`, `ca-unreadable`, `client-certificate`).
    """
    try:
        home = Origin.of(url.rstrip("/"))
    except ValueError as error:
        raise _input("registry-url", str(error), url, "an address such as `https://harbor.site.local`") from None
    if home.scheme == "http" and not insecure:
        message = f"`{home}` is not encrypted, and nobody said that this is meant"
        raise _input("registry-url", message, str(home), "`https://`, or `insecure: true` in the profile's registry")
    if proxy is not None and not proxy.startswith("http://"):
        raise _input("registry-url", "the proxy must be an `http://` address", "proxy", "`http://host:port`")
    tls, other_tls = _contexts(ca, client_certificate) if home.scheme == "https" else (_no_tls(), _no_tls())
    patience = patience or Patience()
    connections = Connections(
        home, tls=tls, other_tls=other_tls, proxy=proxy, now=patience.now,
        connect_timeout=timeouts[0], read_timeout=timeouts[1],
    )  # fmt: skip
    faults = Faults(
        location=str(home), host=home.netloc, authorities=authority_names(tls) if ca is not None else None,
        proxies=set_proxies(environ) if proxy is None else (), proxy=proxy is not None,
    )  # fmt: skip
    return RegistryClient(Transport(connections, credentials or (lambda _: None), faults, patience), chunk=chunk)


def credential_source(url: str, environ: Mapping[str, str], file: str | None = None) -> CredentialSource:
    """Where the credentials for the registry at `url` come from; nothing is read before they are asked for.

    `file` is a docker `config.json`; else the variables SITEWRIGHT_REGISTRY_*, then `REGISTRY_AUTH_FILE`,
    `DOCKER_CONFIG`, `XDG_RUNTIME_DIR/containers/auth.json`, `~/.docker/config.json`. The source raises InputError.
    """
    host = Origin.of(url.rstrip("/")).netloc

    def find(repository: str) -> Credentials | None:
        from renderer.adapters.registry.credentials import Helper, credentials_for  # many registries ask for none

        if file is not None:
            found = credentials_for(host, repository, {}, (_read_config(Path(file), must_exist=True),))
        else:
            configs = (_read_config(place) for place in _places(environ) if place.is_file())
            found = credentials_for(host, repository, environ, tuple(configs))
        if not isinstance(found, Helper):
            return found
        from renderer.adapters.registry.credential_helpers import ask_helper  # few sites have one

        return ask_helper(found)

    return find


def _places(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where docker, podman and skopeo keep what `login` wrote; the most particular first."""
    places = []
    if environ.get("REGISTRY_AUTH_FILE"):
        places.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("DOCKER_CONFIG"):
        places.append(Path(environ["DOCKER_CONFIG"]) / "config.json")
    if environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    if environ.get("HOME") and not environ.get("DOCKER_CONFIG"):
        places.append(Path(environ["HOME"]) / ".docker" / "config.json")
    return tuple(places)


def _read_config(place: Path, *, must_exist: bool = False) -> DockerConfig:
    from renderer.adapters.registry.credentials import CONFIG_LIMIT, DockerConfig

    try:
        with place.open("rb") as file:
            return DockerConfig(str(place), file.read(CONFIG_LIMIT + 1))
    except OSError as error:
        expected = "a docker `config.json` with `auths`" if must_exist else "a file that may be read"
        raise _input("credentials-unreadable", f"`{place}`: {error.strerror}", str(place), expected) from error


def _contexts(ca: bytes | None, client_certificate: tuple[str, str] | None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the registry, and for other hosts, which do not see our certificate."""
    try:
        other = tls_context(ca, None)
    except ValueError as error:  # ssl.SSLError for nonsense is an OSError, below
        raise _input("ca-unreadable", f"the CA cannot be used: {error}", "CA", "certificates in PEM form") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror
        raise _input("ca-unreadable", f"the CA cannot be used: {reason}", "CA", "certificates in PEM form") from error
    if client_certificate is None:
        return other, other
    try:
        return tls_context(ca, client_certificate), other
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or "it cannot be read"
        names = " and ".join(f"`{name}`" for name in client_certificate)
        message = f"the client certificate of {names} cannot be used: {reason}"
        expected = "a certificate and its key without password, both in PEM form"
        raise _input("client-certificate", message, client_certificate[0], expected) from error


def _no_tls() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _input(code: str, message: str, subject: str, expected: str) -> InputError:
    return InputError(Finding(code=code, message=message, where=Where(subject=subject), expected=expected))
