"""A signature as it was found, in whichever form it was stored.

Two forms exist (FORMATS, "Signatures"): cosign's tag `sha256-<hex>.sig`, and a Sigstore bundle that refers to the
manifest (OCI 1.1 `subject`). Whoever judges asks every signature the same three things: which bytes were signed, what
the signature is, and which manifest it speaks of.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from renderer.formats.trust.cosign import payload_digest
from renderer.formats.trust.dsse import pre_authentication, statement_digest
from renderer.model.bundles.signing import SignatureForm
from renderer.model.reference import Digest
from renderer.structs import Struct

_SIGNATURE_LIMIT: Final = 8 * 1024


class StoredSignature(Struct, frozen=True):
    """One signature as it was found, unchecked.

    `payload` is what speaks of the manifest, byte for byte: a simple signing document (`cosign-tag`), the content of a
    DSSE envelope of type `envelope`, or, in a Sigstore bundle without an envelope, the manifest itself.
    `certificates` are DER, the signer's first and then as found; nobody has looked into them. `key_hint` is what a
    Sigstore bundle says of its key: it proves nothing. `held_by` is the manifest that holds the signature. `fault`
    says why what was found cannot be a signature at all.
    """

    payload: bytes
    signature_base64: str
    form: SignatureForm = SignatureForm.COSIGN_TAG
    envelope: str | None = None
    certificates: tuple[bytes, ...] = ()
    key_hint: str | None = None
    held_by: Digest | None = None
    fault: str | None = None

    @property
    def signed_bytes(self) -> bytes:
        """The exact bytes that the signature is over."""
        if self.envelope is None:
            return self.payload
        return pre_authentication(self.envelope, self.payload)

    def signature(self) -> bytes:
        """The signature's bytes. Raises ValueError."""
        if self.fault is not None:
            raise ValueError(self.fault)
        if len(self.signature_base64) > _SIGNATURE_LIMIT:
            raise ValueError("the signature is too long")
        try:
            return base64.b64decode(self.signature_base64, validate=True)
        except binascii.Error as error:
            raise ValueError("the signature is not base64") from error

    def digest(self) -> Digest:
        """The manifest that the signed bytes speak of; ask only when the signature holds. Raises ValueError."""
        if self.fault is not None:
            raise ValueError(self.fault)
        if self.form is SignatureForm.COSIGN_TAG:
            return payload_digest(self.payload)
        if self.envelope is None:
            return Digest.of(self.payload)
        return statement_digest(self.envelope, self.payload)
