"""Image references inside larger texts: shell lines, YAML, JSON, properties, comma-separated lists.

A reference in free text is only recognised by its `:tag` or `@digest`; a bare name is a word like any other. The
search goes from colon to colon (a C search), and looks left and right of each: megabytes of dashboards cost little.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from renderer.structs import Struct

_LONGEST_NAME: Final = 255
_NAME_CHARACTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"
_HOST_CHARACTERS: Final = _NAME_CHARACTERS.replace("/", "").replace("_", "")
_COLON: Final = re.compile(r":(?<=[a-z0-9]:)[A-Za-z0-9_]")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})(?![0-9a-fA-F])")
_PORT_AND_PATH: Final = re.compile(r"[0-9]{1,5}/")
_ALGORITHMS: Final = frozenset({"sha256", "sha512"})
_IMAGE_SCHEMES: Final = ("docker:", "oci:", "docker-pullable:", "containerd:", "cri-o:")

_REPOSITORY: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z")
_PUBLIC_REGISTRY: Final = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:docker\.io|quay\.io|ghcr\.io|gcr\.io|pkg\.dev|nvcr\.io|azurecr\.io|icr\.io|mcr\.microsoft\.com"
    r"|public\.ecr\.aws|amazonaws\.com|aliyuncs\.com|myhuaweicloud\.com|tencentyun\.com|registry\.k8s\.io|redhat\.com"
    r"|redhat\.io|gitlab\.com|rancher\.com|suse\.com|elastic\.co|opensuse\.org|oracle\.com|daocloud\.io|cr\.[a-z]+)\Z"
)
_HOST: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,24}(?::[0-9]{1,5})?\Z|[a-z0-9.-]+:[0-9]{1,5}\Z")
_NOT_A_REGISTRY: Final = re.compile(r"(?:.*\.)?(?:kubernetes\.io|k8s\.io|svc|cluster\.local)\Z")
_VERSION_TAG: Final = re.compile(
    r"v?[0-9]+\.[0-9][\w.-]*|v[0-9]+[\w.-]*|[0-9]+-[\w.-]*|RELEASE\.[\w.-]+|latest|stable|nightly|edge"
    r"|[a-z][\w.]*-v?[0-9]+\.[0-9][\w.-]*|[0-9a-f]{7,40}"
)


class Spotted(Struct, frozen=True):
    """A piece of a text that has the shape of an image reference: `text[start:end]` is `name[:tag][@digest]`."""

    start: int
    end: int
    name: str
    tag: str | None
    digest: str | None


def spot_references(text: str) -> Iterator[Spotted]:
    """Every piece of `text` shaped like `name:tag`, `name:tag@digest` or `name@digest`, from left to right.

    URLs, absolute and relative paths, templated names (`$(REGISTRY)/app:1`, `app:v1-${ARCH}`), and chains of more
    than one colon (`system:serviceaccount:a:b`) are left out. Shape is not meaning: `localhost:8080` has it too.
    """
    done = 0
    for colon in _COLON.finditer(text):
        if colon.start() >= done and (spotted := _around(text, colon.start(), done)) is not None:
            done = spotted.end
            yield spotted


def _around(text: str, colon: int, done: int) -> Spotted | None:
    """The reference whose tag or digest begins behind `colon`, if there is one."""
    found = _TAG.match(text, colon + 1)
    start = _start_of_name(text, colon, done)
    if found is None or start is None:
        return None
    if text[start - 1 : start] == "@":
        return _name_and_digest(text, start, done)
    name = text[start:colon]
    digest = _DIGEST.match(text, found.end())
    if digest is not None:
        return Spotted(start, digest.end(), name, found[0], digest[1])
    if name in _ALGORITHMS or _goes_on(text, found.end()):
        return None
    tag = found[0].rstrip(".-")
    return Spotted(start, colon + 1 + len(tag), name, tag, None)


def _name_and_digest(text: str, algorithm: int, done: int) -> Spotted | None:
    """`name@sha256:…`, where `algorithm` is the place behind the `@`."""
    digest = _DIGEST.match(text, algorithm - 1)
    start = _start_of_name(text, algorithm - 1, done)
    if digest is None or start is None or start == algorithm - 1:
        return None
    return Spotted(start, digest.end(), text[start : algorithm - 1], None, digest[1])


def _start_of_name(text: str, end: int, done: int) -> int | None:
    """Where the name that ends at `end` begins; None when what stands there cannot be an image name."""
    floor = max(done, end - _LONGEST_NAME - 1)
    left = text[floor:end]
    start = floor + len(left.rstrip(_NAME_CHARACTERS))
    before = text[start - 1 : start] if start else ""
    if before == ":" and _PORT_AND_PATH.match(text, start):
        host = text[floor : start - 1]
        start = floor + len(host.rstrip(_HOST_CHARACTERS))
        before = text[start - 1 : start] if start else ""
    if before == "\\" and text[start] in "nrt":  # an escaped line break inside JSON
        start, before = start + 1, ""
    if text.startswith("//", start) and text.endswith(_IMAGE_SCHEMES, max(0, start - 16), start):
        return start + 2
    if text[start : start + 1] == "-":  # `${IMAGE:-name:tag}`
        return end - len(text[start:end].lstrip("-"))
    if before in {":", "$", "}", ")", "%", "~", "*", "\\"} or text[start : start + 1] in {"/", ".", "_", ""}:
        return None
    return start


def _goes_on(text: str, end: int) -> bool:
    """True when what stands behind the tag says that it was none: a port, another colon, a template."""
    after = text[end : end + 2]
    return after[:1] in {"/", "$", "{", "%", "@", "(", "*", "+", "~"} or (after[:1] == ":" and after[1:].isalnum())


def looks_like_image(name: str, tag: str | None) -> bool:
    """True when a spotted reference that no bundle knows most likely is an image all the same.

    Asked only about free text, where a false alarm costs more than a miss: a registry that serves the public, or a
    host and a version, or `organisation/name` and a version.
    """
    head, slash, rest = name.partition("/")
    if not slash or tag is None:
        return False
    if _HOST.match(head):
        if _REPOSITORY.match(rest) is None or _NOT_A_REGISTRY.match(head.partition(":")[0]):
            return _PUBLIC_REGISTRY.match(head) is not None and _REPOSITORY.match(rest) is not None
        return _PUBLIC_REGISTRY.match(head) is not None or _VERSION_TAG.fullmatch(tag) is not None
    return (
        "." not in head
        and _REPOSITORY.match(name) is not None
        and not tag.isdigit()
        and _VERSION_TAG.fullmatch(tag) is not None
    )
