"""What is asked of the resolver, and its two answers: a resolution, or a conflict as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from renderer.model.bundles.bundle import Catalog
from renderer.model.bundles.extension import ClusterRole, Extension, Requirement, RequirementKind
from renderer.model.lock import Lock
from renderer.model.reference import Platform
from renderer.model.site import Site
from renderer.model.version import Constraint, Version
from renderer.structs import Struct, field, replace

PROFILE: Final = "profile"
"""The name under which the profile itself stands among those who require an extension."""

ANY_RELEASE: Final = Constraint.parse("*")
"""What a want without a range asks for: every version but prereleases."""


class Want(Struct, frozen=True):
    """An extension that the profile enables. Without a range any release will do (as with `*`)."""

    name: str
    constraint: Constraint | None = None

    @property
    def range(self) -> Constraint:
        """The range, written or not."""
        return self.constraint or ANY_RELEASE

    def __str__(self) -> str:
        return f"{self.name} {self.constraint}" if self.constraint else self.name


class Question(Struct, frozen=True, kw_only=True):
    """Everything that a resolution depends on.

    `preferred` holds versions to keep while they still fit (an old lock); `upgrade` names extensions whose newest
    version is chosen first. `assumed` are extensions that no bundle offers: explanations use them to try what would
    help if some bundle did.
    """

    wants: tuple[Want, ...]
    catalog: Catalog
    kubernetes: Version
    platforms: tuple[Platform, ...] = ()
    role: ClusterRole = ClusterRole.BOTH
    preferred: Mapping[str, Version] = field(default_factory=dict)
    upgrade: frozenset[str] = frozenset()
    assumed: tuple[Extension, ...] = ()

    @classmethod
    def of(cls, site: Site, catalog: Catalog, lock: Lock | None = None, upgrade: Iterable[str] = ()) -> Question:
        """What `site` asks of `catalog`. What `lock` holds is kept, except for the extensions named by `upgrade`."""
        moving = frozenset(upgrade)
        locked = lock.extensions if lock else ()
        return cls(
            wants=tuple(Want(request.name, request.constraint) for request in site.extensions),
            catalog=catalog,
            kubernetes=site.cluster.kubernetes,
            platforms=site.cluster.platforms,
            role=site.cluster.role,
            preferred={entry.name: entry.version for entry in locked if entry.name not in moving},
            upgrade=moving,
        )

    def offered(self, name: str) -> tuple[Extension, ...]:
        """All versions of an extension that are offered or assumed, newest first."""
        offers = [offer.extension for offer in self.catalog.offers.get(name, ())]
        offers += [extension for extension in self.assumed if extension.name == name]
        if self.role is ClusterRole.MEMBER:
            offers = [self._on_member(extension) for extension in offers]
        return tuple(sorted(offers, key=lambda extension: extension.version, reverse=True))

    def _on_member(self, extension: Extension) -> Extension:
        """The extension as a member cluster takes it.

        KubeSphere installs the host part of a Multicluster extension on the host cluster, and what that part requires
        is there: a requirement of an extension that no member can run restricts nothing here.
        """

        def met_by_host(requirement: Requirement) -> bool:
            offers = (
                self.catalog.offers.get(requirement.name, ()) if requirement.kind is RequirementKind.EXTENSION else ()
            )
            fitting = [offer.extension for offer in offers if meets(offer.extension, requirement)]
            return bool(fitting) and all(one.cluster_role is ClusterRole.HOST for one in fitting)

        requires = tuple(replace(one, optional=one.optional or met_by_host(one)) for one in extension.requires)
        return extension if requires == extension.requires else replace(extension, requires=requires)

    def names(self) -> tuple[str, ...]:
        """The names of all extensions that are offered or assumed, sorted."""
        return tuple(sorted({*self.catalog.offers, *(extension.name for extension in self.assumed)}))


class ObstacleKind(Enum):
    """Which fact of the cluster an extension version does not fit."""

    KUBERNETES = "kubernetes"
    PLATFORM = "platform"
    ROLE = "role"


class Obstacle(Struct, frozen=True):
    """Why the cluster cannot take an extension version: what the version needs, what the cluster is."""

    kind: ObstacleKind
    needs: str
    has: str


def obstacle(question: Question, extension: Extension) -> Obstacle | None:
    """Why the cluster of `question` cannot take `extension`, or None when it can."""
    if extension.kubernetes is not None and not extension.kubernetes.allows(question.kubernetes):
        return Obstacle(ObstacleKind.KUBERNETES, str(extension.kubernetes), question.kubernetes.text)
    for wanted in question.platforms if extension.platforms else ():
        if not any(platform.serves(wanted) for platform in extension.platforms):
            needs = ", ".join(str(platform) for platform in extension.platforms)
            return Obstacle(ObstacleKind.PLATFORM, needs, str(wanted))
    if ClusterRole.BOTH not in (extension.cluster_role, question.role) and extension.cluster_role != question.role:
        return Obstacle(ObstacleKind.ROLE, extension.cluster_role.value, question.role.value)
    return None


class Link(Struct, frozen=True):
    """`source` (an extension, or PROFILE) stands on the extension `target`, because of `requirement`.

    An optional requirement yields a link when its target is there anyway: it must come up first. `requirement` is
    None for what the profile asks.
    """

    source: str
    target: str
    requirement: Requirement | None = None


class Skipped(Struct, frozen=True):
    """An optional requirement of `source` that brought nothing in, and why."""

    source: str
    requirement: Requirement
    why: str


class Resolution(Struct, frozen=True, kw_only=True):
    """One version for every enabled extension and everything that it requires, all sorted by name."""

    extensions: tuple[Extension, ...]
    links: tuple[Link, ...]
    skipped: tuple[Skipped, ...]

    def version_of(self, name: str) -> Version | None:
        """The chosen version, or None when the extension is not part of the resolution."""
        return next((extension.version for extension in self.extensions if extension.name == name), None)

    def required_by(self, name: str) -> tuple[str, ...]:
        """Who cannot do without the extension `name`: extensions, or PROFILE."""
        hard = (link for link in self.links if link.requirement is None or not link.requirement.optional)
        return tuple(sorted({link.source for link in hard if link.target == name}))


class CauseKind(Enum):
    """What a cause says about its source and its target."""

    WANTS = "wants"
    REQUIRES = "requires"
    RESTRICTS = "restricts"
    CONFLICTS = "conflicts"
    PROVIDED_BY = "provided-by"


class Cause(Struct, frozen=True, kw_only=True):
    """One fact of a conflict.

    WANTS: the profile (`source` is PROFILE) enables `target`. REQUIRES: `versions` of the extension `source` need
    `target`. RESTRICTS: the same, but only when `target` is there anyway. CONFLICTS: they cannot live with `range`
    of `target`. PROVIDED_BY: the capability `source` can come from the extension `target`.
    `range` is as written, empty for any. `fitting` are the versions of the extension `target` that the bundles
    offer, the range admits and the cluster takes, newest first. `capability` is true when the
    rule names a capability: REQUIRES has it as `target`, the others the extension that provides it.
    """

    kind: CauseKind
    source: str
    target: str
    range: str = ""
    versions: tuple[Version, ...] = ()
    fitting: tuple[Version, ...] = ()
    capability: bool = False


class Candidate(Struct, frozen=True):
    """An offered version of an extension that takes part in a conflict, and why the cluster refuses it, if it does."""

    version: Version
    obstacle: Obstacle | None = None


class Conflict(Struct, frozen=True, kw_only=True):
    """Why there is no resolution: `causes` cannot all hold, told from the profile downwards.

    `candidates` holds, for every extension that the causes name, what the bundles offer (newest first; empty when
    they do not know the name), and `nearest` the offered names that are spelled like an unknown one. `unknown` are
    the enabled names that no bundle offers. `bundles` are the bundles that were looked at. `proved` is false in the
    one case that the search was given up; then there are no causes.
    """

    causes: tuple[Cause, ...]
    candidates: Mapping[str, tuple[Candidate, ...]]
    unknown: tuple[str, ...] = ()
    nearest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bundles: tuple[str, ...] = ()
    proved: bool = True


def meets(extension: Extension, requirement: Requirement) -> bool:
    """True when `extension` is, or provides, what `requirement` names, in its range."""
    if requirement.kind is RequirementKind.EXTENSION:
        return extension.name == requirement.name and requirement.constraint.allows(extension.version)
    provided = extension.provides.get(requirement.name)
    return provided is not None and requirement.constraint.allows(provided)


def broken_rules(question: Question, resolution: Resolution) -> tuple[str, ...]:
    """Everything in which `resolution` does not answer `question`; nothing when it does. Knows no solver."""
    chosen = {extension.name: extension for extension in resolution.extensions}
    broken = [
        f"{want} is missing"
        for want in question.wants
        if want.name not in chosen or not want.range.allows(chosen[want.name].version)
    ]
    needed = {want.name for want in question.wants}
    for name, extension in chosen.items():
        if obstacle(question, extension) is not None:
            broken.append(f"the cluster cannot take {extension.id}")
        if extension not in question.offered(name):
            broken.append(f"{extension.id} is not offered")
        for requirement in extension.requires:
            broken += _breach(extension, requirement, chosen)
        for conflict in extension.conflicts:
            others = [one for one in chosen.values() if one is not extension and meets(one, conflict)]
            broken += [f"{extension.id} conflicts with {other.id}" for other in others]
    reached: set[str] = set()
    while needed - reached:
        reached |= needed
        hard = [link for link in resolution.links if link.requirement and not link.requirement.optional]
        needed = {link.target for link in hard if link.source in reached}
    broken += [f"{name} is required by nobody" for name in chosen if name not in reached]
    return tuple(broken)


def _breach(extension: Extension, requirement: Requirement, chosen: Mapping[str, Extension]) -> list[str]:
    """How the chosen extensions break one requirement of `extension`, if they do."""
    if not requirement.optional:
        met = any(meets(one, requirement) for one in chosen.values())
        return [] if met else [f"{extension.id} requires {requirement}"]
    others = [one for one in chosen.values() if one is not extension]
    if requirement.kind is RequirementKind.EXTENSION:
        named = [one for one in others if one.name == requirement.name]
    else:
        named = [one for one in others if requirement.name in one.provides]
    return [f"{extension.id} does not go with {one.id}" for one in named if not meets(one, requirement)]
