"""`sitewright bundle verify|inspect`: what looks into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from renderer.cli.registries import READING_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.cli.verbs.bundle.arguments import BUNDLE
from renderer.model.outcome import Outcome


def _verify(options: Options) -> Outcome:
    from renderer.adapters.executors import ThreadExecutor
    from renderer.adapters.layout import open_layout
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.carrying.delta_check import check_delta, is_delta
    from renderer.commands.bundle.verify import verify

    path, executor = options.text("bundle"), ThreadExecutor(registries.jobs(options))
    policy, source = wiring.policy(options.text("trust")), open_layout(Path(path), path)
    judge = check_delta if is_delta(source) else verify
    return judge(source, policy, now=wiring.now(), executor=executor)


def _inspect(options: Options) -> Outcome:
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.carrying.delta_check import inspect_delta, is_delta
    from renderer.commands.bundle.inspect import View, inspect

    chosen = [name for name in ("images", "tree", "sbom") if options.flag(name)]
    if len(chosen) > 1:
        raise misused("a bundle is shown in one shape at a time", f"--{chosen[0]}")
    trust = options.optional("trust")
    policy = wiring.policy(trust) if trust else None
    with registries.bundle_source(options.text("bundle"), options) as source:
        if not chosen and is_delta(source):
            return inspect_delta(source, policy, now=wiring.now())
        if options.flag("sbom"):
            from renderer.commands.bundle.building.bill import show_bill

            return show_bill(source, policy, now=wiring.now())
        return inspect(source, policy, now=wiring.now(), view=View(chosen[0]) if chosen else View.SUMMARY)


VERIFY: Final = Command(
    name="verify",
    summary="Verify signatures, every blob and the whole content of a bundle or delta. Ends with 3 when it is refused.",
    arguments=(
        BUNDLE,
        Argument(names=("--trust",), help="the trust policy", metavar="FILE", default="trust.yaml"),
        Argument(
            names=("--jobs", "-j"),
            help="how many blobs are hashed at once (default: 4); 1 is best for a disk that turns",
            default="4",
        ),
    ),
    examples=("sitewright bundle verify build/bundle.tar --trust trust.yaml",),
    handler=_verify,
)

INSPECT: Final = Command(
    name="inspect",
    summary="Show what a bundle holds: extensions, components, images; or what a delta needs and brings.",
    arguments=(
        Argument(
            names=("bundle",), help="an OCI layout: a directory or a tar file; or oci://HOST[:PORT]/REPOSITORY[:TAG]"
        ),
        Argument(names=("--trust",), help="show it only when this trust policy accepts it", metavar="FILE"),
        Argument(names=("--images",), help="list every image with its digest", takes="none"),
        Argument(
            names=("--tree",), help="show what belongs to what, platforms and sizes; shared blobs once", takes="none"
        ),
        Argument(names=("--sbom",), help="print the bill of materials (CycloneDX JSON) instead", takes="none"),
        *READING_ARGUMENTS,
    ),
    examples=(
        "sitewright bundle inspect build/bundle.tar --images",
        "sitewright bundle inspect build/bundle.tar --trust trust.yaml --tree",
        "sitewright bundle inspect oci://harbor.example/bundles/kubesphere:4.1.3 --trust trust.yaml",
        "sitewright bundle inspect build/bundle.tar --trust trust.yaml --sbom > sbom.cdx.json",
    ),
    handler=_inspect,
)
