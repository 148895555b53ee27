"""Secrets in git, privileges on nodes, power over the cluster."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule
from renderer.model.fields import Json, spell_path
from renderer.model.objects.manifest import Manifest
from renderer.model.objects.workload import mapping, mappings, pod_of
from renderer.model.rendering import Composed
from renderer.model.site import SecretsMode

_RBAC: Final = "rbac.authorization.k8s.io"
_PRIVATE_KEY: Final = b"PRIVATE KEY-----"
_SEALED: Final = b"ENC[AES256_GCM,"
_HOST_SHARES: Final = ("hostNetwork", "hostPID", "hostIPC")
_STRONG: Final = frozenset({"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "BPF", "NET_ADMIN", "DAC_READ_SEARCH"})
_HARMLESS_PATHS: Final = frozenset({"/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"})
_SHOWN: Final = 6
_PASSWORD_HASH: Final = re.compile(
    r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}|argon2(?:id|i|d)\$v=|[56]\$(?:rounds=\d+\$)?[^$\s]+\$[./A-Za-z0-9]{43})"
)


def secrets_in_clear(composed: Composed) -> Iterator[Finding]:
    """Secrets with content: an error when it is a private key, else a warning.

    What SOPS has encrypted passes in an object that carries its stanza, where the profile says `secrets.mode: sops` or
    names recipients of generated values. What stands beside it in clear does not.
    """
    sops = composed.site.secrets is SecretsMode.SOPS or bool(composed.site.generated.recipients)
    for manifest in composed.plan.manifests():
        sealed = sops and "sops" in manifest.body
        if (manifest.id.group, manifest.id.kind) == ("", "Secret"):
            filled = {
                key: content
                for key, content in _content(manifest.body)
                if content.strip() and not (sealed and content.startswith(_SEALED))
            }
            if filled:
                yield _secret_finding(manifest, filled)
        elif (manifest.id.group, manifest.id.kind) == ("", "ConfigMap"):
            keys = sorted(key for key, content in _content(manifest.body) if _PRIVATE_KEY in content)
            if keys:
                yield _key_finding(manifest, keys)


def _secret_finding(manifest: Manifest, filled: Mapping[str, bytes]) -> Finding:
    keys = sorted(key for key, content in filled.items() if _PRIVATE_KEY in content)
    if keys:
        return _key_finding(manifest, keys)
    return Finding(
        code="secret-in-clear",
        message=f"`{manifest.id}` puts its content into git, readable for everyone who can read the repository",
        where=Where(subject=str(manifest.id), path="data"),
        severity=Severity.WARNING,
        got=f"values for {_list(sorted(filled))}",
        explanation=(f"from {manifest.origin}",),
        hint="name an existing Secret in the values of the extension, or accept it below `checks.ignore`",
    )


def _key_finding(manifest: Manifest, keys: list[str]) -> Finding:
    return Finding(
        code="secret-in-clear",
        message=f"`{manifest.id}` puts a private key into git",
        where=Where(subject=str(manifest.id), path="data"),
        expected="an object that the operator, External Secrets, Sealed Secrets or SOPS creates",
        got=f"a private key in {_list(keys)}",
        explanation=(f"from {manifest.origin}",),
        hint="name an existing Secret in the values of the extension",
    )


def _content(body: Mapping[str, Json]) -> Iterator[tuple[str, bytes]]:
    """Every value of a Secret or ConfigMap as bytes."""
    encoded = ("data",) if body.get("kind") == "Secret" else ("binaryData",)
    plain = ("stringData",) if body.get("kind") == "Secret" else ("data",)
    for section in (*encoded, *plain):
        for key, value in mapping(body, section).items():
            if not isinstance(value, str):
                continue
            yield key, (_decoded(value) if section in encoded else value.encode(errors="replace"))


def _decoded(value: str) -> bytes:
    """The bytes behind base64; the text itself when it is none."""
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        return value.encode(errors="replace")


def passwords(composed: Composed) -> Iterator[Finding]:
    """Hashes of passwords (bcrypt, argon2, crypt) outside of Secrets, such as the first user of a platform.

    Definitions hold schemas, megabytes of them, and no users.
    """
    for manifest in composed.plan.manifests():
        if manifest.id.kind == "CustomResourceDefinition" or (manifest.id.group, manifest.id.kind) == ("", "Secret"):
            continue
        places = [path for path, text in _texts(dict(manifest.body)) if "$" in text and _PASSWORD_HASH.search(text)]
        if places:
            yield Finding(
                code="password-in-git",
                message=f"`{manifest.id}` holds the hash of a password: whoever reads the repository can try to "
                "guess it, and the agent puts it back whenever somebody changes the password in the cluster",
                where=Where(subject=str(manifest.id), path=spell_path(places[0])),
                severity=Severity.WARNING,
                explanation=(f"from {manifest.origin}",),
                hint="set your own in the values of the extension and change it there, or turn the object off",
            )


def _texts(value: Json, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in an object, with the steps to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            yield from _texts(below, *path, key)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _texts(below, *path, index)


def privileged_pods(composed: Composed) -> Iterator[Finding]:
    """Workloads that reach out of their containers, one finding each with everything it asks for."""
    for manifest in composed.plan.manifests():
        asked = sorted(set(_privileges(manifest)))
        if asked:
            yield Finding(
                code="privileged-container",
                message=f"`{manifest.id}` reaches out of its containers: {_list(asked)}",
                where=Where(subject=str(manifest.id)),
                severity=Severity.WARNING,
                explanation=(f"from {manifest.origin}",),
                hint="if it must, accept it below `checks.ignore` in the profile with the reason",
            )


def _privileges(manifest: Manifest) -> Iterator[str]:
    pod = pod_of(manifest)
    if pod is None:
        return
    yield from (key for key in _HOST_SHARES if pod.content.get(key) is True)
    for _, volume in mappings(pod.content, "volumes"):
        path = mapping(volume, "hostPath").get("path")
        if path is not None and path not in _HARMLESS_PATHS:
            yield f"hostPath {path}"
    for _, container in pod.containers():
        context = mapping(container, "securityContext")
        if context.get("privileged") is True:
            yield "privileged"
        added = mapping(context, "capabilities").get("add")
        if isinstance(added, list):
            yield from (f"capability {name}" for name in added if name in _STRONG)


def cluster_admins(composed: Composed) -> Iterator[Finding]:
    """Bindings to cluster-admin, and roles that allow everything everywhere."""
    for manifest in composed.plan.manifests():
        if manifest.id.group != _RBAC:
            continue
        if (
            manifest.id.kind == "ClusterRoleBinding"
            and mapping(manifest.body, "roleRef").get("name") == "cluster-admin"
        ):
            subjects = [f"{one.get('kind')} {one.get('name')}" for _, one in mappings(manifest.body, "subjects")]
            yield _power_finding(manifest, f"makes {_list(subjects)} `cluster-admin`", "roleRef")
        elif manifest.id.kind == "ClusterRole":
            wild = [index for index, rule in mappings(manifest.body, "rules") if _allows_everything(rule)]
            if wild:
                yield _power_finding(manifest, "allows everything everywhere", f"rules[{wild[0]}]")


def _allows_everything(rule: Mapping[str, Json]) -> bool:
    wild = (rule.get(key) for key in ("apiGroups", "resources", "verbs"))
    return all(isinstance(values, list) and "*" in values for values in wild)


def _power_finding(manifest: Manifest, what: str, path: str) -> Finding:
    origin = f"from {manifest.origin}"
    return Finding(
        code="cluster-admin",
        message=f"`{manifest.id}` {what}",
        where=Where(subject=str(manifest.id), path=path),
        severity=Severity.NOTE,
        explanation=(origin,) if manifest.origin.hook is None else (origin, _STAYS),
    )


_STAYS: Final = "it belongs to a Helm hook: Helm can delete it when the hook has run, in a tree it stays"


def _list(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


RULES: Final = (
    Rule(
        code="secret-in-clear",
        title="With `secrets.mode: external` no Secret has content in git",
        why="Git keeps it for ever, for everyone who can read the repository.",
        severity=Severity.ERROR,
        check=secrets_in_clear,
    ),
    Rule(
        code="password-in-git",
        title="No object outside of Secrets holds a password's hash",
        why="A hash can be guessed, and an agent that applies it undoes every change of the password.",
        severity=Severity.WARNING,
        check=passwords,
    ),
    Rule(
        code="privileged-container",
        title="Workloads stay inside their containers",
        why="Privileges, host namespaces and host paths make a broken container a broken node.",
        severity=Severity.WARNING,
        check=privileged_pods,
    ),
    Rule(
        code="cluster-admin",
        title="Power over the whole cluster is known",
        why="Whoever holds it can read every Secret and change every workload.",
        severity=Severity.NOTE,
        check=cluster_admins,
    ),
)
"""The rules of this module."""
