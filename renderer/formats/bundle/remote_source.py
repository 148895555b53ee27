"""What a bundle source takes out of registries: images and charts.

`oci://host[:port]/repository[:tag][@digest]` names one thing, as Helm spells it. An address such as
`https://mirror.example/hub` names a registry, or a part of one, that holds many images under their own names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from renderer.formats.bundle.source_file import Path
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import DEFAULT_REGISTRY, Digest, ImageReference
from renderer.structs import Struct, replace

__all__ = ["OCI", "RemoteChart", "RemoteImage", "RemoteName", "read_chart", "read_images"]

OCI: Final = "oci://"
_HUB: Final = "registry-1.docker.io"


class RemoteName(Struct, frozen=True, kw_only=True):
    """A manifest in a registry: by tag, by digest, or by both, and then the digest decides.

    `url` is the registry's address, `at` the field of the document that names it all.
    """

    url: str
    repository: str
    tag: str | None
    digest: Digest | None
    at: Path

    @property
    def asked(self) -> str:
        """What the registry is asked for."""
        return str(self.digest or self.tag)

    @property
    def for_skopeo(self) -> str:
        """The name as skopeo takes it, which is one of tag and digest only."""
        name = f"docker://{self.url.partition('://')[2]}/{self.repository}"
        return f"{name}@{self.digest}" if self.digest else f"{name}:{self.tag}"

    def __str__(self) -> str:
        tag, digest = f":{self.tag}" if self.tag else "", f"@{self.digest}" if self.digest else ""
        return f"{OCI}{self.url.partition('://')[2]}/{self.repository}{tag}{digest}"


class RemoteImage(Struct, frozen=True, kw_only=True):
    """An image that the bundle carries under the name `reference` (with its tag), and where it is taken from."""

    reference: ImageReference
    source: RemoteName


class RemoteChart(Struct, frozen=True, kw_only=True):
    """A Helm chart in a registry. Without a digest it is whatever the tag of its version stands for."""

    source: RemoteName
    version: str | None


def read_images(fields: Fields) -> Iterator[RemoteImage]:
    """The images of one entry of `images` with the key `registry`. Raises FieldError."""
    text = _without_password(fields, "registry")
    if text.startswith(OCI):
        if "images" in fields:
            raise FieldError(fields.at("images"), f"`{text}` names one image already", code="invalid-value")
        yield _one_image(fields, text)
        return
    if "images" not in fields:
        expected = f"`images`, the names of images below `{text}`; or `{OCI}host/repository:tag`"
        raise FieldError(fields.path, "nothing says which images are meant", code="missing-field", expected=expected)
    for misplaced in ("reference", "insecure"):
        if misplaced in fields:
            message = f"`{misplaced}` belongs to one image, `registry: {OCI}…`"
            raise FieldError(fields.at(misplaced), message, code="invalid-value")
    url, prefix = fields.parsed("registry", _address)
    for index, name in enumerate(fields.texts("images")):
        at = (*fields.at("images"), index)
        found = fields.parse(name, ImageReference.parse, at)
        if found.tag is None:
            raise FieldError(at, "an image is named by its tag; a digest may follow it", code="invalid-value", got=name)
        place = f"{prefix}{found.repository}"
        source = RemoteName(url=_hub(url), repository=place, tag=found.tag, digest=found.digest, at=at)
        yield RemoteImage(reference=replace(found, digest=None), source=source)


def read_chart(fields: Fields, key: str) -> RemoteChart:
    """A component's chart in a registry: `oci://host/repository`, `version`, `digest`. Raises FieldError."""
    text, at = _without_password(fields, key), fields.at(key)
    version = fields.optional_text("version")
    digest = fields.optional("digest", Digest.parse)
    if version is None and digest is None:
        expected = "`version`, `digest`, or best both"
        raise FieldError(
            at, "nothing says which version of the chart is meant", code="missing-field", expected=expected
        )
    if "@" in text or ":" in text.rpartition("/")[2]:
        message = "the version of a chart is not part of its name"
        raise FieldError(at, message, code="invalid-value", expected=f"`{OCI}host/repository`, and `version`", got=text)
    # Helm writes `+` as `_`: a tag may not have it (helm.sh/docs/topics/registries)
    tag = f":{version.replace('+', '_')}" if version else ""
    name = fields.parse(f"{text}{tag}{f'@{digest}' if digest else ''}", _oci, at)
    return RemoteChart(source=_source(name, fields, at), version=version)


def _one_image(fields: Fields, text: str) -> RemoteImage:
    name = fields.parsed("registry", _oci)
    if "reference" in fields:
        reference = fields.parsed("reference", ImageReference.parse)
    elif name.tag is None:
        message = "an image is named by its tag, and this has none"
        raise FieldError(
            fields.at("registry"), message, code="invalid-value", expected="a tag, or `reference`", got=text
        )
    else:
        reference = name
    if reference.tag is None:
        message = "an image is named by its tag; the digest belongs to `registry`"
        raise FieldError(fields.at("reference"), message, code="invalid-value", got=str(reference))
    source = _source(name, fields, fields.at("registry"))
    return RemoteImage(reference=replace(reference, digest=None), source=source)


def _without_password(fields: Fields, key: str) -> str:
    """A name that holds no user and password; it is not repeated when it does."""
    text = fields.text(key)
    if "@" in text.partition("://")[2].partition("/")[0]:
        message = f"`{key}` holds a user name or a password, and a source is read by many"
        hint = "docker login HOST, or --authfile"
        raise FieldError(fields.at(key), message, code="invalid-value", expected="a name without them", hint=hint)
    return text


def _oci(text: str) -> ImageReference:
    """`oci://host[:port]/repository[:tag][@digest]`. Raises ValueError."""
    rest = text.removeprefix(OCI)
    host, _, path = rest.partition("/")
    found = ImageReference.parse(rest)
    if not text.startswith(OCI) or host not in (found.registry, "index.docker.io"):
        raise ValueError(f"`{text}` must begin with `{OCI}` and the host of a registry")
    if ":" not in path and found.digest is None:
        raise ValueError(f"`{text}` has neither a tag nor a digest")
    return found


def _address(text: str) -> tuple[str, str]:
    """`https://host[:port][/path]` as the registry's own address, and the path with a slash at its end."""
    parts = urlsplit(text.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"`{text}` is neither `{OCI}…` nor the `https://` address of a registry")
    prefix = parts.path.strip("/")
    ImageReference(parts.netloc, prefix or "x", "x")
    return f"{parts.scheme}://{parts.netloc}", f"{prefix}/" if prefix else ""


def _source(name: ImageReference, fields: Fields, at: Path) -> RemoteName:
    scheme = "http" if fields.flag("insecure", default=False) else "https"
    url = _hub(f"{scheme}://{name.registry}")
    return RemoteName(url=url, repository=name.repository, tag=name.tag, digest=name.digest, at=at)


def _hub(url: str) -> str:
    """Docker Hub is named after another host than the one that serves it."""
    return f"https://{_HUB}" if url == f"https://{DEFAULT_REGISTRY}" else url
