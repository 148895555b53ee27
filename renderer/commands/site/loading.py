"""From paths to verified values: profile, trust policy, lock, bundles. Everything is read once for a whole run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from renderer.errors import BundleRefusedError, Finding, InputError, RendererError, Where
from renderer.formats.trust.policy import read_trust_policy
from renderer.model.bundles.bundle import Catalog, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.reference import Digest
from renderer.ports import BundleSource, ChartEngine, Executor, Files
from renderer.stages.memo import Memo
from renderer.stages.verify import load_bundle

if TYPE_CHECKING:
    from renderer.formats.profile.site import LoadedSite
    from renderer.inflation import Tools
    from renderer.model.lock import Lock
    from renderer.model.site import BundleRequest, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """What the verbs over sites work with. `schema` gives a shipped schema by name, `now` is the moment of the run."""

    files: Files
    schema: Callable[[str], Mapping[str, Json]]
    templates: Mapping[str, str]
    engine: ChartEngine
    executor: Executor
    version: str
    now: datetime


@dataclass(slots=True)
class Blobs:
    """Satisfies `renderer.ports.BlobReader` over all bundles of a run; a blob that two sites need is read once."""

    sources: dict[Digest, BundleSource] = field(default_factory=dict)
    known: dict[Digest, bytes] = field(default_factory=dict)

    def add(self, bundle: VerifiedBundle, source: BundleSource) -> None:
        """Offer the components of `bundle`, which lie in `source`."""
        for extension in bundle.bundle.extensions:
            for component in extension.components:
                self.sources.setdefault(component.content.digest, source)

    def blob(self, descriptor: Descriptor) -> bytes:
        """The checked bytes of a component."""
        content = self.known.get(descriptor.digest)
        if content is None:
            content = self.known[descriptor.digest] = self.sources[descriptor.digest].blob(descriptor)
        return content


@dataclass(slots=True)
class Loader:
    """Loads sites and what they stand on; remembers what several sites share."""

    workspace: Workspace
    blobs: Blobs = field(default_factory=Blobs)
    memo: Memo = field(default_factory=Memo)
    profiles: dict[str, LoadedSite] = field(default_factory=dict)

    def site(self, profile: str) -> LoadedSite:
        """The site that the profile at `profile` (from the root of the repository) describes. Raises InputError."""
        from renderer.formats.profile.site import read_profile

        files = self.workspace.files
        loaded = read_profile(profile, files.read, files.list, self.workspace.schema("site.v1"))
        self.profiles[loaded.site.profile] = loaded
        return loaded

    def where(self, site: Site, *path: str | int) -> Where:
        """Where the profile of a site that was loaded here says what stands at `path`: file, line and column."""
        return self.profiles[site.profile].document.where(path)

    def lock(self, profile: str) -> tuple[Lock, bytes]:
        """The lock beside `profile`. Raises InputError (`lock-missing`)."""
        from renderer.formats.lockfile import decode_lock

        path = lock_path(profile)
        if not self.workspace.files.exists(path):
            raise InputError(
                Finding(
                    code="lock-missing",
                    message=f"`{profile}` has no lock: nothing says which versions and digests it stands on",
                    where=Where(file=path),
                    hint=f"sitewright lock {profile}",
                )
            )
        content = self.workspace.files.read(path)
        return decode_lock(content, path, profile=profile), content

    def policy(self, path: str) -> TrustPolicy:
        """The trust policy at `path`."""
        files = self.workspace.files
        return self.memo.get(("policy", path), lambda: read_trust_policy(path, files.read, self._schema_of_trust()))

    def catalog(self, site: Site, lock: Lock | None) -> Catalog:
        """The catalog of the site's bundles, all of them verified against its trust policy.

        Raises BundleRefusedError with what is wrong with every bundle, or InputError.
        """
        policy = self.policy(site.trust)
        verified: list[VerifiedBundle] = []
        faults: list[RendererError] = []
        for index, request in enumerate(site.bundles):
            try:
                verified.append(self._bundle(request, policy, lock, site, index))
            except (BundleRefusedError, InputError) as error:
                faults.append(error)
        if faults:
            kind = BundleRefusedError if any(isinstance(fault, BundleRefusedError) for fault in faults) else InputError
            raise kind(*(finding for fault in faults for finding in fault.findings))
        return self.memo.get(("catalog", tuple(id(bundle) for bundle in verified)), lambda: Catalog.of(verified))

    def verified(self, path: str, policy: TrustPolicy) -> VerifiedBundle:
        """The bundle in the layout at `path`, verified without regard to any lock."""
        source = self._source(path)
        bundle = load_bundle(source.index(), source.blob, policy, now=self.workspace.now, source=path)
        self.blobs.add(bundle, source)
        return bundle

    def tools(self, site: Site) -> Tools:
        """What the pipeline works with for `site`."""
        from renderer.inflation import Tools  # who only verifies bundles need not load what renders them
        from renderer.stages.layout import ManifestTexts

        return Tools(
            blobs=self.blobs,
            engine=self.workspace.engine,
            executor=self.workspace.executor,
            templates={**self.workspace.templates, **site.templates},
            version=self.workspace.version,
            memo=self.memo,
            texts=self.memo.get("texts", ManifestTexts),
        )

    def _schema_of_trust(self) -> Mapping[str, Json]:
        return self.workspace.schema("trust-policy.v1")

    def _source(self, path: str) -> BundleSource:
        return self.memo.get(("source", path), lambda: self.workspace.files.source(path))

    def _bundle(
        self, request: BundleRequest, policy: TrustPolicy, lock: Lock | None, site: Site, index: int
    ) -> VerifiedBundle:
        where = self.where(site, "spec", "bundles", index, "source")
        if request.source.startswith("oci://"):
            raise InputError(
                Finding(
                    code="bundle-source-unsupported",
                    message=f"`{request.source}` cannot be read yet: this version reads bundles from files",
                    where=where,
                    expected="the path of a directory or tar file in the repository",
                    hint="copy the bundle into an OCI layout beside the profiles and name its path",
                )
            )
        # by the bundle's own name: files are called differently from version to version
        locked = {entry.name: entry.sequence for entry in lock.bundles} if lock else {}
        key = ("bundle", request.source, site.trust, tuple(sorted(locked.items())), request.allow_rollback)

        def load() -> VerifiedBundle:
            source = self._source(request.source)
            return load_bundle(
                source.index(),
                source.blob,
                policy,
                now=self.workspace.now,
                source=request.source,
                locked_sequences=locked,
                allow_rollback=request.allow_rollback,
            )

        bundle = self.memo.get(key, load)
        if request.version is not None and not request.version.allows(bundle.bundle.version):
            raise InputError(
                Finding(
                    code="bundle-version",
                    message=f"the bundle in `{request.source}` is not a version that the profile admits",
                    where=where,
                    expected=f"`{request.version}`",
                    got=f"`{bundle.id}`",
                    hint="bring the right bundle, or change `version` of this bundle in the profile",
                )
            )
        self.blobs.add(bundle, self._source(request.source))
        return bundle


def lock_path(profile: str) -> str:
    """Where the lock of a profile lies: `profiles/a.yaml` -> `profiles/a.lock.yaml`."""
    stem = profile.removesuffix(".yaml").removesuffix(".yml")
    return f"{stem}.lock.yaml"
