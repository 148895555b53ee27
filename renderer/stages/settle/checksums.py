"""Checksums of what objects have settled to, so that Pods restart exactly when their configuration changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.generated.policy import Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.stages.settle.placing import with_value
from renderer.stages.settle.ways import Draft
from renderer.structs import replace


def summed(drafts: Sequence[Draft], rulings: Mapping[GeneratedValue, Ruling]) -> tuple[Draft, ...]:
    """The drafts with every checksum that the profile does not give computed.

    A checksum is the SHA-256 over the objects that it sums, in order of identity, with what stands for a secret
    instead of the secret: it changes with what the chart and the profile make of them, and when a value is renewed.
    """
    sums = _Sums(drafts)
    return tuple(_summed(draft, sums, rulings) for draft in drafts)


class _Sums:
    """The digests of settled objects by component and identity."""

    def __init__(self, drafts: Iterable[Draft]) -> None:
        self._drafts: dict[tuple[str, ObjectId], Draft] = {}
        self._anywhere: dict[ObjectId, Draft] = {}
        self._generated: dict[str, list[ObjectId]] = {}
        self._contents: dict[tuple[str, ObjectId], bytes] = {}
        for draft in drafts:
            origin = draft.manifest.origin
            component = f"{origin.extension}/{origin.component}"
            self._drafts[component, draft.manifest.id] = draft
            self._anywhere.setdefault(draft.manifest.id, draft)
            if draft.fields:
                self._generated.setdefault(component, []).append(draft.manifest.id)

    def over(self, value: GeneratedValue) -> str:
        """The sum of the objects that `value` names; of all generated objects of the component when it names none."""
        objects = value.of or self._generated.get(value.component, ())
        contents = [self._content(value.component, identity) for identity in sorted(objects)]
        return hashlib.sha256(b"---\n".join(contents)).hexdigest()

    def _content(self, component: str, identity: ObjectId) -> bytes:
        key = (component, identity)
        if key not in self._contents:
            draft = self._drafts.get(key) or self._anywhere.get(identity)
            self._contents[key] = dump_manifest(draft.content) if draft else b""
        return self._contents[key]


def _summed(draft: Draft, sums: _Sums, rulings: Mapping[GeneratedValue, Ruling]) -> Draft:
    mine = [one for one in draft.fields if one.kind is GeneratedKind.CHECKSUM and rulings[one].mode is not None]
    if not mine:
        return draft
    body, content = dict(draft.manifest.body), dict(draft.content)
    for value in mine:
        digest = sums.over(value)
        body, content = with_value(body, value.path, digest), with_value(content, value.path, digest)
    return replace(draft, manifest=draft.manifest.with_body(body), summed=None if draft.summed is None else content)
