"""`bundle.yaml`, what `sitewright bundle build` makes a bundle of (schemas/bundle-source.v1.json).

Reading it gives nouns and paths; the files behind the paths are read by the command. Paths count from the directory
of the document and stay inside the working tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from renderer.formats.bundle.artifact import IMAGE_INDEX, IMAGE_MANIFEST
from renderer.formats.bundle.discovery_source import DiscoverySource, read_discovery
from renderer.formats.bundle.document import parse_time, read_extension, read_platforms
from renderer.formats.bundle.remote_source import OCI, RemoteChart, RemoteImage, read_chart, read_images
from renderer.formats.bundle.source_file import Path, SourceFile
from renderer.formats.documents.document import Document, Faults, parse_document, validate
from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import (
    ComponentKind,
    Descriptor,
    Extension,
    dns_label,
    extension_name,
)
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.structs import Struct, replace

KIND: Final = "bundle-source"
_NO_VERSION: Final = Version(0, 0, 0)
_FORMS: Final = {
    "digest": "reference size mediaType platforms",
    "layout": "reference images",
    "archive": "reference images",
    "registry": "reference images insecure",
}
"""What tells the forms of an entry of `images` apart, and the other fields of each."""
T = TypeVar("T")


class SourceComponent(Struct, frozen=True, kw_only=True):
    """One component, before its files are read."""

    name: str
    kind: ComponentKind
    content: SourceFile | RemoteChart
    release: str
    namespace: str
    values: Mapping[str, Json]
    values_from: tuple[SourceFile, ...]
    values_schema: SourceFile | None


class SourceExtension(Struct, frozen=True, kw_only=True):
    """An extension described in the document; `extension` has no components yet."""

    extension: Extension
    components: tuple[SourceComponent, ...]
    at: Path


class SourcePackages(Struct, frozen=True, kw_only=True):
    """KubeSphere packages: a path, or a glob of paths."""

    packages: SourceFile


class DeclaredImage(Struct, frozen=True, kw_only=True):
    """An image that the document names by digest; the bundle vouches for it without carrying it."""

    image: BundleImage
    at: Path


class SourceLayout(Struct, frozen=True, kw_only=True):
    """All images of an OCI layout or a docker archive, which the bundle carries.

    With `reference` there is one image, and that is its name. With `images` only those of them are taken.
    """

    layout: SourceFile
    reference: ImageReference | None = None
    images: tuple[ImageReference, ...] = ()


SourceImage = DeclaredImage | SourceLayout | RemoteImage


class BundleSourceDocument(Struct, frozen=True, kw_only=True):
    """A whole bundle source. `created` is None when the document leaves it to SOURCE_DATE_EPOCH.

    `platforms` is empty when it leaves them to the command line.
    """

    document: Document
    name: str
    version: Version
    sequence: int
    created: datetime | None
    platforms: tuple[Platform, ...]
    extensions: tuple[SourceExtension | SourcePackages, ...]
    images: tuple[SourceImage, ...]
    discovery: DiscoverySource


def read_bundle_source(content: bytes, file: str, schema: Mapping[str, Json]) -> BundleSourceDocument:
    """Read a bundle source. `file` is its path from the root of the working tree.

    Raises InputError with every fault, each at its place.
    """
    document = parse_document(content, file)
    validate(document, schema, kind=KIND)
    reader = _Reader(document, file.rpartition("/")[0])
    root = Fields.of(document.value)
    metadata, spec = root.child("metadata"), root.child("spec")
    source = BundleSourceDocument(
        document=document,
        name=reader.value(lambda: metadata.parsed("name", extension_name), "unnamed"),
        version=reader.value(lambda: metadata.parsed("version", Version.parse_strict), _NO_VERSION),
        sequence=spec.integer("sequence"),
        created=reader.value(lambda: spec.optional("created", parse_time), None),
        platforms=read_platforms(spec, "platforms"),
        extensions=reader.extensions(spec),
        images=reader.images(spec),
        discovery=reader.value(lambda: read_discovery(spec.child("discovery"), reader.directory), DiscoverySource()),
    )
    reader.faults.raise_if_any()
    return source


class _Reader:
    """Reads the parts of one document and collects their faults."""

    def __init__(self, document: Document, directory: str) -> None:
        self.document = document
        self.directory = directory
        self.faults = Faults()

    def value(self, read: Callable[[], T], default: T) -> T:
        """What `read` gives, or `default` when it finds a fault."""
        with self.faults.at(self.document):
            return read()
        return default

    def extensions(self, spec: Fields) -> tuple[SourceExtension | SourcePackages, ...]:
        """Every entry of `extensions` that has no fault."""
        found: list[SourceExtension | SourcePackages] = []
        for fields in spec.children("extensions"):
            with self.faults.at(self.document):
                if one_of(fields, "name", "kubesphere") == "kubesphere":
                    found.append(SourcePackages(packages=self._file(fields, "kubesphere")))
                else:
                    found.append(self._extension(fields))
        return tuple(found)

    def images(self, spec: Fields) -> tuple[SourceImage, ...]:
        """Every entry of `images` that has no fault."""
        found: list[SourceImage] = []
        for fields in spec.children("images"):
            with self.faults.at(self.document):
                found += self._images(fields)
        return tuple(found)

    def _images(self, fields: Fields) -> Iterable[SourceImage]:
        key = one_of(fields, *_FORMS)
        also = _FORMS[key].split()
        for extra in fields.content:
            if extra != key and extra not in also:
                raise FieldError(fields.at(extra), f"`{extra}` does not go with `{key}`", code="invalid-value")
        if key == "registry":
            return tuple(read_images(fields))
        if key == "digest":
            return (DeclaredImage(image=_declared_image(fields), at=fields.path),)
        images = (
            fields.parse(text, tagged_reference, (*fields.at("images"), index))
            for index, text in enumerate(fields.texts("images"))
        )
        reference = fields.optional("reference", tagged_reference)
        return (SourceLayout(layout=self._file(fields, key), reference=reference, images=tuple(images)),)

    def _file(self, fields: Fields, key: str) -> SourceFile:
        return self._named(fields.text(key), fields.at(key))

    def _named(self, text: str, at: Path) -> SourceFile:
        return SourceFile.named(text, at, self.directory)

    def _extension(self, fields: Fields) -> SourceExtension:
        extension = read_extension(fields, Version.parse_strict)
        components = tuple(self._component(one, fields) for one in fields.children("components"))
        names = [component.name for component in components]
        for index, component in enumerate(names):
            if component in names[:index]:
                raise FieldError(
                    (*fields.at("components"), index, "name"),
                    f"the extension has two components named `{component}`",
                    code="duplicate-component",
                    got=f"`{component}`",
                )
        return SourceExtension(extension=extension, components=components, at=fields.path)

    def _component(self, fields: Fields, extension: Fields) -> SourceComponent:
        kind = ComponentKind(one_of(fields, *(kind.value for kind in ComponentKind)))
        name = fields.text("name")
        values_from = enumerate(fields.texts("valuesFrom"))
        return SourceComponent(
            name=name,
            kind=kind,
            content=self._content(fields, kind),
            release=fields.text("release", name),
            namespace=_namespace(fields, extension),
            values=fields.mapping("values"),
            values_from=tuple(self._named(text, (*fields.at("valuesFrom"), index)) for index, text in values_from),
            values_schema=self._file(fields, "valuesSchema") if "valuesSchema" in fields else None,
        )

    def _content(self, fields: Fields, kind: ComponentKind) -> SourceFile | RemoteChart:
        if kind is ComponentKind.HELM and fields.text("helm").startswith(OCI):
            return read_chart(fields, "helm")
        for misplaced in ("version", "digest", "insecure"):
            if misplaced in fields:
                message = f"`{misplaced}` belongs to a chart in a registry, `helm: {OCI}…`"
                raise FieldError(fields.at(misplaced), message, code="invalid-value")
        return self._file(fields, kind.value)


def one_of(fields: Fields, *keys: str) -> str:
    """The one of `keys` that is there. Raises FieldError when it is not exactly one."""
    found = [key for key in keys if key in fields]
    if len(found) != 1:
        raise FieldError(
            fields.path,
            "this must say exactly one of several things",
            code="invalid-value",
            expected=f"one of {', '.join(f'`{key}`' for key in keys)}",
            got=" and ".join(f"`{key}`" for key in found) or "none of them",
        )
    return found[0]


def _namespace(component: Fields, extension: Fields) -> str:
    """The component's namespace, else the extension's, else the extension's name."""
    for fields in (component, extension):
        if "namespace" in fields:
            return fields.parsed("namespace", dns_label)
    try:
        return dns_label(extension.text("name"))
    except ValueError as error:
        raise FieldError(
            extension.at("namespace"),
            "the extension's name cannot be a namespace, so `namespace` must be given",
            code="missing-field",
            expected="a DNS label",
        ) from error


def _declared_image(fields: Fields) -> BundleImage:
    media_type = fields.text("mediaType", IMAGE_INDEX)
    content = Descriptor(
        media_type=media_type, digest=fields.parsed("digest", Digest.parse), size=fields.integer("size")
    )
    platforms = fields.child("platforms")
    return BundleImage(
        reference=fields.parsed("reference", tagged_reference),
        content=content,
        platforms={
            platforms.parse(text, Platform.parse, platforms.at(text)): _manifest(platforms.child(text))
            for text in platforms.content
        },
    )


def _manifest(fields: Fields) -> Descriptor:
    return Descriptor(
        media_type=fields.text("mediaType", IMAGE_MANIFEST),
        digest=fields.parsed("digest", Digest.parse),
        size=fields.integer("size"),
    )


def tagged_reference(text: str) -> ImageReference:
    """A reference with a tag and without a digest, as manifests name images. Raises ValueError."""
    reference = ImageReference.parse(text)
    if reference.tag is None:
        raise ValueError(f"`{text}` has no tag; the digest is a field of its own")
    return replace(reference, digest=None)
