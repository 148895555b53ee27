"""A small site to use and to break: one bundle that two keys signed, one profile, its lock, a tree, a repository.

Everything that it is made of stands on this page. `Shop` runs command lines in its directory and lets tests change
what a person could change.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from renderer.cli.main import main

PROFILE = "profiles/shop.yaml"
LOCK = "profiles/shop.lock.yaml"
BUNDLE = "bundles/pantry"
SOURCE = "sources/bundle.yaml"
CHART = "sources/charts/web"
REPO = ("--repo", "gitops", "--branch", "main")
OUT = ("--out", "out")

FILES = {
    PROFILE: """\
apiVersion: sitewright.dev/v1
kind: Site
metadata: {name: shop}
spec:
  cluster: {kubernetesVersion: 1.31.4, distribution: k3s, runtime: containerd, platforms: [linux/amd64]}
  registry:
    url: https://harbor.shop.local:5443
    projects: {"*": mirror}
  gitops: {agent: argocd, repository: "ssh://git@git.shop.local/shop.git", branch: main, path: .}
  trust: profiles/trust.yaml
  bundles:
    - source: bundles/pantry
      version: ">=1.0.0 <2.0.0"
  extensions:
    - name: web
      valuesFrom: [profiles/values/web.yaml]
      values: {replicas: 2}
    - name: notes
      values: {motto: fresh}
""",
    "profiles/values/web.yaml": "colour: green\n",
    "profiles/trust.yaml": """\
apiVersion: sitewright.dev/v1
kind: TrustPolicy
metadata: {name: shop}
spec:
  keys:
    - {name: vendor, publicKeyFile: keys/vendor.pub}
    - {name: office, publicKeyFile: keys/office.pub}
  rules:
    - {bundles: "pantry*", require: {threshold: 2, of: [vendor, office]}}
""",
    SOURCE: """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: pantry, version: 1.0.0}
spec:
  sequence: 1
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64]
  extensions:
    - name: queue
      version: 2.0.1
      namespace: messaging
      components: [{name: queue, manifests: queue}]
    - name: web
      version: 1.2.0
      namespace: shop
      requires: [{extension: queue, version: "^2.0"}]
      components: [{name: web, helm: charts/web, release: web}]
    - name: notes
      version: 0.1.0
      namespace: notes
      components: [{name: notes, jinja: notes}]
  images:
    - reference: docker.io/example/queue:2.0.1
      digest: sha256:1f3e46996e2966e4faa5846e56e76e3748b7315e2ded61476c24403d592134f0
      mediaType: application/vnd.oci.image.index.v1+json
      size: 1609
      platforms:
        linux/amd64: {digest: "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35", size: 1024}
    - reference: docker.io/example/web:1.2.0
      digest: sha256:4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce
      mediaType: application/vnd.oci.image.index.v1+json
      size: 1609
      platforms:
        linux/amd64: {digest: "sha256:4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a", size: 1024}
  discovery:
    valueSets: [{name: any, extension: notes, values: {motto: any}}]
""",
    "sources/queue/queue.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: queue}
spec:
  selector: {matchLabels: {app: queue}}
  template:
    metadata: {labels: {app: queue}}
    spec:
      containers: [{name: queue, image: docker.io/example/queue:2.0.1}]
""",
    f"{CHART}/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.0\n",
    f"{CHART}/values.yaml": 'image: "docker.io/example/web:1.2.0"\nreplicas: 1\ncolour: grey\n',
    f"{CHART}/templates/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {colour: {{ .Values.colour }}}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: {{ .Values.image | quote }}}]
""",
    "sources/notes/notes.yaml.j2": """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: notes
data:
  site: {{ site.name | to_json }}
  motto: {{ values.motto | to_json }}
