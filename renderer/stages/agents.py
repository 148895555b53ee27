"""Wave plan -> the objects that make Argo CD or Flux apply the tree, wave after wave.

What the agents do with them was seen on real ones: facts in docs/gitops.md. The objects come from the templates
`argocd/…` and `flux/…`, which a site may replace by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, cast

from renderer.errors import Finding, InputError, Where
from renderer.formats.templates.site_templates import render_named, render_objects
from renderer.model.bundles.extension import HealthRule
from renderer.model.fields import Json
from renderer.model.ordering.wave import Wave, WavePlan
from renderer.model.site import GitOpsAgent, Site
from renderer.model.trees.tree import FileTree

_NAME_LIMIT: Final = 63
"""Agents put their objects' names into labels."""
_CONDITION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,314}[A-Za-z0-9])?\Z")
_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\Z")
_GROUP: Final = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}\Z")
_SCP_LIKE: Final = re.compile(r"(?P<user>[^@/:]+@)?(?P<host>[^/:@]+):(?P<path>[^/].*)\Z")


def agent_files(
    site: Site, plan: WavePlan, health: Sequence[HealthRule], templates: Mapping[str, str], *, manifest_bytes: int = 0
) -> FileTree:
    """The files of `agent/`, paths relative to `Site.root`.

    `health` are the readiness rules of all enabled extensions; the first one for a (group, kind) counts.
    `manifest_bytes` is the size of everything below `manifests/`. Raises InputError (`template-failed`,
    `bad-health-rule`).
    """
    rules = _distinct(health)
    values = _values(site, plan)
    values["size"] = f"{manifest_bytes / 1e6:.1f} MB" if manifest_bytes >= 100_000 else f"{manifest_bytes // 1000} kB"
    if site.gitops.agent is GitOpsAgent.ARGOCD:
        return FileTree.of((f"agent/{path}", content) for path, content in _argocd(values, rules, templates))
    return FileTree.of((f"agent/{path}", content) for path, content in _flux(site, plan, values, rules, templates))


def _values(site: Site, plan: WavePlan) -> dict[str, Json]:
    waves = [_wave(site, index, plan.waves) for index in range(len(plan.waves))]
    return {
        "name": site.name,
        "root": site.root,
        "manifests": f"{site.root}/manifests",
        "agent": f"{site.root}/agent",
        "repository": site.gitops.repository,
        "branch": site.gitops.branch,
        "labels": {"app.kubernetes.io/managed-by": "sitewright", "sitewright.dev/site": site.name},
        "waves": cast("Json", waves),
        "sealed": any(wave["sealed"] for wave in waves),
    }


def _wave(site: Site, index: int, waves: tuple[Wave, ...]) -> dict[str, Json]:
    wave = waves[index]
    return {
        "directory": wave.directory,
        "objects": len(wave.manifests),
        "kustomization": _kustomization_name(site, wave),
        "after": _kustomization_name(site, waves[index - 1]) if index else None,
        "sealed": sum("sops" in manifest.body for manifest in wave.manifests),
    }


def _argocd(
    values: dict[str, Json], rules: Sequence[HealthRule], templates: Mapping[str, str]
) -> list[tuple[str, bytes]]:
    values["health"] = [{"group": rule.group, "kind": rule.kind, "condition": rule.ready_condition} for rule in rules]
    files = [("application.yaml", render_objects("argocd/application.yaml.j2", values, templates))]
    if rules:
        files.append(("argocd-cm.patch.yaml", render_objects("argocd/health.yaml.j2", values, templates)))
    files.append(("README.md", render_named("argocd/README.md.j2", values, templates).encode()))
    return files


def _flux(
    site: Site, plan: WavePlan, values: dict[str, Json], rules: Sequence[HealthRule], templates: Mapping[str, str]
) -> list[tuple[str, bytes]]:
    values["repository"] = _flux_url(site.gitops.repository)
    values["git_secret"] = _bounded(f"{site.name}-git") if str(values["repository"]).startswith("ssh://") else None
    objects = []
    for index, wave in enumerate(plan.waves):
        known = {**_wave(site, index, plan.waves), "health": _health_of(wave, rules)}
        objects.append(render_objects("flux/kustomization.yaml.j2", {**values, "wave": known}, templates))
    return [
        ("source.yaml", render_objects("flux/source.yaml.j2", values, templates)),
        ("waves.yaml", b"---\n".join(objects)),
        ("README.md", render_named("flux/README.md.j2", values, templates).encode()),
    ]


def _health_of(wave: Wave, rules: Sequence[HealthRule]) -> list[Json]:
    """The rules for kinds that are in this wave, with an API version that is really used (Flux compares the group)."""
    versions = {(manifest.id.group, manifest.id.kind): manifest.api_version for manifest in wave.manifests}
    return [
        {"api_version": versions[rule.group, rule.kind], "kind": rule.kind, "condition": rule.ready_condition}
        for rule in rules
        if (rule.group, rule.kind) in versions
    ]


def _distinct(health: Sequence[HealthRule]) -> tuple[HealthRule, ...]:
    """One rule for each (group, kind), sorted. Its words end up in Lua and CEL, so nothing but names is let through."""
    rules: dict[tuple[str, str], HealthRule] = {}
    for rule in health:
        wrong = [
            f"`{text}`"
            for text, form in ((rule.group, _GROUP), (rule.kind, _KIND), (rule.ready_condition, _CONDITION))
            if form.match(text) is None
        ]
        if wrong:
            raise InputError(
                Finding(
                    code="bad-health-rule",
                    message=f"a readiness rule of an extension cannot be used: {', '.join(wrong)} is no name",
                    where=Where(subject=f"health rule {rule.kind}.{rule.group}"),
                    expected="an API group, a kind and the type of a status condition, such as `Ready`",
                )
            )
        rules.setdefault((rule.group, rule.kind), rule)
    return tuple(rules[key] for key in sorted(rules))


def _kustomization_name(site: Site, wave: Wave) -> str:
    return _bounded(f"{site.name}-{wave.directory}")


def _bounded(name: str) -> str:
    """`name`, or its beginning and a digest of it when it is too long for a label."""
    if len(name) <= _NAME_LIMIT:
        return name
    return f"{name[: _NAME_LIMIT - 9].rstrip('-.')}-{sha256(name.encode()).hexdigest()[:8]}"


def _flux_url(repository: str) -> str:
    """The repository as a URL; Flux does not read `git@host:path`."""
    found = _SCP_LIKE.match(repository)
    if "://" in repository or found is None:
        return repository
    return f"ssh://{found['user'] or ''}{found['host']}/{found['path']}"
