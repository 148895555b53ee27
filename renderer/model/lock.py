"""The lock: the resolution, and the digest of everything that it stands on."""

from __future__ import annotations

from collections.abc import Mapping

from renderer.errors import Finding, Severity, Where
from renderer.model.generated.groups import CertificateWish, GeneratedGroup, groups_of
from renderer.model.generated.values import GeneratedValue
from renderer.model.images.referrers import PinnedReferrer
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.structs import Struct, replace


class LockedEngine(Struct, frozen=True, kw_only=True):
    """The chart engine that inflated the charts: `embedded` or `executable`, and the version of its Helm."""

    name: str
    helm: str


class LockedBundle(Struct, frozen=True, kw_only=True):
    """One verified bundle by the digest of its manifest."""

    name: str
    source: str
    version: Version
    sequence: int
    digest: Digest
    signers: tuple[str, ...]


class LockedExtension(Struct, frozen=True, kw_only=True):
    """One resolved extension. `required_by` names extensions, or `profile`. `components` maps names to digests.

    `wave` is the number of the wave that its workloads are in; hooks and what waits for them lie around it.
    """

    name: str
    version: Version
    bundle: str
    components: Mapping[str, Digest]
    required_by: tuple[str, ...]
    wave: int = 0


class LockedSignatures(Struct, frozen=True, kw_only=True):
    """Who has signed an image for container runtimes: keys of the trust policy by name, sorted.

    `bundle` is the one that brings the signatures: its rule says how many there must be.
    """

    bundle: str
    keys: tuple[str, ...]


class LockedImage(Struct, frozen=True, kw_only=True):
    """One image that the rendered objects or enabled extensions name. `mirror` is its place in the site registry.

    `index` is the index that `digest`, one of its manifests, stands in for, because the registry would refuse a part of
    an index. `referrers` are the signatures and attestations that the registry must hold beside the image. `signatures`
    were added to the bundle when it was signed, which changes no digest: so they are told by who made them.
    """

    reference: ImageReference
    digest: Digest
    platforms: Mapping[Platform, Digest]
    mirror: str
    index: Digest | None = None
    referrers: tuple[PinnedReferrer, ...] = ()
    signatures: LockedSignatures | None = None


class Lock(Struct, frozen=True, kw_only=True):
    """Everything pinned, sorted by name. `profile` is the digest of the merged profile (`Site.digest`).

    `api_versions` is what charts are told that the cluster serves beyond Kubernetes itself: what the profile says,
    and what the CustomResourceDefinitions of the enabled extensions define (`group/version` and `group/version/Kind`).
    `captured` is the digest of the file of captured values beside the lock, None without one. `certificates` are those
    of `generated`; None in a lock from before they were written, whose generated values have
    no groups either.
    """

    site: str
    sitewright: str
    engine: LockedEngine
    profile: Digest
    api_versions: tuple[str, ...]
    bundles: tuple[LockedBundle, ...]
    extensions: tuple[LockedExtension, ...]
    images: tuple[LockedImage, ...]
    generated: tuple[GeneratedValue, ...]
    certificates: tuple[CertificateWish, ...] | None = ()
    captured: Digest | None = None

    def version_of(self, extension: str) -> Version | None:
        """The locked version of an extension, or None."""
        return next((entry.version for entry in self.extensions if entry.name == extension), None)

    @property
    def groups(self) -> tuple[GeneratedGroup, ...]:
        """The generated values by what belongs together, sorted by name."""
        return groups_of(self.generated, self.certificates or ())

    def bundle(self, name: str) -> LockedBundle | None:
        """The locked bundle of this name, or None."""
        return next((entry for entry in self.bundles if entry.name == name), None)


def drift(
    lock: Lock,
    *,
    profile: Digest,
    bundles: Mapping[str, tuple[Digest, int]],
    engine: LockedEngine,
    sitewright: str,
    profile_file: str,
    rollback_allowed: frozenset[str] = frozenset(),
) -> list[Finding]:
    """How the world differs from what `lock` was written for; empty when it is still true.

    `bundles` holds the manifest digest and the sequence of each bundle of the profile that was verified now, by name;
    `rollback_allowed` the names of those that the profile allows to be older. `profile_file` is named in hints. Codes:
    `lock-drift-format`, `lock-drift-profile`, `lock-drift-bundle`, `lock-drift-engine`, `bundle-rollback`, and the
    warning `lock-drift-sitewright`.
    """
    hint = f"sitewright lock {profile_file}"
    subject = Where(subject=f"lock of site {lock.site}")
    found = []
    if lock.certificates is None:
        found.append(
            Finding(
                code="lock-drift-format",
                message="the lock is of an older form: it does not say which generated values belong together",
                where=subject,
                expected="a group for each of `generated`, and their `certificates`",
                hint=hint,
            )
        )
    if profile != lock.profile:
        found.append(
            Finding(
                code="lock-drift-profile",
                message=f"`{profile_file}`, or a file that it names, changed after the lock was written",
                where=subject,
                expected=f"profile {lock.profile}",
                got=f"profile {profile}",
                hint=hint,
            )
        )
    if engine != lock.engine:
        found.append(
            Finding(
                code="lock-drift-engine",
                message="charts were inflated by another engine when the lock was written",
                where=subject,
                expected=f"the {lock.engine.name} engine with Helm {lock.engine.helm}",
                got=f"the {engine.name} engine with Helm {engine.helm}",
                hint=hint if engine.name == "embedded" else f"{hint} --engine {engine.name}, or leave --engine out",
            )
        )
    if sitewright != lock.sitewright:
        found.append(
            Finding(
                code="lock-drift-sitewright",
                message=f"the lock was written by Sitewright {lock.sitewright}; this is {sitewright}",
                where=subject,
                severity=Severity.WARNING,
                hint=hint,
            )
        )
    for name in sorted({*bundles, *(entry.name for entry in lock.bundles)}):
        fault = _bundle_drift(lock.bundle(name), bundles.get(name), name, rollback_allowed)
        if fault is not None:
            found.append(replace(fault, hint=fault.hint or hint))
    return found


def _bundle_drift(
    locked: LockedBundle | None,
    now: tuple[Digest, int] | None,
    name: str,
    rollback_allowed: frozenset[str],
) -> Finding | None:
    code, where = "lock-drift-bundle", Where(subject=f"bundle {name}")
    if now is None:
        return Finding(code=code, message=f"the profile does not name the locked bundle `{name}` any more", where=where)
    if locked is None:
        return Finding(code=code, message=f"the bundle `{name}` is not in the lock", where=where)
    digest, sequence = now
    if sequence < locked.sequence and name not in rollback_allowed:
        return Finding(
            code="bundle-rollback",
            message=f"the bundle `{name}` is older than the one that the lock remembers",
            where=where,
            expected=f"sequence {locked.sequence} or higher",
            got=f"sequence {sequence}",
            hint="take a newer bundle; to go back on purpose, set `allowRollback: true` for it in the profile",
        )
    if digest != locked.digest:
        return Finding(
            code=code,
            message=f"the bundle `{name}` is not the one that the lock was written for",
            where=where,
            expected=f"{locked.version} (sequence {locked.sequence}), {locked.digest}",
            got=f"sequence {sequence}, {digest}",
        )
    return None
