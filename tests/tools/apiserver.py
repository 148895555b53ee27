"""Build the judge of objects: kube-apiserver, as its project wrote it.

Run as `python tests/tools/apiserver.py [DIRECTORY]`. What it is made of comes from the Go module proxy, each module
checked against `apiserver/go.sum`. It is built without optimisation, which takes a quarter less time: four minutes on
two cores. Built once below DIRECTORY (default: `build/tools`), and again when what it is made of changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "apiserver"
DIRECTORY = Path(__file__).parents[2] / "build" / "tools"


def _place(directory: Path) -> Path:
    """Where the program of this source lies."""
    digest = hashlib.sha256(b"".join((SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")))
    return directory / f"apiserver-{digest.hexdigest()[:12]}" / "kube-apiserver"


def _release() -> str:
    """The release of Kubernetes that `go.mod` names; the server tells it to its clients."""
    named = re.search(r"k8s\.io/kubernetes (v\S+)", (SOURCE / "go.mod").read_text())
    if named is None:
        raise SystemExit("apiserver/go.mod names no release of Kubernetes")
    return named[1]


def built(directory: Path = DIRECTORY) -> Path | None:
    """The program, or None when it has not been built."""
    program = _place(directory)
    return program if program.exists() else None


def build(directory: Path = DIRECTORY) -> Path:
    """Build the program; it is put in its place when it is whole."""
    program = _place(directory)
    program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(".new")
    linked = f"-ldflags=-s -w -X k8s.io/component-base/version.gitVersion={_release()}"
    command = ["go", "build", "-C", str(SOURCE), "-trimpath", "-gcflags=all=-N -l", linked, "-o", str(unfinished)]
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
