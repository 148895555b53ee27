"""What hangs from a bundle: extensions, their components, requirements and images, and what each of them weighs.

Blobs that several share are counted once, wherever sizes are added up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from renderer.errors import Where
from renderer.formats.bundle.artifact import parse_manifest
from renderer.formats.bundle.closure import closure
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.parts import BundleParts
from renderer.formats.bundle.sbom import SBOM_LAYER, images_in_bill, read_bill
from renderer.formats.documents.wording import size
from renderer.model.bundles.bundle import Bundle, BundleImage
from renderer.model.bundles.extension import Component, Descriptor, Extension, Requirement
from renderer.model.fields import Json
from renderer.model.reference import Digest, Platform
from renderer.model.resolution import meets
from renderer.ports import BundleSource
from renderer.structs import Struct, field, replace

_WIDEST: Final = 64
"""Columns of a label beyond which the others do not follow it."""
_LEGEND: Final = "size: all that it needs, each blob once; own: what no other extension, component or image needs"
Weights = Mapping[Digest, int]
"""Blobs by their sizes in bytes."""


class Node(Struct, frozen=True, kw_only=True):
    """One line of the tree.

    `blobs` is all that it needs, None where it holds nothing; `own` are the bytes of it that no other of its kind in
    the bundle needs. `note` stands behind the sizes; `facts` are what a program reads.
    """

    label: str
    blobs: Weights | None = None
    own: int = 0
    note: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict)
    below: tuple[Node, ...] = ()

    @property
    def weight(self) -> int:
        """Bytes of all that it needs."""
        return sum((self.blobs or {}).values())


def grow(bundle: Bundle, parts: BundleParts, source: BundleSource) -> Node:
    """The tree of a bundle in `source`. Reads the bill of materials and the manifests of images.

    The bill says which images an extension needs; without one it is what the extension declares. Raises
    BundleRefusedError for what cannot be read.
    """
    where = Where(file=source.location, subject=f"manifest {parts.manifest.digest}")
    manifest = parse_manifest(parts.manifest_bytes, where)
    bill = next((one for one in manifest.layers if one.media_type == SBOM_LAYER), None)
    needed = images_in_bill(read_bill(bill, source.blob, where), where) if bill else {}
    grown = _Growing(bundle, needed, source)
    about = [parts.manifest, manifest.config, *([bill] if bill else [])]
    return grown.whole({one.digest: one.size for one in about})


class _Growing:
    """Nodes of one bundle. `needed` are images by extension, as the bill of materials spells both."""

    def __init__(self, bundle: Bundle, needed: Mapping[str, frozenset[str]], source: BundleSource) -> None:
        self._bundle = bundle
        self._source = source
        self._needed = needed
        self._weights = {image.reference: self._weigh(image) for image in bundle.images}
        parts = ({one.content.digest} for extension in bundle.extensions for one in extension.components)
        self._users = Counter(digest for blobs in (*self._weights.values(), *parts) for digest in blobs)

    def whole(self, about: Weights) -> Node:
        """The root; `about` are the blobs that describe the bundle."""
        images = {one.id: self._images_of(one) for one in self._bundle.extensions}
        used = {image.reference for found in images.values() for image in found}
        rest = tuple(self._image(one) for one in self._bundle.images if one.reference not in used)
        extensions = [self._extension(one, images[one.id]) for one in self._bundle.extensions]
        others = [Node(label="images that no extension names", blobs=_together(rest), below=rest)] if rest else []
        note = "manifest, bundle.json, bill of materials"
        description = Node(label="description", blobs=about, note=note, facts={"size": sum(about.values())})
        nodes = _with_own([*extensions, *others, description])
        return Node(label=f"{self._bundle.name} {self._bundle.version}", blobs=_together(nodes), below=nodes)

    def _images_of(self, extension: Extension) -> list[BundleImage]:
        named = self._needed.get(extension.id)
        if named is None:
            return [image for image in self._bundle.images if image.reference in extension.images]
        return [image for image in self._bundle.images if str(image.reference) in named]

    def _extension(self, extension: Extension, images: Sequence[BundleImage]) -> Node:
        below = (
            *(self._component(one) for one in extension.components),
            *(self._requirement(one) for one in extension.requires),
            *(self._image(one) for one in images),
        )
        facts: dict[str, Json] = {"name": extension.name, "version": str(extension.version)}
        return Node(label=extension.id, blobs=_together(below), facts=facts, below=below)

    def _component(self, component: Component) -> Node:
        label = f"{component.name} ({component.kind.value})"
        facts: dict[str, Json] = {"component": component.name, "kind": component.kind.value}
        return self._leaf(label, {component.content.digest: component.content.size}, "", facts)

    def _requirement(self, requirement: Requirement) -> Node:
        answers = [one for one in self._bundle.extensions if meets(one, requirement)]
        optional = ", optional" if requirement.optional else ""
        facts: dict[str, Json] = {
            "requires": str(requirement),
            "optional": requirement.optional,
            "metBy": [one.id for one in answers],
        }
        label = f"requires {requirement}{optional}: {_listed(answers) or 'not in this bundle'}"
        return Node(label=label, facts=facts)

    def _image(self, image: BundleImage) -> Node:
        carried = is_carried(image)
        sizes = {platform: self._weigh_platform(image, platform) for platform in image.platforms} if carried else {}
        told = [f"{one} {size(sizes[one])}" if len(sizes) > 1 else str(one) for one in image.platforms]
        left = [f"without {', '.join(map(str, image.omitted))}"] if image.omitted else []
        digest_only = [] if carried else ["digest only"]
        facts: dict[str, Json] = {
            "image": str(image.reference),
            "digest": str(image.digest),
            "carried": carried,
            "platforms": {str(platform): sizes.get(platform) for platform in image.platforms},
            "omitted": [str(platform) for platform in image.omitted],
        }
        blobs = self._weights[image.reference] if carried else None
        return self._leaf(str(image.reference), blobs, "; ".join([", ".join(told), *left, *digest_only]), facts)

    def _leaf(self, label: str, blobs: Weights | None, note: str, facts: Mapping[str, Json]) -> Node:
        own = sum(length for digest, length in (blobs or {}).items() if self._users[digest] == 1)
        return Node(label=label, blobs=blobs, own=own, note=note, facts=facts)

    def _weigh(self, image: BundleImage) -> dict[Digest, int]:
        return self._reached([image.content, *image.manifests], image) if is_carried(image) else {}

    def _weigh_platform(self, image: BundleImage, platform: Platform) -> int:
        return sum(self._reached([image.platforms[platform]], image).values())

    def _reached(self, roots: Iterable[Descriptor], image: BundleImage) -> dict[Digest, int]:
        held = {one.digest for one in image.manifests}
        found = closure(roots, self._source.blob, held.__contains__, self._source.location)
        return {digest: one.size for digest, one in found.items()}


def _listed(extensions: Iterable[Extension]) -> str:
    """`gateway 1.0.2, 1.0.4, queue 2.0.1`: versions behind the name that they have in common."""
    versions: dict[str, list[str]] = {}
    for one in extensions:
        versions.setdefault(one.name, []).append(str(one.version))
    return ", ".join(f"{name} {', '.join(found)}" for name, found in versions.items())


def _together(nodes: Iterable[Node]) -> dict[Digest, int]:
    """Everything that some nodes need, each blob once."""
    return {digest: length for node in nodes for digest, length in (node.blobs or {}).items()}


def _with_own(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes, each with the bytes that none of the others needs."""
    users = Counter(digest for node in nodes for digest in node.blobs or {})
    return tuple(
        replace(node, own=sum(length for digest, length in (node.blobs or {}).items() if users[digest] == 1))
        for node in nodes
    )


