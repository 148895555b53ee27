"""`sitewright render`: the trees of one or many sites, published as one change."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.commands.site.captured_file import locked_values
from renderer.commands.site.drift import drift_of
from renderer.commands.site.loading import Loader, Workspace
from renderer.errors import CheckFailedError, Finding, InputError, Severity
from renderer.model.check import Judgement, judge
from renderer.model.fields import Json
from renderer.model.lock import Lock
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.model.site import Site
from renderer.model.trees.tree import FileTree
from renderer.pipeline import is_current, render
from renderer.ports import Author, TreeStore
from renderer.stages.image_demands import image_demands
from renderer.stages.settle.sealed.expiry import expiring_certificates
from renderer.structs import Struct, replace


class RenderedSite(Struct, frozen=True, kw_only=True):
    """One site after rendering: its tree, the tree that it replaces, what was found. Equal trees: nothing to do."""

    site: Site
    lock: Lock
    lock_digest: Digest
    tree: FileTree
    previous: FileTree
    judgement: Judgement

    @property
    def changed(self) -> int:
        """How many files differ from the tree that this one replaces."""
        if self.tree is self.previous:
            return 0
        before, after = self.previous.files, self.tree.files
        return sum(before.get(path) != after.get(path) for path in before.keys() | after.keys())


def render_sites(workspace: Workspace, profiles: Sequence[str], store: TreeStore) -> tuple[RenderedSite, ...]:
    """Render every profile; nothing is written.

    A site for which nothing has changed since its tree in `store` was rendered is not rendered again. Raises
    InputError, BundleRefusedError, or CheckFailedError with the findings of all sites when any of them fails.
    """
    loader = Loader(workspace)
    rendered = [_one(loader, profile, store) for profile in profiles]
    _check_roots(loader, rendered)
    if any(one.judgement.failing(one.site.checks) for one in rendered):
        raise CheckFailedError(*_findings(rendered))
    return tuple(rendered)


def render_and_publish(workspace: Workspace, profiles: Sequence[str], *, store: TreeStore, author: Author) -> Outcome:
    """Render every profile and publish all trees at once: one commit, or one directory swap for each site."""
    rendered = render_sites(workspace, profiles, store)
    # with nothing to change, the store still delivers what an earlier run could not push
    chosen = [one for one in rendered if one.changed] or list(rendered)
    published = store.publish({one.site.root: one.tree for one in chosen}, _message(chosen), author)
    lines = [f"{one.site.root}: {_said(one)}" for one in rendered]
    if published.revision and (published.changed or published.pushed):
        lines.append(f"commit {published.revision} on {published.location}{', pushed' if published.pushed else ''}")
    lines.extend(published.notes)
    sites: list[Json] = [
        {"site": one.site.name, "root": one.site.root, "files": len(one.tree), "changed": one.changed}
        for one in rendered
    ]
    return Outcome(
        text="\n".join(lines),
        document={"sites": sites, "location": store.location, "commit": published.revision},
        findings=_findings(rendered),
    )


def _one(loader: Loader, profile: str, store: TreeStore) -> RenderedSite:
    site = loader.site(profile).site
    lock, content = loader.lock(profile)
    catalog = loader.catalog(site, lock)
    drifted = drift_of(loader.workspace, site, catalog, lock)
    if any(finding.severity is Severity.ERROR for finding in drifted):
        raise CheckFailedError(*drifted)
    captured = locked_values(loader, profile, lock)
    today = loader.workspace.now.date()
    drifted += expiring_certificates(captured, site.generated.expiring, today, profile)
    previous = store.load(site.root)
    tools = loader.tools(site)
    findings: tuple[Finding, ...] = ()
    tree = previous
    demanded = None
    if site.nodes.policy:
        demanded = image_demands(lock, loader.policy(site.trust), today=today, profile=profile)
    if not is_current(site, lock, content, catalog, tools, previous, demanded):
        rendering = render(site, lock, content, catalog, tools, previous, captured, demanded)
        findings, tree = rendering.findings, rendering.tree
    return RenderedSite(
        site=site,
        lock=lock,
        lock_digest=Digest.of(content),
        tree=tree,
        previous=previous,
        judgement=judge((*drifted, *findings), site.checks, profile=profile, today=today),
    )


def _findings(rendered: Sequence[RenderedSite]) -> tuple[Finding, ...]:
    """The findings of all sites; what is found alike on several sites is said once, with their names."""
    if len(rendered) == 1:
        return rendered[0].judgement.findings
    sites: dict[Finding, list[str]] = {}
    for one in rendered:
        for finding in one.judgement.findings:
            sites.setdefault(finding, []).append(one.site.name)
    order = list(Severity)
    return tuple(
        replace(finding, explanation=(*finding.explanation, f"on {_some(names)}"))
        for finding, names in sorted(sites.items(), key=lambda item: order.index(item[0].severity))
    )


def _some(names: Sequence[str]) -> str:
    """`a, b, c and 57 more`."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _check_roots(loader: Loader, rendered: Sequence[RenderedSite]) -> None:
    """Two profiles may not claim one directory. Raises InputError (`duplicate-site`)."""
    first: dict[str, str] = {}
    faults = []
    for one in rendered:
        owner = first.setdefault(one.site.root, one.site.profile)
        if owner != one.site.profile:
            faults.append(
                Finding(
                    code="duplicate-site",
                    message=f"`{one.site.profile}` and `{owner}` are both rendered into `{one.site.root}`",
                    where=loader.where(one.site, "metadata", "name"),
                    hint="give every site a name of its own",
                )
            )
    if faults:
        raise InputError(*faults)


def _said(one: RenderedSite) -> str:
    if not one.changed:
        return f"{len(one.tree)} files, unchanged"
    return f"{len(one.tree)} files, {one.changed} changed"


def _message(changed: Sequence[RenderedSite]) -> str:
    """The commit message: which sites, which versions, which locks; nothing that depends on the moment."""
    lines = [f"Render {_some([one.site.name for one in changed])}", ""]
    for one in changed:
        versions = ", ".join(f"{entry.name} {entry.version}" for entry in one.lock.extensions)
        lines.append(f"site {one.site.name}: {one.changed} files ({versions})")
    lines += ["", *(f"Sitewright-Lock: {one.site.name} {one.lock_digest}" for one in changed)]
    lines.append(f"Sitewright-Version: {changed[0].lock.sitewright}")
    return "\n".join(lines) + "\n"
