"""Opening what lies at a path, by what it looks like."""

from __future__ import annotations

from pathlib import Path

from renderer.adapters.layout.checked import no_layout
from renderer.adapters.layout.directory import DirectoryLayout
from renderer.errors import Finding, InputError, Where
from renderer.ports import BundleSource, Layout


def open_layout(path: Path, location: str) -> Layout:
    """The OCI layout at `path`, called `location` in messages.

    Raises InputError: `bundle-not-found` when nothing is there, `not-a-layout` when it is something else.
    """
    if path.is_dir():
        if not (path / "index.json").is_file():
            raise InputError(no_layout(location, "a directory without `index.json`"))
        return DirectoryLayout(path, location)
    if path.is_file():
        from renderer.adapters.layout.tar_file import TarLayout

        with path.open("rb") as stream:
            if stream.read(2) == b"\x1f\x8b":
                raise InputError(no_layout(location, "a gzip file", hint=f"gunzip {location}"))
        return TarLayout(path, location)
    raise InputError(
        Finding(
            code="bundle-not-found",
            message=f"there is no bundle at `{location}`",
            where=Where(file=location),
            expected="a directory or a tar file that holds an OCI image layout",
            hint=_nearest(path, location) or f"sitewright bundle build bundle.yaml -o {location}",
        )
    )


def _nearest(path: Path, location: str) -> str | None:
    """A hint at what lies beside the missing `path` and is called almost so."""
    from renderer.formats.documents.nearest import did_you_mean

    try:
        return did_you_mean(location, [one.name for one in path.parent.iterdir()])
    except OSError:
        return None


def open_images(path: Path, location: str) -> BundleSource:
    """The images at `path`: an OCI layout, or a docker archive made to look like one. Raises InputError as above."""
    if path.is_file():
        from renderer.adapters.layout.docker_archive import DockerArchive, is_docker_archive

        with path.open("rb") as stream:
            if is_docker_archive(stream):
                return DockerArchive(path, location)
    return open_layout(path, location)
