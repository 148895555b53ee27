"""What a lock was written for, and what is there now. Every render asks; how a lock is made it need not load."""

from __future__ import annotations

from renderer.commands.site.loading import Workspace
from renderer.errors import Finding
from renderer.model.bundles.bundle import Catalog
from renderer.model.lock import Lock, LockedEngine, drift
from renderer.model.site import Site


def drift_of(workspace: Workspace, site: Site, catalog: Catalog, lock: Lock) -> list[Finding]:
    """How `lock` differs from the site, the verified bundles and the engine of this run."""
    return drift(
        lock,
        profile=site.digest,
        bundles={one.bundle.name: (one.manifest.digest, one.bundle.sequence) for one in catalog.bundles},
        engine=locked_engine(workspace),
        sitewright=workspace.version,
        profile_file=site.profile,
        rollback_allowed=frozenset(
            one.bundle.name
            for one in catalog.bundles
            if any(request.allow_rollback and request.source == one.source for request in site.bundles)
        ),
    )


def locked_engine(workspace: Workspace) -> LockedEngine:
    """The chart engine of this run, as a lock names it."""
    return LockedEngine(name=workspace.engine.name, helm=workspace.engine.helm_version)
