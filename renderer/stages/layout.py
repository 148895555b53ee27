"""Wave plan -> `manifests/…`: one canonical file an object; and what that means for the tree it replaces.

Where agents differ is in moves and removals, so they are judged here, where both trees are known. Only files that
have gone from their path are read again: an object whose file is still there has neither moved nor left.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.formats.kubernetes.manifests import YamlError, dump, dump_manifest, load_values
from renderer.model.fields import FieldError, Json
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.model.objects.scope import is_built_in_group
from renderer.model.ordering.wave import Wave, WavePlan
from renderer.model.site import GitOpsAgent
from renderer.model.trees.orphan import Orphan
from renderer.model.trees.tree import FileTree
from renderer.structs import Struct

_NAME_BYTES: Final = 120
"""Of the first part of a file name; namespace, digest and ending come on top, and file systems end at 255."""
_OBJECT_LIMIT: Final = 1_572_864
"""Bytes of a request that etcd takes (`--max-request-bytes`); the API server stores CRDs as JSON of about this size."""
_ARGOCD_LIMIT: Final = 10_000_000
"""Bytes that Argo CD reads from a directory (`reposerver.max.combined.directory.manifests.size`)."""
_REMEMBERED_BYTES: Final = 128 * 2**20
_UNSAFE: Final = re.compile(r"[^a-z0-9._-]+")
_WAVE: Final = re.compile(r"manifests/(?P<directory>w(?P<number>[0-9]{3,})-[^/]+)/")
_BEFORE: Final = Origin(extension="", component="", source="the tree that is replaced")

# Kinds that lose something when they are deleted and created anew; so does every custom resource.
_STATEFUL: Final = frozenset(
    {
        ("apps", "StatefulSet"),
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
        ("", "Namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)


class ManifestTexts:
    """Remembers the canonical text of bodies and of their fields, so that what many sites share is written once.

    Sites with other waves differ in `metadata` only, which is short, and share the fields beside it. Values are never
    mutated (renderer.model.objects.manifest), so each is known by its identity, and kept alive here so that its
    identity stays its own. One instance serves one run.
    """

    __slots__ = ("_bodies", "_fields", "_size")

    def __init__(self) -> None:
        self._bodies: dict[int, tuple[Mapping[str, Json], bytes]] = {}
        self._fields: dict[int, tuple[Json, bytes]] = {}
        self._size = 0

    def of(self, manifest: Manifest) -> bytes:
        """The same bytes as `dump_manifest` of the manifest's body."""
        body = manifest.body
        whole = self._bodies.get(id(body))
        if whole is None:
            whole = self._bodies[id(body)] = (body, self._text(body))
        return whole[1]

    def _text(self, body: Mapping[str, Json]) -> bytes:
        first = {key: body[key] for key in ("apiVersion", "kind", "metadata") if key in body}
        rest = (self._field(key, body[key]) for key in sorted(body.keys() - first.keys()))
        return b"".join((dump_manifest(first), *rest))

    def _field(self, key: str, value: Json) -> bytes:
        if not isinstance(value, dict | list):
            return dump({key: value}).encode()
        known = self._fields.get(id(value))
        if known is not None and known[1].startswith(f"{key}:".encode()):
            return known[1]
        text = dump({key: value}).encode()
        self._fields[id(value)] = (value, text)
        self._size += len(text)
        if self._size > _REMEMBERED_BYTES:
            self._bodies.clear()
            self._fields.clear()
            self._size = 0
        return text


class Laid(Struct, frozen=True, kw_only=True):
    """`manifests/…` relative to `Site.root`; what moved or left; the objects that stay in the cluster unmanaged."""

    tree: FileTree
    findings: tuple[Finding, ...]
    gone: tuple[ObjectId, ...]
    orphans: tuple[Orphan, ...]


def lay_out(
    plan: WavePlan, *, agent: GitOpsAgent, previous: FileTree, texts: ManifestTexts, orphans: Iterable[Orphan] = ()
) -> Laid:
    """One file for each object of the plan, and the comparison with `previous`, the site's tree as it is now.

    `orphans` are those that the previous tree already knew (`renderer.stages.records.read_orphans`): they stay listed
    until the object is managed again.
    """
    files = {path: texts.of(manifest) for path, manifest in _paths(plan)}
    waves = plan.wave_of()
    findings = list(_size_findings(files, agent))
    gone: list[ObjectId] = []
    left: dict[ObjectId, Orphan] = {orphan.id: orphan for orphan in orphans if orphan.id not in waves}
    directories = {wave.directory for wave in plan.waves}
    for directory, number, before in _vanished(previous, files, findings):
        wave = waves.get(before.id)
        if wave is None:
            gone.append(before.id)
            reason = _why_it_stays(before, agent, wave_is_gone=directory not in directories)
            if reason:
                left[before.id] = Orphan(id=before.id, reason=reason)
        elif (
            agent is GitOpsAgent.FLUX and wave.number > number and directory in directories and not _flux_keeps(before)
        ):
            # when the old wave is gone altogether, its Kustomization leaves the object for the new one to take over
            findings.append(_moves_later(before.id, directory, wave))
    return Laid(
        tree=FileTree.of(files.items()),
        findings=tuple(sorted(findings, key=lambda finding: str(finding.where))),
        gone=tuple(sorted(gone)),
        orphans=tuple(left[key] for key in sorted(left)),
    )


