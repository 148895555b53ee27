"""Signed receipts: bytes to checked facts, and back.

A receipt file is a DSSE envelope (https://github.com/secure-systems-lab/dsse, protocol 1.0.2) around an in-toto
Statement v1 (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md), so that cosign's and in-toto's
own tools can check it. Its subject is the lock that the site was verified against, its predicate
(`https://sitewright.dev/receipt/v1`) what was found in the registry.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.document import only, parse_time, spell_time
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.formats.trust.keys import parse_public_key
from renderer.model.bundles.receipt import Receipt, ReceiptImage
from renderer.model.fields import FieldError, Fields, spell_path
from renderer.model.reference import Digest, ImageReference

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://sitewright.dev/receipt/v1"
SIZE_LIMIT: Final = 16 * 2**20
_SIGNATURES: Final = 16


def encode_statement(receipt: Receipt) -> bytes:
    """The bytes that a receipt's envelope carries; equal receipts give equal bytes."""
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": f"lock of site {receipt.site}", "digest": {receipt.lock.algorithm: receipt.lock.hex}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "site": receipt.site,
                "registry": receipt.registry,
                "verifiedAt": spell_time(receipt.verified_at),
                "hashed": receipt.hashed,
                "images": [
                    {"reference": str(image.reference), "digest": str(image.digest)} for image in receipt.images
                ],
                "blobs": {
                    str(digest): {"size": size, "repository": receipt.repositories[digest]}
                    for digest, size in receipt.blobs.items()
                },
            },
        }
    )


def to_sign(statement: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding of the statement and its type."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(statement), statement)


def encode_envelope(statement: bytes, public_key: bytes, signature: bytes) -> bytes:
    """The receipt file: `signature` is over `to_sign(statement)`, by the private half of `public_key` (PEM)."""
    return canonical_json(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(statement).decode(),
            "signatures": [
                {
                    "keyid": str(parse_public_key(public_key).fingerprint),
                    "sig": base64.b64encode(signature).decode(),
                }
            ],
        }
    )


def read_receipt(content: bytes, keys: Iterable[bytes], location: str) -> Receipt:
    """The receipt in a file, when one of `keys` (PEM) signed it.

    Raises BundleRefusedError: `receipt-malformed`, `receipt-not-signed`. The statement is read as JSON only after its
    signature has been checked.
    """
    where = Where(file=location)
    try:
        envelope = Fields.of(parse_json(content, limit=SIZE_LIMIT))
        if envelope.text("payloadType") != PAYLOAD_TYPE:
            raise ValueError(f"the payload's type is not `{PAYLOAD_TYPE}`")
        statement = _base64(envelope.text("payload"))
        signatures = [_base64(one.text("sig")) for one in envelope.children("signatures")[:_SIGNATURES]]
        _check(statement, signatures, tuple(keys), where)
        return _read(Fields.of(parse_json(statement, limit=SIZE_LIMIT)))
    except FieldError as error:
        place = Where(file=location, path=spell_path(error.path) or None)
        raise _malformed(str(error), place) from error
    except ValueError as error:
        raise _malformed(str(error), where) from error


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("payload or signature is not base64") from error


def _check(statement: bytes, signatures: list[bytes], keys: tuple[bytes, ...], where: Where) -> None:
    signed = to_sign(statement)
    known = [parse_public_key(key) for key in keys]
    if any(key.check(signed, signature) is not None for key in known for signature in signatures):
        return
    raise BundleRefusedError(
        Finding(
            code="receipt-not-signed",
            message="no key that is trusted here has signed this receipt",
            where=where,
            expected=", ".join(str(key.fingerprint) for key in known) or "a key",
            got=f"{len(signatures)} signature{'' if len(signatures) == 1 else 's'}, none of them by such a key",
            hint="get the public key of the site that made it, or a receipt that was not changed on its way",
        )
    )


def _read(statement: Fields) -> Receipt:
    only(statement, "_type subject predicateType predicate")
    types = (statement.text("_type"), statement.text("predicateType"))
    if types != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"the statement is not a receipt (`{types[1]}`)")
    predicate = statement.child("predicate")
    only(predicate, "site registry verifiedAt hashed images blobs")
    subjects = statement.children("subject")
    if len(subjects) != 1:
        raise FieldError(statement.at("subject"), "a receipt has one subject, the lock")
    blobs = predicate.child("blobs")
    found = {blobs.parse(text, Digest.parse, blobs.at(text)): blobs.child(text) for text in blobs.content}
    held = sorted(found.items())
    return Receipt(
        site=predicate.text("site"),
        registry=predicate.text("registry"),
        lock=subjects[0].child("digest").parsed("sha256", lambda text: Digest("sha256", text)),
        verified_at=predicate.parsed("verifiedAt", parse_time),
        hashed=predicate.flag("hashed", default=False),
        images=tuple(
            ReceiptImage(
                reference=image.parsed("reference", ImageReference.parse), digest=image.parsed("digest", Digest.parse)
            )
            for image in predicate.children("images")
        ),
        blobs={digest: blob.integer("size") for digest, blob in held},
        repositories={digest: blob.text("repository") for digest, blob in held},
    )


def _malformed(message: str, where: Where) -> BundleRefusedError:
    return BundleRefusedError(
        Finding(
            code="receipt-malformed",
            message=f"this is not a receipt that can be read: {message}",
            where=where,
            expected="what `sitewright images verify --receipt` wrote",
            hint="sitewright images verify PROFILE --receipt FILE --key KEY",
        )
    )
