"""From paths to verified values: profile, trust policy, lock, bundles. Everything is read once for a whole run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from renderer.commands.site.remote import Choice, check_choice, locked_choice, newest_choice
from renderer.errors import BundleRefusedError, Finding, InputError, RemoteError, RendererError, Where
from renderer.formats.trust.policy import read_trust_policy
from renderer.model.bundles.address import BundleAddress, is_address, newest
from renderer.model.bundles.bundle import Catalog, VerifiedBundle
from renderer.model.bundles.extension import Descriptor
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.reference import Digest
from renderer.ports import BundleRepository, BundleSource, ChartEngine, Executor, Files, Sealing
from renderer.stages.memo import Memo
from renderer.stages.verify import load_bundle
from renderer.structs import Struct, field

if TYPE_CHECKING:
    from renderer.formats.profile.site import LoadedSite
    from renderer.inflation import Tools
    from renderer.model.lock import Lock
    from renderer.model.site import BundleRequest, Site, SiteRegistry


class Workspace(Struct, frozen=True, kw_only=True):
    """What the verbs over sites work with.

    `schema` gives a shipped schema by name, `now` is the moment of the run. `repository` opens a repository that
    bundles come from; the registry of the site says whom to trust when it is the same one. `sealing` is asked when
    something is sealed or opened, which only `lock` does.
    """

    files: Files
    schema: Callable[[str], Mapping[str, Json]]
    templates: Mapping[str, str]
    engine: ChartEngine
    executor: Executor
    sealing: Sealing
    version: str
    now: datetime
    repository: Callable[[BundleAddress, SiteRegistry], BundleRepository] | None = None


class Blobs(Struct):
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


class Loader(Struct):
    """Loads sites and what they stand on; remembers what several sites share."""

    workspace: Workspace
    blobs: Blobs = field(default_factory=Blobs)
    memo: Memo = field(default_factory=Memo)
    profiles: dict[str, LoadedSite] = field(default_factory=dict)
    places: dict[tuple[str, Digest], BundleSource] = field(default_factory=dict)

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

    def catalog(self, site: Site, lock: Lock | None, *, fresh: bool = False) -> Catalog:
        """The catalog of the site's bundles, all of them verified against its trust policy.

        A bundle of a registry is the one that `lock` names; with `fresh`, or when it names none, the newest that the
        profile admits. Raises BundleRefusedError with what is wrong with every bundle, InputError, or RemoteError.
        """
        from renderer.stages.whole_indexes import for_registry

        policy = self.policy(site.trust)
        verified: list[VerifiedBundle] = []
        faults: list[RendererError] = []
        for index, request in enumerate(site.bundles):
            try:
                verified.append(self._bundle(request, policy, lock, site, index, fresh=fresh))
            except (BundleRefusedError, InputError, RemoteError) as error:
                faults.append(error)
        if faults:
            kinds = (BundleRefusedError, InputError, RemoteError)
            worst = next(kind for kind in kinds if any(isinstance(fault, kind) for fault in faults))
            raise worst(*(finding for fault in faults for finding in fault.findings))
        key = ("catalog", tuple(id(bundle) for bundle in verified), site.registry.indexes, site.cluster.platforms)
        return self.memo.get(key, lambda: for_registry(Catalog.of(verified), site))

    def verified(self, path: str, policy: TrustPolicy) -> VerifiedBundle:
        """The bundle in the layout at `path`, verified without regard to any lock."""
        source = self._source(path)
        bundle = load_bundle(source.index(), source.blob, policy, now=self.workspace.now, source=path)
        self._offer(bundle, source)
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

    def source_of(self, bundle: VerifiedBundle) -> BundleSource:
        """Where a bundle that was verified here lies."""
        return self.places[bundle.source, bundle.manifest.digest]

    def _source(self, path: str) -> BundleSource:
        return self.memo.get(("source", path), lambda: self.workspace.files.source(path))

    def published(self, site: Site) -> list[tuple[str, Callable[[], BundleSource]]]:
        """What the registries that a site names offer now: addresses, and how to open what lies there, not verified.

        Of each repository the newest release, and the newest version that the profile admits. Raises RemoteError.
        """
        found: list[tuple[str, Callable[[], BundleSource]]] = []
        for request in site.bundles:
            if is_address(request.source):
                repository, place = self._repository(request.source, site), BundleAddress.parse(request.source)
                tags = repository.tags()
                for tag in dict.fromkeys((newest(tags, None), newest(tags, request.version))):
                    if tag is not None:
                        address = str(place.at(tag))
                        found.append((address, partial(repository.source, tag, address, fresh=True)))
        return found

    def _repository(self, source: str, site: Site) -> BundleRepository:
        opener = self.workspace.repository
        if opener is None:
            raise AssertionError("this workspace knows no registries")
        key = ("repository", source, site.registry.ca, site.registry.insecure)
        return self.memo.get(key, lambda: opener(BundleAddress.parse(source), site.registry))

    def _located(
        self, request: BundleRequest, lock: Lock | None, site: Site, where: Where, *, fresh: bool
    ) -> tuple[BundleSource, Choice]:
        """The source that a profile names, and by what it was chosen among those of a repository."""
        if not is_address(request.source):
            return self._source(request.source), Choice()
        key = (request.source, site.registry.ca, site.registry.insecure)
        repository = self._repository(request.source, site)
        choice = None if fresh else locked_choice(request, lock)
        if choice is None:
            choice = self.memo.get(
                ("newest", *key, str(request.version)), lambda: newest_choice(request, repository, where)
            )
        reference = choice.reference
        return self.memo.get(
            ("remote", *key, reference),
            lambda: repository.source(reference, request.source, fresh=choice.tag is not None),
        ), choice

    def _bundle(
        self, request: BundleRequest, policy: TrustPolicy, lock: Lock | None, site: Site, index: int, *, fresh: bool
    ) -> VerifiedBundle:
        where = self.where(site, "spec", "bundles", index, "source")
        source, choice = self._located(request, lock, site, where, fresh=fresh)
        # by the bundle's own name: files are called differently from version to version
        locked = {entry.name: entry.sequence for entry in lock.bundles} if lock else {}
        key = ("bundle", id(source), site.trust, tuple(sorted(locked.items())), request.allow_rollback)

        def load() -> VerifiedBundle:
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
        check_choice(choice, bundle, where)
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
        self._offer(bundle, source)
        return bundle

    def _offer(self, bundle: VerifiedBundle, source: BundleSource) -> None:
        self.blobs.add(bundle, source)
        self.places[bundle.source, bundle.manifest.digest] = source


def lock_path(profile: str) -> str:
    """Where the lock of a profile lies: `profiles/a.yaml` -> `profiles/a.lock.yaml`."""
    return f"{_stem(profile)}.lock.yaml"


def generated_path(profile: str) -> str:
    """Where the captured values of a profile lie: `profiles/a.yaml` -> `profiles/a.generated.yaml`."""
    return f"{_stem(profile)}.generated.yaml"


def _stem(profile: str) -> str:
    return profile.removesuffix(".yaml").removesuffix(".yml")
