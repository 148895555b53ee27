"""The receipt of a verification: what the site can prove that its registry holds."""

from __future__ import annotations

from datetime import datetime

from renderer.commands.images.verify import Verified
from renderer.formats.bundle.receipt import encode_envelope, encode_statement, to_sign
from renderer.model.bundles.receipt import Receipt, ReceiptImage
from renderer.model.reference import Digest
from renderer.ports import Signer


def receipt_of(verified: Verified, *, site: str, lock: bytes, now: datetime) -> Receipt:
    """What was found, complete or not: `images` are the complete ones, `blobs` everything that is there whole."""
    return Receipt(
        site=site,
        registry=verified.location,
        lock=Digest.of(lock),
        verified_at=now,
        hashed=verified.deep,
        images=tuple(
            ReceiptImage(reference=one.target.reference, digest=one.target.digest)
            for one in verified.inspections
            if one.complete
        ),
        blobs=dict(sorted(verified.blobs.items())),
        repositories=verified.repositories,
    )


def signed_receipt(receipt: Receipt, signer: Signer) -> bytes:
    """The receipt file."""
    statement = encode_statement(receipt)
    return encode_envelope(statement, signer.public_key, signer.sign(to_sign(statement)))
