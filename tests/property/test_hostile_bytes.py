"""Whatever the bytes are: a reader of bundles gives a value or a refusal, never another exception."""

from __future__ import annotations

import contextlib
import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.errors import BundleRefusedError, Where
from renderer.formats.archives import ArchiveError, ArchiveLimits, pack, unpack
from renderer.formats.bundle.artifact import (
    BUNDLE_CONFIG,
    CHART_LAYER,
    IMAGE_MANIFEST,
    bundle_manifest,
    describe,
    find_bundle,
    index_content,
    parse_index,
    parse_manifest,
)
from renderer.formats.bundle.document import decode_bundle
from renderer.formats.trust import cosign_key
from renderer.formats.trust.armour import wrapped
from renderer.formats.trust.cosign import make_payload, payload_digest
from renderer.formats.trust.dsse import IN_TOTO, make_statement, statement_digest
from renderer.formats.trust.keys import parse_public_key
from renderer.formats.trust.pem import certificates_of
from renderer.formats.trust.raw_signatures import spellings
from renderer.formats.trust.sigstore import make_sigstore_bundle, read_sigstore_bundle
from renderer.formats.trust.stored import StoredSignature
from renderer.model.reference import Digest
from renderer.model.trees.tree import FileTree

LIMITS = ArchiveLimits(members=100, file=2**16, total=2**18)
EDITS = st.lists(st.tuples(st.integers(0, 2**16), st.binary(min_size=1, max_size=12)), min_size=1, max_size=4)


def edited(content: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    """`content` with runs of bytes overwritten."""
    result = bytearray(content)
    for position, run in edits:
        start = position % len(content)
        result[start : start + len(run)] = run
    return bytes(result)


def tar(form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name in ("a/Chart.yaml", f"a/{'long' * 40}", "a/üñí"):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 10, 1.5
            archive.addfile(member, io.BytesIO(b"0123456789"))
    return buffer.getvalue()


TARS = st.sampled_from([tar(tarfile.PAX_FORMAT), tar(tarfile.GNU_FORMAT), pack(FileTree.of([("a/b", b"c")]))])
MANIFEST = bundle_manifest(
    describe(b"{}", BUNDLE_CONFIG), [describe(b"x", CHART_LAYER)], name="demo", version="1.0.0", created="2026"
)
INDEX = index_content([describe(MANIFEST, IMAGE_MANIFEST)])


@given(TARS, EDITS)
@settings(max_examples=400, deadline=None)
def test_damaged_archives(content: bytes, edits: list[tuple[int, bytes]]) -> None:
    try:
        tree = unpack(edited(content, edits), LIMITS)
    except ArchiveError:
        return
    assert all(len(body) <= LIMITS.file for _, body in tree.items())


@given(st.binary(max_size=3000))
@settings(deadline=None)
def test_any_bytes_as_an_archive(content: bytes) -> None:
    for start in (b"", b"\x1f\x8b\x08\0\0\0\0\0\0\xff"):
        try:
            unpack(start + content, LIMITS)
        except ArchiveError:
            continue


@given(st.sampled_from([MANIFEST, INDEX]), EDITS)
@settings(max_examples=300, deadline=None)
def test_damaged_documents(content: bytes, edits: list[tuple[int, bytes]]) -> None:
    damaged = edited(content, edits)
    for read in (
        lambda: parse_index(damaged, Where(file="x")),
        lambda: parse_manifest(damaged, Where(file="x")),
        lambda: find_bundle(damaged, "x"),
    ):
        try:
            read()
        except BundleRefusedError as error:
            assert error.findings[0].where.file == "x"  # noqa: PT017
    with contextlib.suppress(ValueError):
        decode_bundle(damaged)


@given(st.binary(max_size=300))
def test_any_bytes_as_key_payload_and_signature(content: bytes) -> None:
    readers = (parse_public_key, payload_digest, certificates_of, lambda one: statement_digest(IN_TOTO, one))
    for read in readers:
        with contextlib.suppress(ValueError):
            read(content)
    with contextlib.suppress(ValueError):
        cosign_key.decrypted(wrapped(cosign_key.LABELS[0], content), b"passphrase")
    assert spellings(content)[0] == content
    with contextlib.suppress(ValueError):
        StoredSignature(b"", content.decode("latin-1")).signature()


@given(EDITS)
def test_damaged_payloads(edits: list[tuple[int, bytes]]) -> None:
    with contextlib.suppress(ValueError):
        payload_digest(edited(make_payload("demo", Digest.of(b"x")), edits))


STATEMENT = make_statement(Digest.of(b"x"))
SIGSTORE = make_sigstore_bundle(IN_TOTO, STATEMENT, b"signature", key_hint="hint", certificates=[b"one", b"two"])


@given(EDITS)
@settings(max_examples=300, deadline=None)
def test_damaged_sigstore_bundles(edits: list[tuple[int, bytes]]) -> None:
    stored = read_sigstore_bundle(edited(SIGSTORE, edits), b"manifest", Digest.of(b"holder"))
    for ask in (stored.signature, stored.digest):
        with contextlib.suppress(ValueError):
            ask()
    assert isinstance(stored.signed_bytes, bytes)
    assert all(len(one) <= 16 * 1024 for one in stored.certificates)
    with contextlib.suppress(ValueError):
        statement_digest(IN_TOTO, edited(STATEMENT, edits))
