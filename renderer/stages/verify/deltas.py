"""A delta is believed like a bundle: by the rule for the bundle that it makes, and only then is it read."""

from __future__ import annotations

from datetime import datetime

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.delta import decode_delta
from renderer.formats.bundle.parts import BundleParts
from renderer.model.bundles.delta import Delta
from renderer.model.bundles.trust import TrustPolicy, Verdict
from renderer.stages.verify.contents import check_bytes, read_config
from renderer.stages.verify.judgement import judge, not_enough


def verify_delta(parts: BundleParts, policy: TrustPolicy, *, now: datetime, source: str) -> tuple[Delta, Verdict]:
    """The delta that enough trusted keys signed, and the verdict. `source` is how the user named it.

    Raises BundleRefusedError (`bundle-tampered`, `bundle-malformed`, `no-trust-rule`, `bundle-unsigned`,
    `signature-untrusted`, `trust-threshold`).
    """
    where = Where(file=source)
    manifest, verdict = judge(parts, policy, now=now, source=source)
    if not verdict.satisfied:
        raise BundleRefusedError(not_enough(verdict, policy, where))
    config = parts.config_bytes(manifest, source)
    check_bytes(config, manifest.config, "delta config", where)
    delta = read_config(config, decode_delta, "delta.json", where)
    if delta.name != verdict.bundle or delta.index.digest not in {layer.digest for layer in manifest.layers}:
        message = "the manifest of the delta and its config contradict each other"
        raise BundleRefusedError(Finding(code="bundle-tampered", message=message, where=where))
    return delta, verdict
