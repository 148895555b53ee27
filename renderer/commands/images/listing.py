"""`sitewright images list`: the images of a site or bundle, for people and for the tools that copy images."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.formats.documents.wording import count, table
from renderer.model.fields import Json
from renderer.model.images.transfer import ImageTarget
from renderer.model.outcome import Outcome

FORMATS: Final = ("text", "json", "skopeo", "kubekey")


def list_images(targets: Sequence[ImageTarget], what: str, form: str) -> Outcome:
    """The images of `what` (`site demo`, `bundle demo 1.0.0`) in one of `FORMATS`.

    `skopeo` is the YAML that `skopeo sync --src yaml` reads, `kubekey` the manifest of KubeKey 3
    (`kk artifact export -m`).
    """
    findings: tuple[Finding, ...] = ()
    match form:
        case "skopeo":
            text = _skopeo(targets)
        case "kubekey":
            text, findings = _kubekey(targets, what), _short_names(targets)
        case _:
            text = _text(targets, what)
    document: Json = {
        "of": what,
        "images": [
            {
                "reference": str(target.reference),
                "digest": str(target.digest),
                "repository": target.repository,
                "platforms": {str(platform): str(digest) for platform, digest in sorted(target.platforms.items())},
            }
            for target in targets
        ],
    }
    return Outcome(text=text, document=document, findings=findings)


def _text(targets: Sequence[ImageTarget], what: str) -> str:
    rows = [
        (str(one.reference), str(one.digest), ", ".join(map(str, sorted(one.platforms))), one.repository)
        for one in targets
    ]
    return "\n".join(
        [
            f"{count(len(targets), 'image')} of {what}",
            *(table(("image", "digest", "platforms", "in the site registry"), rows) if rows else []),
        ]
    )


def _skopeo(targets: Sequence[ImageTarget]) -> str:
    """By registry and repository. A tag is copied as what it stands for then; its digest stands beside it."""
    wanted: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for target in targets:
        line = f"{json.dumps(target.tag)}  # {target.digest}" if target.tag else json.dumps(str(target.digest))
        wanted[target.reference.registry][target.reference.repository].append(line)
    lines = []
    for registry, repositories in sorted(wanted.items()):
        lines += [f"{json.dumps(registry)}:", "  images:"]
        for repository, tags in sorted(repositories.items()):
            lines += [f"    {json.dumps(repository)}:", *(f"      - {tag}" for tag in sorted(set(tags)))]
    return "\n".join(lines)


def _kubekey(targets: Sequence[ImageTarget], what: str) -> str:
    architectures = sorted({platform.architecture for target in targets for platform in target.platforms})
    lines = [
        "apiVersion: kubekey.kubesphere.io/v1alpha2",
        "kind: Manifest",
        f"metadata: {{name: {json.dumps(what.split()[1])}}}",
        "spec:",
        f"  arches: [{', '.join(architectures)}]",
        "  operatingSystems: []",
        "  images:",
    ]
    return "\n".join([*lines, *(f"    - {json.dumps(_named(target))}" for target in targets)])


def _named(target: ImageTarget) -> str:
    """KubeKey names images by tag; it knows no digests."""
    reference = target.reference
    return str(reference.without_digest() if reference.tag else reference)


def _short_names(targets: Sequence[ImageTarget]) -> tuple[Finding, ...]:
    """KubeKey 3 takes `registry/namespace/name:tag` only."""
    unfit = [_named(one) for one in targets if "/" not in one.reference.repository or one.reference.tag is None]
    if not unfit:
        return ()
    return (
        Finding(
            code="kubekey-image-name",
            message=f"KubeKey 3 does not take {count(len(unfit), 'image')} of this list",
            where=Where(subject="kk artifact export"),
            severity=Severity.WARNING,
            expected="`registry/namespace/name:tag`",
            explanation=tuple(f"`{name}`" for name in unfit[:10]),
            hint="bring them with `sitewright images sync`",
        ),
    )
