"""What one run of the pipeline yields for one site."""

from __future__ import annotations

from dataclasses import dataclass, field

from renderer.errors import Finding, Severity
from renderer.model.generated.values import GeneratedValue
from renderer.model.images.mirror import MirrorPlan
from renderer.model.images.use import ImageUse
from renderer.model.lock import Lock
from renderer.model.objects.manifest import HookPhase, Manifest, ObjectId
from renderer.model.ordering.wave import WavePlan
from renderer.model.site import Site
from renderer.model.trees.tree import FileTree
from renderer.structs import Struct


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedHook:
    """A Helm hook that has no place in a tree (delete, test, rollback): listed in `records/plan.md`.

    `manifest` is the object itself, when the reader kept it: image discovery looks at it.
    """

    id: ObjectId
    extension: str
    component: str
    source: str
    hooks: tuple[str, ...]
    phase: HookPhase = HookPhase.DROPPED
    manifest: Manifest | None = field(default=None, repr=False, compare=False)


class ExternalObject(Struct, frozen=True, kw_only=True):
    """An object that stays out of the tree because it holds secret material; an operator creates it.

    `body` has the shape of the object with every generated value replaced by a placeholder, so that
    `records/secrets.md` can show exactly what to create.
    """

    manifest: Manifest
    fields: tuple[GeneratedValue, ...]


class Inflated(Struct, frozen=True, kw_only=True):
    """The objects of all enabled extensions, before any transformation, in the order of extension and component."""

    manifests: tuple[Manifest, ...]
    dropped: tuple[DroppedHook, ...] = ()
    findings: tuple[Finding, ...] = ()


class Composed(Struct, frozen=True, kw_only=True):
    """Everything that the tree of a site is written from."""

    site: Site
    lock: Lock
    plan: WavePlan
    images: tuple[ImageUse, ...]
    mirrors: MirrorPlan
    dropped: tuple[DroppedHook, ...]
    external: tuple[ExternalObject, ...]
    findings: tuple[Finding, ...]


class Rendering(Struct, frozen=True, kw_only=True):
    """The rendered tree of one site (paths relative to `Site.root`), and what the checks found."""

    site: Site
    tree: FileTree
    composed: Composed

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, errors first."""
        order = list(Severity)
        return tuple(sorted(self.composed.findings, key=lambda finding: order.index(finding.severity)))