def _size_findings(files: Mapping[str, bytes], agent: GitOpsAgent) -> Iterator[Finding]:
    """Objects that etcd refuses, and a site that Argo CD refuses to read."""
    for path, content in files.items():
        if len(content) > _OBJECT_LIMIT:
            yield Finding(
                code="object-too-large",
                message=f"one object has {len(content)} bytes; etcd takes {_OBJECT_LIMIT} by default",
                where=Where(file=path),
                hint="split it in the values of its extension",
            )
    total = sum(map(len, files.values()))
    if agent is GitOpsAgent.ARGOCD and total > _ARGOCD_LIMIT:
        yield Finding(
            code="tree-too-large",
            message=f"the manifests have {total / 1e6:.1f} MB; Argo CD reads {_ARGOCD_LIMIT // 10**6} MB by default",
            where=Where(subject="manifests/"),
            severity=Severity.WARNING,
            hint="set `reposerver.max.combined.directory.manifests.size` in the ConfigMap argocd-cmd-params-cm to "
            f"`{total // 10**6 + 10}M` and restart argocd-repo-server",
        )


def _paths(plan: WavePlan) -> Iterator[tuple[str, Manifest]]:
    """The path of every object: `manifests/<wave>/<extension>/<kind>-<name>.yaml`.

    Where that is not unique, the namespace is added, and where that does not help, a digest of the identity.
    """
    for wave in plan.waves:
        named = [
            (f"manifests/{wave.directory}/{_safe(one.origin.extension) or 'sitewright'}/{_file_name(one.id)}", one)
            for one in wave.manifests
        ]
        named = _told_apart(named, lambda identity: _safe(identity.namespace))
        named = _told_apart(named, _digest_of)
        yield from ((f"{path}.yaml", manifest) for path, manifest in named)


def _told_apart(named: list[tuple[str, Manifest]], addition: Callable[[ObjectId], str]) -> list[tuple[str, Manifest]]:
    counts = Counter(path for path, _ in named)
    return [
        (path if counts[path] == 1 else f"{path}.{addition(manifest.id)}".rstrip("."), manifest)
        for path, manifest in named
    ]


def _digest_of(identity: ObjectId) -> str:
    text = f"{identity.group}/{identity.kind}/{identity.namespace}/{identity.name}"
    return sha256(text.encode()).hexdigest()[:8]


def _file_name(identity: ObjectId) -> str:
    """`<kind>-<name>` in characters that every file system keeps apart and shells leave alone."""
    name = _safe(f"{identity.kind}-{identity.name}")
    if len(name) <= _NAME_BYTES:
        return name
    return f"{name[: _NAME_BYTES - 9]}-{_digest_of(identity)}"


def _safe(text: str) -> str:
    return _UNSAFE.sub("-", text.lower()).strip(".")


def _vanished(
    previous: FileTree, files: Mapping[str, bytes], findings: list[Finding]
) -> Iterator[tuple[str, int, Manifest]]:
    """The objects whose file is in `previous` and not in `files`, with wave directory and number."""
    for path, content in previous.items():
        found = _WAVE.match(path)
        if found is None or path in files or not path.endswith(".yaml"):
            continue
        try:
            body = load_values(content)
            yield found["directory"], int(found["number"]), Manifest.of(body if isinstance(body, dict) else {}, _BEFORE)
        except (YamlError, FieldError) as error:
            findings.append(
                Finding(
                    code="previous-unreadable",
                    message=f"a file of the tree before cannot be read, so its object is not compared: {error}",
                    where=Where(file=path),
                    severity=Severity.WARNING,
                    hint=f"git log -- {path}",
                )
            )


def _moves_later(identity: ObjectId, directory: str, wave: Wave) -> Finding:
    """The finding for an object that Flux would delete and create anew."""
    stateful = not is_built_in_group(identity.group) or (identity.group, identity.kind) in _STATEFUL
    extension = next(one.origin.extension for one in wave.manifests if one.id == identity)
    return Finding(
        code="object-moves-later",
        message=f"`{identity}` moves from `{directory}` to `{wave.directory}`: Flux would delete and recreate it",
        where=Where(subject=str(identity)),
        severity=Severity.ERROR if stateful else Severity.WARNING,
        expected=f"`{directory}` or an earlier wave",
        got=f"`{wave.directory}`",
        hint=(
            f"keep `{extension}` where it is with `wave:` in the profile, or do it in two commits: first "
            f"`kustomize.toolkit.fluxcd.io/prune: disabled` on the object in `{directory}`, by hand, then the move"
        ),
    )


def _flux_keeps(before: Manifest) -> bool:
    return before.annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"


def _why_it_stays(before: Manifest, agent: GitOpsAgent, *, wave_is_gone: bool) -> str | None:
    """Why an object that left the tree stays in the cluster, or None when the agent deletes it."""
    options = str(before.annotations.get("argocd.argoproj.io/sync-options", "")).replace(" ", "").split(",")
    if agent is GitOpsAgent.ARGOCD:
        return "protected from pruning" if "Prune=false" in options else None
    if _flux_keeps(before):
        return "protected from pruning"
    return "its whole wave is gone" if wave_is_gone else None
