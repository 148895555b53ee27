"""`delta.json`, the config blob of a delta: `Delta` to canonical JSON and back; and the manifest around it.

A delta is an OCI layout of its own. Its manifest lists, as layers, the `index.json` of the bundle that comes out and
every blob that the base lacks; it is signed like a bundle.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from renderer.formats.bundle.artifact import (
    CREATED,
    DELTA_TYPE,
    TITLE,
    VERSION,
    ImageManifest,
    descriptor_json,
    read_descriptor,
)
from renderer.formats.bundle.document import API_VERSION, only, parse_time, read_head, spell_time
from renderer.formats.canonical_json import canonical_json
from renderer.model.bundles.delta import BaseKind, Delta, DeltaBase, DeltaBlob
from renderer.model.bundles.extension import Descriptor, extension_name
from renderer.model.fields import FieldError, Fields, Json
from renderer.model.reference import Digest
from renderer.model.version import Version

KIND: Final = "Delta"


def encode_delta(delta: Delta) -> bytes:
    """The bytes of `delta.json`; equal deltas give equal bytes."""
    return canonical_json(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": delta.name, "version": str(delta.version)},
            "spec": {
                "sequence": delta.sequence,
                "created": spell_time(delta.created),
                "target": str(delta.target),
                "index": descriptor_json(delta.index),
                "base": base_json(delta.base),
                "blobs": [_blob(blob) for blob in delta.blobs],
            },
        }
    )


def base_json(base: DeltaBase) -> dict[str, Json]:
    """A delta's base, as `delta.json` and reports spell it."""
    return {"kind": base.kind.value, "name": base.name, "digest": str(base.digest), "told": base.told}


def _blob(blob: DeltaBlob) -> Json:
    body: dict[str, Json] = {"digest": str(blob.digest), "size": blob.size, "held": blob.held}
    if blob.repository is not None:
        body["repository"] = blob.repository
    return body


def decode_delta(content: bytes) -> Delta:
    """The delta that `delta.json` describes. Raises FieldError or ValueError; its digest must have been checked."""
    metadata, spec = read_head(content, KIND, "sequence created target index base blobs")
    try:
        return Delta(
            name=metadata.parsed("name", extension_name),
            version=metadata.parsed("version", Version.parse),
            sequence=spec.integer("sequence"),
            created=spec.parsed("created", parse_time),
            target=spec.parsed("target", Digest.parse),
            index=read_descriptor(spec.child("index")),
            base=_read_base(spec.child("base")),
            blobs=tuple(_read_blob(blob) for blob in spec.children("blobs")),
        )
    except FieldError:
        raise
    except ValueError as error:
        raise FieldError((), str(error)) from error


def _read_base(fields: Fields) -> DeltaBase:
    only(fields, "kind name digest told")
    return DeltaBase(
        kind=fields.parsed("kind", BaseKind),
        name=fields.parsed("name", extension_name),
        digest=fields.parsed("digest", Digest.parse),
        told=fields.text("told"),
    )


def _read_blob(fields: Fields) -> DeltaBlob:
    only(fields, "digest size held repository")
    return DeltaBlob(
        digest=fields.parsed("digest", Digest.parse),
        size=fields.integer("size"),
        held=fields.flag("held", default=False),
        repository=fields.optional_text("repository"),
    )


def delta_manifest(config: Descriptor, delta: Delta, carried: Iterable[Descriptor]) -> bytes:
    """The bytes of a delta's manifest. `carried` are the blobs that travel, in the order in which they are written."""
    return ImageManifest(
        config=config,
        layers=(delta.index, *carried),
        annotations={TITLE: delta.name, VERSION: str(delta.version), CREATED: spell_time(delta.created)},
        artifact_type=DELTA_TYPE,
    ).content()
