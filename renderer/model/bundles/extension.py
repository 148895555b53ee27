"""Extensions: what a bundle offers and a site enables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from renderer.model.fields import Json
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Constraint, Version
from renderer.structs import Struct, field

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_NAME_LIMIT: Final = 63


def dns_label(text: str) -> str:
    """`text` when it is a DNS label (RFC 1123: at most 63 of a-z, 0-9 and -). Raises ValueError."""
    if _LABEL.match(text) is None:
        raise ValueError(f"`{text}` is not a DNS label: lower-case letters, digits and `-`, at most {_NAME_LIMIT}")
    return text


def extension_name(text: str) -> str:
    """`text` when it can name an extension: a DNS-1123 subdomain of at most 63 characters, as KubeSphere demands."""
    if _SUBDOMAIN.match(text) is None or len(text) > _NAME_LIMIT:
        raise ValueError(
            f"`{text}` cannot name an extension: lower-case letters, digits, `-` and `.`, at most {_NAME_LIMIT}"
        )
    return text


class Descriptor(Struct, frozen=True, kw_only=True):
    """An OCI content descriptor (image-spec descriptor.md): media type, digest, size in bytes, annotations."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str | None = None

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a descriptor's size cannot be negative")

    @property
    def bare(self) -> Descriptor:
        """The same content, and nothing said about it: no annotations, no artifact type."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)


class ComponentKind(Enum):
    """How a component yields objects."""

    HELM = "helm"
    JINJA = "jinja"
    MANIFESTS = "manifests"


class ClusterRole(Enum):
    """On which clusters an extension may be enabled (KubeSphere: installationMode)."""

    HOST = "host"
    MEMBER = "member"
    BOTH = "both"


class RequirementKind(Enum):
    """What a requirement names: an extension, or a capability that some extension provides."""

    EXTENSION = "extension"
    CAPABILITY = "capability"


class Component(Struct, frozen=True, kw_only=True):
    """One source of objects in an extension.

    `content` is the blob (a chart archive, or a tar+gzip of templates or manifests). `release` is the Helm release
    name. `values` are the extension author's defaults on top of the chart's own; `forced` values are set above
    everything else, profile included (KubeSphere's controller sets tags and conditions this way).
    `values_schema` is a JSON Schema for the profile's values of this component.
    """

    name: str
    kind: ComponentKind
    content: Descriptor
    release: str
    namespace: str
    values: Mapping[str, Json] = field(default_factory=dict)
    forced: Mapping[str, Json] = field(default_factory=dict)
    values_schema: Mapping[str, Json] | None = None

    def __post_init__(self) -> None:
        dns_label(self.namespace)
        for name in (self.name, self.release):
            if _SUBDOMAIN.match(name) is None:
                raise ValueError(
                    f"`{name}` cannot name a component or a release: lower-case letters, digits, `-` and `.`"
                )


class Requirement(Struct, frozen=True, kw_only=True):
    """What an extension needs: a version range of another extension or of a capability.

    An optional requirement never brings anything in; it only restricts the version of what is there anyway.
    """

    kind: RequirementKind
    name: str
    constraint: Constraint
    optional: bool = False

    def __str__(self) -> str:
        what = "" if self.kind is RequirementKind.EXTENSION else "capability "
        return f"{what}{self.name} {self.constraint}".rstrip()


class HealthRule(Struct, frozen=True, kw_only=True):
    """When an object of (group, kind) is ready: one source for Argo CD (Lua) and Flux (CEL)."""

    group: str
    kind: str
    ready_condition: str


class Extension(Struct, frozen=True, kw_only=True):
    """One version of an extension. Titles and descriptions are keyed by language (`en`, `zh`)."""

    name: str
    version: Version
    titles: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    components: tuple[Component, ...] = ()
    requires: tuple[Requirement, ...] = ()
    provides: Mapping[str, Version] = field(default_factory=dict)
    conflicts: tuple[Requirement, ...] = ()
    kubernetes: Constraint | None = None
    platforms: tuple[Platform, ...] = ()
    cluster_role: ClusterRole = ClusterRole.BOTH
    images: tuple[ImageReference, ...] = ()
    health: tuple[HealthRule, ...] = ()

    def __post_init__(self) -> None:
        extension_name(self.name)
        names = [component.name for component in self.components]
        if len(set(names)) != len(names):
            raise ValueError(f"extension {self.name} has two components of the same name")

    @property
    def id(self) -> str:
        """`name version`, for people."""
        return f"{self.name} {self.version}"
