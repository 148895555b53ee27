"""What the other side of an air gap has already: an older bundle, the one that a lock names, or a site's registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from renderer.commands.bundle.unverified import read_unverified
from renderer.errors import BundleRefusedError, Finding, InputError, RendererError, Where
from renderer.formats.bundle.artifact import (
    COPY_AGAIN,
    find_bundle,
    parse_index,
)
from renderer.formats.bundle.closure import closure
from renderer.formats.bundle.parts import read_parts
from renderer.formats.bundle.receipt import read_receipt
from renderer.formats.lockfile import decode_lock
from renderer.model.bundles.delta import BaseKind, DeltaBase
from renderer.model.bundles.extension import Descriptor
from renderer.model.lock import LockedBundle
from renderer.model.reference import Digest
from renderer.ports import BundleStore, Layout
from renderer.structs import Struct, field


class Held(Struct, frozen=True, kw_only=True):
    """What the other side has: blobs by their sizes, and, in a registry, the repository that each of them lies in."""

    base: DeltaBase
    blobs: Mapping[Digest, int]
    repositories: Mapping[Digest, str] = field(default_factory=dict)


def name_of(source: Layout) -> str:
    """The name of the bundle in a layout, as its unverified manifest gives it. Raises BundleRefusedError."""
    return read_unverified(read_parts(source.index(), source.blob, source.location), source.location).name


def held_by_bundle(base: Layout) -> Held:
    """What a bundle in a layout holds: everything that its `index.json` leads to. Raises BundleRefusedError."""
    parts = read_parts(base.index(), base.blob, base.location)
    bundle = read_unverified(parts, base.location)
    found = blobs_of(base, base.index())
    return Held(
        base=DeltaBase(kind=BaseKind.BUNDLE, name=bundle.name, digest=parts.manifest.digest, told=str(bundle.version)),
        blobs={digest: one.size for digest, one in found.items()},
    )


def held_by_receipt(content: bytes, keys: Iterable[bytes], location: str) -> Held:
    """What a site's registry held when it was verified, if one of `keys` (PEM) signed the receipt.

    Raises BundleRefusedError (`receipt-malformed`, `receipt-not-signed`).
    """
    receipt = read_receipt(content, keys, location)
    return Held(
        base=DeltaBase(
            kind=BaseKind.RECEIPT, name=receipt.site, digest=receipt.lock, told=f"{receipt.verified_at:%Y-%m-%d}"
        ),
        blobs=receipt.blobs,
        repositories=receipt.repositories,
    )


def held_by_lock(content: bytes, path: str, bundle: str, store: BundleStore) -> Held:
    """What a site has that is locked to an edition of `bundle`; `store` must hold that edition.

    Raises InputError (`base-not-found`).
    """
    locked = decode_lock(content, path, profile=path.replace(".lock.yaml", ".yaml")).bundle(bundle)
    if locked is None:
        message = f"the lock names no bundle `{bundle}`"
        raise InputError(_no_base(path, message, bundle, "name another lock, or a bundle"))
    for layout in store.layouts():
        if layout.unfinished:
            continue
        try:
            source = store.open(layout)
            if find_bundle(source.index(), layout.path).digest == locked.digest:
                return held_by_bundle(source)
        except RendererError:  # something else lies there; `bundle list` tells what
            continue
    raise InputError(_not_kept(path, locked, store.location))


def _not_kept(path: str, locked: LockedBundle, store: str) -> Finding:
    message = f"the edition of `{locked.name}` that the lock names is not in `{store}`"
    expected = f"{locked.name} {locked.version} (sequence {locked.sequence}), {locked.digest}"
    return _no_base(path, message, expected, "name the directory that keeps older bundles with --store")


def _no_base(path: str, message: str, expected: str, hint: str) -> Finding:
    return Finding(code="base-not-found", message=message, where=Where(file=path), expected=expected, hint=hint)


def blobs_of(source: Layout, index: bytes) -> dict[Digest, Descriptor]:
    """Everything that an `index.json` leads to. Raises BundleRefusedError (`blob-missing`) when something lacks."""
    present = frozenset(source.digests())
    roots = [entry.descriptor for entry in parse_index(index, Where(file=source.location, subject="index.json"))]
    found = closure(roots, source.blob, present.__contains__, source.location)
    missing = [digest for digest in found if digest not in present]
    if missing:
        raise BundleRefusedError(
            *(
                Finding(
                    code="blob-missing",
                    message=f"the blob `{digest}` is not in the bundle",
                    where=Where(file=source.location),
                    hint=COPY_AGAIN,
                )
                for digest in missing
            )
        )
    return found
