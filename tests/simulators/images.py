"""OCI layouts with images as real tools make them: several platforms, diff IDs that hold, and what speaks of them."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.realworld.stand_ins import CONFIG, INDEX, LAYER, MANIFEST, blob, layer_of

REF: Final = "org.opencontainers.image.ref.name"
SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
IN_TOTO: Final = "application/vnd.in-toto+json"
SPDX: Final = "application/spdx+json"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
Found = dict[str, Any]
"""A descriptor."""


class ImageLayout:
    """An OCI layout that is written piece by piece; `index.json` is right after every step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.entries: list[Found] = []
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, content: bytes, media_type: str) -> Found:
        """Write a blob; its descriptor."""
        return blob(self.directory, media_type, content)

    def document(self, body: Mapping[str, object], media_type: str) -> Found:
        """Write a JSON blob; its descriptor."""
        return self.blob(json.dumps(body, sort_keys=True).encode(), media_type)

    def list(self, descriptor: Found, name: str | None = None) -> Found:
        """Add an entry to `index.json`."""
        self.entries.append(descriptor | ({"annotations": {REF: name}} if name else {}))
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (self.directory / "index.json").write_text(json.dumps(index))
        return descriptor

    def manifest(self, platform: str, text: str, layers: Iterable[bytes] = ()) -> Found:
        """One image for one platform with a layer that holds `text`, and more layers (tar+gzip)."""
        system, architecture, *variant = platform.split("/")
        contents = (layer_of(f"{text} {platform}"), *layers)
        diffs = [f"sha256:{hashlib.sha256(gzip.decompress(one)).hexdigest()}" for one in contents]
        config = {"architecture": architecture, "os": system, "rootfs": {"type": "layers", "diff_ids": diffs}}
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.document(config | ({"variant": variant[0]} if variant else {}), CONFIG),
            "layers": [self.blob(one, LAYER) for one in contents],
        }
        return self.document(body, MANIFEST)

    def image(self, reference: str, *platforms: str, attested: bool = False, layers: Iterable[bytes] = ()) -> Found:
        """An index over `platforms`, with BuildKit's attestations when `attested`."""
        listed, attestations = [], []
        for platform in platforms:
            system, architecture, *variant = platform.split("/")
            manifest = self.manifest(platform, reference, layers)
            stated = {"os": system, "architecture": architecture} | ({"variant": variant[0]} if variant else {})
            listed.append(manifest | {"platform": stated})
            if attested:
                attestations.append(self.attestation(manifest))
        return self.list(self.index([*listed, *attestations]), reference)

    def index(self, manifests: Iterable[Found]) -> Found:
        """An image index."""
        return self.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests)}, INDEX)

    def attestation(self, subject: Found) -> Found:
        """The entry of an index that BuildKit writes for the provenance of one manifest."""
        statement = self.blob(f'{{"subject": "{subject["digest"]}"}}'.encode(), IN_TOTO)
        config = {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": []}}
        body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.document(config, CONFIG)}
        about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject["digest"]}
        return self.document(body | {"layers": [statement]}, MANIFEST) | {
            "annotations": about,
            "platform": {"os": "unknown", "architecture": "unknown"},
        }

    def cosign(self, subject: Found, kind: str = "sig", text: str = "x") -> Found:
        """A manifest that cosign's tag scheme finds: `sha256-<hex>.sig`."""
        layer = self.blob(f'{{"critical": "{text} {subject["digest"]}"}}'.encode(), SIMPLE_SIGNING)
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.document({"architecture": "", "os": "", "rootfs": {"type": "layers"}}, CONFIG),
            "layers": [layer],
        }
        return self.list(self.document(body, MANIFEST), f"{str(subject['digest']).replace(':', '-')}.{kind}")

    def referrer(self, subject: Found, artifact_type: str = SPDX, text: str = "sbom") -> Found:
        """A manifest with the field `subject`, as `oras attach` writes it."""
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": self.blob(b"{}", EMPTY),
            "layers": [self.blob(f"{text} {subject['digest']}".encode(), artifact_type)],
            "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
        }
        return self.list(self.document(body, MANIFEST) | {"artifactType": artifact_type})

    def read(self, descriptor: Found) -> Any:
        """The JSON behind a descriptor."""
        return json.loads(self.path(descriptor).read_bytes())

    def path(self, descriptor: Found) -> Path:
        """The file of a blob."""
        return self.directory / "blobs/sha256" / str(descriptor["digest"]).removeprefix("sha256:")
