"""FileTree x FileTree -> Review. Only files whose bytes differ are parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.kubernetes.manifests import YamlError, load_documents
from renderer.model.fields import FieldError, Json
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.trees.change import Change, ChangeKind, FileChange, Review
from renderer.model.trees.tree import FileTree
from renderer.stages.review.by_hand import risks_by_hand
from renderer.stages.review.differences import differences
from renderer.stages.review.hiding import without_secrets
from renderer.stages.review.renewals import renewals
from renderer.stages.review.risks import risks_of
from renderer.structs import Struct

_SYNC_WAVE: Final = 'metadata.annotations["argocd.argoproj.io/sync-wave"]'
_NOWHERE: Final = Origin(extension="", component="", source="")


class _Placed(Struct, frozen=True):
    """One object of a tree and the directory name of its wave (None: no object of a wave, such as an Application)."""

    manifest: Manifest
    wave: str | None


def review(before: FileTree, after: FileTree) -> Review:
    """What turns `before` into `after`, both with paths relative to the site.

    Values of Secrets never appear in it. Raises InputError (`invalid-manifest`) for a manifest that Kubernetes would
    not read.
    """
    paths = [path for path in (before.files.keys() | after.files.keys()) if _differs(path, before, after)]
    old, old_rest = _objects(before, paths)
    new, new_rest = _objects(after, paths)
    found = (_change(identity, old.get(identity), new.get(identity)) for identity in old.keys() | new.keys())
    changes = sorted((change for change in found if change is not None), key=_order)
    files = sorted(_file_changes(old_rest, new_rest), key=lambda change: change.path)
    bodies = {change.id: (_body(old.get(change.id)), _body(new.get(change.id))) for change in changes}
    risks = (*risks_of(changes, bodies), *risks_by_hand(before, after))
    return Review(changes=tuple(changes), files=tuple(files), risks=risks, renewals=tuple(renewals(before, after)))


def _differs(path: str, before: FileTree, after: FileTree) -> bool:
    return before.files.get(path) != after.files.get(path)


def _objects(tree: FileTree, paths: Iterable[str]) -> tuple[dict[ObjectId, _Placed], set[str]]:
    """The objects in the files at `paths`, and those of `paths` that hold none."""
    objects, rest = dict[ObjectId, _Placed](), set[str]()
    for path in sorted(paths):
        content = tree.files.get(path)
        if content is None:
            continue
        manifests = _manifests(path, content)
        if not manifests:
            rest.add(path)
        objects |= {manifest.id: _Placed(manifest, _wave(path)) for manifest in manifests}
    return objects, rest


def _manifests(path: str, content: bytes) -> list[Manifest]:
    top = path.partition("/")[0]
    if top not in {"manifests", "agent"} or not path.endswith(".yaml"):
        return []
    try:
        return [_manifest(document.value) for document in load_documents(content)]
    except (YamlError, FieldError) as error:
        if top == "agent":  # snippets for people lie there as well
            return []
        where = (
            Where(file=path, line=error.line, column=error.column) if isinstance(error, YamlError) else Where(file=path)
        )
        finding = Finding(
            code="invalid-manifest",
            message=error.message,
            where=where,
            expected="one Kubernetes object",
            hint="render the site again: sitewright render PROFILE",
        )
        raise InputError(finding) from error


def _manifest(value: Json) -> Manifest:
    body = cast("Mapping[str, Json]", value if isinstance(value, Mapping) else {})
    return Manifest.of(body, _NOWHERE)


def _wave(path: str) -> str | None:
    parts = path.split("/")
    return parts[1] if parts[0] == "manifests" and len(parts) > 2 else None


def _body(placed: _Placed | None) -> Mapping[str, Json] | None:
    return None if placed is None else placed.manifest.body


def _change(identity: ObjectId, old: _Placed | None, new: _Placed | None) -> Change | None:
    if old is None or new is None:
        kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
        return Change(
            kind=kind, id=identity, wave_before=old.wave if old else None, wave_after=new.wave if new else None
        )
    found = tuple(differences(cast("Json", old.manifest.body), cast("Json", new.manifest.body)))
    if old.wave != new.wave:  # the annotation says the same once more
        found = tuple(change for change in found if change.path != _SYNC_WAVE)
    found = without_secrets(identity, found, sealed=any("sops" in one.manifest.body for one in (old, new)))
    if not found and old.wave == new.wave:
        return None
    kind = ChangeKind.CHANGED if found else ChangeKind.MOVED
    return Change(kind=kind, id=identity, wave_before=old.wave, wave_after=new.wave, fields=found)


def _file_changes(old: set[str], new: set[str]) -> Iterable[FileChange]:
    for path in old | new:
        kind = ChangeKind.ADDED if path not in old else ChangeKind.REMOVED if path not in new else ChangeKind.CHANGED
        yield FileChange(kind=kind, path=path)


def _order(change: Change) -> tuple[str, ObjectId]:
    return (change.wave_after or change.wave_before or "", change.id)
