"""A bundle as OCI descriptors, and back.

The OCI image specification 1.1 (manifest.md, image-index.md, descriptor.md, annotations.md, image-layout.md) says
what the documents look like; FORMATS ("Bundle", "Signatures") what Sitewright puts in them. What is read here has
not been verified: everything is bounded, and nothing of it counts until `renderer.stages.verify` has spoken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.formats.trust.cosign import signature_tag
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import FieldError, Fields, Json, spell_path
from renderer.model.reference import Digest, Platform
from renderer.structs import Struct, field, replace

T = TypeVar("T")

BUNDLE_TYPE: Final = "application/vnd.sitewright.bundle.v1+json"
BUNDLE_CONFIG: Final = "application/vnd.sitewright.bundle.config.v1+json"
DELTA_TYPE: Final = "application/vnd.sitewright.delta.v1+json"
DELTA_CONFIG: Final = "application/vnd.sitewright.delta.config.v1+json"
CHART_LAYER: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
FILES_LAYER: Final = "application/vnd.sitewright.files.v1.tar+gzip"
IMAGE_INDEX: Final = "application/vnd.oci.image.index.v1+json"
IMAGE_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
INDEX_TYPES: Final = frozenset({IMAGE_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"})
MANIFEST_TYPES: Final = frozenset({IMAGE_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"})

REF_NAME: Final = "org.opencontainers.image.ref.name"
TITLE: Final = "org.opencontainers.image.title"
VERSION: Final = "org.opencontainers.image.version"
CREATED: Final = "org.opencontainers.image.created"
CARRIED: Final = "dev.sitewright.carried"
"""On an image's descriptor in `bundle.json`: `true` when the layout holds the image, not only its digest."""

LAYOUT_FILE: Final = b'{"imageLayoutVersion":"1.0.0"}'
INDEX_LIMIT: Final = 4 * 2**20
MANIFEST_LIMIT: Final = 4 * 2**20
CONFIG_LIMIT: Final = 32 * 2**20
_ENTRY_LIMIT: Final = 20_000

COPY_AGAIN: Final = "copy the bundle again from where it was published"
"""What helps against whatever is wrong with a bundle's bytes."""

ReadBlob = Callable[[Descriptor], bytes]
"""The checked bytes behind a descriptor; `BundleSource.blob` is one."""


class ImageManifest(Struct, frozen=True, kw_only=True):
    """An OCI image manifest."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None
    subject: Descriptor | None = None

    @property
    def type_of_referrer(self) -> str | None:
        """What a list of referrers calls it (distribution-spec 1.1): its own type, else that of its config."""
        config = self.config.media_type
        return self.artifact_type or (config if config != IMAGE_CONFIG else None)

    def content(self) -> bytes:
        """The manifest's bytes."""
        body: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": IMAGE_MANIFEST,
            "config": descriptor_json(self.config),
            "layers": [descriptor_json(layer) for layer in self.layers],
        }
        if self.artifact_type:
            body["artifactType"] = self.artifact_type
        if self.annotations:
            body["annotations"] = dict(self.annotations)
        if self.subject:
            body["subject"] = descriptor_json(self.subject)
        return canonical_json(body)


class IndexEntry(Struct, frozen=True, kw_only=True):
    """One entry of an image index (or of a layout's `index.json`)."""

    descriptor: Descriptor
    platform: Platform | None = None

    @property
    def name(self) -> str | None:
        """`org.opencontainers.image.ref.name`."""
        return self.descriptor.annotations.get(REF_NAME)


class ArtifactKind(Struct, frozen=True, kw_only=True):
    """What is signed: a bundle, or a delta between two. `made_by` is the command that makes one."""

    noun: str
    artifact_type: str
    config_type: str
    made_by: str


BUNDLE: Final = ArtifactKind(
    noun="bundle",
    artifact_type=BUNDLE_TYPE,
    config_type=BUNDLE_CONFIG,
    made_by="sitewright bundle build bundle.yaml -o DIR",
)
DELTA: Final = ArtifactKind(
    noun="delta",
    artifact_type=DELTA_TYPE,
    config_type=DELTA_CONFIG,
    made_by="sitewright bundle diff NEW --base OLD -o FILE.tar",
)


