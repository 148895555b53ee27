"""`sitewright bundle build`: what a platform engineer types."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.cli.verbs.arguments import ENGINE
from renderer.model.outcome import Outcome


def _build(options: Options) -> Outcome:
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.adapters.package_data import schema
    from renderer.cli import wiring
    from renderer.commands.bundle import Workbench, build

    source = options.text("source")
    files = wiring.files_around(source)
    with wiring.told_from_here(files) as told:
        writer, described = FileLayoutWriter(Path.cwd()), schema("bundle-source.v1")
        path, output = files.relative(source), options.text("output")
        bench = Workbench(engine=wiring.engine(options.text("engine")), executor=wiring.executor())
        return told(build(files, path, output, writer, bench, schema=described, created=wiring.epoch()))


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
        ENGINE,
    ),
    examples=("sitewright bundle build bundle.yaml -o build/bundle.tar",),
    handler=_build,
)
