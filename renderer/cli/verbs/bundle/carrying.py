"""`sitewright bundle push|pull`: what carries bundles through registries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli.registries import ADDRESS_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.cli.verbs.bundle.arguments import BUNDLE
from renderer.errors import RendererError
from renderer.model.outcome import Outcome

if TYPE_CHECKING:
    from renderer.ports import Layout

_ADDRESS: Final = "oci://HOST[:PORT]/REPOSITORY"


def _push(options: Options) -> Outcome:
    from renderer.adapters.layout import open_layout
    from renderer.cli import registries
    from renderer.commands.bundle.carrying.push import PushOptions, push

    path, address = options.text("bundle"), registries.address(options.text("address"))
    if address.digest is not None:
        raise misused("a bundle is pushed to a tag: its digest is its own", f"{_ADDRESS}[:TAG]")
    given = {name.replace("-", "_"): options.flag(name) for name in ("retag", "recheck", "dry-run")}
    how = PushOptions(jobs=registries.jobs(options), **given)
    source = open_layout(Path(path), path)
    with registries.open_address(address, options) as registry:
        journal = registries.journal(registry.location)
        return push(source, address, registry, journal, registries.progress(options), how)


def _pull(options: Options) -> Outcome:
    from renderer.adapters.layout_receiver import LayoutReceiver
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.adapters.registry.repository_source import RepositorySource
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.carrying.pull import Origin, pull

    output, address = options.text("output"), registries.address(options.text("address"))
    policy, jobs = wiring.policy(options.text("trust")), registries.jobs(options)
    writer = FileLayoutWriter(Path.cwd())
    writer.check(output)
    with (
        registries.open_address(address, options) as registry,
        LayoutReceiver(Path(output), output, writer, _earlier(options, output)) as incoming,
    ):
        chosen = registries.with_reference(address, registry)
        origin = Origin(address=chosen, registry=registry, source=RepositorySource(registry, chosen))
        return pull(origin, policy, incoming, registries.progress(options), jobs=jobs, now=wiring.now())


def _earlier(options: Options, output: str) -> Layout | None:
    """The layout whose blobs need not be fetched: the one that `--base` names, else what stands at the output."""
    from renderer.adapters.layout import open_layout

    base = options.optional("base")
    if base is not None:
        return open_layout(Path(base), base)
    try:
        return open_layout(Path(output), output)
    except RendererError:
        return None


PUSH: Final = Command(
    name="push",
    summary="Push a bundle to a registry, signatures and all; what is there is not sent.",
    description=(
        "Without a tag the bundle goes under its version. The tag is put there last. An interrupted run continues "
        "where it stopped. What travels keeps every byte, so every signature keeps its worth."
    ),
    arguments=(
        BUNDLE,
        Argument(names=("address",), help=f"where to: {_ADDRESS}[:TAG]", completes="nothing"),
        *ADDRESS_ARGUMENTS,
        Argument(names=("--retag",), help="move a tag that stands for another bundle", takes="none"),
        Argument(
            names=("--recheck",), help="ask for every blob, also for those that an earlier push brought", takes="none"
        ),
        Argument(names=("--dry-run",), help="ask the registry, send nothing", takes="none"),
    ),
    examples=("sitewright bundle push build/kubesphere.tar oci://harbor.example/bundles/kubesphere",),
    handler=_push,
)

PULL: Final = Command(
    name="pull",
    summary="Fetch a bundle from a registry: signatures are verified before anything else is asked for.",
    description=(
        "Without a tag it is the newest release. What comes out is what was pushed, byte for byte. An interrupted run "
        "is continued by the next one; what an older bundle has in common with it (--base, or the one that stands at "
        "the output) is not fetched. Ends with 3 when the bundle is refused."
    ),
    arguments=(
        Argument(names=("address",), help=f"where from: {_ADDRESS}[:TAG|@DIGEST]", completes="nothing"),
        Argument(names=("--base",), help="an older bundle that is here: what it has is not fetched", metavar="BUNDLE"),
        Argument(names=("--output", "-o"), help="a directory, or a file that ends in .tar", required=True),
        Argument(names=("--trust",), help="the trust policy", metavar="FILE", default="trust.yaml"),
        *ADDRESS_ARGUMENTS,
    ),
    examples=(
        "sitewright bundle pull oci://harbor.example/bundles/kubesphere:4.1.3 -o bundles/kubesphere.tar",
        "sitewright bundle pull oci://harbor.example/bundles/kubesphere -o bundles/kubesphere --trust trust.yaml",
        "sitewright bundle pull oci://harbor.example/bundles/kubesphere --base bundles/old.tar -o bundles/new.tar",
    ),
    handler=_pull,
)
