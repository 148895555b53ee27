"""`sitewright bundle list` and `bundle gc`: the bundles of a directory, and those that nobody needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from renderer.commands.bundle.carrying.delta_check import is_delta
from renderer.commands.bundle.unverified import read_delta_unverified, read_unverified
from renderer.errors import BundleRefusedError, Finding, InputError, Severity, Where
from renderer.formats.bundle.artifact import DELTA
from renderer.formats.bundle.delta import base_json
from renderer.formats.bundle.document import spell_time
from renderer.formats.bundle.parts import read_parts
from renderer.formats.documents.wording import count, size, table
from renderer.formats.lockfile import decode_lock
from renderer.model.bundles.bundle import Bundle
from renderer.model.bundles.delta import Delta
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.ports import BundleSource, BundleStore, StoredLayout
from renderer.stages.verify import verify
from renderer.stages.verify.deltas import verify_delta
from renderer.structs import Struct, replace


class Kept(Struct, frozen=True, kw_only=True):
    """One layout of a store: a bundle, or a `delta`; neither, and no `manifest`, when it holds none that can be read.

    `standing` says what the trust policy makes of it, `refusal` why it is refused; `sites` are those whose lock
    names it.
    """

    layout: StoredLayout
    bundle: Bundle | None = None
    delta: Delta | None = None
    manifest: Digest | None = None
    standing: str
    refusal: tuple[Finding, ...] = ()
    sites: tuple[str, ...] = ()


def list_bundles(
    store: BundleStore, policy: TrustPolicy | None, locks: Mapping[str, bytes], *, now: datetime
) -> Outcome:
    """Every bundle of `store`: what it is, whether `policy` accepts it, and which sites are locked to it.

    `locks` are the bytes of lock files by path. Signatures are checked and content is not: that is what `bundle
    verify` does.
    """
    found = survey(store, policy, locks, now=now)
    rows = [_row(one) for one in found]
    total = sum(one.layout.size for one in found)
    lines = [f"{store.location}: {count(len(found), 'bundle')}, {size(total)}"]
    lines += (
        table(("name", "version", "sequence", "created", "size", "standing", "sites", "path"), rows) if rows else []
    )
    return Outcome(
        text="\n".join(lines),
        document={"store": store.location, "bundles": [_as_json(one) for one in found]},
        findings=tuple(replace(finding, severity=Severity.WARNING) for one in found for finding in one.refusal),
    )


def _row(one: Kept) -> Sequence[str]:
    what = one.bundle or one.delta
    return (
        what.name if what else "?",
        str(what.version) if what else "-",
        str(what.sequence) if what else "-",
        spell_time(what.created)[:10] if what else "-",
        size(one.layout.size),
        f"delta from {one.delta.base}; {one.standing}" if one.delta else one.standing,
        ", ".join(one.sites) or "-",
        one.layout.path,
    )


def collect(store: BundleStore, locks: Mapping[str, bytes], *, keep: int, delete: bool, now: datetime) -> Outcome:
    """Name the bundles that none of `locks` (the bytes of the files by path) needs, or `delete` them.

    Of every bundle the `keep` highest sequences stay, whether a lock names them or not; and everything stays that
    cannot be read, because nobody can say what it is. What interrupted runs left behind goes.
    """
    found = survey(store, None, locks, now=now)
    doomed = [one for one in found if one.layout.unfinished and not one.layout.busy]
    doomed += _superseded([one for one in found if not one.layout.unfinished], keep)
    for one in doomed if delete else ():
        store.remove(one.layout)
    freed = sum(one.layout.size for one in doomed)
    did = "removed" if delete else "can go"
    lines = [f"{store.location}: {count(len(doomed), 'bundle')} {did}, {size(freed)}"]
    lines += table(("path", "bundle", "size", "why"), [_why(one) for one in doomed]) if doomed else []
    return Outcome(
        text="\n".join(lines),
        document={
            "store": store.location,
            "removed" if delete else "removable": [one.layout.path for one in doomed],
            "bytes": freed,
        },
        findings=() if delete or not doomed else (_only_told(store.location),),
    )


def survey(
    store: BundleStore, policy: TrustPolicy | None, locks: Mapping[str, bytes], *, now: datetime
) -> tuple[Kept, ...]:
    """Every layout of the store, by name of the bundle and sequence. Raises InputError for a lock that is damaged."""
    users = _users(locks)
    found = [_read(store, layout, policy, users, now) for layout in store.layouts()]
    return tuple(sorted(found, key=_order))


def _users(locks: Mapping[str, bytes]) -> dict[Digest, tuple[str, ...]]:
    """The sites that are locked to a bundle, by the digest of its manifest."""
    users: dict[Digest, list[str]] = {}
    for path, content in sorted(locks.items()):
        lock = decode_lock(content, path, profile=path.replace(".lock.yaml", ".yaml"))
        for entry in lock.bundles:
            users.setdefault(entry.digest, []).append(lock.site)
    return {digest: tuple(sites) for digest, sites in users.items()}


def _order(one: Kept) -> tuple[bool, str, int, str]:
    what = one.bundle or one.delta
    return what is None, what.name if what else "", what.sequence if what else 0, one.layout.path


def _read(
    store: BundleStore,
    layout: StoredLayout,
    policy: TrustPolicy | None,
    users: Mapping[Digest, tuple[str, ...]],
    now: datetime,
) -> Kept:
    if layout.unfinished:
        return Kept(layout=layout, standing="being written" if layout.busy else "unfinished")
    try:
        source = store.open(layout)
        if is_delta(source):
            return _read_delta(source, layout, policy, now)
        parts = read_parts(source.index(), source.blob, layout.path)
        manifest = parts.manifest.digest
        if policy is None:
            bundle, standing = read_unverified(parts, layout.path), "not checked"
        else:
            verified = verify(parts, policy, now=now, source=layout.path)
            bundle, standing = verified.bundle, " and ".join(verified.verdict.signers)
    except (BundleRefusedError, InputError) as error:
        return Kept(layout=layout, standing=f"refused: {error.findings[0].code}", refusal=error.findings)
    return Kept(layout=layout, bundle=bundle, manifest=manifest, standing=standing, sites=users.get(manifest, ()))


def _read_delta(source: BundleSource, layout: StoredLayout, policy: TrustPolicy | None, now: datetime) -> Kept:
    """A delta of the store. Raises BundleRefusedError."""
    parts = read_parts(source.index(), source.blob, layout.path, DELTA)
    if policy is None:
        delta, standing = read_delta_unverified(parts, layout.path), "not checked"
    else:
        delta, verdict = verify_delta(parts, policy, now=now, source=layout.path)
        standing = " and ".join(verdict.signers)
    return Kept(layout=layout, delta=delta, manifest=parts.manifest.digest, standing=standing)


def _superseded(found: Iterable[Kept], keep: int) -> list[Kept]:
    """What no site is locked to and `keep` newer editions of the same bundle have overtaken."""
    editions: dict[str, list[Kept]] = {}
    for one in found:
        if one.bundle is not None:
            editions.setdefault(one.bundle.name, []).append(one)
    doomed: list[Kept] = []
    for same in editions.values():
        sequences = sorted({one.bundle.sequence for one in same if one.bundle}, reverse=True)[:keep]
        doomed += [one for one in same if one.bundle and one.bundle.sequence not in sequences and not one.sites]
    return doomed


def _why(one: Kept) -> Sequence[str]:
    if one.bundle is None:
        return one.layout.path, "-", size(one.layout.size), "left behind by an interrupted run"
    name = f"{one.bundle.name} {one.bundle.version}"
    return one.layout.path, name, size(one.layout.size), "newer ones are there, and no lock names it"


def _only_told(location: str) -> Finding:
    return Finding(
        code="nothing-removed",
        message="nothing was removed: this is what would go",
        where=Where(file=location),
        severity=Severity.NOTE,
        hint=f"sitewright bundle gc {location} --delete",
    )


def _as_json(one: Kept) -> Json:
    what = one.bundle or one.delta
    return {
        "path": one.layout.path,
        "size": one.layout.size,
        "bundle": what.name if what else None,
        "version": str(what.version) if what else None,
        "sequence": what.sequence if what else None,
        "created": spell_time(what.created) if what else None,
        "manifest": str(one.manifest) if one.manifest else None,
        "deltaFrom": base_json(one.delta.base) if one.delta else None,
        "standing": one.standing,
        "sites": list(one.sites),
    }