""",
}
SIGNERS = ("vendor", "office")


@dataclass(frozen=True, slots=True)
class Shop:
    """The site in the working directory, and the terminal in front of it."""

    capsys: pytest.CaptureFixture[str]

    # --- the command line ---

    def run(self, *given: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of one command line. Nothing ever ends in a traceback."""
        self.capsys.readouterr()
        code = main(list(given))
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        assert code != 70, err
        return code, out, err

    def ok(self, *given: str) -> str:
        """The standard output of a command line that must end well and say nothing else."""
        code, out, err = self.run(*given)
        assert (code, err) == (0, ""), f"{out}{err}"
        return out

    def json(self, *given: str) -> Any:
        """The document that a command prints with `--format json`."""
        return json.loads(self.ok(*given, "--format", "json"))

    def refused(self, code: int, *given: str) -> str:
        """What a command says that must fail with `code`, print no result and leave everything as it was."""
        before = kept()
        ended, out, err = self.run(*given)
        assert (ended, out) == (code, ""), f"{out}{err}"
        assert kept() == before, f"`sitewright {' '.join(given)}` failed and changed something"
        return err

    def findings(self, code: int, *given: str) -> list[dict[str, Any]]:
        """The findings of such a command as JSON."""
        document = json.loads(self.refused(code, *given, "--format", "json"))
        assert document["exitCode"] == code
        found: list[dict[str, Any]] = document["findings"]
        return found

    # --- what people change ---

    def bundle(
        self,
        changes: Mapping[str, str] | None = None,
        *,
        sequence: int = 2,
        version: str = "1.1.0",
        signers: tuple[str, ...] = SIGNERS,
        **files: str,
    ) -> None:
        """Another edition of the bundle: its source with `changes` (before -> after), other `files` of the chart.

        `files` are templates by name without `.yaml`. The lock stays what it is.
        """
        for name, text in files.items():
            write(f"{CHART}/templates/{name}.yaml", text)
        for before, after in (changes or {}).items():
            edit(SOURCE, before, after)
        edit(SOURCE, "sequence: 1", f"sequence: {sequence}")
        edit(SOURCE, "{name: pantry, version: 1.0.0}", f"{{name: pantry, version: {version}}}")
        self.build(signers)

    def build(self, signers: tuple[str, ...] = SIGNERS) -> None:
        """Build the bundle from its source as it is, and sign it."""
        self.ok("bundle", "build", SOURCE, "--output", BUNDLE, "--quiet")
        for who in signers:
            self.ok("bundle", "sign", BUNDLE, "--key", f"keys/{who}.key")


def prepare(shop: Shop) -> None:
    """Lay the site out in the working directory: sources, keys, bundle, lock, a tree in `out` and one in `gitops`."""
    for path, text in FILES.items():
        write(path, text)
    for who in SIGNERS:
        shop.ok("bundle", "keygen", f"keys/{who}.key")
    shop.build()
    shop.ok("lock", PROFILE)
    shop.ok("render", PROFILE, *OUT)
    git("init", "-q", "-b", "main", "../gitops", at="out")
    shop.ok("render", PROFILE, *REPO)


def write(path: str, text: str) -> None:
    """Write a file and the directories above it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


def edit(path: str, before: str, after: str) -> None:
    """Replace one piece of a file."""
    text = Path(path).read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{before!r} is {text.count(before)} times in {path}"
    Path(path).write_text(text.replace(before, after), encoding="utf-8")


def git(*arguments: str, at: str = "gitops") -> str:
    """The output of git in a directory."""
    done = subprocess.run(["git", "-C", at, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


def contents(*directories: str) -> dict[str, tuple[bytes, int]]:
    """Every file below some directories: its bytes, and its inode, which a rewritten file does not keep."""
    files = (
        file for one in directories for file in Path(one).rglob("*") if file.is_file() and ".git" not in file.parts
    )
    return {str(file): (file.read_bytes(), file.stat().st_ino) for file in files}


def kept() -> tuple[object, ...]:
    """What a failing command must not touch: locks, trees, commits."""
    locks = {str(path): path.read_bytes() for path in Path("profiles").glob("*.lock.yaml")}
    heads = git("for-each-ref") if Path("gitops/.git").is_dir() else ""
    return locks, contents("out", "gitops"), heads
