"""What `docker save`, `podman save` and skopeo write, read as an OCI layout (adapters/layout/docker_archive.py)."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from renderer.adapters.layout import open_images
from renderer.errors import BundleRefusedError, Where
from renderer.formats.bundle.artifact import IndexEntry, parse_index, parse_manifest
from renderer.ports import BundleSource
from tests.simulators.images import ImageLayout

LAYER = b"a layer" * 400
CONFIG = {"os": "linux", "architecture": "amd64"}


def sha(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def config(*layers: bytes) -> bytes:
    return json.dumps(CONFIG | {"rootfs": {"type": "layers", "diff_ids": [sha(one) for one in layers]}}).encode()


def archive(
    place: Path, files: dict[str, bytes], links: dict[str, str] | None = None, kind: bytes = tarfile.SYMTYPE
) -> Path:
    """A tar file with `files` and symbolic `links`."""
    with tarfile.open(place, "w") as tar:
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return place


def listing(*images: tuple[str, list[str], list[str] | None]) -> bytes:
    """`manifest.json`."""
    return json.dumps([{"Config": one[0], "Layers": one[1], "RepoTags": one[2]} for one in images]).encode()


def entries(source: BundleSource) -> list[IndexEntry]:
    return list(parse_index(source.index(), Where()))


def layers(source: BundleSource, entry: IndexEntry) -> list[bytes]:
    return [source.blob(one) for one in parse_manifest(source.blob(entry.descriptor), Where()).layers]


def refusal(place: Path) -> Any:
    with pytest.raises(BundleRefusedError) as caught:
        open_images(place, "images.tar").index()
    (finding,) = caught.value.findings
    assert (finding.code, finding.where.file) == ("archive-refused", "images.tar")
    return finding


def test_config_and_layers_are_kept_byte_for_byte(tmp_path: Path) -> None:
    files = {"c.json": config(LAYER), "1/layer.tar": LAYER}
    names = ["nginx:1.27", "quay.io/team/web:2"]
    made = archive(tmp_path / "one.tar", files | {"manifest.json": listing(("c.json", ["1/layer.tar"], names))})
    source = open_images(made, "one.tar")
    first, second = entries(source)
    assert [first.name, second.name] == ["docker.io/library/nginx:1.27", "quay.io/team/web:2"]
    assert first.descriptor.digest == second.descriptor.digest
    manifest = parse_manifest(source.blob(first.descriptor), Where())
    assert (str(manifest.config.digest), source.blob(manifest.config)) == (sha(config(LAYER)), config(LAYER))
    assert [(one.media_type, str(one.digest)) for one in manifest.layers] == [
        ("application/vnd.oci.image.layer.v1.tar", sha(LAYER))
    ]
    assert layers(source, first) == [LAYER]


def test_two_archives_of_one_image_give_the_same_digest(tmp_path: Path) -> None:
    found = []
    for name, path in (("a.tar", "1/layer.tar"), ("b.tar", "blobs/layer")):
        files = {"c.json": config(LAYER), path: LAYER, "manifest.json": listing(("c.json", [path], ["a/b:1"]))}
        found.append(open_images(archive(tmp_path / name, files), name).index())
    assert found[0] == found[1]


def test_compressed_layers_stay_compressed(tmp_path: Path) -> None:
    packed = gzip.compress(LAYER)
    files = {"c.json": config(LAYER), "l": packed, "manifest.json": listing(("c.json", ["l"], ["a/b:1"]))}
    source = open_images(archive(tmp_path / "x.tar", files), "x.tar")
    (entry,) = entries(source)
    (layer,) = parse_manifest(source.blob(entry.descriptor), Where()).layers
    assert layer.media_type.endswith("tar+gzip")
    assert source.blob(layer) == packed


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_layer_may_be_a_link_to_another(kind: bytes, tmp_path: Path) -> None:
    target = "../1/layer.tar" if kind == tarfile.SYMTYPE else "1/layer.tar"
    files = {"c.json": config(LAYER, LAYER), "1/layer.tar": LAYER}
    files["manifest.json"] = listing(("c.json", ["1/layer.tar", "2/layer.tar"], ["a/b:1"]))
    source = open_images(archive(tmp_path / "x.tar", files, {"2/layer.tar": target}, kind), "x.tar")
    (entry,) = entries(source)
    assert layers(source, entry) == [LAYER, LAYER]


def test_an_image_without_tag_has_no_name(tmp_path: Path) -> None:
    files = {"c.json": config(LAYER), "l": LAYER, "manifest.json": listing(("c.json", ["l"], None))}
    (entry,) = entries(open_images(archive(tmp_path / "x.tar", files), "x.tar"))
    assert entry.name is None


ONE: Any = ("c.json", ["l"], ["a/b:1"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"manifest.json": b"{"}, "line 1, column 2"),
        ({"manifest.json": b"[1]"}, "mapping"),
        ({"manifest.json": listing(("none.json", [], None))}, "`none.json` is not in the archive"),
        ({"manifest.json": listing(ONE), "c.json": config(LAYER)}, "`l` is not in the archive"),
        ({"manifest.json": listing(ONE), "c.json": config()}, "speaks of 0 layers, `manifest.json` of 1"),
        ({"manifest.json": listing(("c.json", [], ["a/UPPER:1"])), "c.json": config()}, "a/UPPER"),
        ({"manifest.json": listing(("c.json", [], None)), "c.json": b"x" * (8 * 2**20 + 1)}, "are allowed"),
    ],
)
def test_what_cannot_be_read_is_refused(files: dict[str, bytes], message: str, tmp_path: Path) -> None:
    finding = refusal(archive(tmp_path / "x.tar", files))
    assert message in str(finding)
    assert finding.hint == "skopeo copy docker-archive:FILE oci:images:REFERENCE"


def test_a_path_that_climbs_is_refused(tmp_path: Path) -> None:
    source = open_images(archive(tmp_path / "x.tar", {"manifest.json": listing(), "../x": b""}), "x.tar")
    with pytest.raises(BundleRefusedError, match="leave its root"):
        source.index()


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd/../../x", "2/layer.tar"])
def test_links_do_not_lead_out_nor_in_circles(target: str, tmp_path: Path) -> None:
    files = {"c.json": config(LAYER), "manifest.json": listing(("c.json", ["2/layer.tar"], ["a/b:1"]))}
    source = open_images(archive(tmp_path / "x.tar", files, {"2/layer.tar": target}), "x.tar")
    with pytest.raises(BundleRefusedError) as caught:
        source.index()
    assert caught.value.findings[0].code == "archive-refused"


def test_a_layer_that_is_not_what_the_config_says_is_not_given_out(tmp_path: Path) -> None:
    files = {"c.json": config(LAYER), "l": LAYER.upper(), "manifest.json": listing(("c.json", ["l"], ["a/b:1"]))}
    source = open_images(archive(tmp_path / "x.tar", files), "x.tar")
    (entry,) = entries(source)
    with pytest.raises(BundleRefusedError) as caught:
        layers(source, entry)
    assert caught.value.findings[0].code == "blob-digest-mismatch"


@pytest.mark.real
def test_an_archive_of_skopeo_is_the_image_that_it_was_made_of(real: Callable[[str], Path], tmp_path: Path) -> None:
    layout = ImageLayout(tmp_path / "images")
    index = layout.image("docker.io/library/nginx:1.27", "linux/amd64")
    skopeo = real("skopeo")
    subprocess.run(
        [skopeo, "--insecure-policy", "--tmpdir", tmp_path, "copy", "-q", "oci:images:docker.io/library/nginx:1.27",
         "docker-archive:nginx.tar:docker.io/library/nginx:1.27"],
        cwd=tmp_path, check=True, capture_output=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    source = open_images(tmp_path / "nginx.tar", "nginx.tar")
    (entry,) = entries(source)
    assert entry.name == "docker.io/library/nginx:1.27"
    (child,) = layout.read(index)["manifests"]
    original = layout.read(child)
    manifest = parse_manifest(source.blob(entry.descriptor), Where())
    assert json.loads(source.blob(manifest.config))["rootfs"] == layout.read(original["config"])["rootfs"]
    packed = layout.path(original["layers"][0]).read_bytes()
    assert layers(source, entry) == [gzip.decompress(packed)]
