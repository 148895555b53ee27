"""One bundle, built on two machines that have nothing in common but the files: the same digest, the same bytes."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.simulators.bundles import CHART, ROOT
from tests.simulators.images import ImageLayout
from tests.unit.test_docker_archives import config, listing

SOURCE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 3
  created: 2026-11-01T00:00:00Z
  extensions:
    - name: web
      version: 1.2.0
      title: {en: Shop, zh: 商店}
      components:
        - {name: web, helm: charts/web, valuesFrom: [values/a.yaml]}
        - {name: extras, manifests: manifests}
    - {kubesphere: "packages/*"}
  images:
    - {layout: images}
    - {archive: api.tar}
"""
PACKAGE = """\
apiVersion: v1
name: {name}
version: 1.0.0
displayName: {{en: X}}
description: {{en: X}}
category: c
provider: {{en: {{name: n}}}}
icon: https://x/y.svg
"""
FILES = CHART | {
    "bundle.yaml": SOURCE,
    "values/a.yaml": "replicas: 2\n",
    "manifests/网站/说明.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    **{f"manifests/{n}.yaml": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{n}}}\n" for n in range(20)},
    **{f"packages/{name}/extension.yaml": PACKAGE.format(name=name) for name in ("zeta", "alpha")},
    **{f"packages/{name}/values.yaml": "a: 1\n" for name in ("zeta", "alpha")},
}
ONE = {"LC_ALL": "C", "TZ": "UTC", "PYTHONHASHSEED": "1"}
OTHER = {"LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai", "PYTHONHASHSEED": "4711", "SOURCE_DATE_EPOCH": "1"}


def fill(place: Path, seed: int, mode: int) -> None:
    """The same files, written in another order, at another time, with other rights."""
    chance = random.Random(seed)
    contents: dict[str, bytes] = {path: text.encode() for path, text in FILES.items()}
    contents["api.tar"] = docker_archive(b"layer" * 1000)
    layout = ImageLayout(place / "made")
    index = layout.image("docker.io/library/nginx:1.27", "linux/amd64", "linux/arm64", attested=True)
    layout.cosign(index)
    layout.referrer(index)
    for path in sorted((place / "made").rglob("*")):
        if path.is_file():
            contents[f"images/{path.relative_to(place / 'made')}"] = path.read_bytes()
    names = list(contents)
    chance.shuffle(names)
    for name in names:
        target = place / "sources" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(contents[name])
        target.chmod(mode)
        os.utime(target, (chance.randrange(2**31),) * 2)


def docker_archive(layer: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (
            ("c.json", config(layer)),
            ("layer.tar", layer),
            ("manifest.json", listing(("c.json", ["layer.tar"], ["quay.io/team/api:2.0"]))),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def build(here: Path, source: str, output: str, environment: Mapping[str, str], umask: int) -> Any:
    """`sitewright bundle build` in a process of its own; what it says as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "renderer", "bundle", "build", source, "-o", output, "--platform", "linux/amd64", "-q",
         "--format", "json"],
        cwd=here, capture_output=True, check=False, umask=umask,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("其他")
    fill(one, 1, 0o644)
    fill(other, 2, 0o600)
    return one, other


def test_the_same_tar_file(machines: tuple[Path, Path]) -> None:
    one, other = machines
    first = build(one / "sources", "bundle.yaml", "../bundle.tar", ONE, 0o022)
    second = build(other, "sources/bundle.yaml", str(other / "bundle.tar"), OTHER, 0o077)
    assert first["manifest"] == second["manifest"]
    assert (one / "bundle.tar").read_bytes() == (other / "bundle.tar").read_bytes()


def test_the_same_directory(machines: tuple[Path, Path]) -> None:
    one, other = machines
    build(one / "sources", "bundle.yaml", "../bundle", ONE, 0o022)
    build(other, "sources/bundle.yaml", "bundle", OTHER, 0o077)
    trees = [
        {path.relative_to(place): path.read_bytes() for path in (place / "bundle").rglob("*") if path.is_file()}
        for place in machines
    ]
    assert trees[0] == trees[1]
    assert len(trees[0]) > 20
