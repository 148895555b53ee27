"""`sitewright outdated`: what newer verified bundles offer a site."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from renderer.commands.site.loading import Loader, Workspace
from renderer.errors import BundleRefusedError, Finding, InputError, RemoteError, RendererError, Severity
from renderer.formats.documents.wording import table
from renderer.model.bundles.bundle import Catalog, Offer, VerifiedBundle
from renderer.model.bundles.trust import TrustPolicy
from renderer.model.fields import Json
from renderer.model.lock import Lock, LockedBundle, LockedExtension
from renderer.model.outcome import Outcome
from renderer.model.site import Site
from renderer.model.version import Constraint
from renderer.ports import BundleSource, BundleStore
from renderer.stages.verify import load_bundle
from renderer.structs import Struct, replace


class _News(Struct, frozen=True, kw_only=True):
    """A locked extension, the newest offer that the profile admits, and the newest of all."""

    locked: LockedExtension
    admitted: Offer | None
    newest: Offer

    @property
    def is_behind(self) -> bool:
        """True when there is a newer version, admitted or not."""
        return self.newest.extension.version > self.locked.version

    @property
    def admitted_in(self) -> str | None:
        """The bundle of what is admitted, when that is newer than what is locked."""
        newer = self.admitted is not None and self.admitted.extension.version > self.locked.version
        return self.admitted.bundle.source if self.admitted and newer else None


def outdated(workspace: Workspace, profile: str, stores: Sequence[BundleStore]) -> Outcome:
    """Compare the lock of `profile` with what the site's own bundles and the verified bundles of `stores` offer.

    The registries that the profile names are asked for newer ones. A bundle that the trust policy refuses is a warning
    and offers nothing, and so is a registry that does not answer. Versions are compared one by one; what
    fits together is for `sitewright lock --upgrade` to find. Raises InputError, BundleRefusedError.
    """
    loader = Loader(workspace)
    site = loader.site(profile).site
    lock = loader.lock(profile)[0]
    own = loader.catalog(site, lock).bundles
    candidates, silent = _candidates(stores, loader, site)
    others, refused = _verified(candidates, loader.policy(site.trust), lock, workspace)
    catalog = Catalog.of((*own, *others))
    news = [one for entry in lock.extensions if (one := _news(entry, site, catalog)) and one.is_behind]
    bundles = [(entry, newest) for entry in lock.bundles if (newest := _newer(entry, catalog.bundles))]
    return Outcome(
        text="\n".join(_lines(lock, news, bundles)),
        document={
            "site": lock.site,
            "bundles": [_bundle_json(entry, newest) for entry, newest in bundles],
            "extensions": [_news_json(one) for one in news],
        },
        findings=(*silent, *refused),
    )


def _candidates(
    stores: Iterable[BundleStore], loader: Loader, site: Site
) -> tuple[list[tuple[str, Callable[[], BundleSource]]], list[Finding]]:
    """Where newer bundles may lie, by how they are called; and the registry that does not answer."""
    layouts = ((store, layout) for store in stores for layout in store.layouts() if not layout.unfinished)
    found: list[tuple[str, Callable[[], BundleSource]]] = [
        (layout.path, partial(store.open, layout)) for store, layout in layouts
    ]
    try:
        found += loader.published(site)
    except RemoteError as error:
        return found, _warnings(error)
    return found, []


def _verified(
    candidates: Iterable[tuple[str, Callable[[], BundleSource]]], policy: TrustPolicy, lock: Lock, workspace: Workspace
) -> tuple[list[VerifiedBundle], list[Finding]]:
    locked = {entry.name: entry.sequence for entry in lock.bundles}
    found: list[VerifiedBundle] = []
    refused: list[Finding] = []
    for path, opened in candidates:
        try:
            source = opened()
            found.append(load_bundle(source.index(), source.blob, policy, now=workspace.now, source=path))
        except (BundleRefusedError, InputError, RemoteError) as error:
            refused += _warnings(error)
    return [one for one in found if one.bundle.sequence >= locked.get(one.bundle.name, 0)], refused


def _warnings(error: RendererError) -> list[Finding]:
    return [replace(finding, severity=Severity.WARNING) for finding in error.findings]


def _news(entry: LockedExtension, site: Site, catalog: Catalog) -> _News | None:
    offers = catalog.offers.get(entry.name, ())
    if not offers:
        return None
    constraint = next((one.constraint for one in site.extensions if one.name == entry.name), None)
    admitted = next((offer for offer in offers if _admits(constraint, offer)), None)
    return _News(locked=entry, admitted=admitted, newest=offers[0])


def _admits(constraint: Constraint | None, offer: Offer) -> bool:
    return constraint is None or constraint.allows(offer.extension.version)


def _newer(entry: LockedBundle, bundles: Iterable[VerifiedBundle]) -> VerifiedBundle | None:
    """The edition of a locked bundle with the highest sequence, when it is newer."""
    editions = [one for one in bundles if one.bundle.name == entry.name and one.bundle.sequence > entry.sequence]
    return max(editions, key=lambda one: one.bundle.sequence, default=None)


def _lines(lock: Lock, news: Sequence[_News], bundles: Sequence[tuple[LockedBundle, VerifiedBundle]]) -> list[str]:
    if not news and not bundles:
        return [f"site {lock.site}: nothing newer is offered"]
    tables = []
    if bundles:
        rows = [
            (entry.name, f"{entry.version} (sequence {entry.sequence})",
             f"{newest.bundle.version} (sequence {newest.bundle.sequence})", newest.source)
            for entry, newest in bundles
        ]  # fmt: skip
        tables.append(table(("bundle", "locked", "newest", "in"), rows))
    if news:
        tables.append(_news_table(news))
    return [f"site {lock.site}:", *(line for at, lines in enumerate(tables) for line in ([""] if at else []) + lines)]


def _news_table(news: Sequence[_News]) -> list[str]:
    """Where the newest lies; and where what the profile admits lies, when that is newer than the lock and elsewhere."""
    apart = any(one.admitted_in not in {None, one.newest.bundle.source} for one in news)
    rows = [
        (
            one.locked.name,
            str(one.locked.version),
            str(one.admitted.extension.version) if one.admitted else "-",
            *((one.admitted_in or "-",) if apart else ()),
            str(one.newest.extension.version),
            one.newest.bundle.source,
        )
        for one in news
    ]
    return table(("extension", "locked", "admitted", *(("in",) if apart else ()), "newest", "in"), rows)


def _bundle_json(entry: LockedBundle, newest: VerifiedBundle) -> Json:
    return {
        "name": entry.name,
        "locked": str(entry.version),
        "lockedSequence": entry.sequence,
        "newest": str(newest.bundle.version),
        "newestSequence": newest.bundle.sequence,
        "source": newest.source,
    }


def _news_json(one: _News) -> Json:
    return {
        "name": one.locked.name,
        "locked": str(one.locked.version),
        "admitted": str(one.admitted.extension.version) if one.admitted else None,
        "admittedSource": one.admitted_in,
        "newest": str(one.newest.extension.version),
        "source": one.newest.bundle.source,
    }
