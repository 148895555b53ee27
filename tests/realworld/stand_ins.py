"""Small OCI images under real names: the real ones cannot be had offline, and their content does not matter here.

Each reference gets an image index with one manifest per platform, whose config and only layer name the reference, so
that every image has digests of its own.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def write_layout(directory: Path, references: Iterable[str], platforms: Iterable[str] = ("linux/amd64",)) -> int:
    """Write an OCI layout with one stand-in image for each reference; returns how many there are."""
    (directory / "blobs" / "sha256").mkdir(parents=True)
    entries = [image(directory, reference, tuple(platforms)) for reference in sorted(set(references))]
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_text(
        json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, sort_keys=True)
    )
    return len(entries)


def image(directory: Path, reference: str, platforms: tuple[str, ...]) -> dict[str, object]:
    """Write one image and return its entry for `index.json`."""
    manifests = []
    for platform in platforms:
        system, architecture, *variant = platform.split("/")
        layer = blob(directory, LAYER, layer_of(f"{reference} {platform}"))
        config = blob(
            directory,
            CONFIG,
            json.dumps(
                {"architecture": architecture, "os": system, "rootfs": {"type": "layers", "diff_ids": []}}
                | {"config": {"Labels": {"stand-in": reference}}},
                sort_keys=True,
            ).encode(),
        )
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        entry = blob(directory, MANIFEST, json.dumps(body, sort_keys=True).encode())
        entry["platform"] = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
        manifests.append(entry)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    descriptor = blob(directory, INDEX, json.dumps(index, sort_keys=True).encode())
    return descriptor | {"annotations": {"org.opencontainers.image.ref.name": reference}}


def blob(directory: Path, media_type: str, content: bytes) -> dict[str, object]:
    """Write one blob and return its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (directory / "blobs" / "sha256" / digest).write_bytes(content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def layer_of(text: str) -> bytes:
    """A reproducible layer that holds `text` in one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("stand-in")
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)
