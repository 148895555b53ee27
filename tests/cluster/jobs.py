"""What the Pod of a Job would do, without a node: its script, with the token of its account and no other rights."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cluster.control_plane import Cluster


def run_job(
    cluster: Cluster, job: dict[str, Any], scratch: Path, shell: Sequence[str | Path]
) -> subprocess.CompletedProcess[str]:
    """Run the script of `job` with `shell`; `scratch` is a directory for its home and its programs."""
    pod = job["spec"]["template"]["spec"]
    config = cluster.kubeconfig(cluster.token(pod["serviceAccountName"], job["metadata"]["namespace"]))
    home, programs = scratch / "work", scratch / "bin"
    for directory in (home, programs):
        directory.mkdir(parents=True, exist_ok=True)
    if not (programs / "kubectl").exists():
        (programs / "kubectl").symlink_to(cluster.program)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "KUBECONFIG": str(config)}
    command = [*map(str, shell), "-c", pod["containers"][0]["command"][2]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
