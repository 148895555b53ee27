"""Names, labels and annotations as the API server takes them.

Source: k8s.io/apimachinery, `pkg/util/validation/validation.go` and `pkg/api/validation/path`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.model.fields import Json
from renderer.model.objects.manifest import ObjectId

_RBAC: Final = "rbac.authorization.k8s.io"
_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")
_QUALIFIED: Final = re.compile(r"(?:(?P<prefix>[^/]+)/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_NAME_LIMIT: Final = 253


def name_fault(identity: ObjectId) -> str | None:
    """What is wrong with the name of an object, as the end of a sentence; None when nothing is."""
    name, kind, group = identity.name, identity.kind, identity.group
    if group == _RBAC:
        return "has a name with `/` or `%` in it" if {"/", "%"} & set(name) else None
    if (group, kind) in {("", "Namespace"), ("", "Service")}:
        if _LABEL.match(name) is None or (kind == "Service" and name[0].isdigit()):
            return "needs a name of at most 63 lower-case letters, digits and `-`"
        return None
    if len(name) > _NAME_LIMIT or _SUBDOMAIN.match(name) is None:
        return f"needs a name of at most {_NAME_LIMIT} lower-case letters, digits, `-` and `.`"
    return None


def metadata_faults(metadata: Mapping[str, Json], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with labels and annotations: the path of each fault, and the end of a sentence.

    `path` leads to `metadata`.
    """
    for section in ("labels", "annotations"):
        content = metadata.get(section)
        for key, value in content.items() if isinstance(content, dict) else ():
            where = (*path, section, key)
            if not is_qualified(key):
                yield where, f"has the key `{key}` in its {section}, which is no qualified name"
            elif not isinstance(value, str):
                yield where, f"has a value in its {section} that is not a string"
            elif section == "labels" and _LABEL_VALUE.match(value) is None:
                yield where, f"has the label value `{value}`: at most 63 letters, digits, `-`, `_` and `.`"


@functools.lru_cache(maxsize=4096)
def is_qualified(key: str) -> bool:
    """True for `name` and `prefix/name`, as keys of labels and annotations are written."""
    found = _QUALIFIED.match(key)
    prefix = found["prefix"] if found else None
    return found is not None and (
        prefix is None or (_SUBDOMAIN.match(prefix) is not None and len(prefix) <= _NAME_LIMIT)
    )
