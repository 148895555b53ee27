"""`sitewright resolve`, `tree` and `why`: what is enabled, and because of whom."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.commands.site.loading import Loader, Workspace, lock_path
from renderer.commands.site.lock import resolution_of
from renderer.errors import Finding, InputError, ResolutionError, Where
from renderer.formats.kubesphere.package import METADATA_FILE, read_package
from renderer.model.bundles.bundle import Catalog
from renderer.model.bundles.extension import ClusterRole
from renderer.model.fields import Json
from renderer.model.lock import Lock, LockedExtension
from renderer.model.outcome import Outcome
from renderer.model.reference import ImageReference, Platform
from renderer.model.resolution import PROFILE, Conflict, Question, Resolution, Want
from renderer.model.trees.tree import FileTree
from renderer.model.version import Constraint, Version
from renderer.stages.explain import explain
from renderer.stages.resolve import attempt, resolve
from renderer.structs import replace


def resolve_profile(workspace: Workspace, profile: str) -> Outcome:
    """What `sitewright lock` would choose, without charts and without writing. Raises ResolutionError."""
    loader = Loader(workspace)
    site = loader.site(profile).site
    old = loader.lock(profile)[0] if workspace.files.exists(lock_path(profile)) else None
    catalog = loader.catalog(site, old)
    return _outcome(resolution_of(loader, site, catalog, old, ()), catalog)


def resolve_manifest(
    workspace: Workspace,
    manifest: str,
    bundles: Sequence[str],
    trust: str,
    *,
    kubernetes: Version,
    platforms: Sequence[Platform],
) -> Outcome:
    """What installing the KubeSphere extension described by `manifest` needs out of `bundles`, with no profile.

    `manifest` is an `extension.yaml`; the bundles are verified against the trust policy at `trust`.
    """
    loader = Loader(workspace)
    tree = FileTree.of([(METADATA_FILE, workspace.files.read(manifest))])
    extension = read_package(tree, manifest.removesuffix(f"/{METADATA_FILE}")).extension
    policy = loader.policy(trust)
    catalog = Catalog.of([loader.verified(path, policy) for path in bundles])
    question = Question(
        wants=(Want(extension.name, Constraint.parse(f"={extension.version}")),),
        catalog=catalog,
        kubernetes=kubernetes,
        platforms=tuple(platforms),
        role=ClusterRole.HOST,
        assumed=(extension,) if catalog.offer(extension.name, extension.version) is None else (),
    )
    answer = resolve(question)
    if isinstance(answer, Conflict):
        finding = explain(answer, question, attempt)
        raise ResolutionError(finding.at(replace(finding.where, file=manifest, path=None)))
    return _outcome(answer, catalog)


def tree(workspace: Workspace, profile: str) -> Outcome:
    """The locked extensions of a site as a tree of who requires whom."""
    lock = Loader(workspace).lock(profile)[0]
    below: dict[str, list[LockedExtension]] = {}
    for entry in lock.extensions:
        for parent in entry.required_by:
            below.setdefault(parent, []).append(entry)
    lines = [lock.site]
    shown: set[str] = set()

    def grow(parent: str, indent: str) -> None:
        children = sorted(below.get(parent, []), key=lambda entry: entry.name)
        for index, entry in enumerate(children):
            last = index == len(children) - 1
            known = entry.name in shown and entry.name in below
            lines.append(
                f"{indent}{'└─' if last else '├─'} {entry.name} {entry.version}{' (see above)' if known else ''}"
            )
            if not known:
                shown.add(entry.name)
                grow(entry.name, indent + ("   " if last else "│  "))

    grow(PROFILE, "")
    document: Json = {
        "site": lock.site,
        "extensions": [
            {"name": entry.name, "version": str(entry.version), "requiredBy": list(entry.required_by)}
            for entry in lock.extensions
        ],
    }
    return Outcome(text="\n".join(lines), document=document)


def why(workspace: Workspace, profile: str, name: str) -> Outcome:
    """Why an extension or an image is part of a site: every chain of requirements from the profile to it."""
    lock = Loader(workspace).lock(profile)[0]
    if lock.version_of(name) is not None:
        chains = _chains(lock, name)
        lines = [" -> ".join(f"{step} {lock.version_of(step) or ''}".rstrip() for step in chain) for chain in chains]
        return Outcome(text="\n".join(lines), document={"extension": name, "chains": [list(chain) for chain in chains]})
    try:
        wanted = ImageReference.parse(name)
    except ValueError:
        wanted = None
    image = next((entry for entry in lock.images if wanted and entry.reference.name == wanted.name), None)
    if image is not None:
        lines = [f"{image.reference} is pinned to {image.digest}", f"nodes fetch it from {image.mirror}"]
        return Outcome(
            text="\n".join(lines),
            document={"image": str(image.reference), "digest": str(image.digest), "mirror": image.mirror},
        )
    raise InputError(
        Finding(
            code="unknown-extension",
            message=f"`{name}` is neither an extension nor an image of site {lock.site}",
            where=Where(file=lock_path(profile)),
            expected=", ".join(f"`{entry.name}`" for entry in lock.extensions),
            hint=f"sitewright tree {profile}",
        )
    )


def _chains(lock: Lock, name: str) -> list[tuple[str, ...]]:
    parents = {entry.name: entry.required_by for entry in lock.extensions}

    def upwards(step: str, seen: tuple[str, ...]) -> list[tuple[str, ...]]:
        if step == PROFILE:
            return [(PROFILE, *seen)]
        if step in seen:
            return []
        return [chain for parent in parents.get(step, ()) for chain in upwards(parent, (step, *seen))]

    return sorted(upwards(name, ()))


def _outcome(answer: Resolution, catalog: Catalog) -> Outcome:
    rows = []
    document: list[Json] = []
    for extension in answer.extensions:
        offer = catalog.offer(extension.name, extension.version)
        source = offer.bundle.id if offer else "the manifest"
        by = answer.required_by(extension.name)
        rows.append((extension.name, str(extension.version), source, ", ".join(by)))
        document.append(
            {"name": extension.name, "version": str(extension.version), "from": source, "requiredBy": list(by)}
        )
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else []
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    ]
    lines += [
        f"not brought in: {skipped.requirement} (optional, for {skipped.source}): {skipped.why}"
        for skipped in answer.skipped
    ]
    return Outcome(text="\n".join(lines), document={"extensions": document})
