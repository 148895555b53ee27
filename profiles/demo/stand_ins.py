"""Images for trying things out, where the real ones cannot be had: an OCI layout with one for each name given.

Each has a base that all of them share, and a layer of its own; the same names give the same bytes. With real images
it is `skopeo copy --all docker://NAME oci:DIRECTORY:NAME`, once for each.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import sys
import tarfile
from pathlib import Path

OCI = "application/vnd.oci.image"
BASE, OWN = 6 * 2**20, 256 * 2**10


def main(directory: Path, names: list[str]) -> None:
    """Write the layout."""
    blobs = directory / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def blob(kind: str, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(content)}

    def image(name: str) -> dict[str, object]:
        layers = [layer("base", BASE), layer(name, OWN)]
        diffs = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
        config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diffs}}
        body = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": blob("config.v1+json", json.dumps(config).encode()),
            "layers": [blob("layer.v1.tar", one) for one in layers],
        }
        found = blob("manifest.v1+json", json.dumps(body).encode())
        return found | {"annotations": {"org.opencontainers.image.ref.name": name}}

    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [image(name) for name in names]}
    (directory / "index.json").write_text(json.dumps(index))
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


def layer(name: str, length: int) -> bytes:
    """A tar file with one file of bytes that cannot be compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("stand-in")
        member.size = length
        archive.addfile(member, io.BytesIO(random.Random(name).randbytes(length)))  # noqa: S311 - no secret
    return buffer.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
