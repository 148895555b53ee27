"""How signatures are kept."""

from __future__ import annotations

from enum import Enum


class SignatureForm(Enum):
    """How a signature is stored, by the names that people see."""

    COSIGN_TAG = "cosign-tag"
    """A layer of the image manifest under cosign's tag, `sha256-<hex>.sig`."""
    SIGSTORE_BUNDLE = "sigstore-bundle"
    """A Sigstore bundle in a manifest that refers to what is signed (OCI 1.1)."""
