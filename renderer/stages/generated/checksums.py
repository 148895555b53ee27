"""What checksums in annotations sum, as the templates say it.

checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_LINE: Final = re.compile(r"""^\s*["']?([A-Za-z0-9._/-]+)["']?:[^\n]*?\{\{(.*?)\}\}""", re.MULTILINE | re.DOTALL)
_SUM: Final = re.compile(r"\b(?:sha1sum|sha256sum|sha512sum|adler32sum|md5sum)\b")
_INCLUDED: Final = re.compile(r"""\.Template\.BasePath\s+["`]/?([^"`]+)["`]""")

TemplateSums = Mapping[tuple[str, str, str], tuple[str, ...]]
"""(chart, template in it, key of the annotation) -> templates of that chart whose output is summed there.

A chart is named by where it lies in the archive: `` for the outermost, `charts/db/` for a subchart.
"""


def template_sums(files: Mapping[str, str]) -> TemplateSums:
    """Every sum over templates in `files` (path in the archive -> source), partials included."""
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for path, source in sorted(files.items()):
        if "BasePath" not in source:
            continue
        chart, template = _split(path)
        for key, action in _LINE.findall(source):
            included = _INCLUDED.findall(action) if _SUM.search(action) else []
            if included:
                found[chart, template, key] = tuple(included)
    return found


def summed_templates(sums: TemplateSums, path: str, key: str) -> tuple[str, ...]:
    """The paths of the templates that the annotation `key` of the template at `path` sums, as Helm names them.

    Where the template itself does not say it, another one of its chart does (`_helpers.tpl`), or of a library chart.
    """
    here = _split(path)
    known = sorted((place for place in sums if place[2] == key), key=lambda place: _distance(place[:2], here))
    included = sums[known[0]] if known else ()
    base = path[: path.rindex("/templates/") + 1] if "/templates/" in path else ""
    return tuple(f"{base}templates/{one}" for one in included)


def _distance(place: tuple[str, str], here: tuple[str, str]) -> tuple[bool, bool, bool, tuple[str, str]]:
    """How far a template is from another: itself, one of its chart, one of its name (of a chart under an alias)."""
    return place != here, place[0] != here[0], place[1] != here[1], place


def _split(path: str) -> tuple[str, str]:
    """The chart and the template in it. The outermost directory does not count: archives name it as they like."""
    inner = path.partition("/")[2]
    chart, _, template = f"/{inner}".rpartition("/templates/")
    return chart.removeprefix("/"), template
