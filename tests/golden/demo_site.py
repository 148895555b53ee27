"""The demo rendered from scratch: keys, bundle, signatures, lock, tree. Shared by the golden tests and the refresher."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "demo-argocd": {},
    "demo-flux": {"    agent: argocd": "    agent: flux", "    distribution: k3s": "    distribution: kubeadm"},
    "demo-rewrite": {"    images: mirror": "    images: rewrite", "    runtime: containerd": "    runtime: cri-o"},
    "demo-daemonset": {
        "    distribution: k3s": "    distribution: kubeadm",
        "  trust: profiles/trust.yaml": "  trust: profiles/trust.yaml\n"
        "  nodes: {delivery: daemonset, image: quay.io/example/migrate:1.2.0}",
    },
}
"""Golden trees by name, and what differs from the demo in `profiles/base/edge.yaml` (line before, line after)."""


def sitewright(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process; a failure raises with everything that it printed."""
    command = [sys.executable, "-m", "renderer", *words]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"sitewright {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def prepare(place: Path, case: str = "demo-argocd") -> None:
    """Lay out the demo's profiles below `place`, build the bundle there, sign it twice."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "profiles", place / "profiles", ignore=shutil.ignore_patterns("__pycache__"))
    base = place / "profiles/base/edge.yaml"
    text = base.read_text(encoding="utf-8")
    for before, after in CASES[case].items():
        assert before in text, before
        text = text.replace(before, after)
    base.write_text(text, encoding="utf-8")
    (place / "build/demo/keys").mkdir(parents=True)
    sitewright("bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/demo/bundle", cwd=place)
    for who in ("vendor", "office"):
        sitewright("bundle", "keygen", f"build/demo/keys/{who}.key", cwd=place)
        sitewright("bundle", "sign", "build/demo/bundle", "--key", f"build/demo/keys/{who}.key", cwd=place)


def render(place: Path, env: Mapping[str, str] | None = None) -> Path:
    """Lock and render the demo below `place`; returns the directory of the tree."""
    sitewright("lock", "profiles/demo.yaml", cwd=place, env=env)
    sitewright("render", "profiles/demo.yaml", "--out", "out", cwd=place, env=env)
    return place / "out"
