"""Where a bundle lies in a registry: `oci://host[:port]/repository[:tag|@digest]`. Tags are versions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from renderer.model.reference import Digest, ImageReference
from renderer.model.version import Constraint, Version
from renderer.structs import Struct, replace

SCHEME: Final = "oci://"


class BundleAddress(Struct, frozen=True, kw_only=True):
    """A repository, and in it one bundle by tag or by digest, or none in particular."""

    host: str
    repository: str
    tag: str | None = None
    digest: Digest | None = None

    def __post_init__(self) -> None:
        if self.tag is not None and self.digest is not None:
            raise ValueError("an address has a tag or a digest, not both")
        # the grammar of image references; a tag stands in where there is neither tag nor digest
        ImageReference(self.host, self.repository, self.tag or ("any" if self.digest is None else None), self.digest)

    @classmethod
    def parse(cls, text: str) -> BundleAddress:
        """Read `oci://host[:port]/repository[:tag|@digest]`. Raises ValueError."""
        if not text.startswith(SCHEME):
            raise ValueError(f"an address in a registry begins with `{SCHEME}`")
        host, slash, path = text.removeprefix(SCHEME).partition("/")
        if not slash or not path:
            raise ValueError("an address names a registry and a repository in it")
        rest, at, digest = path.partition("@")
        repository, colon, tag = rest.partition(":")
        if colon and not tag:
            raise ValueError("the tag behind `:` is empty")
        return cls(host=host, repository=repository, tag=tag or None, digest=Digest.parse(digest) if at else None)

    @property
    def reference(self) -> str | None:
        """The tag or digest as the registry is asked for it."""
        return str(self.digest) if self.digest else self.tag

    def at(self, reference: str | Digest) -> BundleAddress:
        """The same repository, and in it the bundle of a tag or digest."""
        if isinstance(reference, Digest):
            return replace(self, tag=None, digest=reference)
        return replace(self, tag=reference, digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{SCHEME}{self.host}/{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def is_address(text: str) -> bool:
    """True for what names a bundle in a registry and not a file."""
    return text.startswith(SCHEME)


def version_tag(version: Version) -> str:
    """The tag of a version. A tag has no `+`: build metadata stands behind `_`, as Helm does it."""
    return str(version).replace("+", "_")


def versions(tags: Iterable[str]) -> tuple[tuple[Version, str], ...]:
    """Those of the tags that are versions as semver 2.0 writes them, the newest first, each with its tag."""
    found = []
    for tag in tags:
        with suppress(ValueError):
            found.append((Version.parse_strict(tag.replace("_", "+")), tag))
    return tuple(sorted(found, reverse=True))


def newest(tags: Iterable[str], constraint: Constraint | None) -> str | None:
    """The tag with the newest version that `constraint` admits.

    Without a constraint any release is admitted, and no prerelease, as with `*`.
    """
    admitted = constraint or Constraint.parse("*")
    return next((tag for version, tag in versions(tags) if admitted.allows(version)), None)
