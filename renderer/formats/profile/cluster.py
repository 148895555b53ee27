"""The sections `cluster`, `registry` and `gitops` of a profile."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from renderer.formats.documents.document import Path
from renderer.formats.documents.named_files import inside_repository
from renderer.formats.profile.fields import Reading
from renderer.model.bundles.extension import ClusterRole, dns_label
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.site import (
    Cluster,
    Distribution,
    Fallback,
    GitOps,
    GitOpsAgent,
    ImagesMode,
    IndexesMode,
    Runtime,
    SecretReference,
    SiteRegistry,
)
from renderer.model.trees.tree import RelativePath
from renderer.model.version import Version

__all__ = ["read_cluster", "read_gitops", "read_registry"]

_CA_LIMIT: Final = 256 * 1024
_NO_VERSION: Final = Version(0, 0, 0)
_PORT_LIMIT: Final = 65535
# What git check-ref-format(1) allows in the name of a branch.
_BRANCH: Final = re.compile(r"(?![-./])[^\x00-\x20~^:?*\[\\\x7f]+(?<![./])\Z")
_NOT_IN_BRANCH: Final = re.compile(r"\.\.|//|@\{|/\.|\.lock(?:/|\Z)")


def read_cluster(reading: Reading, fields: Fields, site: str) -> Cluster:
    """`spec.cluster`. Without a name, a host cluster is `host`, as KubeSphere calls it, and a member like its site."""
    runtime = reading.noun(fields, "runtime", Runtime, Runtime.CONTAINERD)
    role = reading.noun(fields, "role", ClusterRole, ClusterRole.HOST)
    return Cluster(
        kubernetes=reading.noun(fields, "kubernetesVersion", Version.parse_strict, _NO_VERSION, required=True),
        distribution=reading.noun(fields, "distribution", Distribution, Distribution.OTHER, required=True),
        runtime=runtime,
        runtime_version=_runtime_version(reading, fields, runtime),
        platforms=_platforms(reading, fields),
        api_versions=reading.texts(fields, "apiVersions"),
        role=role,
        name=reading.noun(fields, "name", dns_label, "host" if role is ClusterRole.HOST else site),
        storage_classes=reading.texts(reading.child(fields, "capacity"), "storageClasses"),
    )


def _runtime_version(reading: Reading, fields: Fields, runtime: Runtime) -> Version | None:
    version = reading.optional(fields, "containerdVersion", Version.parse)
    if version is not None and runtime is not Runtime.CONTAINERD:
        reading.fault(
            FieldError(
                fields.at("containerdVersion"),
                f"`containerdVersion` says nothing about `runtime: {runtime.value}`",
                expected="`runtime: containerd`, or no `containerdVersion`",
            )
        )
    return version


def _platforms(reading: Reading, fields: Fields) -> tuple[Platform, ...]:
    found = []
    for index, text in enumerate(reading.texts(fields, "platforms")):
        at: Path = (*fields.at("platforms"), index)
        with reading.guard(at):
            found.append(fields.parse(text, Platform.parse, at))
    return tuple(found) or (Platform("linux", "amd64"),)


# --- registry ------------------------------------------------------------------------------------------------------


def read_registry(reading: Reading, fields: Fields) -> SiteRegistry | None:
    """`spec.registry`; None when it could not be read."""
    insecure = reading.flag(fields, "insecure")
    projects = reading.text_map(fields, "projects")
    for source, project in projects.items():
        _check_project(reading, (*fields.at("projects"), source), source, project)
    ca_file, ca = _ca(reading, fields)
    images = reading.noun(fields, "images", ImagesMode, ImagesMode.MIRROR)
    fallback = reading.noun(fields, "fallback", Fallback, Fallback.NEVER)
    credentials = _credentials(reading, fields)
    indexes = reading.noun(fields, "indexes", IndexesMode, IndexesMode.WHOLE)
    with reading.guard(fields.at("url")):
        url = fields.text("url")
        try:
            registry = SiteRegistry(
                url=url,
                projects=projects,
                images=images,
                fallback=fallback,
                insecure=insecure,
                ca=ca,
                ca_file=ca_file,
                credentials=credentials,
                indexes=indexes,
            )
            _check_host(registry.host)
        except ValueError as error:
            # Neither the message nor what was found may repeat a password.
            shown = _without_user(url)
            raise FieldError(
                fields.at("url"),
                str(error).replace(url, shown),
                expected="`https://host[:port]`",
                got=f"`{shown}`",
            ) from error
        return registry
    return None


def _check_host(host: str) -> None:
    """Refuse a host that cannot stand in an image reference, and a port that is none. Raises ValueError."""
    ImageReference(host, "library/image", "tag")
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else "1"
    if not 1 <= int(port) <= _PORT_LIMIT:
        raise ValueError(f"a port is a number from 1 to {_PORT_LIMIT}")


def _without_user(url: str) -> str:
    """The URL without what stands before `@`."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else url.rpartition("@")[2]


