"""`permissions.yaml` of a KubeSphere extension package: the rights that KubeSphere gives to the package's installer.

Source: ks-controller-manager (pkg/controller/core, usesPermissions). ClusterRoles and Roles with nothing but `rules`;
what it cannot read there it leaves out without a word, so the installer would have fewer rights than the author meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from renderer.errors import Finding, Where
from renderer.formats.kubernetes.manifests import Limits, YamlError, load_documents
from renderer.model.fields import FieldError, Fields, Json, spell_path
from renderer.model.trees.tree import FileTree
from renderer.structs import Struct, replace

__all__ = ["PERMISSIONS_FILE", "Grant", "read_permissions", "summary"]

PERMISSIONS_FILE: Final = "permissions.yaml"
_HINT: Final = "mend the file, or tell the package's author: KubeSphere grants fewer rights here, without a word"
_LIMITS: Final = Limits(bytes=4 * 2**20, depth=64, nodes=100_000, aliased=10_000, documents=200)


class Grant(Struct, frozen=True, kw_only=True):
    """One rule (rbac.authorization.k8s.io/v1, PolicyRule). `cluster` is False for the extension's namespace only."""

    cluster: bool
    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """True when it allows whatever can be done to objects."""
        return "*" in self.verbs and "*" in self.groups and "*" in self.resources and not self.names

    def __str__(self) -> str:
        what = [f"{group}/{resource}" if group else resource for group in self.groups for resource in self.resources]
        named = f" named {', '.join(self.names)}" if self.names else ""
        return f"{', '.join(self.verbs)} on {', '.join((*what, *self.urls))}{named}"


def read_permissions(tree: FileTree, file: str) -> tuple[tuple[Grant, ...], list[Finding]]:
    """What the package's `permissions.yaml` grants, and findings (`unreadable-permissions`) when that is unclear."""
    content = tree.files.get(PERMISSIONS_FILE)
    if content is None:
        return (), []
    place = Where(file=f"{file}/{PERMISSIONS_FILE}")
    try:
        documents = load_documents(content, limits=_LIMITS)
    except YamlError as error:
        place = replace(place, line=error.line, column=error.column)
        return (), [Finding(code="unreadable-permissions", message=error.message, where=place, hint=_HINT)]
    grants: list[Grant] = []
    findings: list[Finding] = []
    for document in documents:
        try:
            grants += _grants(document.value)
        except FieldError as error:
            where = replace(place, line=document.line, path=spell_path(error.path) or None)
            findings.append(replace(error.finding(), code="unreadable-permissions", where=where, hint=_HINT))
    return tuple(grants), findings


def _grants(value: Json) -> Iterator[Grant]:
    if not isinstance(value, dict) or value.get("kind") not in ("ClusterRole", "Role"):
        raise FieldError(
            (),
            "this document grants nothing: it is neither a ClusterRole nor a Role with rules",
            expected="`kind: ClusterRole` or `kind: Role`, and `rules`",
        )
    for rule in Fields.of(value).children("rules"):
        yield Grant(
            cluster=value["kind"] == "ClusterRole",
            verbs=rule.texts("verbs"),
            groups=rule.texts("apiGroups"),
            resources=rule.texts("resources"),
            names=rule.texts("resourceNames"),
            urls=rule.texts("nonResourceURLs"),
        )


def summary(grants: Iterable[Grant]) -> str:
    """What the installer may do, in a few words."""
    grants = tuple(grants)
    if any(grant.cluster and grant.everything for grant in grants):
        return "everything"
    wide = sum(grant.cluster for grant in grants)
    narrow = len(grants) - wide
    parts = [f"{wide} in the cluster"] if wide else []
    parts += [f"{narrow} in its namespace"] if narrow else []
    return " and ".join(parts) or "nothing beyond its namespace"
