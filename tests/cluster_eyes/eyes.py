"""A rendered site as the agents and the cluster see it: what stands in the way, one sentence each.

The rules are those of Argo CD's directory source and of Flux's kustomize-controller (docs/gitops.md). Each wave is
judged by `kubectl kustomize`, with the kustomization.yaml that Flux would generate for it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from renderer.formats.kubernetes.manifests import load_documents

Object = Mapping[str, Any]

_WAVE = re.compile(r"w([0-9]{3})-[a-z]+")
_FORBIDDEN_ANNOTATIONS = ("helm.sh/", "argocd.argoproj.io/hook")
_NEVER_PRUNED = {"CustomResourceDefinition", "Namespace"}


def obstacles(site: Path, kubectl: Path, scratch: Path) -> list[str]:
    """Everything that Argo CD, Flux or the API server would stumble over in `manifests/`."""
    return [*_misplaced(site), *_unfit(site), *_unbuildable(site, kubectl, scratch)]


def waves(site: Path) -> list[str]:
    """The wave directories, in order."""
    return sorted(path.name for path in (site / "manifests").iterdir())


def objects(directory: Path) -> Iterator[tuple[Path, Object]]:
    """Every object below a directory, with its file."""
    for path in sorted(directory.rglob("*.yaml")):
        for document in load_documents(path.read_bytes()):
            body: Any = document.value
            yield path, body


def _misplaced(site: Path) -> Iterator[str]:
    """Files that an agent would read as something else, waves that could become empty."""
    for path in sorted((site / "manifests").rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and (path.suffix != ".yaml" or path.name.startswith("kustomization")):
            yield f"{name} is not one manifest"
        if path.parent.name == "manifests" and not (path.is_dir() and _WAVE.fullmatch(path.name)):
            yield f"{name} is no wave"
    for wave in waves(site):
        if not list((site / "manifests" / wave).glob("sitewright/configmap-sitewright-*.yaml")):
            yield f"{wave} has no marker and could become empty"


def _unfit(site: Path) -> Iterator[str]:
    """Objects that two agents would not treat alike."""
    seen: dict[tuple[str, ...], str] = {}
    for path, body in objects(site / "manifests"):
        name, metadata = path.relative_to(site).as_posix(), body["metadata"]
        annotations = metadata.get("annotations") or {}
        identity = (
            body["apiVersion"].rpartition("/")[0],
            body["kind"],
            metadata.get("namespace", ""),
            metadata["name"],
        )
        if identity in seen:
            yield f"{name} is the object of {seen[identity]}"
        seen[identity] = name
        wave = _WAVE.fullmatch(path.relative_to(site / "manifests").parts[0])
        if wave is None or annotations.get("argocd.argoproj.io/sync-wave") != str(int(wave[1])):
            yield f"{name} does not carry its wave"
        options = annotations.get("argocd.argoproj.io/sync-options", "").split(",")
        pair = ("Prune=false" in options, annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled")
        if pair[0] != pair[1] or (body["kind"] in _NEVER_PRUNED and not all(pair)):
            yield f"{name} is pruned by one agent or both"
        for key in annotations:
            if key.startswith(_FORBIDDEN_ANNOTATIONS):
                yield f"{name} has the annotation {key}"
        for key in ("generateName", "creationTimestamp", "resourceVersion", "uid", "managedFields"):
            if key in metadata:
                yield f"{name} has metadata.{key}"
        if body["kind"].endswith("List") and "items" in body:
            yield f"{name} is a list"


def _unbuildable(site: Path, kubectl: Path, scratch: Path) -> Iterator[str]:
    """What kustomize says of a wave, with the kustomization.yaml that Flux generates: every file, sorted."""
    for wave in waves(site):
        copy = scratch / wave
        shutil.copytree(site / "manifests" / wave, copy)
        files = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*.yaml"))
        listed = "".join(f'- "{file}"\n' for file in files)
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        (copy / "kustomization.yaml").write_text(head + listed, encoding="utf-8")
        done = subprocess.run([kubectl, "kustomize", copy], capture_output=True, check=False)
        if done.returncode:
            yield f"{wave}: {done.stderr.decode()}"
        elif len([one for one in load_documents(done.stdout) if one.value]) != len(files):
            yield f"{wave} loses objects"
