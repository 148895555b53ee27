"""`records/…`: what a person, a pipeline or an auditor wants to know of a rendered site.

Table rows are built here and handed to the templates `records/…` as lines: a site can change every word around them,
and `read_orphans` still finds what was written. Nothing in here depends on the day or on the tree before, orphans
excepted, so that the same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from renderer.errors import Severity
from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.formats.templates.site_templates import render_named
from renderer.model.check import accepted_by
from renderer.model.fields import Json
from renderer.model.generated.certificate_use import CertificateUse, certificate_uses
from renderer.model.generated.lines import split_path
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.rendering import Composed, ExternalObject
from renderer.model.trees.orphan import Orphan
from renderer.model.trees.tree import FileTree

_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]*={0,2}\s*\Z")
ORPHANS: Final = "records/orphans.md"
_ORPHAN: Final = re.compile(r"\| `([^`|]+)` \| `([^`|]*)` \| `([^`|]*)` \| `([^`|]+)` \| ([^`|]*) \|")


def record_files(
    composed: Composed, *, lock_bytes: bytes, orphans: Sequence[Orphan], templates: Mapping[str, str]
) -> FileTree:
    """The files of `records/` but `provenance.json`, paths relative to `Site.root`.

    `lock_bytes` is the lock file as it is. Raises InputError (`template-failed`).
    """
    values = _values(composed)
    pages: dict[str, dict[str, Json]] = {
        "report": _report(composed),
        "plan": {"waves": _waves(composed), "dropped": _dropped(composed)},
    }
    if composed.external:
        pages["secrets"] = {"objects": _externals(composed)}
    if orphans:
        pages["orphans"] = {"rows": [_orphan_row(orphan) for orphan in orphans], "commands": _deletions(orphans)}
    files = {
        f"{page}.md": render_named(f"records/{page}.md.j2", {**values, **known}, templates).encode()
        for page, known in pages.items()
    }
    files["lock.yaml"] = lock_bytes
    files["images.txt"] = "".join(f"{line}\n" for line in _images(composed)).encode()
    return FileTree.of((f"records/{name}", content) for name, content in files.items())


def read_orphans(previous: FileTree) -> tuple[Orphan, ...]:
    """The orphans that the previous tree lists; lines that Sitewright did not write are passed over."""
    text = previous.files.get(ORPHANS, b"").decode(errors="replace")
    rows = (found.groups() for line in text.splitlines() if (found := _ORPHAN.fullmatch(line)))
    return tuple(Orphan(id=ObjectId(group, kind, space, name), reason=why) for kind, group, space, name, why in rows)


def _values(composed: Composed) -> dict[str, Json]:
    """What every template of `records/` may use."""
    site, lock = composed.site, composed.lock
    return {
        "site": {
            "name": site.name,
            "root": site.root,
            "profile": site.profile,
            "kubernetes": str(site.cluster.kubernetes),
            "distribution": site.cluster.distribution.value,
            "runtime": site.cluster.runtime.value,
            "platforms": [str(platform) for platform in site.cluster.platforms],
            "agent": site.gitops.agent.value,
            "registry": site.registry.host,
            "images": site.registry.images.value,
        },
        "lock": {"engine": lock.engine.name, "helm": lock.engine.helm, "sitewright": lock.sitewright},
    }


def _report(composed: Composed) -> dict[str, Json]:
    lock, waves, host = composed.lock, composed.plan.waves, composed.mirrors.host
    counts = Counter(manifest.origin.extension for manifest in composed.plan.manifests())
    severities = Counter(finding.severity for finding in composed.findings)
    return {
        "objects": sum(counts.values()),
        "extensions": [
            _row(one.name, str(one.version), one.bundle, str(counts[one.name]), ", ".join(one.required_by))
            for one in lock.extensions
        ],
        "bundles": [
            _row(one.name, str(one.version), str(one.sequence), f"`{one.digest}`", ", ".join(one.signers))
            for one in lock.bundles
        ],
        "waves": [_row(f"`{wave.directory}`", str(len(wave.manifests)), _kinds(wave.manifests)) for wave in waves],
        "image_count": len(lock.images),
        "stand_ins": [
            _row(f"`{one.reference}`", ", ".join(map(str, sorted(one.platforms))), f"`{one.digest}`", f"`{one.index}`")
            for one in lock.images
            if one.index is not None
        ],
        "mirrors": [
            _row("every other registry" if one.source == "*" else f"`{one.source}`", f"`{host}/{one.project}`")
            for one in composed.mirrors.mirrors
        ],
        "severities": {severity.value: severities[severity] for severity in Severity},
        "findings": _findings(composed),
        "external": [
            _row(f"`{one.manifest.id}`", one.manifest.origin.extension, str(len(one.fields)))
            for one in composed.external
        ],
        "dropped": _dropped(composed),
    }


def _findings(composed: Composed) -> list[Json]:
    """Findings as rows, those that the profile accepts marked with its reason (and the day it ends)."""
    rules = composed.site.checks.ignore
    rows: list[Json] = []
    for finding in composed.findings:
        rule = accepted_by(finding, rules)
        until = f", until {rule.until}" if rule and rule.until else ""
        accepted = f"accepted{until}: {rule.reason}" if rule else ""
        rows.append(_row(finding.severity.value, finding.code, str(finding.where), finding.message, accepted))
    return rows


def _dropped(composed: Composed) -> list[Json]:
    """By kind and file, not by name: charts invent names for tests, and a record is the same at every render."""
    rows = Counter((one.extension, one.source, one.id.kind, ", ".join(one.hooks)) for one in composed.dropped)
    return [
        _row(f"{count} x {kind}" if count > 1 else kind, extension, hooks, f"`{source}`")
        for (extension, source, kind, hooks), count in sorted(rows.items())
    ]


def _waves(composed: Composed) -> list[Json]:
    reasons = composed.plan.reasons
    return [
        {
            "directory": wave.directory,
            "number": wave.number,
            "rows": [_row(f"`{one.id}`", one.origin.extension, reasons.get(one.id, "")) for one in wave.manifests],
        }
        for wave in composed.plan.waves
    ]


def _externals(composed: Composed) -> list[Json]:
    inside = list(composed.plan.manifests())
    certificates = [
        one.manifest.id for one in composed.external if any("tls.crt" in field.path for field in one.fields)
    ]
    uses = certificate_uses(certificates, inside)
    return [_external(one, uses.get(one.manifest.id)) for one in composed.external]


def _external(one: ExternalObject, use: CertificateUse | None) -> Json:
    identity = one.manifest.id
    certificate: Json = None
    if use is not None:
        certificate = {"names": list(use.names), "callers": [str(caller) for caller in use.callers]}
    return {
        "id": str(identity),
        "kind": identity.kind,
        "namespace": identity.namespace,
        "name": identity.name,
        "extension": one.manifest.origin.extension,
        "fields": [_row(_field(field.path), field.kind.value, f"`{field.source}`") for field in one.fields],
        "certificate": certificate,
        "yaml": dump_manifest(_writable(one.manifest.body)).decode(),
    }


def _field(path: str) -> str:
    """`data["app.yaml"]#27` as people say it: the field, and the line of the text in it."""
    field, line, _ = split_path(path)
    return f"`{field}`, line {line}" if line else f"`{path}`"


def _writable(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The body of a Secret with what is no base64 below `stringData`, where a value can be put in as it is."""
    data = body.get("data")
    if body.get("kind") != "Secret" or not isinstance(data, dict):
        return body
    plain = {key: value for key, value in data.items() if not isinstance(value, str) or _BASE64.match(value) is None}
    given = body.get("stringData")
    changed: dict[str, Json] = {
        **body,
        "data": {key: value for key, value in data.items() if key not in plain},
        "stringData": {**(given if isinstance(given, dict) else {}), **plain},
    }
    return {key: value for key, value in changed.items() if value != {}}


