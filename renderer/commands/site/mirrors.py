"""`sitewright mirrors`: the node configuration of a site, without rendering its objects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from renderer.checks.supply_chain import cannot_mirror
from renderer.commands.site.loading import Loader, Workspace
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.site import ImagesMode
from renderer.model.trees.tree import FileTree
from renderer.stages.image_demands import ImageDemands, image_demands
from renderer.stages.mirrors.nodes import node_files, runtimes_of
from renderer.stages.mirrors.plan import plan_mirrors


def mirrors(workspace: Workspace, profile: str, *, runtimes: Sequence[str] = ()) -> tuple[Outcome, FileTree]:
    """The mirror plan as a table, and the files for the nodes (paths `nodes/<runtime>/…`).

    `runtimes` are some of `renderer.stages.mirrors.nodes.RUNTIMES`; without any, what the nodes of the site have.
    Findings say what Docker cannot do, and where nodes with `policy` ask for less or other than the trust policy does.
    """
    loader = Loader(workspace)
    site = loader.site(profile).site
    lock = loader.lock(profile)[0]
    plan = plan_mirrors(site.registry, (image.reference.pinned(image.digest) for image in lock.images))
    demanded = ImageDemands(demands={}, findings=())
    chosen = runtimes or runtimes_of(site)
    if "policy" in chosen:
        today = workspace.now.astimezone(UTC).date()
        demanded = image_demands(lock, loader.policy(site.trust), today=today, profile=site.profile)
    files = node_files(
        plan, site, loader.tools(site).templates, sorted(set(runtimes)) or None, demands=demanded.demands
    )
    width = max((len(mirror.source) for mirror in plan.mirrors), default=0)
    lines = [f"{mirror.source.ljust(width)}  {plan.scheme}://{plan.host}/{mirror.project}" for mirror in plan.mirrors]
    document: Json = {
        "registry": f"{plan.scheme}://{plan.host}",
        "mirrors": {mirror.source: mirror.project for mirror in plan.mirrors},
        "files": [*files],
    }
    text = "\n".join([*lines, "", *files])
    docker = "docker" in chosen and site.registry.images is not ImagesMode.REWRITE
    findings = (*((cannot_mirror(site),) if docker else ()), *demanded.findings)
    return Outcome(text=text, document=document, findings=findings), files
