"""`sitewright lock`: resolve, find out what the charts name and invent, pin all of it."""

from __future__ import annotations

from collections.abc import Sequence

from renderer.commands.site.captured_file import kept_values
from renderer.commands.site.capturing import (
    Renewal,
    capture_drift,
    captured_content,
    check_names,
    digest_after,
    told,
    wish_of,
)
from renderer.commands.site.drift import drift_of, locked_engine
from renderer.commands.site.image_signers import image_signatures
from renderer.commands.site.loading import Loader, Workspace, lock_path
from renderer.errors import CheckFailedError, Finding, InputError, ResolutionError, Severity, Where
from renderer.formats.lockfile import encode_lock
from renderer.model.bundles.bundle import Catalog, Offer
from renderer.model.check import judge
from renderer.model.fields import Json
from renderer.model.generated.sealed import Captured
from renderer.model.images.referrers import PinnedReferrer
from renderer.model.lock import Lock, LockedBundle, LockedExtension, LockedImage
from renderer.model.outcome import Outcome
from renderer.model.reference import Digest
from renderer.model.resolution import Conflict, Question, Resolution
from renderer.model.site import Site
from renderer.stages.explain import explain
from renderer.stages.mirrors.plan import plan_mirrors
from renderer.stages.resolve import attempt, resolve
from renderer.stages.settle.sealed.expiry import expiring_certificates
from renderer.stages.whole_indexes import cut_indexes
from renderer.structs import replace
from renderer.survey import Survey, survey


def lock(
    workspace: Workspace,
    profiles: Sequence[str],
    *,
    check: bool = False,
    upgrade: Sequence[str] = (),
    renewal: Renewal = Renewal(),  # noqa: B008 - a frozen value
) -> Outcome:
    """Write the lock beside each of `profiles`, or with `check` say how the locks there have drifted.

    Versions that are locked are kept while they fit; the extensions named in `upgrade` move to their newest version.
    What charts invent is captured once and kept; `renewal` says what of it is captured anew. Raises InputError,
    BundleRefusedError, ResolutionError, or CheckFailedError when what would be locked is unfit.
    """
    loader = Loader(workspace)
    outcomes = [_one(loader, profile, check=check, upgrade=upgrade, renewal=renewal) for profile in profiles]
    return Outcome(
        text="\n".join(outcome.text for outcome in outcomes),
        document=[outcome.document for outcome in outcomes],
        findings=tuple(finding for outcome in outcomes for finding in outcome.findings),
        failed=any(outcome.failed for outcome in outcomes),
    )


def resolution_of(loader: Loader, site: Site, catalog: Catalog, old: Lock | None, upgrade: Sequence[str]) -> Resolution:
    """The resolution of what `site` enables. Raises ResolutionError with the explained conflict, or InputError."""
    question = Question.of(site, catalog, old, upgrade)
    answer = resolve(question)
    if isinstance(answer, Conflict):
        unknown = [index for index, one in enumerate(site.extensions) if one.name in answer.unknown]
        at = ("spec", "extensions", unknown[0], "name") if unknown else ("spec", "extensions")
        raise ResolutionError(explain(answer, question, attempt).at(loader.where(site, *at)))
    strangers = sorted(set(upgrade) - {extension.name for extension in answer.extensions})
    if strangers:
        raise InputError(
            *(
                Finding(
                    code="unknown-extension",
                    message=f"`{name}` cannot be upgraded: it is not part of site {site.name}",
                    where=loader.where(site, "spec", "extensions"),
                    expected=", ".join(f"`{extension.name}`" for extension in answer.extensions),
                    hint=f"sitewright tree {site.profile}",
                )
                for name in strangers
            )
        )
    return answer


def _one(loader: Loader, profile: str, *, check: bool, upgrade: Sequence[str], renewal: Renewal) -> Outcome:
    workspace, path = loader.workspace, lock_path(profile)
    site = loader.site(profile).site
    old, unreadable = _old_lock(loader, profile, check=check)
    kept = kept_values(loader, profile, old, site.name)
    wish = wish_of(renewal, kept, workspace)
    catalog = loader.catalog(site, old, fresh=not check)
    answer = resolution_of(loader, site, catalog, old, upgrade)
    offered = (catalog.offer(extension.name, extension.version) for extension in answer.extensions)
    enabled = [offer for offer in offered if offer is not None]
    found = survey(site, enabled, catalog, loader.tools(site), wish)
    check_names(wish, found, site)
    soon = expiring_certificates(Captured(groups=found.capture.groups), site.generated.expiring, wish.today, profile)
    cut = cut_indexes(catalog, found.images, site)
    judged = judge((*kept.findings, *found.findings, *soon, *cut), site.checks, profile=profile, today=wish.today)
    failing = judged.failing(site.checks)
    if failing:
        raise CheckFailedError(*judged.findings)
    if check:
        new = _lock_of(loader, site, catalog, enabled, answer, found, kept.digest, old)
        return _checked(loader, site, catalog, old, new, [*soon, *capture_drift(kept, found, profile)], profile)
    captured = captured_content(workspace, site, found, kept)
    new = _lock_of(loader, site, catalog, enabled, answer, found, digest_after(captured, kept))
    if captured is not None:
        # before the lock: a run that breaks off in between loses nothing that was captured
        workspace.files.write(kept.path, captured)
    workspace.files.write(path, encode_lock(new))
    lines = [f"{path}: {_counted(new)}", *(f"  {line}" for line in (*_moves(old, new), *told(found, kept)))]
    return Outcome(text="\n".join(lines), document=_summary(path, new), findings=(*unreadable, *judged.findings))