def _images(composed: Composed) -> list[str]:
    """Every image of the lock, with the tag it has upstream and the digest it is pinned to: `name:tag@digest`."""
    return sorted({str(image.reference.pinned(image.digest)) for image in composed.lock.images})


def _kinds(manifests: Iterable[Manifest]) -> str:
    """`3 Deployment, 9 Service`."""
    counts = Counter(manifest.id.kind for manifest in manifests)
    return ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts))


def _orphan_row(orphan: Orphan) -> Json:
    identity = orphan.id
    return f"| `{identity.kind}` | `{identity.group}` | `{identity.namespace}` | `{identity.name}` | {orphan.reason} |"


def _deletions(orphans: Sequence[Orphan]) -> list[Json]:
    """Commands that delete orphans: custom resources first, then the rest, definitions and namespaces at the end."""
    last = {"CustomResourceDefinition": 1, "Namespace": 2}
    commands: list[Json] = []
    for orphan in sorted(orphans, key=lambda one: (last.get(one.id.kind, 0), one.id)):
        identity = orphan.id
        resource = f"{identity.kind.lower()}{f'.{identity.group}' if identity.group else ''}"
        namespace = f" -n {identity.namespace}" if identity.namespace else ""
        commands.append(f"kubectl delete {resource}{namespace} '{identity.name}'")
    return commands


def _row(*cells: str) -> str:
    """One row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
