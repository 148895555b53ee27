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

TemplateSums = Mapping[tuple[str, str], tuple[str, ...]]
"""(template, key of the annotation) -> paths of the templates whose output is summed there."""


def template_sums(files: Mapping[str, str]) -> TemplateSums:
    """Every sum over templates in `files` (path -> source).

    One in a partial (`_helpers.tpl`) is kept under the partial's path; `summed_templates` finds it from any template of
    the same chart.
    """
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for path, source in sorted(files.items()):
        if "BasePath" not in source:
            continue
        for key, action in _LINE.findall(source):
            included = _INCLUDED.findall(action) if _SUM.search(action) else []
            if included:
                found[path, key] = tuple(f"{_chart(path)}templates/{one}" for one in included)
    return found


def summed_templates(sums: TemplateSums, template: str, key: str) -> tuple[str, ...]:
    """The templates that the annotation `key` in `template` sums; from a partial of its chart when it has none."""
    own = sums.get((template, key))
    if own is not None:
        return own
    chart = _chart(template)
    return next((found for (path, name), found in sums.items() if name == key and _chart(path) == chart), ())


def _chart(path: str) -> str:
    """The directory of a template's chart, with a slash at its end; `BasePath` is `templates` in it."""
    return path[: path.rindex("/templates/") + 1] if "/templates/" in path else ""
