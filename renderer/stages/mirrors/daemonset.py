"""Pods that bring the files of containerd to every node, for clusters whose node files nobody else can manage.

Off by default. containerd reads `certs.d` at every pull (docs/hosts.md of containerd), so what the Pods write takes
effect at once; every other runtime must be restarted or reloaded, and its profile is refused
(`renderer.formats.profile.nodes`). What each right is for stands in `templates/mirrors/daemonset/README.md.j2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from renderer.formats.canonical_json import canonical_json
from renderer.formats.kubernetes.manifests import load_documents
from renderer.formats.templates.site_templates import unusable
from renderer.model.fields import FieldError, Json
from renderer.model.images.mirror import MirrorPlan
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.reference import Digest
from renderer.model.site import NodeDelivery, Site
from renderer.stages.mirrors.containerd import CERTS, containerd_files
from renderer.stages.mirrors.texts import documents, text

NODE_FILES: Final = "sitewright-nodes"
"""The namespace of the Pods, and the extension that their objects count as."""
FIRST_WAVE: Final = (11, "nodes must know the site registry before any other image is pulled")
"""The wave of the Pods: before every extension, behind namespaces and definitions."""
_OBJECTS: Final = "daemonset/objects.yaml"
_ORIGIN: Final = Origin(extension=NODE_FILES, component=NODE_FILES, source=f"templates/mirrors/{_OBJECTS}.j2")
_NOT_IN_KEY: Final = re.compile(r"[^-._a-zA-Z0-9]")


def delivery_objects(
    plan: MirrorPlan, site: Site, values: Mapping[str, Json], templates: Mapping[str, str]
) -> tuple[Manifest, ...]:
    """The namespace, the ConfigMap with the files and the script, the DaemonSet; nothing when the site wants none.

    The image is named as the profile names it. To withdraw is to deliver no files: the script takes back what it
    wrote. Raises InputError (`template-failed`).
    """
    if site.nodes.delivery is NodeDelivery.FILES:
        return ()
    data = _data(plan, site, values, templates)
    known: dict[str, Json] = {
        **values,
        "namespace": NODE_FILES,
        "certs_directory": CERTS,
        "image": str(site.nodes.image),
        "data": dict(data),
        "digest": str(Digest.of(canonical_json(dict(data)))),
    }
    content = documents(_OBJECTS, known, templates)
    try:
        return tuple(
            Manifest.of(document.value, _ORIGIN)
            for document in load_documents(content)
            if isinstance(document.value, dict)
        )
    except FieldError as error:
        raise unusable(f"mirrors/{_OBJECTS}.j2", str(error)) from error


def delivery_guide(site: Site, values: Mapping[str, Json], templates: Mapping[str, str]) -> tuple[str, bytes]:
    """`README.md`, which explains the rights of the Pods and how to get rid of them."""
    known: dict[str, Json] = {
        **values,
        "namespace": NODE_FILES,
        "certs_directory": CERTS,
        "image": str(site.nodes.image),
        "withdraw": site.nodes.delivery is NodeDelivery.WITHDRAW,
    }
    return "README.md", text("daemonset/README.md", known, templates)


def _data(plan: MirrorPlan, site: Site, values: Mapping[str, Json], templates: Mapping[str, str]) -> dict[str, str]:
    """The data of the ConfigMap: the script, `files` with a line `<key> <path>` for each file, and the files."""
    data: dict[str, str] = {}
    lines: list[str] = []
    if site.nodes.delivery is NodeDelivery.DAEMONSET:
        for path, content in containerd_files(plan, site, values, templates):
            below = path.removeprefix("certs.d/")
            if below != path:
                key = f"{len(lines):02}-{_NOT_IN_KEY.sub('-', below)}"
                data[key] = content.decode()
                lines.append(f"{key} {below}\n")
    data["files"] = "".join(lines)
    data["deliver.sh"] = text("daemonset/deliver.sh", {**values, "certs_directory": CERTS}, templates).decode()
    return dict(sorted(data.items()))
