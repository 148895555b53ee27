"""Build the real `sops`, which tests try our own against; run as `python tests/tools/sops.py [DIRECTORY]`.

It comes from the Go module proxy: one pinned version, checked by Go against the checksum database and then against
the checksum written here. Built once below DIRECTORY (default: `build/tools`); about two minutes on two cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MODULE = "github.com/getsops/sops/v3"
VERSION = "v3.13.3"
CHECKSUM = "h1:saYczbT88kD1saNChe1cAbFQe5mrRhTIfEw3TaEcmK0="
DIRECTORY = Path(__file__).parents[2] / "build" / "tools"


def built(directory: Path = DIRECTORY) -> Path | None:
    """The program, or None when it has not been built."""
    program = directory / f"sops-{VERSION}" / "sops"
    return program if program.exists() else None


def build(directory: Path = DIRECTORY) -> Path:
    """Build the program; it is put in its place when it is whole and is the pinned one."""
    place = directory / f"sops-{VERSION}"
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        environment = {**os.environ, "GOBIN": temporary, "CGO_ENABLED": "0"}
        command = ["go", "install", "-trimpath", "-ldflags=-s -w", f"{MODULE}/cmd/sops@{VERSION}"]
        subprocess.run(command, check=True, env=environment)
        program = Path(temporary) / "sops"
        told = subprocess.run(["go", "version", "-m", program], check=True, capture_output=True, text=True).stdout
        if ["mod", MODULE, VERSION, CHECKSUM] not in [line.split() for line in told.splitlines()]:
            raise SystemExit(f"{MODULE} {VERSION} is not the pinned one: expected {CHECKSUM}")
        program.replace(place / "sops")
    return place / "sops"


def main(arguments: list[str]) -> int:
    """Build the program unless it is there, and print where it is."""
    directory = Path(arguments[0]) if arguments else DIRECTORY
    print(built(directory) or build(directory))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
