"""Registries for commands: address, trust, credentials, journal and progress, put together from options and profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli import directories
from renderer.cli.spec import Argument, Options
from renderer.cli.usage import misused, whole_number
from renderer.errors import Finding, UsageError, Where

if TYPE_CHECKING:
    from renderer.adapters.journal import FileJournal
    from renderer.adapters.registry.client import RegistryClient
    from renderer.model.bundles.address import BundleAddress
    from renderer.model.site import SiteRegistry
    from renderer.ports import BundleRepository, BundleSource, Progress, Registry

_CERTIFICATE: Final = (
    Argument(names=("--client-certificate",), help="a client certificate (PEM); needs --client-key", metavar="FILE"),
    Argument(names=("--client-key",), help="the key of --client-certificate", metavar="FILE"),
)
_ACCESS: Final = (
    *_CERTIFICATE,
    Argument(
        names=("--authfile",),
        help="a docker config.json with credentials (default: SITEWRIGHT_REGISTRY_USERNAME and _PASSWORD, then what "
        "docker, podman or skopeo login wrote, credential helpers included)",
        metavar="FILE",
    ),
)
_BLOBS: Final = Argument(names=("--jobs", "-j"), help="how many blobs travel at once (default: 4)", default="4")
REGISTRY_ARGUMENTS: Final = (
    Argument(
        names=("--registry",),
        help="the registry (default: the one of the profile); http:// is taken as meant here",
        metavar="URL",
        completes="nothing",
    ),
    Argument(names=("--ca",), help="trust this CA (PEM) instead of the one in the profile", metavar="FILE"),
    *_ACCESS,
    _BLOBS,
)
_CA: Final = Argument(names=("--ca",), help="trust this CA (PEM) instead of the system's", metavar="FILE")
SOURCES_ARGUMENTS: Final = (
    _CA,
    *_CERTIFICATE,
    Argument(
        names=("--authfile",),
        help="a docker config.json with credentials (default: what docker, podman or skopeo login wrote; and "
        "SITEWRIGHT_REGISTRY_USERNAME and _PASSWORD for the host in SITEWRIGHT_REGISTRY_HOST)",
        metavar="FILE",
    ),
    Argument(names=("--jobs", "-j"), help="how many images are asked for at once (default: 4)", default="4"),
)
"""For verbs whose input names registries of its own."""
READING_ARGUMENTS: Final = (
    _CA,
    *_ACCESS,
    Argument(names=("--plain-http",), help="speak to the registry without TLS", takes="none"),
)
"""For verbs that may name a bundle in a registry as `oci://…`."""
ADDRESS_ARGUMENTS: Final = (*READING_ARGUMENTS, _BLOBS)
"""For verbs that carry bundles to and from there."""
_JOBS: Final = range(1, 65)
_SECRETS: Final = ("SITEWRIGHT_REGISTRY_USERNAME", "SITEWRIGHT_REGISTRY_PASSWORD")


def open_registry(options: Options, site: SiteRegistry | None) -> RegistryClient:
    """The registry that `--registry` names, else the one of the site."""
    given = options.optional("registry")
    url = given or (site.url if site else None)
    if url is None:
        raise misused("a bundle does not say to which registry its images go", "--registry URL")
    insecure = url.startswith("http://") if given else site is not None and site.insecure
    return _opened(url, options, _authority(options.optional("ca"), site), insecure=insecure)


def open_address(address: BundleAddress, options: Options) -> RegistryClient:
    """The registry of an address that stands on the command line."""
    plain = options.flag("plain-http")
    url = f"{'http' if plain else 'https'}://{address.host}"
    return _opened(url, options, _authority(options.optional("ca"), None), insecure=plain)


def repository(address: BundleAddress, site: SiteRegistry, authfile: str | None = None) -> BundleRepository:
    """A repository that a profile takes bundles from; the CA of the site's registry counts for that registry only."""
    from renderer.adapters.content_cache import ContentCache
    from renderer.adapters.registry.opening import credential_source, open_registry
    from renderer.adapters.registry.repository_source import Repository

    own = site.host == address.host
    url = site.url if own else f"https://{address.host}"
    registry = open_registry(
        url,
        environ=os.environ,
        ca=site.ca if own else None,
        credentials=credential_source(url, os.environ if own else _environ_for_files(), authfile),
        insecure=own and site.insecure,
    )
    return Repository(registry, address, ContentCache(directories.cache() / "bundles"))


