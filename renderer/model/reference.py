"""Names of content: digests, image references, platforms.

Grammar: distribution/reference (https://github.com/distribution/reference) for references, the OCI image
specification (descriptor.md, image-index.md) for digests and platforms.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from renderer.structs import Struct, replace

DEFAULT_REGISTRY: Final = "docker.io"
_HEX: Final = {"sha256": 64, "sha512": 128}
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_DOMAIN = re.compile(rf"(?:{_HOST}|\[[a-fA-F0-9:]+\])(?::[0-9]+)?\Z")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?\Z")
_NAME_LIMIT: Final = 255


class Digest(Struct, frozen=True, order=True):
    """A content digest, `sha256:<64 hex>` or `sha512:<128 hex>`, lower case."""

    algorithm: str
    hex: str

    def __post_init__(self) -> None:
        length = _HEX.get(self.algorithm)
        if length is None:
            raise ValueError(f"a digest must use sha256 or sha512, not `{self.algorithm}`")
        if len(self.hex) != length or re.fullmatch(r"[0-9a-f]+", self.hex) is None:
            raise ValueError(f"a {self.algorithm} digest must have {length} lower-case hexadecimal digits")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read `algorithm:hex`. Raises ValueError."""
        algorithm, separator, digits = text.partition(":")
        if not separator:
            raise ValueError("a digest must read `sha256:<64 hexadecimal digits>`")
        return cls(algorithm, digits)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """The SHA-256 digest of `content`."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


class Platform(Struct, frozen=True, order=True):
    """An OCI platform, `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64` or `linux/arm64/v8`. Raises ValueError."""
        if _PLATFORM.match(text) is None:
            raise ValueError("a platform must read `os/architecture[/variant]`, such as `linux/amd64`")
        return cls(*text.split("/"))

    def serves(self, wanted: Platform) -> bool:
        """True when an image for this platform runs where `wanted` is asked for.

        `linux/arm64` and `linux/arm64/v8` are the same platform (image-index.md, "variant").
        """
        mine, theirs = (p.variant or ("v8" if p.architecture == "arm64" else "") for p in (self, wanted))
        return (self.os, self.architecture) == (wanted.os, wanted.architecture) and mine == theirs

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class ImageReference(Struct, frozen=True, order=True):
    """A fully qualified image reference: registry, repository, and a tag, a digest or both.

    Short names are completed as the container runtimes do: `nginx` is `docker.io/library/nginx:latest` when it
    has neither tag nor digest. `index.docker.io` is `docker.io`.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if _DOMAIN.match(self.registry) is None:
            raise ValueError(f"`{self.registry}` is not a registry host")
        if _REPOSITORY.match(self.repository) is None:
            raise ValueError(f"`{self.repository}` is not a repository path (lower-case letters, digits and . _ - /)")
        if len(self.registry) + 1 + len(self.repository) > _NAME_LIMIT:
            raise ValueError(f"an image name has at most {_NAME_LIMIT} characters")
        if self.tag is not None and _TAG.match(self.tag) is None:
            raise ValueError(f"`{self.tag}` is not a tag")
        if self.tag is None and self.digest is None:
            raise ValueError("an image reference needs a tag or a digest")

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as a container runtime does. Raises ValueError with the broken rule."""
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        head, slash, tail = rest.partition("/")
        if slash and ("." in head or ":" in head or head == "localhost" or head != head.lower()):
            registry, path = head, tail
        else:
            registry, path = DEFAULT_REGISTRY, rest
        name, colon, tag = path.partition(":")
        if registry == "index.docker.io":
            registry = DEFAULT_REGISTRY
        if registry == DEFAULT_REGISTRY and name and "/" not in name:
            name = f"library/{name}"
        if colon and not tag:
            raise ValueError("the tag behind `:` is empty")
        return cls(registry, name, tag or (None if digest else "latest"), digest)

    @property
    def name(self) -> str:
        """`registry/repository`, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    def pinned(self, digest: Digest) -> ImageReference:
        """The same image, by digest: `registry/repository[:tag]@digest`."""
        return replace(self, digest=digest)

    def untagged(self) -> ImageReference:
        """`registry/repository@digest`. The reference must have a digest."""
        return replace(self, tag=None)

    def without_digest(self) -> ImageReference:
        """`registry/repository:tag`. The reference must have a tag."""
        return replace(self, digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"