def describe(content: bytes, media_type: str, **annotations: str) -> Descriptor:
    """The descriptor of `content`; `title="x"` becomes the annotation `org.opencontainers.image.title`."""
    spelled = {f"org.opencontainers.image.{key}": value for key, value in annotations.items()}
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content), annotations=spelled)


def descriptor_json(descriptor: Descriptor) -> dict[str, Json]:
    """A descriptor as OCI spells it."""
    body: dict[str, Json] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.annotations:
        body["annotations"] = dict(descriptor.annotations)
    if descriptor.artifact_type:
        body["artifactType"] = descriptor.artifact_type
    return body


def read_descriptor(fields: Fields) -> Descriptor:
    """A descriptor out of a document. Raises FieldError."""
    size = fields.integer("size")
    if size < 0:
        raise FieldError(fields.at("size"), "a size cannot be negative", got=str(size))
    return Descriptor(
        media_type=fields.text("mediaType"),
        digest=fields.parsed("digest", Digest.parse),
        size=size,
        annotations=fields.text_map("annotations") if "annotations" in fields else {},
        artifact_type=fields.optional_text("artifactType"),
    )


def parse_index(
    content: bytes, where: Where, wanted: Callable[[Fields], bool] = lambda _: True
) -> tuple[IndexEntry, ...]:
    """The entries of an image index or of `index.json`; `wanted` picks those that are worth reading.

    Raises BundleRefusedError (`bundle-malformed`).
    """

    def read(document: Fields) -> tuple[IndexEntry, ...]:
        entries = document.children("manifests")
        if len(entries) > _ENTRY_LIMIT:
            raise FieldError(document.at("manifests"), f"more than {_ENTRY_LIMIT} manifests")
        return tuple(
            IndexEntry(descriptor=read_descriptor(entry), platform=_platform(entry))
            for entry in entries
            if wanted(entry)
        )

    return _read(content, INDEX_LIMIT, where, read)


def _platform(entry: Fields) -> Platform | None:
    if "platform" not in entry:
        return None
    return _stated_platform(entry.child("platform"))


def _stated_platform(stated: Fields) -> Platform:
    parts = (stated.text("os"), stated.text("architecture"), stated.text("variant", ""))
    return stated.parse("/".join(part for part in parts if part), Platform.parse, stated.path)


