"""Images that the author of a chart declares in `Chart.yaml`.

`artifacthub.io/images` (https://artifacthub.io/docs/topics/annotations/helm/) and `helm.sh/images` (the same list,
proposed as HIP 15): YAML text, a list of mappings with a field `image`.
"""

from __future__ import annotations

from typing import Final

from renderer.formats.archives import ArchiveError, unpack
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_values
from renderer.model.fields import Json
from renderer.model.reference import ImageReference

__all__ = ["ANNOTATIONS", "annotated_images"]

ANNOTATIONS: Final = ("artifacthub.io/images", "helm.sh/images")
_LIMITS: Final = Limits(bytes=4 * 2**20, depth=32, nodes=20_000, aliased=1_000)


def annotated_images(archive: bytes) -> dict[ImageReference, str]:
    """Each image that the annotations of a packaged chart declare, with the annotation that does.

    Raises ValueError when there is an annotation that cannot be read.
    """
    annotations = _annotations(archive)
    found: dict[ImageReference, str] = {}
    for key in ANNOTATIONS:
        text = annotations.get(key)
        if isinstance(text, str):
            for reference in _references(key, text):
                found.setdefault(reference, key)
    return found


def _annotations(archive: bytes) -> dict[str, Json]:
    """The annotations of the chart itself; none when it has no readable `Chart.yaml`, which its engine will tell."""
    try:
        tree = unpack(archive, repeats=True)
        charts = [path for path in tree if path.endswith("/Chart.yaml") and path.count("/") == 1]
        chart = load_values(tree.files[charts[0]], limits=_LIMITS) if charts else {}
    except (ArchiveError, YamlError):
        return {}
    annotations = chart.get("annotations") if isinstance(chart, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def _references(key: str, text: str) -> list[ImageReference]:
    try:
        listed = load_values(text.encode(), limits=_LIMITS)
    except YamlError as error:
        raise ValueError(f"the annotation `{key}` of its chart is not YAML: {error}") from error
    if not isinstance(listed, list):
        raise ValueError(f"the annotation `{key}` of its chart is not a list")  # noqa: TRY004 - a fault of the text
    images = [entry.get("image") if isinstance(entry, dict) else None for entry in listed]
    if not all(isinstance(image, str) for image in images):
        raise ValueError(f"the annotation `{key}` of its chart has an entry without `image`")
    try:
        return [ImageReference.parse(str(image).strip()) for image in images]
    except ValueError as error:
        raise ValueError(f"the annotation `{key}` of its chart names no image: {error}") from error
