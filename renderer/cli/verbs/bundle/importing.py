"""`sitewright bundle import`: what other people's packages become."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.cli.registries import SOURCES_ARGUMENTS
from renderer.cli.spec import Argument, Command, Options
from renderer.cli.usage import misused
from renderer.cli.verbs.arguments import ENGINE
from renderer.cli.verbs.bundle.arguments import PLATFORM, platforms, workbench
from renderer.errors import InputError
from renderer.model.outcome import Outcome
from renderer.structs import replace

if TYPE_CHECKING:
    from renderer.adapters.files import WorkingTree
    from renderer.commands.bundle.kubesphere.drafts import Naming
    from renderer.commands.bundle.kubesphere.images import ImageSources
    from renderer.commands.bundle.kubesphere.importing import Import

_ADDRESSES: Final = ("https://", "http://")
_UPSTREAM: Final = "upstream"
_PLATFORM: Final = "linux/amd64"


def _import(options: Options) -> Outcome:
    from renderer.adapters.layout_writer import FileLayoutWriter
    from renderer.adapters.package_data import schema
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.kubesphere.importing import import_packages, import_sources

    output = options.text("output")
    source_only = options.flag("source-only")
    files = wiring.files_with_images(output) if source_only else wiring.files_over(_places(options))
    with wiring.told_from_here(files) as told, registries.sources(options) as registry:
        bench = workbench(options, registry)
        wish, described = _wish(options, files), schema("bundle-source.v1")
        if source_only:
            return told(import_sources(files, wish, files.relative(output), bench, described))
        return told(import_packages(files, wish, output, FileLayoutWriter(Path.cwd()), bench, described))


def _wish(options: Options, files: WorkingTree) -> Import:
    from renderer.commands.bundle.kubesphere.importing import Import

    each, tar = options.flag("per-extension"), options.flag("tar")
    if tar and (not each or options.flag("source-only")):
        hint = "-o FILE.tar" if not each else "leave one of them out"
        raise misused("--tar says how --per-extension writes bundles", hint, "--tar")
    return Import(
        paths=tuple(_relative(path, files) for path in options.texts("path")),
        naming=_naming(options),
        sources=_sources(options, files),
        accepted=tuple(_acceptance(text) for text in options.texts("accept")),
        each=each,
        tar=tar,
        newest=options.flag("newest"),
    )


def _relative(path: str, files: WorkingTree) -> str:
    """A path as typed, from the root of the working tree; a bundle.yaml names only what lies below that root."""
    try:
        return files.relative(path)
    except InputError as error:
        hint = "write the bundle.yaml into a directory that holds the packages and images, or into one above"
        raise InputError(*(replace(finding, hint=hint) for finding in error.findings)) from error


def _naming(options: Options) -> Naming:
    from renderer.cli import wiring
    from renderer.commands.bundle.kubesphere.drafts import Naming
    from renderer.model.bundles.extension import extension_name
    from renderer.model.reference import Platform
    from renderer.model.version import Version

    version, sequence, name = (options.optional(key) for key in ("version", "sequence", "name"))
    try:
        return Naming(
            name=extension_name(name) if name else None,
            version=Version.parse_strict(version) if version else None,
            sequence=_sequence(sequence) if sequence else None,
            created=wiring.epoch(),
            now=wiring.now(),
            platforms=platforms(options) or (Platform.parse(_PLATFORM),),
        )
    except ValueError as error:
        raise misused(str(error), "sitewright bundle import kubesphere --help") from error


def _sequence(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"`{text}` is no sequence: it counts up from 1")
    return int(text)


def _acceptance(text: str) -> tuple[str, str]:
    glob, equals, reason = text.partition("=")
    if not (glob.strip() and equals and reason.strip()):
        raise misused(
            f"`{text}` accepts nothing", "--accept 'docker.io/library/busybox:*=why sites do without'", "--accept"
        )
    return glob.strip(), reason.strip()


def _sources(options: Options, files: WorkingTree) -> ImageSources:
    from renderer.commands.bundle.kubesphere.images import ImageSources

    given = options.texts("images")
    elsewhere = [text for text in given if text == _UPSTREAM or text.startswith(_ADDRESSES)]
    if len(elsewhere) > 1:
        hint = "copy what the second one has into an OCI layout, or edit the list that --source-only writes"
        raise misused("images come from one registry at most", hint, "--images")
    here = [text for text in given if text not in elsewhere]
    registry = elsewhere[0] if elsewhere and elsewhere[0] != _UPSTREAM else None
    if options.flag("digests-only") and not given:
        raise misused(
            "--digests-only needs a place to look images up in", "--images https://REGISTRY", "--digests-only"
        )
    return ImageSources(
        files=tuple(_relative(path, files) for path in here),
        registry=registry,
        upstream=bool(elsewhere) and registry is None,
        carried=not options.flag("digests-only"),
    )


def _places(options: Options) -> tuple[str, ...]:
    """The files and directories that the command line names."""
    layouts = (text for text in options.texts("images") if text != _UPSTREAM and not text.startswith(_ADDRESSES))
    return (*options.texts("path"), *(path for path in layouts if os.path.lexists(path)))


KUBESPHERE: Final = Command(
    name="kubesphere",
    summary="Make bundles of KubeSphere extension packages, with ks-core if its chart is named.",
    description=(
        "PATH is a package (.tgz), a source directory with extension.yaml, the chart of ks-core, or a directory of "
        "such. Name, version, sequence and time of a bundle follow from the packages unless you say them: the same "
        "packages give the same bundle."
    ),
    arguments=(
        Argument(names=("path",), help="packages, or directories of packages", takes="many"),
        Argument(
            names=("--output", "-o"),
            help="the bundle: a directory, or a file that ends in .tar; with --per-extension a directory of bundles; "
            "with --source-only the bundle.yaml",
            required=True,
        ),
        Argument(names=("--per-extension",), help="one bundle for every extension, not one for all", takes="none"),
        Argument(names=("--tar",), help="with --per-extension: tar files, not directories", takes="none"),
        Argument(names=("--newest",), help="of every extension the newest version only", takes="none"),
        Argument(
            names=("--images",),
            help="where images are: an OCI layout or archive, the address of a registry that has them "
            "(https://host[/path], each below its own path), or upstream",
            takes="repeated",
            metavar="PLACE",
        ),
        Argument(
            names=("--digests-only",),
            help="vouch for images without carrying them: the site's registry has them already",
            takes="none",
        ),
        Argument(
            names=("--accept",),
            help="images (a glob) that the bundles may lack, and why sites do without",
            takes="repeated",
            metavar="REFERENCE=REASON",
            completes="nothing",
        ),
        Argument(
            names=("--source-only",), help="write the bundle.yaml and stop, so that you can edit it", takes="none"
        ),
        Argument(
            names=("--name",),
            help="the name of the bundle, or the beginning of all names (default: kubesphere)",
            completes="nothing",
        ),
        Argument(
            names=("--version",),
            help="the version (default: that of ks-core or of the extension, else the day of the newest package)",
            completes="nothing",
        ),
        Argument(
            names=("--sequence",),
            help="the sequence (default: the minute of the newest package, as YYYYMMDDhhmm)",
            completes="nothing",
        ),
        PLATFORM,
        ENGINE,
        *SOURCES_ARGUMENTS,
    ),
    examples=(
        "sitewright bundle import kubesphere museum/ ks-core/ -o build/kubesphere --images https://mirror.example/ks",
        "sitewright bundle import kubesphere museum/ -o build/bundles --per-extension --tar --images images/",
        "sitewright bundle import kubesphere museum/ -o bundle.yaml --source-only",
    ),
    handler=_import,
)

IMPORT: Final = Command(
    name="import",
    summary="Make bundles of what others publish.",
    commands=(KUBESPHERE,),
    examples=("sitewright bundle import kubesphere museum/ -o build/kubesphere --images images/",),
)
