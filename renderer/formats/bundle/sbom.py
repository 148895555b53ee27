"""The bill of materials of a bundle: CycloneDX 1.6 as JSON (https://cyclonedx.org/docs/1.6/json/).

Equal bundles have equal bills: the serial number is made of the content, the time is the bundle's own. Image names are
package URLs of the type `oci` (https://github.com/package-url/purl-spec). The library is loaded only by who builds a
bundle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final
from uuid import NAMESPACE_URL, uuid5

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import TITLE, VERSION, ReadBlob, malformed
from renderer.formats.bundle.document import is_carried
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.bundles.bundle import Bundle, BundleImage
from renderer.model.bundles.extension import Component as Part
from renderer.model.bundles.extension import Descriptor, Extension
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.resolution import meets

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

SBOM_LAYER: Final = "application/vnd.cyclonedx+json"
SBOM_TITLE: Final = "sbom.cdx.json"
SBOM_LIMIT: Final = 64 * 2**20
_PREFIX: Final = "dev.sitewright"
_EXTENSION: Final = "extension:"
_IMAGE: Final = "image:"


def find_bill(layers: Iterable[Descriptor], where: Where) -> Descriptor:
    """The bill of materials among the layers of a bundle's manifest. Raises BundleRefusedError (`sbom-missing`)."""
    found = [one for one in layers if one.media_type == SBOM_LAYER]
    if len(found) != 1:
        raise BundleRefusedError(
            Finding(
                code="sbom-missing",
                message="this bundle has no bill of materials",
                where=where,
                expected=f"one layer of the type `{SBOM_LAYER}`",
                got=str(len(found)),
                hint="build it again with this version of Sitewright",
            )
        )
    return found[0]


def read_bill(bill: Descriptor, read: ReadBlob, where: Where) -> Json:
    """The document of a bill of materials. Raises BundleRefusedError (`bundle-malformed`)."""
    if bill.size > SBOM_LIMIT:
        raise malformed(where, f"its bill of materials has {bill.size} bytes; {SBOM_LIMIT} are allowed")
    try:
        return parse_json(read(bill), limit=SBOM_LIMIT)
    except ValueError as error:
        raise malformed(where, f"its bill of materials cannot be read: {error}") from error


def images_in_bill(document: Json, where: Where) -> Mapping[str, frozenset[str]]:
    """The images that each extension (`name version`) needs according to a bill that we made, as it spells them.

    Raises BundleRefusedError (`bundle-malformed`).
    """
    try:
        entries = Fields.of(document).children("dependencies")
        needs = {entry.text("ref"): entry.texts("dependsOn") for entry in entries if "dependsOn" in entry}
    except (FieldError, ValueError) as error:
        raise malformed(where, f"its bill of materials cannot be read: {error}") from error
    return {
        ref.removeprefix(_EXTENSION).replace("@", " ", 1): frozenset(
            one.removeprefix(_IMAGE) for one in below if one.startswith(_IMAGE)
        )
        for ref, below in needs.items()
        if ref.startswith(_EXTENSION)
    }


