"""Where Kubernetes objects name images.

Three kinds of places: fields that hold nothing but an image (`image` of a container), mappings that hold an image in
parts (`registry`, `repository`, `tag`), and free text, which `renderer.model.images.text` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.structs import Struct

CONTAINER_LISTS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})
"""The lists of a pod whose items have a field `image`."""

_IMAGE_KEY: Final = re.compile(r"(?:image|[a-z0-9-]*[-_]image|[A-Za-z0-9]*Image|[A-Z0-9_]*IMAGE)\Z")
_IMAGE_VARIABLE: Final = re.compile(r"RELATED_IMAGE_|(?:[A-Z0-9_]*_)?IMAGE(?:_[A-Z0-9_]*)?\Z")
_IMAGE_ARGUMENT: Final = re.compile(r"-{1,2}[A-Za-z0-9.-]*image[A-Za-z0-9.-]*=", re.IGNORECASE)

# The parts of a split image, as charts of Bitnami, ingress-nginx, NVIDIA, Istio and Kiali name them.
_REGISTRY_KEYS: Final = ("registry", "hub")
_PATH_KEYS: Final = ("repository",)
_NAME_KEYS: Final = ("image", "image_name", "imageName")
_SURE_TAG_KEYS: Final = ("tag", "image_version", "imageTag", "image_tag", "imageVersion")
_TAG_KEYS: Final = (*_SURE_TAG_KEYS, "version")  # beside `image` alone, `version` is what an operator parses
_DIGEST_KEY: Final = "digest"
SPLIT_KEYS: Final = frozenset({*_REGISTRY_KEYS, *_PATH_KEYS, *_NAME_KEYS, *_TAG_KEYS, _DIGEST_KEY})
"""Every key that can hold a part of an image."""
_SPLIT_TAGS: Final = frozenset(_TAG_KEYS)


def is_image_key(key: str) -> bool:
    """True for a field of a custom resource that names an image: `image`, `baseImage`, `sidecar-image`."""
    return _IMAGE_KEY.match(key) is not None


def is_image_variable(name: str) -> bool:
    """True for an environment variable that operators read an image from, such as `RELATED_IMAGE_KIALI`."""
    return _IMAGE_VARIABLE.match(name) is not None


def is_image_argument(text: str) -> bool:
    """True for an argument such as `--acme-http01-solver-image=quay.io/…`."""
    return _IMAGE_ARGUMENT.match(text) is not None


class SplitImage(Struct, frozen=True, kw_only=True):
    """An image in parts. The keys say which fields of the mapping hold which part; None: there is no such field.

    `name` is what the parts spell together (`registry/repository/image`), `tag` the tag or version.
    """

    name: str
    tag: str
    digest: str
    tag_key: str
    registry_key: str | None
    path_key: str | None
    name_key: str | None
    has_digest: bool

    def pinned(self, digest: str) -> dict[str, str]:
        """The fields to change so that the parts carry `digest`; the name stays as it is.

        Whoever joins the parts puts `:` before the tag, so that `tag@digest` reads `name:tag@digest`.
        """
        return {_DIGEST_KEY: digest} if self.has_digest else {self.tag_key: f"{self.tag}@{digest}"}

    def moved(self, location: str, digest: str) -> dict[str, str]:
        """The fields to change so that the parts spell `location` (`host[:port]/path`) and carry `digest`."""
        host, _, path = location.partition("/")
        changes = self.pinned(digest)
        if self.registry_key is None:
            path = location
        else:
            changes[self.registry_key] = host
        if self.path_key is not None and self.name_key is not None:
            changes[self.path_key], _, changes[self.name_key] = path.rpartition("/")
        else:
            changes[self.path_key or self.name_key or ""] = path
        return changes


def split_image(content: Mapping[str, Json]) -> SplitImage | None:
    """The image that the fields of `content` spell together, or None when they do not."""
    if _SPLIT_TAGS.isdisjoint(content):
        return None
    path_key = _first_text(content, _PATH_KEYS)
    tag_key = _first_text(content, _TAG_KEYS if path_key is not None else _SURE_TAG_KEYS)
    name_key = _first_text(content, _NAME_KEYS)
    if tag_key is None or (path_key is None and name_key is None):
        return None
    registry_key = _first_text(content, _REGISTRY_KEYS)
    parts = [str(content[key]).strip("/") for key in (registry_key, path_key, name_key) if key is not None]
    name = "/".join(parts)
    if ":" in parts[-1] or "@" in name or "//" in name or " " in name:
        return None  # a whole reference beside a version, or a URL
    tag, at, digest = str(content[tag_key]).partition("@")
    written = content.get(_DIGEST_KEY, "")
    has_digest = isinstance(written, str) and _DIGEST_KEY in content
    return SplitImage(
        name=name,
        tag=tag,
        digest=digest if at else str(written) if has_digest else "",
        tag_key=tag_key,
        registry_key=registry_key,
        path_key=path_key,
        name_key=name_key,
        has_digest=has_digest,
    )


def _first_text(content: Mapping[str, Json], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if isinstance(content.get(key), str) and content[key]), None)


# --- split images inside text: sibling lines of YAML or of pretty-printed JSON, mappings on one line -------------

_LINE: Final = re.compile(
    r"^(?P<indent>[ \t]*(?:- )?)(?P<q>[\"']?)(?P<key>[A-Za-z_][\w-]*)(?P=q)[ \t]*:[ \t]*"
    r"(?:(?P<v>[\"'])(?P<quoted>[^\"'\n]*)(?P=v)|(?P<plain>[^\s\"'{\[#&*!|>,][^\s,#]*)?)[ \t]*,?[ \t]*(?:#[^\n]*)?$",
    re.MULTILINE,
)
_FLOW: Final = re.compile(r"\{[^{}\n]{0,2000}\}")
_PAIR: Final = re.compile(
    r"[{,]\s*(?P<q>\\?[\"']?)(?P<key>[A-Za-z_][\w-]*)(?P=q)\s*:\s*"
    r"(?:(?P<v>\\?[\"'])(?P<quoted>[^\"'\\]*)(?P=v)|(?P<plain>[^\s\"'{}\[\],\\]+))(?=\s*[,}])"
)
# One pattern for each word: a pattern that starts with plain letters is searched for at the speed of C.
_KEY_END = r"\\?[\"']?[ \t]*:"
_NAMES_WRITTEN: Final = tuple(re.compile(word + _KEY_END) for word in ("repository", "image(?:_name|Name)?"))
_TAGS_WRITTEN: Final = tuple(re.compile(word + _KEY_END) for word in ("tag", "version", "Tag", "Version"))


class TextField(Struct, frozen=True):
    """The value of one `key: value` in a text, and where it stands (without its quotes)."""

    value: str
    start: int
    end: int


def split_blocks(text: str) -> list[dict[str, TextField]]:
    """Groups of siblings in `text` that may spell an image together."""
    if not all(any(word.search(text) for word in words) for words in (_NAMES_WRITTEN, _TAGS_WRITTEN)):
        return []
    blocks = [_flow_block(flow) for flow in _FLOW.finditer(text)] if "{" in text else []
    return [block for block in [*blocks, *_line_blocks(text)] if len(block) > 1]


def _flow_block(flow: re.Match[str]) -> dict[str, TextField]:
    fields = {}
    for pair in _PAIR.finditer(flow[0]):
        if pair["key"] in SPLIT_KEYS:
            value = "quoted" if pair["v"] else "plain"
            fields[pair["key"]] = TextField(
                pair[value], flow.start() + pair.start(value), flow.start() + pair.end(value)
            )
    return fields


def _line_blocks(text: str) -> list[dict[str, TextField]]:
    blocks: list[dict[str, TextField]] = []
    open_blocks: dict[int, dict[str, TextField]] = {}
    for line in _LINE.finditer(text):
        indent = len(line["indent"])
        blocks.extend(open_blocks.pop(depth) for depth in sorted(open_blocks) if depth > indent)
        if "-" in line["indent"] and indent in open_blocks:
            blocks.append(open_blocks.pop(indent))
        value = "quoted" if line["v"] else "plain"
        if line["key"] in SPLIT_KEYS and line[value] is not None:
            field = TextField(line[value], line.start(value), line.end(value))
            open_blocks.setdefault(indent, {})[line["key"]] = field
    return [*blocks, *open_blocks.values()]
