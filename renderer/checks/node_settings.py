"""What objects of a site tell the container runtimes of its nodes, and what the runtimes make of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.workload import container_images, mapping, mappings, pod_of
from renderer.model.reference import ImageReference
from renderer.model.rendering import Composed
from renderer.model.site import Distribution, ImagesMode, NodeDelivery

_DIGEST_SETS: Final = {
    ("config.openshift.io", "ImageDigestMirrorSet"): "imageDigestMirrors",
    ("operator.openshift.io", "ImageContentSourcePolicy"): "repositoryDigestMirrors",
}
_TAG_SETS: Final = {("config.openshift.io", "ImageTagMirrorSet"): "imageTagMirrors"}
_SEVERAL_EFFECT: Final = (
    "containerd 2.1 and later takes the text for one directory, finds no `hosts.toml` there, and asks the upstream "
    "registry without a word"
)
_SEVERAL: Final = re.compile(r"""config_path\s*=\s*(["'])([^"'\n]*:[^"'\n]*)\1""")


def tags_under_digest_mirrors(composed: Composed) -> Iterator[Finding]:
    """Container images by tag whose source the objects of the site mirror by digest only (OpenShift)."""
    by_digest, by_tag = _sources(composed, _DIGEST_SETS), _sources(composed, _TAG_SETS)
    openshift = composed.site.cluster.distribution is Distribution.OPENSHIFT
    for manifest, path, image in _by_tag(composed):
        source = _longest(image, by_digest)
        told = _longest(image, by_tag)
        if source is not None and (told is None or len(told) < len(source)):
            where, policy = by_digest[source]
            effect = (
                f"the node refuses it: `{source}` is blocked, and no mirror serves tags"
                if policy == "NeverContactSource"
                else f"the node leaves the mirror out and asks `{image.registry}` itself; without a way there it hangs"
            )
            yield _tag_finding(manifest, path, image, f"`{where}` mirrors `{source}` by digest only", effect)
        elif openshift and composed.site.registry.images is ImagesMode.MIRROR and told is None:
            effect = "until an administrator has applied it, the node refuses every tag of this registry"
            yield _tag_finding(
                manifest, path, image, "tags have a mirror of their own, `image-tag-mirror-set.yaml`", effect
            )


def _by_tag(composed: Composed) -> Iterator[tuple[Manifest, str, ImageReference]]:
    for manifest, path, text in container_images(composed.plan.manifests()):
        try:
            image = ImageReference.parse(text)
        except ValueError:
            continue  # `unpinned-image` speaks of it
        if image.digest is None:
            yield manifest, path, image


def _sources(composed: Composed, kinds: dict[tuple[str, str], str]) -> dict[str, tuple[str, str]]:
    """The sources of mirror sets among the objects: which object names each, and what it says of the source itself."""
    return {
        source: (str(manifest.id), str(entry.get("mirrorSourcePolicy", "")))
        for manifest in composed.plan.manifests()
        if (field := kinds.get((manifest.id.group, manifest.id.kind))) is not None
        for _, entry in mappings(mapping(manifest.body, "spec"), field)
        if isinstance(source := entry.get("source"), str)
    }


def _longest(image: ImageReference, sources: dict[str, tuple[str, str]]) -> str | None:
    """The longest source that is the name of an image or leads to it, as CRI-O chooses."""
    fitting = (source for source in sources if f"{image.name}/".startswith(f"{source}/"))
    return max(fitting, key=len, default=None)


def _tag_finding(manifest: Manifest, path: str, image: ImageReference, reason: str, effect: str) -> Finding:
    return Finding(
        code="tag-under-digest-mirror",
        message=f"`{image}` is asked for by tag, and {reason}",
        where=Where(subject=str(manifest.id), path=path),
        severity=Severity.WARNING,
        expected="`name:tag@sha256:…`",
        got=f"`{image}`",
        explanation=(effect, f"from {manifest.origin}"),
        hint="add the image to the bundle, so that it is pinned by digest",
    )


def several_directories(composed: Composed) -> Iterator[Finding]:
    """Settings of containerd that objects carry and that name several directories for `hosts.toml`."""
    for manifest in composed.plan.manifests():
        for path, text in _texts(manifest):
            found = _SEVERAL.search(text)
            if found is not None:
                yield Finding(
                    code="config-path-list",
                    message=f"`config_path` names several directories: `{found[2]}`",
                    where=Where(subject=str(manifest.id), path=path),
                    severity=Severity.WARNING,
                    expected='one directory, such as `config_path = "/etc/containerd/certs.d"`',
                    explanation=(
                        _SEVERAL_EFFECT,
                        f"from {manifest.origin}",
                    ),
                    hint="name one directory, and put the files of `nodes/containerd/certs.d` there",
                )


def _texts(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """The text of a ConfigMap, and what containers are started with."""
    if (manifest.id.group, manifest.id.kind) == ("", "ConfigMap"):
        for key, value in mapping(manifest.body, "data").items():
            if isinstance(value, str):
                yield f'data["{key}"]', value
    pod = pod_of(manifest)
    for path, container in pod.containers() if pod else ():
        for field in ("command", "args"):
            words = container.get(field)
            for index, word in enumerate(words if isinstance(words, list) else ()):
                if isinstance(word, str):
                    yield f"{path}.{field}[{index}]", word


def without_login(composed: Composed) -> Iterator[Finding]:
    """Node files that Pods write, for a registry that wants a login: they write none."""
    site = composed.site
    if site.nodes.delivery is not NodeDelivery.DAEMONSET or site.registry.credentials is None:
        return
    if site.registry.images is ImagesMode.MIRROR:
        yield Finding(
            code="nodes-without-login",
            message="the Pods that write node files write no login for the site registry",
            where=Where(file=site.profile, path="spec.nodes.delivery"),
            severity=Severity.WARNING,
            expected="projects that everybody in the site may read, or a login that nodes have by other means",
            explanation=("the site registry answers 401 to the node, and no Pod starts: pull secrets do not help",),
            hint="read `nodes/daemonset/README.md`; accept this in `spec.checks.ignore` when nodes have the login",
        )


RULES: Final = (
    Rule(
        code="tag-under-digest-mirror",
        title="No image is asked for by tag where mirrors serve digests only",
        why="The node leaves the mirror out: it asks the internet, or refuses the image.",
        severity=Severity.WARNING,
        check=tags_under_digest_mirrors,
    ),
    Rule(
        code="config-path-list",
        title="containerd's `config_path` names one directory",
        why="Newer releases do not split it: no mirror is used, and the upstream registry is asked.",
        severity=Severity.WARNING,
        check=several_directories,
    ),
    Rule(
        code="nodes-without-login",
        title="Nodes whose files Pods write need no login for the site registry",
        why="No password is written to git, and so none is written to nodes.",
        severity=Severity.WARNING,
        check=without_login,
    ),
)
"""The rules of this module."""
