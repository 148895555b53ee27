"""`sitewright images …`: what a site operator types inside the air gap."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli.registries import REGISTRY_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.errors import Finding
from renderer.model.outcome import Outcome
from renderer.structs import Struct, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from renderer.commands.images.loads import Hold
    from renderer.model.bundles.trust import TrustPolicy
    from renderer.model.images.transfer import ImageTarget
    from renderer.model.site import Site


class _Subject(Struct, frozen=True, kw_only=True):
    """What a command line speaks of: a site with its lock, or a bundle."""

    what: str
    targets: tuple[ImageTarget, ...]
    hold: Callable[[], Hold]
    site: Site | None = None
    lock: bytes = b""
    policy: Callable[[], TrustPolicy] | None = None


@contextmanager
def _subject(options: Options) -> Iterator[tuple[_Subject, Callable[[Outcome], Outcome]]]:
    """The site or bundle that the first argument names, and how file names are told from here."""
    from renderer.cli import wiring
    from renderer.model.bundles.address import is_address

    path = options.text("subject")
    if is_address(path):
        raise misused(f"`{path}` lies in a registry", f"a profile that names it, or sitewright bundle pull {path}")
    if _is_bundle(path):
        yield _bundle(path, options), lambda outcome: outcome
        return
    files = wiring.files_around(path)
    with wiring.told_from_here(files) as told:
        yield _site(path, options), told


def _is_bundle(path: str) -> bool:
    return Path(path).is_dir() or path.endswith(".tar")


def _site(path: str, options: Options) -> _Subject:
    from renderer.cli import wiring
    from renderer.commands.images.loads import Hold
    from renderer.commands.images.plan import same_bundles, targets_of_site
    from renderer.commands.site.loading import Loader

    for name in ("trust", "project"):
        if name in options and options.given(name):
            raise misused(f"--{name} is for bundles; a profile says it itself", f"leave --{name} out")
    files = wiring.files_around(path)
    profile = files.relative(path)
    loader = Loader(wiring.workspace(files, options))
    site = loader.site(profile).site
    lock, content = loader.lock(profile)

    def hold() -> Hold:
        catalog = loader.catalog(site, lock)
        same_bundles(catalog.bundles, lock, path)
        sources = {one.source: loader.source_of(one) for one in catalog.bundles}
        return Hold(catalog.bundles, sources, _beside(sources, options.optional("registry") or site.registry.url))

    return _Subject(
        what=f"site {site.name}",
        targets=targets_of_site(site, lock),
        hold=hold,
        site=site,
        lock=content,
        policy=lambda: loader.policy(site.trust),
    )


def _beside(sources: Iterable[str], url: str) -> dict[str, str]:
    """The repositories of those bundles that lie in the registry at `url`."""
    from renderer.model.bundles.address import BundleAddress, is_address

    found = {source: BundleAddress.parse(source) for source in sources if is_address(source)}
    host = url.partition("://")[2].rstrip("/")
    return {source: address.repository for source, address in found.items() if address.host == host}


def _bundle(path: str, options: Options) -> _Subject:
    from renderer.cli import wiring
    from renderer.commands.images.bundle_plan import targets_of_bundle
    from renderer.commands.images.loads import Hold
    from renderer.commands.site.loading import Loader

    trust = options.optional("trust")
    if trust is None:
        raise misused("nothing of a bundle is used before its signatures are verified", "--trust profiles/trust.yaml")
    files = wiring.files_around(path)
    place = files.relative(path)
    bundle = Loader(wiring.workspace(files)).verified(place, wiring.policy(trust))
    return _Subject(
        what=f"bundle {bundle.id}",
        targets=targets_of_bundle(bundle.bundle, _projects(options)),
        hold=lambda: Hold([bundle], {place: files.source(place)}),
    )


def _projects(options: Options) -> dict[str, str]:
    pairs = [text.partition("=") for text in options.texts("project")]
    for source, equals, project in pairs:
        if not (source and equals and project):
            raise misused(f"`{source}{equals}{project}` is no project", "--project docker.io=dockerhub")
    return {source: project for source, _, project in pairs}


def _sync(options: Options) -> Outcome:
    from renderer.cli import registries
    from renderer.commands.images.sync import SyncOptions, sync

    given = {name.replace("-", "_"): options.flag(name) for name in ("retag", "recheck", "dry-run")}
    how = SyncOptions(jobs=registries.jobs(options), **given)
    with _subject(options) as (subject, told):
        hold = subject.hold()
        with registries.open_registry(options, subject.site.registry if subject.site else None) as registry:
            notes: tuple[Finding, ...] = ()
            if options.flag("create-projects"):
                from renderer.commands.images.projects import create_projects

                # nodes of a site that names no credentials pull as nobody
                public = subject.site is not None and subject.site.registry.credentials is None
                notes = create_projects(subject.targets, registry.harbor, public=public, dry_run=how.dry_run)
            journal = registries.journal(registry.location)
            outcome = sync(subject.targets, hold, registry, journal, registries.progress(options), how)
            return told(replace(outcome, findings=(*notes, *outcome.findings)))


def _verify(options: Options) -> Outcome:
    from renderer.cli import registries, wiring
    from renderer.commands.images.receipts import receipt_of, signed_receipt
    from renderer.commands.images.verify import verify, verify_outcome

    receipt, key = options.optional("receipt"), options.optional("key")
    if bool(receipt) != bool(key):
        raise misused("a receipt is signed: --receipt and --key belong together", "--key keys/site.key")
    if _is_bundle(options.text("subject")):
        raise misused("what a site must hold is said by its lock", "name the profile of the site")
    with _subject(options) as (subject, told):
        site = subject.site
        if site is None:
            raise AssertionError("what is no bundle is a profile")
        with registries.open_registry(options, site.registry) as registry:
            verified = verify(
                subject.targets,
                registry,
                jobs=registries.jobs(options),
                deep=options.flag("deep"),
                policy=subject.policy() if subject.policy else None,
            )
        outcome = told(verify_outcome(verified, f"sitewright images sync {options.text('subject')}"))
    if receipt and key:
        from renderer.adapters.signing import KeyFileSigner

        signer = KeyFileSigner(Path(key), key, wiring.passphrase_for(key))
        statement = receipt_of(verified, site=site.name, lock=subject.lock, now=wiring.now())
        place = wiring.files_around(receipt)
        place.write(place.relative(receipt), signed_receipt(statement, signer))
    return outcome


def _list(options: Options) -> Outcome:
    from renderer.commands.images.listing import list_images

    with _subject(options) as (subject, told):
        return told(list_images(subject.targets, subject.what, options.text("format")))


_SUBJECT: Final = Argument(
    names=("subject",), help="a profile (its lock beside it), or a bundle", metavar="PROFILE|BUNDLE"
)
_FOR_BUNDLES: Final = (
    Argument(names=("--trust",), help="for a bundle: the trust policy that it must satisfy", metavar="POLICY"),
    Argument(
        names=("--project",),
        help="for a bundle: the project for the images of a source registry, * for the rest (default: its own name)",
        takes="repeated",
        metavar="SOURCE=PROJECT",
        completes="nothing",
    ),
)
IMAGES: Final = Command(
    name="images",
    summary="Bring the images of a site into its registry, verify that they are there, list them.",
    commands=(
        Command(
            name="sync",
            summary="Send the images that a site needs from its bundles to its registry; what is there is not sent.",
            description=(
                "Only the platforms of the site travel; index digests stay what they are. An interrupted run continues "
                "where it stopped. Everything is tried; what failed is told at the end, with exit code 5."
            ),
            arguments=(
                _SUBJECT,
                *REGISTRY_ARGUMENTS,
                Argument(
                    names=("--create-projects",),
                    help="create missing projects (Harbor); public when the profile names no credentials",
                    takes="none",
                ),
                Argument(names=("--retag",), help="move tags that stand for another image", takes="none"),
                Argument(
                    names=("--recheck",),
                    help="ask for every blob, also of images that an earlier run completed",
                    takes="none",
                ),
                Argument(names=("--dry-run",), help="ask the registry, send nothing", takes="none"),
                *_FOR_BUNDLES,
            ),
            examples=(
                "sitewright images sync profiles/demo.yaml",
                "sitewright images sync profiles/demo.yaml --dry-run",
                "sitewright images sync bundles/demo.tar --trust profiles/trust.yaml --registry https://harbor.site",
            ),
            handler=_sync,
        ),
        Command(
            name="verify",
            summary="Check that the site registry holds every image of the lock: tags, manifests, layers, signatures.",
            description=(
                "Needs no bundle. Presence and size are asked for; --deep reads and hashes everything. Ends with 5 "
                "when something is missing, and names the command that mends it."
            ),
            arguments=(
                Argument(names=("subject",), help="the profile of a site, its lock beside it", metavar="PROFILE"),
                *REGISTRY_ARGUMENTS,
                Argument(names=("--deep",), help="read every blob and check its digest", takes="none"),
                Argument(names=("--receipt",), help="write what the site holds as a signed receipt", metavar="FILE"),
                Argument(names=("--key",), help="the private key that signs the receipt"),
            ),
            examples=(
                "sitewright images verify profiles/demo.yaml",
                "sitewright images verify profiles/demo.yaml --deep --receipt demo.receipt.json --key keys/site.key",
            ),
            handler=_verify,
        ),
        Command(
            name="list",
            summary="List the images of a site or bundle: for people, as JSON, for skopeo sync, for KubeKey.",
            description="Needs no registry and no network.",
            arguments=(_SUBJECT, *_FOR_BUNDLES),
            formats=("text", "json", "skopeo", "kubekey"),
            examples=(
                "sitewright images list profiles/demo.yaml",
                "sitewright images list profiles/demo.yaml --format skopeo > images.yaml",
            ),
            handler=_list,
        ),
    ),
)