def tree_lines(root: Node) -> list[str]:
    """The tree for people, with sizes in columns of their own."""
    rows = [("", "size", "own", ""), (root.label, size(root.weight), "", ""), *_rows(root.below, "")]
    width = min(_WIDEST, max(len(row[0]) for row in rows if row[1] or row[3]))
    sizes, owns = (max(len(row[column]) for row in rows) for column in (1, 2))
    lines = [f"{one[0]:<{width}}  {one[1]:>{sizes}}  {one[2]:>{owns}}  {one[3]}".rstrip() for one in rows]
    return [
        *lines,
        "",
        "size: all that it needs, each blob once; own: what no other extension, component or image needs",
    ]


def _rows(nodes: Sequence[Node], indent: str) -> Iterable[tuple[str, str, str, str]]:
    for place, node in enumerate(nodes):
        last = place == len(nodes) - 1
        weight = "" if node.blobs is None else size(node.weight)
        own = "" if node.blobs is None else size(node.own) if node.own else "-"
        yield f"{indent}{'└─' if last else '├─'} {node.label}", weight, own, node.note
        yield from _rows(node.below, f"{indent}{'   ' if last else '│  '}")


def tree_json(node: Node) -> Json:
    """The tree for programs: sizes in bytes."""
    weighed: dict[str, Json] = {} if node.blobs is None else {"size": node.weight, "own": node.own}
    below: dict[str, Json] = {"below": [tree_json(one) for one in node.below]} if node.below else {}
    return {"label": node.label, **node.facts, **weighed, **below}
