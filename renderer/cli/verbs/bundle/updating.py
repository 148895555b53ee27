"""`sitewright bundle diff|apply`: what carries an update over a thin line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli.registries import REGISTRY_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.model.outcome import Outcome

if TYPE_CHECKING:
    from renderer.commands.bundle.carrying.apply import Base
    from renderer.commands.bundle.carrying.bases import Held
    from renderer.model.bundles.trust import TrustPolicy
    from renderer.ports import Layout


def _diff(options: Options) -> Outcome:
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.commands.bundle.carrying.delta import diff

    new = _layout(options.text("bundle"))
    return diff(new, _held(options, new), FileLayoutWriter(Path.cwd()), options.text("output"))


def _layout(path: str) -> Layout:
    from renderer.adapters.layout import open_layout

    return open_layout(Path(path), path)


def _held(options: Options, new: Layout) -> Held:
    """What `--base` names: a lock and a receipt by their endings, anything else is a bundle."""
    from renderer.adapters.certificate_files import read_public_key
    from renderer.cli import stores, wiring
    from renderer.commands.bundle.carrying import bases

    base = options.text("base")
    files = wiring.files_around(base)
    if base.endswith((".yaml", ".yml")):
        store = stores.bundle_store(options.optional("store"))
        return bases.held_by_lock(files.read(files.relative(base)), base, bases.name_of(new), store)
    if base.endswith(".json"):
        if not options.given("receipt-key"):
            raise misused("a receipt is believed when its signature holds", "--receipt-key keys/site.pub")
        keys = [read_public_key(path) for path in options.texts("receipt-key")]
        return bases.held_by_receipt(files.read(files.relative(base)), keys, base)
    return bases.held_by_bundle(_layout(base))


def _apply(options: Options) -> Outcome:
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.carrying.apply import BundleBase, RegistryBase
    from renderer.commands.site.loading import Loader

    base, profile, trust = (options.optional(name) for name in ("base", "profile", "trust"))
    if base is not None and profile is None:
        return _put_together(options, BundleBase(_layout(base)), wiring.policy(trust or "trust.yaml"))
    if base is not None or profile is None:
        raise misused("a delta needs its base: the older bundle, or the site", "--base bundles/old.tar")
    files = wiring.files_around(profile)
    loader = Loader(wiring.workspace(files))
    site = loader.site(files.relative(profile)).site
    policy = wiring.policy(trust) if trust else loader.policy(site.trust)
    with registries.open_registry(options, site.registry) as registry:
        return _put_together(options, RegistryBase(registry, site.name), policy)


def _put_together(options: Options, base: Base, policy: TrustPolicy) -> Outcome:
    from renderer.adapters.layout_receiver import LayoutReceiver
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.carrying.apply import apply

    output, jobs, delta = options.text("output"), registries.jobs(options), _layout(options.text("delta"))
    with LayoutReceiver(Path(output), output, FileLayoutWriter(Path.cwd()), earlier=None) as incoming:
        told = registries.progress(options)
        return apply(delta, base, policy, incoming, lambda: _layout(output), told, now=wiring.now(), jobs=jobs)


DIFF: Final = Command(
    name="diff",
    summary="Make a delta: what a bundle has and the other side lacks.",
    description=(
        "--base is an older bundle, the lock of a site (*.lock.yaml), or the receipt of a site (*.json, written by "
        "`images verify --receipt`). Sign the delta like a bundle before it travels."
    ),
    arguments=(
        Argument(names=("bundle",), help="the newer bundle: a directory or a tar file"),
        Argument(names=("--base",), help="what the other side has", metavar="BUNDLE|LOCK|RECEIPT", required=True),
        Argument(names=("--output", "-o"), help="a directory, or a file that ends in .tar", required=True),
        Argument(
            names=("--store",),
            help="where the bundle that a lock names is looked for (default: bundles)",
            metavar="DIR",
            completes="directories",
        ),
        Argument(
            names=("--receipt-key",),
            help="the public key of the site that signed the receipt (again for more)",
            takes="repeated",
            metavar="FILE",
        ),
    ),
    examples=(
        "sitewright bundle diff bundles/kubesphere-4.2.0.tar --base bundles/kubesphere-4.1.3.tar -o delta.tar",
        "sitewright bundle diff bundles/kubesphere-4.2.0.tar --base profiles/branch-017.lock.yaml -o delta.tar",
    ),
    handler=_diff,
)

APPLY: Final = Command(
    name="apply",
    summary="Put a delta and its base together to the whole bundle, and verify it.",
    description=(
        "A delta from a bundle or a lock needs that bundle (--base); a delta from a receipt needs the registry of the "
        "site (--profile). A wrong base is refused with 3. An interrupted run is continued by the next one."
    ),
    arguments=(
        Argument(names=("delta",), help="the delta: a directory or a tar file"),
        Argument(names=("--base",), help="the older bundle that the delta was made from", metavar="BUNDLE"),
        Argument(names=("--profile",), help="the site whose registry holds what the delta lacks", metavar="PROFILE"),
        Argument(names=("--output", "-o"), help="a directory, or a file that ends in .tar", required=True),
        Argument(
            names=("--trust",),
            help="the trust policy (default: the one of the profile, or trust.yaml)",
            metavar="FILE",
        ),
        *REGISTRY_ARGUMENTS,
    ),
    examples=(
        "sitewright bundle apply delta.tar --base bundles/kubesphere-4.1.3.tar -o bundles/kubesphere-4.2.0.tar",
        "sitewright bundle apply delta.tar --profile profiles/branch-017.yaml -o bundles/kubesphere-4.2.0.tar",
    ),
    handler=_apply,
)
