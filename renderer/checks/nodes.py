"""What happens on a node when it fetches the images of a Pod through a mirror."""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.images.slots import is_image_variable
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.objects.workload import Body, container_images, mapping, mappings, pod_of
from renderer.model.reference import DEFAULT_REGISTRY, ImageReference
from renderer.model.rendering import Composed
from renderer.model.site import Distribution, ImagesMode, Runtime

_SHOWN: Final = 5
_HUB: Final = frozenset({"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_CRIO: Final = "CRI-O drops the login for a mirror on another host: it does not help there"
_CONTAINERD: Final = (
    "the kubelet hands the login to the runtime, which sends it to the site registry instead of the node's"
)


def pull_secrets(composed: Composed) -> Iterator[Finding]:
    """Pull secrets of Pods and ServiceAccounts for registries that nodes have a mirror for."""
    if composed.site.registry.images is ImagesMode.REWRITE or not composed.mirrors.mirrors:
        return
    users: defaultdict[ObjectId, list[str]] = defaultdict(list)
    for manifest in composed.plan.manifests():
        for secret in _secrets_of(manifest):
            users[secret].append(str(manifest.id))
    known = {one.id: _registries(one.body) for one in composed.plan.manifests() if one.id.kind == "Secret"}
    mirrored = {mirror.source for mirror in composed.mirrors.mirrors}
    for secret, places in sorted(users.items(), key=lambda item: str(item[0])):
        matching = sorted(known[secret] & mirrored) if secret in known else []
        if matching:
            yield Finding(
                code="pull-secret-and-mirror",
                message=f"the login for `{matching[0]}` in `{secret}` is used where nodes ask the site registry",
                where=Where(subject=str(secret)),
                severity=Severity.WARNING,
                explanation=(_effect(composed), *_some([f"used by {place}" for place in places])),
                hint="leave the pull secret out in the values of the extension, and give nodes the login",
            )
    strange = {secret: places for secret, places in users.items() if secret not in known}
    if strange:
        yield Finding(
            code="pull-secret-and-mirror",
            message="what these pull secrets hold is not in the tree; none may be for a registry that has a mirror",
            where=Where(subject="imagePullSecrets"),
            severity=Severity.NOTE,
            expected="logins for none of " + ", ".join(f"`{source}`" for source in sorted(mirrored - {"*"})),
            explanation=(_effect(composed), *_some(sorted(f"{one}, used by {strange[one][0]}" for one in strange))),
        )


def _effect(composed: Composed) -> str:
    cluster = composed.site.cluster
    crio = cluster.distribution is Distribution.OPENSHIFT or cluster.runtime is Runtime.CRIO
    own = cluster.distribution in {Distribution.K3S, Distribution.RKE2, Distribution.TALOS}
    return _CRIO if crio and not own else f"{_CONTAINERD}: the pull is denied if that does not know it"


def _secrets_of(manifest: Manifest) -> Iterator[ObjectId]:
    """The pull secrets that a Pod, or every Pod of a ServiceAccount, gets."""
    pod = pod_of(manifest)
    account = (manifest.id.group, manifest.id.kind) == ("", "ServiceAccount")
    content: Body = pod.content if pod else manifest.body if account else {}
    for _, entry in mappings(content, "imagePullSecrets"):
        if isinstance(name := entry.get("name"), str) and name:
            yield ObjectId(group="", kind="Secret", namespace=manifest.id.namespace, name=name)


def _registries(body: Body) -> frozenset[str]:
    """The registries that a Secret has a login for."""
    text = mapping(body, "stringData").get(".dockerconfigjson")
    coded = mapping(body, "data").get(".dockerconfigjson")
    try:
        if isinstance(coded, str):
            text = base64.b64decode(coded).decode()
        logins = json.loads(text).get("auths") if isinstance(text, str) else None
    except (binascii.Error, ValueError, AttributeError, RecursionError):
        return frozenset()
    if not isinstance(logins, Mapping):
        return frozenset()
    hosts = (str(key).partition("://")[2] or str(key) for key in logins)
    names = (host.partition("/")[0] for host in hosts)
    return frozenset(DEFAULT_REGISTRY if name in _HUB else name for name in names)


def without_library(composed: Composed) -> Iterator[Finding]:
    """Images that are named in the site registry by hand, without the `library/` that they have there."""
    host, project = composed.mirrors.host, composed.site.registry.project_for(DEFAULT_REGISTRY)
    for manifest, path, text in container_images(composed.plan.manifests()):
        try:
            image = ImageReference.parse(text)
        except ValueError:
            continue
        name = image.repository.removeprefix(f"{project}/")
        if image.registry == host and name != image.repository and "/" not in name:
            right = f"{host}/{project}/library/{name}"
            yield Finding(
                code="image-without-library",
                message=f"`{text}` is asked for as it stands, but single-name images are copied to `library/`",
                where=Where(subject=str(manifest.id), path=path),
                severity=Severity.WARNING,
                expected=f"`{right}`",
                got=f"`{host}/{image.repository}`",
                explanation=(f"from {manifest.origin}",),
                hint="use the upstream name in the values of the extension",
            )


def operator_images(composed: Composed) -> Iterator[Finding]:
    """With `images: rewrite`, operators that are told images through variables and may compare them with what runs."""
    if composed.site.registry.images is not ImagesMode.REWRITE:
        return
    places = []
    for manifest in composed.plan.manifests():
        pod = pod_of(manifest)
        for path, container in pod.containers() if pod else ():
            found = list(_told(container, composed.mirrors.host))
            if found:
                places.append(f"{manifest.id}, {path}: {', '.join(found[:2])}{' …' if len(found) > 2 else ''}")
    if places:
        yield Finding(
            code="operator-images",
            message="these containers make objects from images that are written into their variables",
            where=Where(subject="env"),
            severity=Severity.NOTE,
            expected="operators that neither compare image names nor read versions out of them",
            explanation=_some(places),
            hint="use `images: mirror` if one of them replaces its Pods for ever or refuses its own image",
        )


def _told(container: Body, host: str) -> Iterator[str]:
    """The variables of a container whose value is an image in the site registry."""
    for _, entry in mappings(container, "env"):
        name, value = entry.get("name"), entry.get("value")
        named = isinstance(name, str) and is_image_variable(name)
        if named and isinstance(value, str) and value.startswith(f"{host}/"):
            yield str(name)


def _some(names: list[str]) -> tuple[str, ...]:
    more = len(names) - _SHOWN
    return (*names[:_SHOWN], f"and {more} more") if more > 0 else tuple(names)


RULES: Final = (
    Rule(
        code="pull-secret-and-mirror",
        title="No Pod has a pull secret for a registry that nodes have a mirror for",
        why="The kubelet looks logins up by the upstream name, and the mirror gets one that it does not know.",
        severity=Severity.WARNING,
        check=pull_secrets,
    ),
    Rule(
        code="image-without-library",
        title="Images of Docker Hub with a single name have `library/` in the site registry",
        why="Every runtime asks mirrors for `library/<name>`, so that is where images are; other names are not found.",
        severity=Severity.WARNING,
        check=without_library,
    ),
    Rule(
        code="operator-images",
        title="With `images: rewrite`, no operator compares image names",
        why="An operator that finds another name than it expects may replace Pods for ever.",
        severity=Severity.NOTE,
        check=operator_images,
    ),
)
"""The rules of this module."""
