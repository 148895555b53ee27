"""The `Chart.yaml` that `ksbuilder package` writes for a KubeSphere extension (pkg/api/metadata.go, ToChartYaml)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

from renderer.formats.kubernetes.manifests import dump
from renderer.model.fields import FieldError, Json
from renderer.model.trees.tree import FileTree

_ICON_TYPES: Final = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
}
_COPIED: Final = ("name", "version", "keywords", "sources", "kubeVersion", "home", "maintainers", "annotations")


def generated_chart_file(metadata: Mapping[str, Json], tree: FileTree) -> bytes:
    """`Chart.yaml` for a package whose `extension.yaml` holds `metadata`.

    Raises FieldError (`icon-not-found`) when the icon is a file that the package lacks.
    """
    body: dict[str, Json] = {"apiVersion": "v2"}
    body |= {key: metadata[key] for key in _COPIED if metadata.get(key) not in (None, "", [], {})}
    descriptions = metadata.get("description")
    body["description"] = descriptions.get("en", "") if isinstance(descriptions, dict) else ""
    body["icon"] = inlined_icon(str(metadata.get("icon") or ""), tree)
    dependencies = metadata.get("dependencies")
    if isinstance(dependencies, list) and dependencies:
        body["dependencies"] = [
            {"repository": "", **dependency} for dependency in dependencies if isinstance(dependency, dict)
        ]
    return dump({key: value for key, value in body.items() if value != ""}).encode()


def inlined_icon(icon: str, tree: FileTree) -> str:
    """The icon as a URL; a file of the package becomes a `data:` URL. Raises FieldError (`icon-not-found`)."""
    if not icon or icon.startswith(("http://", "https://", "data:image")):
        return icon
    path = icon.removeprefix("./").lstrip("/")
    content = tree.files.get(path)
    if content is None:
        raise FieldError(
            ("icon",),
            f"the icon `{icon}` is not in the package",
            code="icon-not-found",
            hint="put the file there, or let `icon` be a URL",
        )
    extension = f".{path.rpartition('.')[2].lower()}"
    kind = _ICON_TYPES.get(extension, "application/octet-stream")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
