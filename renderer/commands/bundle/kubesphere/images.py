"""Where the images of KubeSphere packages come from: layouts and archives at hand, one registry, or upstream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from renderer.commands.bundle.building.faults import FaultsOfParts
from renderer.commands.bundle.building.image_reader import FoundImage
from renderer.commands.bundle.building.images import no_images
from renderer.commands.bundle.building.places import LayoutPlace, name_in_layout
from renderer.commands.bundle.discovery.advice import tagged
from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.documents.wording import some
from renderer.model.bundles.extension import Descriptor
from renderer.model.fields import Json
from renderer.model.images.discovery import ImageRecord, Standing
from renderer.model.reference import ImageReference
from renderer.ports import Files
from renderer.structs import Struct, replace

Entry = Mapping[str, Json]
"""One entry of `spec.images` of a bundle source."""


class ImageSources(Struct, frozen=True, kw_only=True):
    """What a person has at hand.

    `files` are OCI layouts and archives, by their paths from the root of the working tree. `registry` is an address
    (`https://host[/path]`) below which images lie under their own paths; with `upstream` each is taken from the
    registry that it is named after. With `carried` false a bundle gets digests only.
    """

    files: tuple[str, ...] = ()
    registry: str | None = None
    upstream: bool = False
    carried: bool = True

    @property
    def none(self) -> bool:
        """True when there is nothing to take images from."""
        return not (self.files or self.registry or self.upstream)


class Store(Struct, frozen=True):
    """One layout or archive, and the images in it."""

    path: str
    images: frozenset[ImageReference]


def open_stores(sources: ImageSources, files: Files) -> tuple[Store, ...]:
    """The layouts and archives at hand. Raises InputError."""
    faults = FaultsOfParts()
    stores = []
    for path in sources.files:
        where = Where(file=path)
        with faults.of_part():
            try:
                place = LayoutPlace(files.source(path))
            except InputError as error:
                raise InputError(*map(no_images, error.findings)) from error
            stores.append(Store(path, frozenset(name_in_layout(one, path, where) for one in place.images())))
    faults.raise_if_any()
    return tuple(stores)


def source_name(record: ImageRecord) -> str:
    """What a bundle source calls an image: with a tag, and the digest that an object asks for behind it."""
    reference = record.reference
    return str(replace(tagged(reference), digest=record.other or reference.digest))


def needed(records: Iterable[ImageRecord]) -> tuple[str, ...]:
    """The images that a bundle of packages needs: what objects name, and what is declared."""
    return tuple(source_name(one) for one in records if one.standing in (Standing.MISSING, Standing.UNTAKEN))


def remarks(records: Iterable[ImageRecord]) -> dict[str, str]:
    """What a person who edits the list wants to know of each image: who needs it, and who knows of it."""
    return {source_name(one): _remark(one) for one in records}


def _remark(record: ImageRecord) -> str:
    users = dict.fromkeys(place.extension for place in record.seen if not place.dropped)
    users |= dict.fromkeys(by.extension for by in record.declared if by.extension)
    what = "" if record.needed and record.declared else "; not declared" if record.needed else "; in no object"
    return ", ".join(users) + what


def entries(
    wanted: Iterable[str], sources: ImageSources, stores: Iterable[Store], *, everything: bool
) -> tuple[Entry, ...]:
    """The entries that bring `wanted`; with `everything` all that the layouts hold, and not only what is wanted."""
    rest = {ImageReference.parse(text).without_digest(): text for text in wanted}
    found: list[Entry] = []
    for store in stores:
        held = [str(reference) for reference in rest if reference in store.images]
        if everything:
            found.append({"layout": store.path})
        elif held:
            found.append({"layout": store.path, "images": [*held]})
        for text in held:
            del rest[ImageReference.parse(text)]
    if sources.registry is not None:
        found += [{"registry": sources.registry, "images": [*rest.values()]}] if rest else []
    elif sources.upstream:
        found += _upstream(rest)
    return tuple(found)


def _upstream(wanted: Mapping[ImageReference, str]) -> Iterator[Entry]:
    """Each image from the registry that it is named after."""
    hosts: dict[str, list[Json]] = {}
    for reference, text in wanted.items():
        hosts.setdefault(reference.registry, []).append(text)
    for host, images in sorted(hosts.items()):
        yield {"registry": f"https://{host}", "images": images}


def by_digest(images: Iterable[FoundImage]) -> tuple[Entry, ...]:
    """Entries that vouch for images without carrying them."""
    return tuple(_named(one) for one in images)


def _named(found: FoundImage) -> Entry:
    image = found.image
    platforms: dict[str, Json] = {
        str(platform): _described(content) for platform, content in sorted(image.platforms.items())
    }
    return {"reference": str(image.reference), **_described(image.content), "platforms": platforms}


def _described(content: Descriptor) -> dict[str, Json]:
    return {"mediaType": content.media_type, "digest": str(content.digest), "size": content.size}


def untouched(stores: Iterable[Store], taken: Iterable[str]) -> Iterator[Finding]:
    """Images of the layouts that no bundle took."""
    known = {ImageReference.parse(text).without_digest() for text in taken}
    for store in stores:
        left = sorted(str(reference) for reference in store.images - known)
        if left:
            yield Finding(
                code="image-unused",
                message=f"no bundle took {len(left)} of the {len(store.images)} images of `{store.path}`",
                where=Where(file=store.path),
                severity=Severity.NOTE,
                explanation=some([f"`{text}`" for text in left]),
            )


def no_sources(wanted: Iterable[str]) -> InputError:
    """What is said when images are needed and nothing says where they are."""
    texts = tuple(wanted)
    return InputError(
        Finding(
            code="images-missing",
            message=f"these packages need {len(texts)} images, and nothing says where to take them from",
            where=Where(subject="--images"),
            expected="an OCI layout or archive, the address of a registry that has them, or `upstream`",
            explanation=tuple(f"`{text}`" for text in texts),
            hint="--images https://REGISTRY/PATH, or --source-only to have the list in a bundle.yaml that you edit",
        )
    )