def _check_project(reading: Reading, at: Path, source: str, project: str) -> None:
    with reading.guard(at):
        try:
            ImageReference("registry.invalid" if source == "*" else source, project, "tag")
        except ValueError as error:
            raise FieldError(
                at,
                str(error),
                expected="a registry host or `*`, and a project such as `dockerhub`",
                got=f"`{source}: {project}`",
            ) from error


def _ca(reading: Reading, fields: Fields) -> tuple[str | None, bytes | None]:
    """The PEM file of a CA certificate: its path and its content."""
    at = fields.at("ca")
    with reading.guard(at):
        text = fields.optional_text("ca")
        if text is None:
            return None, None
        content = reading.files.content(text, at, _CA_LIMIT)
        if b"PRIVATE KEY-----" in content:
            raise FieldError(
                at,
                f"`{text}` holds a private key; it does not belong into a repository",
                code="secret-in-profile",
                expected="the certificate of the CA only",
                hint=f"openssl x509 -in {text} -out ca.crt",
            )
        if b"-----BEGIN CERTIFICATE-----" not in content:
            raise FieldError(
                at,
                f"`{text}` is no PEM file of a certificate",
                code="not-a-certificate",
                expected="`-----BEGIN CERTIFICATE-----`",
                hint=f"openssl x509 -inform der -in {text} -out ca.crt",
            )
        reading.contents[at] = str(Digest.of(content))
        return reading.files.resolve(text, at), content
    return None, None


def _credentials(reading: Reading, fields: Fields) -> SecretReference | None:
    with reading.guard(fields.at("credentials")):
        if "credentials" in fields:
            reference = fields.child("credentials").child("secretRef")
            return SecretReference(name=reference.text("name"), namespace=reference.parsed("namespace", dns_label))
    return None


# --- gitops --------------------------------------------------------------------------------------------------------


def read_gitops(reading: Reading, fields: Fields) -> GitOps:
    """`spec.gitops`."""
    return GitOps(
        agent=reading.noun(fields, "agent", GitOpsAgent, GitOpsAgent.ARGOCD, required=True),
        repository=_repository(reading, fields),
        branch=reading.noun(fields, "branch", _branch, "main"),
        path=reading.noun(fields, "path", _directory, ""),
    )


def _repository(reading: Reading, fields: Fields) -> str:
    at = fields.at("repository")
    with reading.guard(at):
        text = fields.text("repository")
        try:
            password = urlsplit(text).password
        except ValueError:
            password, text = None, ""
        if password is not None:
            raise FieldError(
                at,
                "a repository URL must not carry a password",
                code="secret-in-profile",
                expected=f"`{_without_user(text)}`",
                hint="give the agent its credentials in a Secret of the cluster",
            )
        if not text or text.startswith("-") or any(char.isspace() for char in text):
            raise FieldError(at, "this is no URL of a git repository", expected="`ssh://git@host/path.git`")
        return text
    return ""


def _branch(text: str) -> str:
    if _BRANCH.match(text) is None or _NOT_IN_BRANCH.search(text):
        raise ValueError("this is no name of a git branch (git check-ref-format --branch)")
    return text


def _directory(text: str) -> str:
    path = inside_repository(text)
    return RelativePath(path).text if path else ""