def bill_of_materials(bundle: Bundle, users: Mapping[ImageReference, Collection[str]]) -> bytes:
    """The bill of materials of `bundle`; `users` are the extensions (`name version`) that run each image.

    Equal arguments give equal bytes.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    whole = Component(
        type=ComponentType.APPLICATION,
        name=bundle.name,
        version=str(bundle.version),
        bom_ref=f"bundle:{bundle.name}@{bundle.version}",
        properties=[
            _property("sequence", str(bundle.sequence)),
            *(_property("platform", str(platform)) for platform in bundle.platforms),
        ],
    )
    extensions = {one.id: _extension(one) for one in bundle.extensions}
    parts = {one.id: [_part(part, one) for part in one.components] for one in bundle.extensions}
    images = {image.reference: _image(image) for image in bundle.images}
    leaves = [*(part for below in parts.values() for part in below), *images.values()]
    bill = Bom(
        metadata=BomMetaData(component=whole, timestamp=bundle.created), components=[*extensions.values(), *leaves]
    )
    used: set[ImageReference] = set()
    for extension in bundle.extensions:
        named = [one for one in images if one in extension.images or extension.id in users.get(one, ())]
        used.update(named)
        needed = [extensions[one.id] for one in _required(extension, bundle.extensions)]
        below = [*parts[extension.id], *(images[one] for one in named), *needed]
        bill.register_dependency(extensions[extension.id], below)
    bill.register_dependency(whole, [*extensions.values(), *(images[one] for one in images if one not in used)])
    for leaf in leaves:
        bill.register_dependency(leaf)
    return _named_after_content(JsonV1Dot6(bill).output_as_string())


def _named_after_content(text: str) -> bytes:
    """The document with a serial number that is made of everything else in it."""
    document = parse_json(text.encode(), limit=SBOM_LIMIT)
    if not isinstance(document, dict):
        raise TypeError("a bill of materials is a mapping")
    del document["serialNumber"]
    document["serialNumber"] = uuid5(NAMESPACE_URL, str(Digest.of(canonical_json(document)))).urn
    return canonical_json(document)


def _extension(extension: Extension) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.APPLICATION,
        name=extension.name,
        version=str(extension.version),
        description=extension.descriptions.get("en"),
        bom_ref=f"{_EXTENSION}{extension.name}@{extension.version}",
        properties=[_property("kind", "extension")],
    )


def _part(part: Part, extension: Extension) -> Component:
    """A chart under its own name and version, an archive of files under the name of the component."""
    from cyclonedx.model.component import Component, ComponentType

    title = part.content.annotations.get(TITLE, "")
    version = part.content.annotations.get(VERSION)
    return Component(
        type=ComponentType.APPLICATION if version else ComponentType.FILE,
        name=title.removesuffix(f"-{version}.tgz") if version else part.name,
        version=version,
        bom_ref=f"component:{extension.name}@{extension.version}/{part.name}",
        hashes=[_hash(part.content)],
        properties=[
            _property("kind", part.kind.value),
            _property("component", part.name),
            _property("mediaType", part.content.media_type),
        ],
    )


def _image(image: BundleImage) -> Component:
    """An image with its manifest for each platform below it."""
    from cyclonedx.model.component import Component, ComponentType

    carried = is_carried(image)
    alone = [platform for platform, one in image.platforms.items() if one.digest == image.digest]
    below = [
        Component(
            type=ComponentType.CONTAINER,
            name=image.reference.name,
            version=image.reference.tag,
            bom_ref=f"{_IMAGE}{image.reference}#{platform}",
            purl=_purl(image, one, platform),
            hashes=[_hash(one)],
            properties=[_property("platform", str(platform))],
        )
        for platform, one in image.platforms.items()
        if one.digest != image.digest
    ]
    return Component(
        type=ComponentType.CONTAINER,
        name=image.reference.name,
        version=image.reference.tag,
        bom_ref=f"{_IMAGE}{image.reference}",
        purl=_purl(image, image.content, alone[0] if alone else None),
        hashes=[_hash(image.content)],
        properties=[_property("carried", "true" if carried else "false"), *_about(image, alone)],
        components=below,
    )


def _about(image: BundleImage, alone: Iterable[Platform]) -> Iterator[Property]:
    yield from (_property("platform", str(platform)) for platform in alone)
    yield from (_property("omitted", str(platform)) for platform in image.omitted)
    yield from (_property("referrer", str(referrer.content.digest)) for referrer in image.referrers)


def _required(extension: Extension, offered: Iterable[Extension]) -> Iterator[Extension]:
    """The extensions of the bundle that satisfy a requirement of this one."""
    for other in offered:
        if other is not extension and any(meets(other, one) for one in extension.requires):
            yield other


def _purl(image: BundleImage, content: Descriptor, platform: Platform | None) -> PackageURL:
    from packageurl import PackageURL

    qualifiers = {"repository_url": image.reference.name, "tag": image.reference.tag or ""}
    if platform is not None:
        qualifiers["arch"] = platform.architecture
    name = image.reference.repository.rpartition("/")[2]
    return PackageURL(type="oci", name=name, version=str(content.digest), qualifiers=qualifiers)


def _hash(content: Descriptor) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    algorithms = {"sha256": HashAlgorithm.SHA_256, "sha512": HashAlgorithm.SHA_512}
    return HashType(alg=algorithms[content.digest.algorithm], content=content.digest.hex)


def _property(name: str, value: str) -> Property:
    from cyclonedx.model import Property

    return Property(name=f"{_PREFIX}:{name}", value=value)
