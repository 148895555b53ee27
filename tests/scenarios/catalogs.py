"""Catalogs and questions as short text, for tests of the resolver.

A catalog maps `name version` to what that version says:

    a 1.0.0: {requires: [b >=1, "capability:dns >=1"], optional: [c ^2], conflicts: [d <2], provides: {dns: 1.0.0},
              kubernetes: ">=1.30", platforms: [linux/arm64], role: host}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from renderer.model.bundles.bundle import Bundle, Catalog, VerifiedBundle
from renderer.model.bundles.extension import ClusterRole, Descriptor, Extension, Requirement, RequirementKind
from renderer.model.bundles.trust import Verdict
from renderer.model.reference import Digest, Platform
from renderer.model.resolution import Question, Want
from renderer.model.version import Constraint, Version

_DIGEST = Digest("sha256", "0" * 64)
_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_VERDICT = Verdict(bundle="demo", manifest=_DIGEST, policy="none", threshold=0, signatures=(), verified_at=_DAY)


def requirement(text: str, *, optional: bool = False) -> Requirement:
    """`b >=1 <2` or `capability:dns ^1`; a name alone takes any release."""
    name, _, constraint = text.partition(" ")
    kind = RequirementKind.CAPABILITY if name.startswith("capability:") else RequirementKind.EXTENSION
    return Requirement(
        kind=kind,
        name=name.removeprefix("capability:"),
        constraint=Constraint.parse(constraint or "*"),
        optional=optional,
    )


def extension(identity: str, says: Mapping[str, Any] | None = None) -> Extension:
    """The extension `name version` that says what the mapping says."""
    name, version = identity.split()
    facts = dict(says or {})
    hard = [requirement(text) for text in facts.pop("requires", ())]
    soft = [requirement(text, optional=True) for text in facts.pop("optional", ())]
    kubernetes = facts.pop("kubernetes", None)
    built = Extension(
        name=name,
        version=Version.parse(version),
        requires=tuple(hard + soft),
        conflicts=tuple(requirement(text) for text in facts.pop("conflicts", ())),
        provides={capability: Version.parse(text) for capability, text in facts.pop("provides", {}).items()},
        kubernetes=Constraint.parse(kubernetes) if kubernetes else None,
        platforms=tuple(Platform.parse(text) for text in facts.pop("platforms", ())),
        cluster_role=ClusterRole(facts.pop("role", "both")),
    )
    assert not facts, f"unknown keys: {facts}"
    return built


def catalog(extensions: Iterable[Extension]) -> Catalog:
    """The catalog of one bundle that holds `extensions`, verified without a signature."""
    bundle = Bundle(
        name="demo",
        version=Version(1, 0, 0),
        sequence=1,
        created=_DAY,
        platforms=(),
        extensions=tuple(extensions),
        images=(),
    )
    manifest = Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=_DIGEST, size=0)
    return Catalog.of([VerifiedBundle(bundle=bundle, manifest=manifest, verdict=_VERDICT, source="demo")])


def question(says: Mapping[str, Any]) -> Question:
    """A question from `wants`, `catalog` and, where they matter, facts of the cluster, a lock and upgrades."""
    wants = (text.partition(" ") for text in says["wants"])
    return Question(
        wants=tuple(Want(name, Constraint.parse(text) if text else None) for name, _, text in wants),
        catalog=catalog(extension(identity, facts) for identity, facts in says["catalog"].items()),
        kubernetes=Version.parse(says.get("kubernetes", "1.31.4")),
        platforms=tuple(Platform.parse(text) for text in says.get("platforms", ["linux/amd64"])),
        role=ClusterRole(says.get("role", "both")),
        preferred={name: Version.parse(text) for name, text in says.get("locked", {}).items()},
        upgrade=frozenset(says.get("upgrade", ())),
    )
