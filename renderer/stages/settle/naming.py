"""Names that charts invent become names that follow from content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, cast

from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json
from renderer.stages.settle.ways import Draft
from renderer.structs import replace

_HASH_LENGTH: Final = 8
_NAME_LIMIT: Final = 63


def named(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """The drafts with an invented name replaced by `<stable part>-<hash of the content>`.

    A hook gets its hash later, when its images are pinned, unless another object would have the same name until then.
    """
    crowded = Counter(draft.manifest.id for draft in drafts if draft.invents_name)
    return tuple(
        _by_content(draft)
        if draft.invents_name and (draft.manifest.origin.hook is None or crowded[draft.manifest.id] > 1)
        else draft
        for draft in drafts
    )


def _by_content(draft: Draft) -> Draft:
    metadata = cast("Mapping[str, Json]", draft.content["metadata"])
    unnamed = {key: value for key, value in metadata.items() if key != "name"}
    digest = hashlib.sha256(dump_manifest({**draft.content, "metadata": unnamed})).hexdigest()
    stem = draft.manifest.id.name[: _NAME_LIMIT - _HASH_LENGTH - 1].rstrip("-.")
    return replace(draft, manifest=draft.manifest.with_metadata(name=f"{stem}-{digest[:_HASH_LENGTH]}"))
