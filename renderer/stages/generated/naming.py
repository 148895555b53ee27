"""Names of groups and of the certificates in them: readable, and the same at every render and on every machine.

They are made of names that people know (component, object, key of the field), never of what is invented. The field that
a group is named after is chosen by what it holds, so that a group keeps its name when a chart uses its values in one
more place.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from renderer.model.generated.values import GeneratedKind
from renderer.model.objects.manifest import ObjectId
from renderer.stages.generated.content import Content

_TLS_KEYS: Final = frozenset({"tls.key", "tls.crt", "ca.crt", "ca.key", "ca.pem"})
"""Keys that say nothing beyond "this Secret holds a certificate"."""
_ENDINGS: Final = re.compile(r"\.(?:key|crt|cert|cer|pem)\Z")
_RANK: Final = {
    GeneratedKind.PRIVATE_KEY: 0,
    GeneratedKind.CERTIFICATE: 1,
    GeneratedKind.PASSWORD: 2,
    GeneratedKind.TOKEN: 2,
    GeneratedKind.SECRET: 3,
    GeneratedKind.CA: 5,
    GeneratedKind.CA_BUNDLE: 6,
}
_OTHER_RANK: Final = 4
Order = tuple[bool, int, str, ObjectId, str]


def group_names(groups: Sequence[Sequence[Content]]) -> tuple[str, ...]:
    """One name for each group, all of them different."""
    anchors = [min(group, key=_anchor_order) for group in groups]
    for spell in (_short, _with_namespace, _with_kind):
        names = [spell(anchor) for anchor in anchors]
        if max(Counter(names).values(), default=1) == 1:
            return tuple(names)
    taken: Counter[str] = Counter()
    numbered = []
    for name in names:
        taken[name] += 1
        numbered.append(name if taken[name] == 1 else f"{name}~{taken[name]}")
    return tuple(numbered)


def certificate_names(places: Sequence[Sequence[Content]], authorities: Sequence[bool]) -> tuple[str, ...]:
    """One name for each certificate of a group: `places` are the fields that hold it, `authorities` who signs others.

    An authority is `ca` when it is the only one of its group; any other certificate is named after its Secret. No name
    has a slash in it.
    """
    anchors = [min(fields, key=_anchor_order) for fields in places]
    alone = sum(authorities) == 1
    names = [
        ("ca" if alone else f"{_object_and_key(anchor, '-')}-ca") if authority else _object_and_key(anchor, "-")
        for anchor, authority in zip(anchors, authorities, strict=True)
    ]
    taken: Counter[str] = Counter()
    unique = []
    for name in names:
        taken[name] += 1
        unique.append(name if taken[name] == 1 else f"{name}~{taken[name]}")
    return tuple(unique)


def _anchor_order(content: Content) -> Order:
    difference = content.difference
    elsewhere = (difference.object.group, difference.object.kind) != ("", "Secret")
    rank = _RANK.get(content.kind, _OTHER_RANK)
    return elsewhere, rank, difference.component, difference.object, difference.spelled


def _short(anchor: Content) -> str:
    return f"{_home(anchor)}/{_object_and_key(anchor)}"


def _with_namespace(anchor: Content) -> str:
    namespace = anchor.difference.object.namespace
    return f"{_home(anchor)}/{f'{namespace}.' if namespace else ''}{_object_and_key(anchor)}"


def _with_kind(anchor: Content) -> str:
    identity = anchor.difference.object
    parts = (identity.kind.lower(), identity.group, identity.namespace)
    return f"{_home(anchor)}/{'.'.join(part for part in parts if part)}.{_object_and_key(anchor)}"


def _home(anchor: Content) -> str:
    """The component by its own name where that tells the extension too: `vector`, `vector-agent`, `shop/db`."""
    extension, _, component = anchor.difference.component.partition("/")
    tells = component == extension or component.startswith(f"{extension}-")
    return component if tells else f"{extension}/{component}"


def _object_and_key(anchor: Content, joint: str = "/") -> str:
    """`ks-apiserver-tls`; with the key of the field where the object alone does not say enough."""
    difference = anchor.difference
    name = difference.object.name.rstrip("*").rstrip("-.")
    steps = [step for step in difference.path if isinstance(step, str)]
    key = difference.key or (steps[-1] if steps else "")
    if not key or key in _TLS_KEYS or anchor.kind is GeneratedKind.CA_BUNDLE:
        return name
    stem = _ENDINGS.sub("", key) if anchor.has_pem else key
    return f"{name}{joint}{re.sub(r'[^A-Za-z0-9._-]+', '-', stem).strip('-') or 'value'}"