def address(text: str) -> BundleAddress:
    """An address in a registry as somebody typed it. Raises UsageError."""
    from renderer.model.bundles.address import BundleAddress

    try:
        return BundleAddress.parse(text)
    except ValueError as error:
        raise UsageError(
            Finding(
                code="usage",
                message=f"`{text}` is no address in a registry: {error}",
                where=Where(subject="command line"),
                expected="`oci://host[:port]/repository[:tag]`",
            )
        ) from None


def _environ_for_files() -> dict[str, str]:
    """The environment for registries that a file names: without a password that is said for no host in particular."""
    environ = dict(os.environ)
    if "SITEWRIGHT_REGISTRY_HOST" in environ:
        return environ
    return {name: value for name, value in environ.items() if name not in _SECRETS}


def with_reference(address: BundleAddress, registry: Registry) -> BundleAddress:
    """An address of the command line with a tag: that of the newest release, unless it has one, or a digest.

    Raises UsageError when there is no release.
    """
    from renderer.model.bundles.address import newest

    if address.reference is not None:
        return address
    tag = newest(registry.tags(address.repository), None)
    if tag is None:
        raise misused(f"`{address}` has no tag that is a release", f"{address}:TAG")
    return address.at(tag)


@contextmanager
def bundle_source(text: str, options: Options) -> Iterator[BundleSource]:
    """The bundle at a path of this machine, or at an address in a registry."""
    from renderer.adapters.layout import open_layout
    from renderer.model.bundles.address import is_address

    if not is_address(text):
        yield open_layout(Path(text), text)
        return
    from renderer.adapters.registry.repository_source import RepositorySource

    place = address(text)
    with open_address(place, options) as registry:
        yield RepositorySource(registry, with_reference(place, registry))


@contextmanager
def sources(options: Options) -> Iterator[Callable[[str], RegistryClient]]:
    """The registries that an input names, each opened when it is first asked for, all closed at the end.

    The user name and password of the environment are for the host in SITEWRIGHT_REGISTRY_HOST: without it they would
    be told to every registry that a file names.
    """
    environ = _environ_for_files()
    opened: dict[str, RegistryClient] = {}
    with ExitStack() as stack:

        def open_once(url: str) -> RegistryClient:
            if url not in opened:
                ca, insecure = _authority(options.optional("ca"), None), url.startswith("http://")
                opened[url] = stack.enter_context(_opened(url, options, ca, insecure=insecure, environ=environ))
            return opened[url]

        yield open_once


def _opened(
    url: str, options: Options, ca: bytes | None, *, insecure: bool, environ: Mapping[str, str] = os.environ
) -> RegistryClient:
    from renderer.adapters.registry.opening import credential_source, open_registry

    certificate, key = options.optional("client-certificate"), options.optional("client-key")
    if bool(certificate) != bool(key):
        raise misused("--client-certificate and --client-key belong together", "give both")
    return open_registry(
        url,
        environ=environ,
        ca=ca,
        client_certificate=(certificate, key) if certificate and key else None,
        credentials=credential_source(url, environ, options.optional("authfile")),
        insecure=insecure,
    )


def jobs(options: Options) -> int:
    """The number behind `--jobs`. Raises UsageError."""
    return whole_number(options, "jobs", _JOBS, "jobs")


def journal(location: str) -> FileJournal:
    """The journal of the registry at `location`, below XDG_STATE_HOME."""
    from renderer.adapters.journal import FileJournal

    return FileJournal(directories.state() / "registries", location)


def progress(options: Options) -> Progress:
    """A progress line on standard error, or nothing with `--quiet` or for programs."""
    from renderer.cli.progress import Silent, TransferProgress

    if options.flag("quiet") or options.text("format") != "text":
        return Silent()
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    width = os.get_terminal_size(sys.stderr.fileno()).columns if terminal else 100
    return TransferProgress(sys.stderr, terminal=terminal, width=width)


def _authority(path: str | None, site: SiteRegistry | None) -> bytes | None:
    if path is None:
        return site.ca if site else None
    with Path(path).open("rb") as stream:
        return stream.read(1024 * 1024)
