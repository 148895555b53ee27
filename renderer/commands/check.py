"""`sitewright check TREE`: whether a rendered tree is still what its record says, and can be applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Where
from renderer.formats.kubernetes.manifests import YamlError, load_documents
from renderer.model.fields import FieldError, Json
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.outcome import Outcome
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree

_NOWHERE: Final = Origin(extension="", component="", source="")


def check(trees: Mapping[str, FileTree]) -> Outcome:
    """Judge rendered trees by name (`sites/demo`, for messages). Any finding fails the outcome.

    Codes: `tree-not-recorded`, `tree-modified`, `invalid-manifest`, `not-one-object`, `duplicate-object`.
    """
    findings, lines, documents = list[Finding](), list[str](), list[Json]()
    for name, tree in trees.items():
        found = [*_recorded(name, tree), *_manifests(name, tree)]
        objects = sum(path.startswith("manifests/") for path in tree)
        faults = _counted(len(found), "fault") if found else "intact"
        lines.append(f"{name}: {_counted(len(tree), 'file')}, {_counted(objects, 'object')}, {faults}")
        documents.append({"root": name, "files": len(tree), "objects": objects, "faults": len(found)})
        findings += found
    return Outcome(
        text="\n".join(lines), document={"trees": documents}, findings=tuple(findings), failed=bool(findings)
    )


def _recorded(name: str, tree: FileTree) -> Iterator[Finding]:
    """The digest of all files but the record itself must be the one in the record."""
    record = tree.files.get(PROOF)
    where = Where(file=f"{name}/{PROOF}")
    wanted = None if record is None else _subject(record)
    if wanted is None:
        problem = "is missing" if record is None else "cannot be read"
        yield Finding(
            code="tree-not-recorded",
            message=f"`{PROOF}` {problem}: nothing says what this tree was rendered from",
            where=where,
            expected="the in-toto statement that every render writes",
            hint="render the site again: sitewright render PROFILE",
        )
        return
    found = FileTree({path: content for path, content in tree.items() if path != PROOF}).digest()
    if found.hex != wanted:
        yield Finding(
            code="tree-modified",
            message="the files are not those that were rendered: somebody changed, added or removed one",
            where=where,
            expected=f"sha256:{wanted}",
            got=str(found),
            hint="see what differs: sitewright diff PROFILE --against TREE",
        )


def _subject(record: bytes) -> str | None:
    """The digest of the statement's subject (in-toto Statement v1), or None when there is none to be read."""
    try:
        statement = json.loads(record)
        digest = statement["subject"][0]["digest"]["sha256"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return digest if isinstance(digest, str) else None


def _manifests(name: str, tree: FileTree) -> Iterator[Finding]:
    """Every file below `manifests/` is one Kubernetes object, and no object is there twice."""
    seen: dict[ObjectId, str] = {}
    for path, content in tree.items():
        if not path.startswith("manifests/"):
            continue
        where = Where(file=f"{name}/{path}")
        try:
            values = [document.value for document in load_documents(content, strict_keys=True)]
            manifests = [Manifest.of(value if isinstance(value, dict) else {}, _NOWHERE) for value in values]
        except YamlError as error:
            yield _invalid(error.message, Where(file=where.file, line=error.line, column=error.column))
            continue
        except FieldError as error:
            yield _invalid(error.message, where)
            continue
        if len(manifests) != 1:
            yield _not_one(len(manifests), where)
        for manifest in manifests:
            first = seen.setdefault(manifest.id, path)
            if first != path:
                yield _twice(manifest.id, first, where)


def _invalid(message: str, where: Where) -> Finding:
    return Finding(
        code="invalid-manifest",
        message=message,
        where=where,
        expected="one Kubernetes object",
        hint="render the site again: sitewright render PROFILE",
    )


def _not_one(count: int, where: Where) -> Finding:
    return Finding(
        code="not-one-object",
        message="a file of a rendered tree holds exactly one object",
        where=where,
        expected="1 object",
        got=f"{count} objects",
        hint="render the site again: sitewright render PROFILE",
    )


def _twice(identity: ObjectId, first: str, where: Where) -> Finding:
    return Finding(
        code="duplicate-object",
        message=f"`{identity}` is in the tree twice; which one the cluster gets is chance",
        where=where,
        got=f"first in `{first}`",
        hint="render the site again: sitewright render PROFILE",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
