"""`sitewright bundle build`: what a platform engineer types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from renderer.cli.registries import SOURCES_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.verbs.arguments import ENGINE
from renderer.cli.verbs.bundle.arguments import PLATFORM, platforms, workbench
from renderer.model.outcome import Outcome
from renderer.structs import replace


def _build(options: Options) -> Outcome:
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.adapters.package_data import schema
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.building.build import build

    source = options.text("source")
    files = wiring.files_with_images(source)
    with wiring.told_from_here(files) as told, registries.sources(options) as registry:
        outcome = build(
            files,
            files.relative(source),
            options.text("output"),
            FileLayoutWriter(Path.cwd()),
            workbench(options, registry),
            schema=schema("bundle-source.v1"),
            created=wiring.epoch(),
            platforms=platforms(options),
            progress=registries.progress(options),
        )
        return told(outcome)


BUILD: Final = Command(
    name="build",
    summary="Build a bundle from a source file: charts, templates, manifests, KubeSphere packages, images.",
    description=(
        "The same source and files give the same bytes. The bundle is an OCI image layout. Charts are inflated to find "
        "the images that they use; an image that is missing from the bundle ends the build with 1. The JSON has the "
        "place of every image."
    ),
    arguments=(
        Argument(names=("source",), help="the source file, such as bundle.yaml"),
        Argument(names=("--output", "-o"), help="a directory, or a file that ends in .tar", required=True),
        replace(PLATFORM, help="take images for these platforms, not for those that the source names"),
        ENGINE,
        *SOURCES_ARGUMENTS,
    ),
    examples=(
        "sitewright bundle build bundle.yaml -o build/bundle.tar",
        "sitewright bundle build bundle.yaml -o build/bundle --platform linux/amd64,linux/arm64",
    ),
    handler=_build,
)