def _old_lock(loader: Loader, profile: str, *, check: bool) -> tuple[Lock | None, tuple[Finding, ...]]:
    """The lock that is there. One that cannot be read is replaced, and said so; `--check` refuses it."""
    if not loader.workspace.files.exists(lock_path(profile)):
        if check:
            loader.lock(profile)
        return None, ()
    try:
        return loader.lock(profile)[0], ()
    except InputError as error:
        if check:
            raise
        return None, tuple(
            replace(
                finding,
                severity=Severity.WARNING,
                message=f"{finding.message}; it is written anew, and what it remembered of older bundles is lost",
                hint=None,
            )
            for finding in error.findings
        )


def _lock_of(
    loader: Loader,
    site: Site,
    catalog: Catalog,
    enabled: Sequence[Offer],
    answer: Resolution,
    found: Survey,
    captured: Digest | None,
    known: Lock | None = None,
) -> Lock:
    """The lock. `known` is the one that is checked, if any: it may know what a registry does not tell just now."""
    workspace, dictionary = loader.workspace, catalog.images()
    signatures = image_signatures(loader, site, catalog, found.images, known)
    mirrors = plan_mirrors(site.registry, found.images)
    extensions = [
        LockedExtension(
            name=offer.extension.name,
            version=offer.extension.version,
            bundle=offer.bundle.bundle.name,
            components={component.name: component.content.digest for component in offer.extension.components},
            required_by=answer.required_by(offer.extension.name),
            wave=found.waves.get(offer.extension.name, 0),
        )
        for offer in enabled
    ]
    return Lock(
        site=site.name,
        sitewright=workspace.version,
        engine=locked_engine(workspace),
        profile=site.digest,
        api_versions=found.api_versions,
        bundles=tuple(
            LockedBundle(
                name=one.bundle.name,
                source=one.source,
                version=one.bundle.version,
                sequence=one.bundle.sequence,
                digest=one.manifest.digest,
                signers=one.verdict.signers,
            )
            for one in catalog.bundles
        ),
        extensions=tuple(extensions),
        images=tuple(
            LockedImage(
                reference=reference,
                digest=dictionary[reference].digest,
                platforms={platform: content.digest for platform, content in dictionary[reference].platforms.items()},
                mirror=mirrors.location(reference) or "",
                index=dictionary[reference].index,
                referrers=tuple(map(PinnedReferrer.of, dictionary[reference].referrers)),
                signatures=signatures.get(reference),
            )
            for reference in found.images
        ),
        generated=found.discovered.values,
        certificates=found.discovered.certificates,
        captured=captured,
    )


def _checked(
    loader: Loader,
    site: Site,
    catalog: Catalog,
    old: Lock | None,
    new: Lock,
    captured: Sequence[Finding],
    profile: str,
) -> Outcome:
    if old is None:
        raise AssertionError("checking needs a lock, and its absence has been reported")
    findings = [*drift_of(loader.workspace, site, catalog, old), *captured]
    if not findings and encode_lock(old) != encode_lock(new):
        moved = _moves(old, new) or ["an image, an API version or a generated value"]
        findings.append(
            Finding(
                code="lock-drift-content",
                message="what the lock pins is not what the profile and the bundles give",
                where=Where(file=lock_path(profile)),
                explanation=tuple(moved),
                hint=f"sitewright lock {profile}",
            )
        )
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    text = f"{lock_path(profile)}: {'has drifted' if failed else 'is up to date'}"
    return Outcome(
        text=text, document={"lock": lock_path(profile), "drifted": failed}, findings=tuple(findings), failed=failed
    )


def _moves(old: Lock | None, new: Lock) -> list[str]:
    """One line for every extension and bundle whose version differs between two locks."""
    lines = []
    for kind in ("bundle", "extension"):
        before = {entry.name: entry.version for entry in (getattr(old, f"{kind}s") if old else ())}
        after = {entry.name: entry.version for entry in getattr(new, f"{kind}s")}
        for name in sorted(before.keys() | after.keys()):
            first, second = before.get(name), after.get(name)
            if first != second:
                lines.append(f"{kind} {name} {first or '(new)'} -> {second or '(gone)'}")
    return lines


def _counted(lock: Lock) -> str:
    counts = {"bundle": lock.bundles, "extension": lock.extensions, "image": lock.images}
    words = [f"{len(entries)} {word}{'' if len(entries) == 1 else 's'}" for word, entries in counts.items()]
    if lock.generated:
        words.append(f"{len(lock.generated)} generated field{'' if len(lock.generated) == 1 else 's'}")
    return ", ".join(words)


def _summary(path: str, lock: Lock) -> Json:
    return {
        "lock": path,
        "bundles": {entry.name: str(entry.version) for entry in lock.bundles},
        "extensions": {entry.name: str(entry.version) for entry in lock.extensions},
        "images": len(lock.images),
        "generated": len(lock.generated),
    }
