"""`bundle inspect --tree`: what belongs to what, and what it weighs."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from renderer.commands.bundle.inspect import View, inspect
from renderer.model.outcome import Outcome
from tests.simulators.bundles import CHART, NOW, Workshop
from tests.simulators.images import ImageLayout

NGINX, API, TOOLS = "docker.io/library/nginx:1.27", "quay.io/team/api:2.0", "quay.io/team/tools:1.0"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: pod}\nspec: {containers: [{name: a, image: '%s'}]}\n"
SOURCE = """\
apiVersion: sitewright.dev/v1
kind: BundleSource
metadata: {name: demo, version: 1.0.0}
spec:
  sequence: 3
  created: 2026-11-01T00:00:00Z
  platforms: [linux/amd64, linux/arm64]
  extensions:
    - name: api
      version: 2.0.0
      requires: [{extension: web, version: ">=1.0.0"}, {capability: storage, version: "*", optional: true}]
      components: [{name: api, manifests: api}]
    - name: web
      version: 1.5.0
      components: [{name: web, helm: charts/web}, {name: more, helm: charts/web}, {name: pod, manifests: web}]
  images:
    - {layout: images}
    - reference: quay.io/team/tools:1.0
      digest: sha256:1f3e46996e2966e4faa5846e56e76e3748b7315e2ded61476c24403d592134f0
      size: 1609
      platforms:
        linux/amd64: {digest: "sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35", size: 1024}
        linux/arm64: {digest: "sha256:4b227777d4dd1fc61c6f884f48641d02b4d121d3fd328cb08b5531fcacdabf8a", size: 1024}
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Two extensions whose images share a layer, and an image that nobody names."""
    made = Workshop(tmp_path)
    made.write(CHART | {"api/pod.yaml": POD % API, "web/pod.yaml": POD % NGINX, "bundle.yaml": SOURCE})
    layout = ImageLayout(tmp_path / "images")
    base = made_of(5000)
    layout.cosign(layout.image(NGINX, "linux/amd64", "linux/arm64", "linux/s390x", layers=[base]))
    layout.image(API, "linux/amd64", "linux/arm64", layers=[base])
    made.build()
    return made


def made_of(length: int) -> bytes:
    """A layer of about so many bytes, gzip without compression."""
    return gzip.compress(bytes(length), compresslevel=0, mtime=0)


def show(workshop: Workshop) -> Outcome:
    return inspect(workshop.open(), now=NOW, view=View.TREE)


def tree(workshop: Workshop) -> Any:
    document: Any = show(workshop).document
    return document["tree"]


def below(node: Any, label: str) -> Any:
    return next(one for one in node["below"] if one["label"] == label)


def test_a_tree_has_extensions_with_components_requirements_and_images(workshop: Workshop) -> None:
    lines = show(workshop).text.splitlines()
    labels = [
        re.split(" {2,}", line.replace("│  ", "│__"))[0].replace("│__", "│  ")
        for line in lines[lines.index("", 4) + 2 :]
    ]
    assert labels == [
        "demo 1.0.0",
        "├─ api 2.0.0",
        "│  ├─ api (manifests)",
        "│  ├─ requires web >=1.0.0: web 1.5.0",
        "│  ├─ requires capability storage *, optional: not in this bundle",
        "│  └─ quay.io/team/api:2.0",
        "├─ web 1.5.0",
        "│  ├─ web (helm)",
        "│  ├─ more (helm)",
        "│  ├─ pod (manifests)",
        "│  └─ docker.io/library/nginx:1.27",
        "├─ images that no extension names",
        "│  └─ quay.io/team/tools:1.0",
        "└─ description",
        "",
        "size: all that it needs, each blob once; own: what no other extension, component or image needs",
    ]
    assert any(line.endswith("  linux/amd64, linux/arm64; digest only") for line in lines)
    (nginx,) = (line for line in lines if "nginx" in line)
    assert re.search(r"linux/amd64 5\.\d KiB, linux/arm64 5\.\d KiB; without linux/s390x$", nginx)


def test_what_several_share_is_counted_once(workshop: Workshop) -> None:
    root = tree(workshop)
    directory = workshop.root / "bundle/blobs/sha256"
    everything = sum(one.stat().st_size for one in directory.iterdir())
    assert root["size"] == everything, "the bundle is not signed, so that nothing else lies there"
    api, web = below(root, "api 2.0.0"), below(root, "web 1.5.0")
    assert api["size"] + web["size"] + below(root, "description")["size"] == everything + len(made_of(5000))
    assert api["own"] == api["size"] - len(made_of(5000))
    nginx = below(web, NGINX)
    assert nginx["own"] == nginx["size"] - len(made_of(5000))
    assert nginx["platforms"]["linux/amd64"] + nginx["platforms"]["linux/arm64"] > nginx["own"]
    (chart, again) = below(web, "web (helm)"), below(web, "more (helm)")
    assert chart["size"] == again["size"] > 0 == chart["own"]


def test_an_image_that_is_named_by_digest_only_weighs_nothing(workshop: Workshop) -> None:
    (tools,) = below(tree(workshop), "images that no extension names")["below"]
    assert (tools["image"], tools["carried"], tools["platforms"]["linux/amd64"]) == (TOOLS, False, None)
    assert "size" not in tools
