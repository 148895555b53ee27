"""`sitewright bundle inspect BUNDLE [--trust POLICY] [--images | --tree]`."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from renderer.commands.bundle.tree import grow, tree_json, tree_lines
from renderer.commands.bundle.unverified import read_unverified
from renderer.commands.bundle.verify import verdict_json
from renderer.errors import Finding, Severity, Where
from renderer.formats.bundle.document import is_carried
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.formats.documents.wording import count, headline, identity, table
from renderer.model.bundles.bundle import Bundle, BundleImage, VerifiedBundle
from renderer.model.bundles.extension import Extension
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.model.fields import Json
from renderer.model.outcome import Outcome
from renderer.ports import BundleSource
from renderer.stages.verify import verify


class View(Enum):
    """How much of a bundle is shown, and in which shape."""

    SUMMARY = "summary"
    IMAGES = "images"
    """A table of every image too."""
    TREE = "tree"
    """What hangs from what, with sizes; reads the manifests of images."""


def inspect(
    source: BundleSource, policy: TrustPolicy | None = None, *, now: datetime, view: View = View.SUMMARY
) -> Outcome:
    """Show what a bundle holds. Without a trust policy nothing is vouched for, and the output says so.

    With one, a bundle that it refuses is not shown. Raises BundleRefusedError.
    """
    parts = read_parts(source.index(), source.blob, source.location)
    if policy is None:
        return _outcome(read_unverified(parts, source.location), parts, None, source, view)
    verified = verify(parts, policy, now=now, source=source.location)
    return _outcome(verified.bundle, parts, verified, source, view)


def _outcome(
    bundle: Bundle, parts: BundleParts, verified: VerifiedBundle | None, source: BundleSource, view: View
) -> Outcome:
    tree = grow(bundle, parts, source) if view is View.TREE else None
    content = tree_lines(tree) if tree else [*_extension_lines(bundle.extensions), "", *_image_lines(bundle, view)]
    lines = [
        headline(bundle),
        f"  {standing(parts, verified.verdict if verified else None)}",
        f"  {parts.manifest.digest}",
        f"  for {', '.join(map(str, bundle.platforms))}",
        "",
        *content,
    ]
    return Outcome(
        text="\n".join(lines),
        document={
            **identity(bundle, parts.manifest.digest),
            "verified": verified is not None,
            "verdict": verdict_json(verified.verdict) if verified else None,
            "signaturesFound": len(parts.signatures),
            "platforms": [str(platform) for platform in bundle.platforms],
            "extensions": [_extension_json(extension) for extension in bundle.extensions],
            "images": [_image_json(image) for image in bundle.images],
            **({"tree": tree_json(tree)} if tree else {}),
        },
        findings=() if verified else (not_verified(source.location),),
    )


def standing(parts: BundleParts, verdict: Verdict | None) -> str:
    """Who vouches for what is shown: nobody, when no trust policy was asked."""
    if verdict is None:
        return f"NOT VERIFIED: {count(len(parts.signatures), 'signature')} found, none of them checked"
    return f"VERIFIED: signed by {', '.join(verdict.signers)} (trust policy {verdict.policy})"


def not_verified(location: str) -> Finding:
    """The warning beside everything that is shown of a bundle without a trust policy."""
    return Finding(
        code="bundle-not-verified",
        message="no signature was checked, so nobody vouches for what is shown here",
        where=Where(file=location),
        severity=Severity.WARNING,
        hint=f"sitewright bundle verify {location} --trust trust.yaml",
    )


def _extension_lines(extensions: tuple[Extension, ...]) -> list[str]:
    rows = [
        (
            extension.name,
            str(extension.version),
            ", ".join(f"{component.name} ({component.kind.value})" for component in extension.components),
            ", ".join(f"{require}{' (optional)' if require.optional else ''}" for require in extension.requires),
        )
        for extension in extensions
    ]
    heading = [f"{count(len(extensions), 'extension')}:"]
    return heading + (table(("name", "version", "components", "requires"), rows) if rows else [])


def _image_lines(bundle: Bundle, view: View) -> list[str]:
    images, every = bundle.images, view is View.IMAGES
    carried = sum(is_carried(image) for image in images)
    more = "" if every else " (list them: --images, or with sizes: --tree)"
    heading = [f"{count(len(images), 'image')}, {carried} of them carried{more}"]
    if not every or not images:
        return heading
    rows = [
        (
            str(image.reference),
            str(image.digest),
            ", ".join(map(str, image.platforms)) + _without(image),
            "carried" if is_carried(image) else "digest only",
            count(len(image.referrers), "referrer") if image.referrers else "",
        )
        for image in images
    ]
    return heading + table(("reference", "digest", "platforms", "", ""), rows)


def _without(image: BundleImage) -> str:
    """The platforms of the index that the bundle left out."""
    return f" (without {', '.join(map(str, image.omitted))})" if image.omitted else ""


def _extension_json(extension: Extension) -> Json:
    return {
        "name": extension.name,
        "version": str(extension.version),
        "title": dict(extension.titles),
        "components": [
            {
                "name": component.name,
                "kind": component.kind.value,
                "namespace": component.namespace,
                "digest": str(component.content.digest),
                "size": component.content.size,
            }
            for component in extension.components
        ],
        "requires": [
            {require.kind.value: require.name, "version": str(require.constraint), "optional": require.optional}
            for require in extension.requires
        ],
        "provides": {name: str(version) for name, version in extension.provides.items()},
        "kubernetes": str(extension.kubernetes) if extension.kubernetes else None,
        "clusterRole": extension.cluster_role.value,
    }


def _image_json(image: BundleImage) -> Json:
    return {
        "reference": str(image.reference),
        "digest": str(image.digest),
        "carried": is_carried(image),
        "platforms": {str(platform): str(entry.digest) for platform, entry in image.platforms.items()},
        "omitted": [str(platform) for platform in image.omitted],
        "referrers": [
            {
                "digest": str(referrer.content.digest),
                "subject": str(referrer.subject),
                "form": referrer.form.value,
                "tag": referrer.tag,
                "artifactType": referrer.content.artifact_type,
            }
            for referrer in image.referrers
        ],
    }
