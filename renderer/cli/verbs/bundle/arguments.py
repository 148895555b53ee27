"""Arguments that several `bundle` verbs share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from renderer.cli.spec import Argument, Options
from renderer.errors import Finding, UsageError, Where

if TYPE_CHECKING:
    from collections.abc import Callable

    from renderer.commands.bundle.building.workbench import Workbench
    from renderer.model.reference import Platform
    from renderer.ports import Registry

BUNDLE: Final = Argument(names=("bundle",), help="an OCI layout: a directory or a tar file")
PLATFORM: Final = Argument(
    names=("--platform",),
    help="take images for these platforms",
    takes="repeated",
    metavar="OS/ARCH,…",
    completes="nothing",
)


def workbench(options: Options, registry: Callable[[str], Registry]) -> Workbench:
    """What making a bundle works with; `registry` opens the registries that its source names."""
    from renderer.cli import registries, wiring
    from renderer.commands.bundle.building.workbench import Workbench

    return Workbench(
        engine=wiring.engine(options.text("engine")),
        executor=wiring.executor(),
        registry=registry,
        jobs=registries.jobs(options),
    )


def platforms(options: Options) -> tuple[Platform, ...]:
    """What `--platform` names, each platform once. Raises UsageError."""
    from renderer.model.reference import Platform

    names = [name for text in options.texts("platform") for name in text.split(",")]
    try:
        return tuple(dict.fromkeys(Platform.parse(name.strip()) for name in names))
    except ValueError as error:
        raise UsageError(
            Finding(
                code="usage",
                message=str(error),
                where=Where(subject="--platform"),
                got=", ".join(f"`{name}`" for name in names),
                hint="--platform linux/amd64,linux/arm64",
            )
        ) from error
