"""Kubernetes objects as the flow sees them.

An object's identity is (group, kind, namespace, name), as in `kustomize` and `gitops-engine`; the API version is
not part of it. Bodies are plain JSON values read by `renderer.formats.kubernetes.manifests`. They are shared between
stages and sites and therefore never mutated: a transformation copies what it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final, cast

from renderer.model.fields import FieldError, Json, kind_of
from renderer.structs import Struct, replace


class ObjectId(Struct, frozen=True, order=True):
    """The identity of a Kubernetes object. `group` is empty for the core group, `namespace` for cluster scope."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Deployment shop/web`, `Namespace shop`, `Certificate.cert-manager.io shop/web`."""
        kind = f"{self.kind}.{self.group}" if "." in self.group and not self.group.endswith(".k8s.io") else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


MADE_BEFORE: Final = "made before"
"""The source of objects that no chart has: they make, in the cluster, what their extension needs from the start."""
MADE_AFTER: Final = "made after"
"""The source of objects that no chart has either: they finish, in the cluster, what the API server is to trust."""
MADE_LAST: Final = "made last"
"""The same for what controllers are to trust, once the custom resources that say so are there."""


class HookPhase(Enum):
    """When Helm would run a hook. Only the first two become objects of a site (FORMATS, "Output tree")."""

    BEFORE = "before"
    AFTER = "after"
    DROPPED = "dropped"


class Origin(Struct, frozen=True, kw_only=True):
    """Where an object comes from: extension, component (release), file in the chart; and its hook, if it was one."""

    extension: str
    component: str
    source: str
    hook: HookPhase | None = None
    hook_weight: int = 0

    def __str__(self) -> str:
        return f"extension {self.extension}, {self.component}: {self.source}"


class Manifest(Struct, frozen=True):
    """One Kubernetes object: its identity, its body, its origin."""

    id: ObjectId
    body: Mapping[str, Json]
    origin: Origin

    @classmethod
    def of(cls, body: Mapping[str, Json], origin: Origin) -> Manifest:
        """Read the identity out of `body`. Raises FieldError when apiVersion, kind or metadata.name is missing."""
        api_version, kind = (_required(body.get(key), (key,)) for key in ("apiVersion", "kind"))
        metadata = body.get("metadata")
        if not isinstance(metadata, Mapping):
            raise FieldError(("metadata",), "`metadata` must be a mapping", expected="a mapping", got=kind_of(metadata))
        if metadata.get("generateName") and not metadata.get("name"):
            raise FieldError(
                ("metadata", "generateName"),
                "an object with a generated name cannot be tracked by a GitOps agent",
                code="generate-name",
                expected="metadata.name",
            )
        name = _required(metadata.get("name"), ("metadata", "name"))
        namespace = metadata.get("namespace") or ""
        if not isinstance(namespace, str):
            raise FieldError(("metadata", "namespace"), "`namespace` must be a string", got=kind_of(namespace))
        group = api_version.rpartition("/")[0]
        return cls(ObjectId(group, kind, namespace, name), body, origin)

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` for the core group."""
        return cast("str", self.body["apiVersion"])

    @property
    def metadata(self) -> Mapping[str, Json]:
        """The object's metadata."""
        return cast("Mapping[str, Json]", self.body["metadata"])

    @property
    def annotations(self) -> Mapping[str, Json]:
        """The object's annotations; empty when it has none."""
        return cast("Mapping[str, Json]", self.metadata.get("annotations") or {})

    def with_body(self, body: Mapping[str, Json]) -> Manifest:
        """The same object with another body; the identity is read anew."""
        return Manifest.of(body, self.origin)

    def with_metadata(self, **changes: Json) -> Manifest:
        """The same object with metadata fields set (a None removes the field)."""
        metadata = {key: value for key, value in {**self.metadata, **changes}.items() if value is not None}
        return self.with_body({**self.body, "metadata": cast("Json", metadata)})

    def annotated(self, annotations: Mapping[str, str]) -> Manifest:
        """The same object with these annotations added."""
        return (
            self.with_metadata(annotations=cast("Json", {**self.annotations, **annotations})) if annotations else self
        )

    def from_origin(self, **changes: object) -> Manifest:
        """The same object with fields of its origin changed."""
        return replace(self, origin=replace(self.origin, **changes))  # type: ignore[arg-type]


class DuplicateObjectError(ValueError):
    """Two manifests describe the same object."""

    def __init__(self, first: Manifest, second: Manifest) -> None:
        super().__init__(f"{second.id} is defined twice: by {first.origin} and by {second.origin}")
        self.first = first
        self.second = second


class ManifestSet:
    """An ordered set of manifests with unique identities; keeps the order it was given."""

    __slots__ = ("_by_id",)

    def __init__(self, manifests: Iterable[Manifest] = ()) -> None:
        self._by_id: dict[ObjectId, Manifest] = {}
        for manifest in manifests:
            seen = self._by_id.get(manifest.id)
            if seen is not None:
                raise DuplicateObjectError(seen, manifest)
            self._by_id[manifest.id] = manifest

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, identity: object) -> bool:
        return identity in self._by_id

    def get(self, identity: ObjectId) -> Manifest | None:
        """The manifest with this identity, or None."""
        return self._by_id.get(identity)


def _required(value: object, path: tuple[str, ...]) -> str:
    if not isinstance(value, str) or not value:
        spelled = ".".join(path)
        raise FieldError(
            path, f"`{spelled}` is missing or not a string", expected="a non-empty string", got=kind_of(value)
        )
    return value
