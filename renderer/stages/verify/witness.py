"""The one place where a `VerifiedBundle` is made: signatures first, and only then what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from renderer.errors import BundleRefusedError, Where
from renderer.formats.bundle.artifact import (
    BUNDLE_TYPE,
    ReadBlob,
)
from renderer.formats.bundle.document import decode_bundle
from renderer.formats.bundle.parts import BundleParts, read_parts
from renderer.model.bundles.bundle import VerifiedBundle
from renderer.model.bundles.trust import TrustPolicy
from renderer.stages.verify.contents import check_age, check_agreement, check_bytes, check_sequence, read_config
from renderer.stages.verify.judgement import judge, not_enough
from renderer.structs import replace


def load_bundle(
    index: bytes,
    read: ReadBlob,
    policy: TrustPolicy,
    *,
    now: datetime,
    source: str,
    locked_sequences: Mapping[str, int] | None = None,
    allow_rollback: bool = False,
) -> VerifiedBundle:
    """The bundle that the layout's `index.json` lists, verified.

    `read` gives blobs checked against their descriptors; call it as
    `load_bundle(source.index(), source.blob, policy, now=…, source=source.location)`. Raises what `verify` raises.
    """
    return verify(
        read_parts(index, read, source),
        policy,
        now=now,
        source=source,
        locked_sequences=locked_sequences,
        allow_rollback=allow_rollback,
    )


def verify(
    parts: BundleParts,
    policy: TrustPolicy,
    *,
    now: datetime,
    source: str,
    locked_sequences: Mapping[str, int] | None = None,
    allow_rollback: bool = False,
) -> VerifiedBundle:
    """Judge a bundle by `policy` at the moment `now` (with a zone). `source` is how the user named it.

    `locked_sequences` are the sequences that the lock holds, by the name of the bundle: a file is renamed with every
    version, the bundle is not.

    Raises BundleRefusedError (`bundle-tampered`, `bundle-malformed`, `no-trust-rule`, `bundle-unsigned`,
    `signature-untrusted`, `trust-threshold`, `bundle-too-old`, `bundle-rollback`), or InputError
    (`invalid-public-key`) when the policy itself holds an unusable key.
    """
    where = Where(file=source)
    manifest, verdict = judge(parts, policy, now=now, source=source)
    rule = policy.rule_for(verdict.bundle)
    if rule is None or not verdict.satisfied:
        raise BundleRefusedError(not_enough(verdict, policy, where))
    config = parts.config_bytes(manifest, source)
    check_bytes(config, manifest.config, "bundle config", where)
    bundle = read_config(config, decode_bundle, "bundle.json", where)
    where = replace(where, subject=f"bundle {bundle.name} {bundle.version}")
    check_agreement(bundle, manifest, verdict.bundle, where)
    check_age(bundle, rule, policy, now, where)
    if not allow_rollback:
        check_sequence(bundle, (locked_sequences or {}).get(bundle.name, 0), where)
    descriptor = replace(parts.manifest, annotations=dict(manifest.annotations), artifact_type=BUNDLE_TYPE)
    return VerifiedBundle(bundle=bundle, manifest=descriptor, verdict=verdict, source=source)
