"""Build the judge of node files: the parsers of containerd, k3s, Talos and OpenShift behind one small program.

Run as `python tests/tools/runtimes.py [DIRECTORY]`. Its source is in `runtimes/`; what it is made of comes from the Go
module proxy, each module checked against `runtimes/go.sum`. Built once below DIRECTORY (default: `build/tools`), and
again when the source changes; about two minutes on two cores.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "runtimes"
DIRECTORY = Path(__file__).parents[2] / "build" / "tools"


def _place(directory: Path) -> Path:
    """Where the program of this source lies."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")))
    return directory / f"runtimes-{digest.hexdigest()[:12]}" / "runtimes"


def built(directory: Path = DIRECTORY) -> Path | None:
    """The program, or None when it has not been built."""
    program = _place(directory)
    return program if program.exists() else None


def build(directory: Path = DIRECTORY) -> Path:
    """Build the program; it is put in its place when it is whole."""
    program = _place(directory)
    program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(".new")
    command = ["go", "build", "-C", str(SOURCE), "-trimpath", "-ldflags=-s -w", "-o", str(unfinished)]
    subprocess.run(
        command, check=True, env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    )
    unfinished.replace(program)
    return program


def main(arguments: list[str]) -> int:
    """Build the program unless it is there, and print where it is."""
    directory = Path(arguments[0]).resolve() if arguments else DIRECTORY
    print(built(directory) or build(directory))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
