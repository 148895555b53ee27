"""cosign's form of a signature: what is signed, and how it is stored.

The payload is a "simple signing" document (sigstore/pkg/signature/payload.go) that names the digest of the signed
manifest; it lies in an OCI manifest under the tag `sha256-<hex>.sig`, one layer for each signature.
"""

from __future__ import annotations

from typing import Final

from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import Digest

SIGNATURE_LAYER: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION: Final = "dev.cosignproject.cosign/signature"
CERTIFICATE_ANNOTATION: Final = "dev.sigstore.cosign/certificate"
CHAIN_ANNOTATION: Final = "dev.sigstore.cosign/chain"
_PAYLOAD_TYPE: Final = "cosign container image signature"
_PAYLOAD_LIMIT: Final = 64 * 1024
_GO_ESCAPES: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def signature_tag(manifest: Digest) -> str:
    """The tag under which cosign stores the signatures of `manifest`: `sha256-<hex>.sig`."""
    return f"{manifest.algorithm}-{manifest.hex}.sig"


def make_payload(reference: str, manifest: Digest) -> bytes:
    """The bytes that cosign signs for `manifest`, exactly as Go's `encoding/json` writes them.

    `reference` is what the signer calls it. cosign does not check that, so that a copy keeps its signatures; container
    runtimes do (containers-policy.json(5), `signedIdentity`).
    """
    body = {
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": str(manifest)},
            "type": _PAYLOAD_TYPE,
        },
        "optional": None,
    }
    text = canonical_json(body).decode()
    for char, escaped in _GO_ESCAPES.items():
        text = text.replace(char, escaped)
    return text.encode()


def payload_digest(payload: bytes) -> Digest:
    """The digest of the manifest that a payload speaks of. Raises ValueError when it is no cosign payload."""
    try:
        critical = Fields.of(parse_json(payload, limit=_PAYLOAD_LIMIT)).child("critical")
        if critical.text("type") != _PAYLOAD_TYPE:
            raise ValueError(f"the payload's type is not `{_PAYLOAD_TYPE}`")
        return critical.child("image").parsed("docker-manifest-digest", Digest.parse)
    except FieldError as error:
        raise ValueError(f"the payload is not a cosign signature payload: {error}") from error
