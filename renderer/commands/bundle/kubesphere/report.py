"""What `bundle import kubesphere` says: the packages with what they ask for, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from renderer.commands.bundle.discovery.report import Discovery
from renderer.commands.bundle.kubesphere.drafts import Draft
from renderer.commands.bundle.kubesphere.images import no_sources
from renderer.commands.bundle.kubesphere.packages import FoundPackage
from renderer.commands.bundle.kubesphere.survey import Surveyed
from renderer.errors import Finding, Severity, Where
from renderer.formats.documents.wording import count, table
from renderer.formats.kubesphere.permissions import Grant, summary
from renderer.model.bundles.extension import ClusterRole, Requirement, RequirementKind
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.model.version import Version

_OF_A_SURVEY = frozenset({"image-undeclared", "image-not-in-bundle"})
"""Findings of a look at packages without any image: what is missing then is only the list of what is needed."""


def built(found: Sequence[Surveyed], bundles: Sequence[tuple[Draft, Outcome]], notes: Sequence[Finding]) -> Outcome:
    """Bundles that were written."""
    lines = [*_packages(found), *(line for _, outcome in bundles for line in outcome.text.splitlines())]
    placed = [draft.placed(finding) for draft, outcome in bundles for finding in outcome.findings]
    return Outcome(
        text="\n".join(lines),
        document={"packages": _packages_json(found), "bundles": [outcome.document for _, outcome in bundles]},
        findings=(*notes, *placed),
    )


def incomplete(
    found: Sequence[Surveyed], refused: Sequence[tuple[Draft, Outcome]], notes: Sequence[Finding]
) -> Outcome:
    """No bundle was written, because images of some are missing."""
    whole = built(found, refused, notes)
    return Outcome(text=whole.text, document=whole.document, findings=whole.findings, failed=True)


def without_images(found: Sequence[Surveyed], notes: Sequence[Finding]) -> Outcome:
    """No bundle was written, because nothing says where images are."""
    wanted = sorted({text for one in found for text in one.wanted})
    return Outcome(
        text="\n".join(_packages(found)),
        document={"packages": _packages_json(found), "bundles": [], "discovery": _discoveries(found)},
        findings=(*no_sources(wanted).findings, *notes, *_remarks(found)),
        failed=True,
    )


def sources(found: Sequence[Surveyed], written: Sequence[tuple[Draft, str]], notes: Sequence[Finding]) -> Outcome:
    """Files that a person may edit and build bundles of."""
    lines = _packages(found)
    for (draft, path), one in zip(written, found, strict=True):
        images = count(len(one.wanted), "image")
        lines.append(
            f"{path}: bundle {draft.name} {draft.version}, {count(len(draft.packages), 'extension')}, {images}"
        )
    first = written[0][1]
    lines.append(f"edit what is written there, then: sitewright bundle build {first} -o DIRECTORY")
    return Outcome(
        text="\n".join(lines),
        document={
            "packages": _packages_json(found),
            "sources": [
                {"bundle": draft.name, "version": str(draft.version), "sequence": draft.sequence, "file": path}
                for draft, path in written
            ],
            "discovery": _discoveries(found),
        },
        findings=(*notes, *_remarks(found)),
    )


def _remarks(found: Iterable[Surveyed]) -> Iterator[Finding]:
    for one in found:
        for package in one.draft.packages:
            yield from package.notes
        yield from (one.draft.placed(remark) for remark in one.discovery.findings if remark.code not in _OF_A_SURVEY)


def _discoveries(found: Iterable[Surveyed]) -> dict[str, Json]:
    return {one.draft.name: one.discovery.document() for one in found}


# --- packages ------------------------------------------------------------------------------------------------------


def _packages(found: Iterable[Surveyed]) -> list[str]:
    rows = [
        (
            one.extension.name,
            str(one.extension.version),
            "host and members" if one.extension.cluster_role is ClusterRole.BOTH and one.package else "host",
            one.package.namespace if one.package else "kubesphere-system",
            str(_images_of(one, surveyed.discovery)),
            summary(one.package.grants) if one.package else "-",
        )
        for surveyed in found
        for one in surveyed.draft.packages
    ]
    headings = ("extension", "version", "clusters", "namespace", "images", "rights that its installer asks for")
    return [f"{count(len(rows), 'package')}:", *table(headings, rows)]


def _images_of(package: FoundPackage, discovery: Discovery) -> int:
    """How many images an extension declares, or names in objects that are rendered."""
    name = package.extension.id
    return sum(
        any(by.extension == name for by in record.declared)
        or any(place.extension == name and not place.dropped for place in record.seen)
        for record in discovery.records
    )


def _packages_json(found: Iterable[Surveyed]) -> list[Json]:
    return [_package_json(one, surveyed.discovery) for surveyed in found for one in surveyed.draft.packages]


def _package_json(one: FoundPackage, discovery: Discovery) -> Json:
    package, extension = one.package, one.extension
    return {
        "extension": extension.name,
        "version": str(extension.version),
        "path": one.path,
        "installationMode": ("Multicluster" if package.multicluster else "HostOnly") if package else None,
        "namespace": package.namespace if package else "kubesphere-system",
        "requires": [str(requirement) for requirement in extension.requires],
        "kubernetes": str(extension.kubernetes) if extension.kubernetes else None,
        "images": _images_of(one, discovery),
        "grants": [_grant_json(grant) for grant in package.grants] if package else [],
    }


def _grant_json(grant: Grant) -> Json:
    return {
        "scope": "cluster" if grant.cluster else "namespace",
        "verbs": list(grant.verbs),
        "apiGroups": list(grant.groups),
        "resources": list(grant.resources),
        "resourceNames": list(grant.names),
        "nonResourceURLs": list(grant.urls),
    }


# --- findings ------------------------------------------------------------------------------------------------------


def unmet(packages: Sequence[FoundPackage]) -> Iterator[Finding]:
    """Requirements that none of the packages meets: KubeSphere would leave that to whoever clicks `install`."""
    offered: dict[tuple[RequirementKind, str], list[Version]] = {}
    for one in packages:
        offered.setdefault((RequirementKind.EXTENSION, one.extension.name), []).append(one.extension.version)
        for capability, version in one.extension.provides.items():
            offered.setdefault((RequirementKind.CAPABILITY, capability), []).append(version)

    def met(requirement: Requirement) -> bool:
        return any(requirement.constraint.allows(one) for one in offered.get((requirement.kind, requirement.name), ()))

    open_ones: dict[str, list[str]] = {}
    for one in packages:
        for requirement in one.extension.requires:
            if not requirement.optional and not met(requirement):
                open_ones.setdefault(str(requirement), []).append(one.extension.id)
    if open_ones:
        yield Finding(
            code="requirement-elsewhere",
            message="the packages require what none of them is; the bundles of a site must offer it from elsewhere",
            severity=Severity.NOTE,
            explanation=tuple(f"{text}: for {', '.join(by)}" for text, by in sorted(open_ones.items())),
            hint="name the chart of ks-core and the packages that are missing beside the others",
        )


def unused_acceptances(accepted: Iterable[tuple[str, str]], found: Sequence[Surveyed]) -> Iterator[Finding]:
    """Acceptances that no bundle needs."""
    needed = {one for surveyed in found for one in surveyed.draft.accepted}
    for glob, reason in accepted:
        if (glob, reason) not in needed:
            yield Finding(
                code="acceptance-unused",
                message=f"`{glob}` is accepted as missing, and no such image is needed",
                where=Where(subject="--accept"),
                severity=Severity.WARNING,
                hint="leave it out",
            )