def index_content(entries: Iterable[Descriptor]) -> bytes:
    """The bytes of a layout's `index.json`."""
    return canonical_json(
        {"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [descriptor_json(entry) for entry in entries]}
    )


def parse_manifest(content: bytes, where: Where) -> ImageManifest:
    """An image manifest. Raises BundleRefusedError (`bundle-malformed`)."""

    def read(document: Fields) -> ImageManifest:
        return ImageManifest(
            config=read_descriptor(document.child("config")),
            layers=tuple(read_descriptor(layer) for layer in document.children("layers")),
            annotations=document.text_map("annotations"),
            artifact_type=document.optional_text("artifactType"),
            subject=read_descriptor(document.child("subject")) if "subject" in document else None,
        )

    return _read(content, MANIFEST_LIMIT, where, read)


def platform_of_config(content: bytes, where: Where) -> Platform:
    """The platform that an image's config names. Raises BundleRefusedError (`bundle-malformed`)."""
    return _read(content, CONFIG_LIMIT, where, _stated_platform)


def kind_of(index: bytes, location: str) -> ArtifactKind:
    """What `index.json` lists: a delta, or else (as far as one can see) a bundle. Raises BundleRefusedError."""
    where = Where(file=location, subject="index.json")
    delta = parse_index(index, where, lambda entry: entry.content.get("artifactType") == DELTA_TYPE)
    return DELTA if delta else BUNDLE


def find_bundle(index: bytes, location: str, kind: ArtifactKind = BUNDLE) -> Descriptor:
    """The manifest of the one bundle (or delta) that `index.json` lists, with its annotations.

    Raises BundleRefusedError: `bundle-malformed`, `bundle-not-found`, `bundle-ambiguous`, `delta-not-a-bundle`,
    `bundle-not-a-delta`.
    """
    where = Where(file=location, subject="index.json")
    found = parse_index(index, where, lambda entry: entry.content.get("artifactType") == kind.artifact_type)
    found = found or _signed_by_tag(index, where)
    if len(found) == 1:
        return found[0].descriptor
    if not found:
        other = DELTA if kind is BUNDLE else BUNDLE
        if parse_index(index, where, lambda entry: entry.content.get("artifactType") == other.artifact_type):
            raise BundleRefusedError(_other_kind(kind, location))
        raise BundleRefusedError(
            Finding(
                code="bundle-not-found",
                message=f"this OCI layout holds images or other artifacts, but no Sitewright {kind.noun}",
                where=where,
                expected=f"one manifest with artifactType `{kind.artifact_type}`",
                hint=kind.made_by,
            )
        )
    names = ", ".join(f"`{entry.name}`" for entry in found[:5])
    raise BundleRefusedError(
        Finding(
            code="bundle-ambiguous",
            message=f"this OCI layout holds {len(found)} {kind.noun}s, and nothing says which one is meant",
            where=where,
            expected=f"one {kind.noun} in a layout",
            got=names,
            hint=f"put each {kind.noun} in a layout of its own",
        )
    )


def _other_kind(kind: ArtifactKind, location: str) -> Finding:
    """A delta where a bundle is meant, or the other way round."""
    if kind is BUNDLE:
        return Finding(
            code="delta-not-a-bundle",
            message=f"`{location}` is a delta: it becomes a bundle where its base is",
            where=Where(file=location),
            expected="a bundle",
            got="a delta (`sitewright bundle inspect` says which base it needs)",
            hint=f"sitewright bundle apply {location} --base OLD -o NEW",
        )
    return Finding(
        code="bundle-not-a-delta",
        message=f"`{location}` is a whole bundle: there is nothing to put together",
        where=Where(file=location),
        expected="a delta, as `sitewright bundle diff` makes it",
        got="a bundle",
        hint=f"sitewright bundle verify {location}",
    )


def _signed_by_tag(index: bytes, where: Where) -> tuple[IndexEntry, ...]:
    """The entries that say nothing of what they are, and for which signatures lie under cosign's tag.

    So skopeo copies a bundle: it leaves the field `artifactType` out. What a manifest is it says itself, to whoever
    has verified it. Images may be signed, too; their names are longer than those of bundles.
    """
    entries = parse_index(index, where, lambda entry: "artifactType" not in entry)
    names = {entry.name for entry in entries}
    signed = [entry for entry in entries if signature_tag(entry.descriptor.digest) in names]
    return tuple(entry for entry in signed if len(signed) == 1 or "/" not in (entry.name or ""))


def bundle_manifest(
    config: Descriptor, layers: Iterable[Descriptor], *, name: str, version: str, created: str
) -> bytes:
    """The bytes of a bundle's manifest: the one thing that is signed. A layer that is used twice is listed once."""
    unique = {layer.digest: layer for layer in reversed(tuple(layers))}
    return ImageManifest(
        config=config,
        layers=tuple(reversed(unique.values())),
        annotations={TITLE: name, VERSION: version, CREATED: created},
        artifact_type=BUNDLE_TYPE,
    ).content()


_COPY_IT_AGAIN: Final = "copy it again from where it was published"


def _read(content: bytes, limit: int, where: Where, read: Callable[[Fields], T]) -> T:
    """Parse JSON and read it with `read`; every fault becomes one finding."""
    try:
        return read(Fields.of(parse_json(content, limit=limit)))
    except FieldError as error:
        place = replace(where, path=spell_path(error.path) or None)
        raise BundleRefusedError(
            replace(error.finding(), code="bundle-malformed", where=place, hint=_COPY_IT_AGAIN)
        ) from error
    except ValueError as error:
        raise malformed(where, str(error)) from error


def bounded(descriptor: Descriptor, limit: int, where: Where) -> None:
    """Refuse a descriptor of more than `limit` bytes. Raises BundleRefusedError (`bundle-malformed`)."""
    if descriptor.size > limit:
        raise malformed(where, f"`{descriptor.digest}` has {descriptor.size} bytes; {limit} are allowed here")


def malformed(where: Where, message: str) -> BundleRefusedError:
    """A document of a bundle that is not what its media type says."""
    return BundleRefusedError(Finding(code="bundle-malformed", message=message, where=where, hint=_COPY_IT_AGAIN))
