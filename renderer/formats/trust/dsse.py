"""DSSE envelopes around in-toto statements: what exactly is signed, and what the statement speaks of.

Sources: DSSE v1.0.2 protocol.md (pre-authentication encoding), in-toto attestation Statement v1,
cosign v3 `cmd/cosign/cli/sign/sign.go` (the predicate of a signature).
"""

from __future__ import annotations

from typing import Final

from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.fields import FieldError, Fields
from renderer.model.reference import Digest

IN_TOTO: Final = "application/vnd.in-toto+json"
SIGN_PREDICATE: Final = "https://sigstore.dev/cosign/sign/v1"
"""The predicate that says "I sign this". Any other one (provenance, a scan) vouches for something else."""
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_PAYLOAD_LIMIT: Final = 64 * 1024


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """The bytes that a DSSE signature is over: `DSSEv1 <length> <type> <length> <payload>`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def make_statement(manifest: Digest) -> bytes:
    """The in-toto statement by which cosign v3 signs `manifest`."""
    return canonical_json(
        {
            "_type": _STATEMENT,
            "subject": [{"digest": {manifest.algorithm: manifest.hex}}],
            "predicateType": SIGN_PREDICATE,
            "predicate": {},
        }
    )


def statement_digest(payload_type: str, payload: bytes) -> Digest:
    """The digest of the manifest that a statement signs. Raises ValueError when it signs none."""
    if payload_type != IN_TOTO:
        raise ValueError(f"the envelope holds `{payload_type}`, not `{IN_TOTO}`")
    try:
        statement = Fields.of(parse_json(payload, limit=_PAYLOAD_LIMIT))
        if statement.text("predicateType") != SIGN_PREDICATE:
            raise ValueError(f"it is an attestation, not a signature: its predicate is not `{SIGN_PREDICATE}`")
        if statement.text("_type") != _STATEMENT:
            raise ValueError(f"the statement's type is not `{_STATEMENT}`")
        subjects = statement.children("subject")
        if len(subjects) != 1:
            raise ValueError(f"the statement has {len(subjects)} subjects; a signature has one")
        digest = subjects[0].child("digest")
        return digest.parsed("sha256", lambda hexadecimal: Digest.parse(f"sha256:{hexadecimal}"))
    except FieldError as error:
        raise ValueError(f"the payload is not an in-toto statement: {error}") from error
