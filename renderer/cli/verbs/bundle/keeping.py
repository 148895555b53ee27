"""`sitewright bundle list|gc`: what keeps a directory of bundles in order."""

from __future__ import annotations

from typing import Final

from renderer.cli.spec import Argument, Command, Options
from renderer.model.outcome import Outcome

_STORE: Final = Argument(
    names=("directory",), help="the directory that holds the bundles (default: bundles)", takes="maybe"
)
_LOCKS: Final = Argument(
    names=("--lock",),
    help="a lock whose bundles are in use (default: every *.lock.yaml below profiles/; again for more)",
    takes="repeated",
    metavar="FILE",
)


def _list(options: Options) -> Outcome:
    from renderer.cli import stores, wiring
    from renderer.commands.bundle.store import list_bundles

    trust = options.optional("trust")
    store = stores.bundle_store(options.optional("directory"))
    files = wiring.files_around(".")
    with wiring.told_from_here(files) as told:
        policy = wiring.policy(trust) if trust else None
        return told(list_bundles(store, policy, stores.locks(files, options), now=wiring.now()))


def _gc(options: Options) -> Outcome:
    from renderer.cli import stores, wiring
    from renderer.commands.bundle.store import collect

    keep = stores.editions(options)
    store = stores.bundle_store(options.optional("directory"))
    files = wiring.files_around(".")
    with wiring.told_from_here(files) as told:
        locks = stores.locks(files, options)
        return told(collect(store, locks, keep=keep, delete=options.flag("delete"), now=wiring.now()))


LIST: Final = Command(
    name="list",
    summary="List the bundles of a directory: what they are, whether they are trusted, which sites use them.",
    description="Signatures are checked when a trust policy is given; what the bundles hold is for `bundle verify`.",
    arguments=(
        _STORE,
        Argument(names=("--trust",), help="say which of them this trust policy accepts", metavar="FILE"),
        _LOCKS,
    ),
    examples=("sitewright bundle list bundles --trust trust.yaml",),
    handler=_list,
)

GC: Final = Command(
    name="gc",
    summary="Name the bundles of a directory that are no longer needed, or delete them.",
    description=(
        "A bundle goes when newer editions of it are there and no lock names it; so does what an interrupted run left "
        "behind. Nothing is removed without --delete."
    ),
    arguments=(
        _STORE,
        Argument(
            names=("--keep",), help="editions of each bundle that always stay (default: 2)", metavar="N", default="2"
        ),
        Argument(names=("--delete",), help="remove them", takes="none"),
        _LOCKS,
    ),
    examples=("sitewright bundle gc bundles", "sitewright bundle gc bundles --keep 1 --delete"),
    handler=_gc,
)
