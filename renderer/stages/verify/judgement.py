"""What each signature of a bundle is worth under a trust policy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from renderer.errors import BundleRefusedError, Finding, Where
from renderer.formats.bundle.artifact import (
    TITLE,
    ImageManifest,
    parse_manifest,
)
from renderer.formats.bundle.parts import BundleParts
from renderer.formats.trust.table import signature_table, signatures_json
from renderer.model.bundles.address import is_address
from renderer.model.bundles.trust import SignatureFact, TrustPolicy, TrustRule, Verdict
from renderer.stages.verify.contents import check_bytes
from renderer.stages.verify.signers import Claim, Hearing, Signers
from renderer.structs import replace

_SHOWN: Final = 10


def judge(parts: BundleParts, policy: TrustPolicy, *, now: datetime, source: str) -> tuple[ImageManifest, Verdict]:
    """What `policy` says of every signature found; the verdict may be that they do not suffice.

    The manifest is parsed when somebody of the policy has signed its bytes, and not before. Raises BundleRefusedError
    when nobody has, and when there is nothing to judge: a wrong digest, no manifest of a bundle, no rule.
    """
    if now.tzinfo is None:
        raise ValueError("the moment of verification needs a time zone")
    where = Where(file=source)
    check_bytes(parts.manifest_bytes, parts.manifest, f"{parts.kind.noun} manifest", where)
    signers = Signers.of(policy)
    hearings = [signers.hear(stored, parts.manifest.digest, now) for stored in parts.signatures]
    if not any(hearing.credible for hearing in hearings):
        raise BundleRefusedError(_nobody(parts, hearings, policy, where))
    manifest = parse_manifest(parts.manifest_bytes, replace(where, subject=f"manifest {parts.manifest.digest}"))
    name = _name(manifest, parts, where)
    rule = policy.rule_for(name)
    if rule is None:
        raise BundleRefusedError(_no_rule(name, policy, where))
    return manifest, Verdict(
        bundle=name,
        manifest=parts.manifest.digest,
        policy=policy.name,
        threshold=rule.threshold,
        signatures=_facts(hearings, rule),
        verified_at=now,
    )


def _name(manifest: ImageManifest, parts: BundleParts, where: Where) -> str:
    """The name by which rules speak of the bundle. Raises BundleRefusedError for the manifest of something else."""
    kind, name = parts.kind, manifest.annotations.get(TITLE, "")
    if (manifest.artifact_type, manifest.config.media_type) == (kind.artifact_type, kind.config_type) and name:
        return name
    raise BundleRefusedError(
        Finding(
            code="bundle-malformed",
            message=f"the manifest is not that of a Sitewright {kind.noun}",
            where=where,
            expected=f"artifactType `{kind.artifact_type}`, a config of type `{kind.config_type}`, "
            f"an annotation `{TITLE}`",
            got=f"artifactType `{manifest.artifact_type}`, config `{manifest.config.media_type}`, title `{name}`",
        )
    )


def _no_rule(name: str, policy: TrustPolicy, where: Where) -> Finding:
    patterns = ", ".join(f"`{rule.bundles}`" for rule in policy.rules) or "no rules at all"
    return Finding(
        code="no-trust-rule",
        message=f"the trust policy `{policy.name}` has no rule for a bundle named `{name}`",
        where=where,
        expected=f"a bundle whose name matches one of {patterns}",
        got=f"`{name}`",
        hint="ask the owner of the trust policy for a rule; a bundle that no rule matches is refused",
    )


def _nobody(parts: BundleParts, hearings: Sequence[Hearing], policy: TrustPolicy, where: Where) -> Finding:
    """Nobody whom the policy knows has signed: what the bundle is called has not even been read."""
    facts = [_fact(hearing, None) for hearing in hearings]
    names = [f"`{name}`" for name in policy.signers]
    known = ", ".join((*names[:_SHOWN], *(("and others",) if len(names) > _SHOWN else ()))) or "nobody"
    unsigned = f"the {parts.kind.noun} is not signed"
    return Finding(
        code="signature-untrusted" if facts else "bundle-unsigned",
        message=f"no signature of the {parts.kind.noun} counts" if facts else unsigned,
        where=replace(where, subject=f"manifest {parts.manifest.digest}"),
        expected=f"signatures of {known} (trust policy `{policy.name}`)",
        got="none",
        explanation=tuple(signature_table(facts, indent="")) if facts else (),
        details={"signatures": signatures_json(facts)} if facts else {},
        hint=_how_to_sign(where.file or "BUNDLE"),
    )


def not_enough(verdict: Verdict, policy: TrustPolicy, where: Where) -> Finding:
    """Why the signatures do not suffice, each of them accounted for."""
    rule = policy.rule_for(verdict.bundle)
    wanted = ", ".join(f"`{name}`" for name in (rule.of if rule else ()))
    signers = verdict.signers
    missing = f"needs {verdict.threshold} signers and has {len(signers)} that count"
    return Finding(
        code="trust-threshold" if signers else "signature-untrusted",
        message=f"the bundle `{verdict.bundle}` {missing}"
        if signers
        else f"no signature of the bundle `{verdict.bundle}` counts",
        where=replace(where, subject=f"bundle {verdict.bundle}, manifest {verdict.manifest}"),
        expected=f"{verdict.threshold} of {wanted} (trust policy `{policy.name}`)",
        got=", ".join(f"`{name}`" for name in signers) or "none",
        explanation=tuple(signature_table(verdict.signatures, indent="")),
        details={"signatures": signatures_json(verdict.signatures)},
        hint=_how_to_sign(where.file or "BUNDLE"),
    )


def _how_to_sign(source: str) -> str:
    """The command that adds a signature; what lies in a registry is signed where it was built."""
    command = "sitewright bundle sign --key KEY"
    return f"{command} BUNDLE; sitewright bundle push BUNDLE {source}" if is_address(source) else f"{command} {source}"


def _facts(hearings: Sequence[Hearing], rule: TrustRule) -> tuple[SignatureFact, ...]:
    """One fact for each signature. One key counts once, and so does one certified name, whoever certified it."""
    counted: set[str] = set()
    facts: list[SignatureFact] = []
    for hearing in hearings:
        claim = _best(hearing, rule)
        fact = _fact(hearing, rule)
        if claim is not None and fact.accepted:
            if claim.identities & counted:
                fact = replace(fact, accepted=False, reason="another signature of the same signer has been counted")
            counted |= claim.identities
        facts.append(fact)
    return tuple(facts)


def _best(hearing: Hearing, rule: TrustRule | None) -> Claim | None:
    """Who speaks for a signature: one that the rule asks for and nothing speaks against, if there is one."""
    asked = rule.of if rule else ()

    def doubts(claim: Claim) -> tuple[bool, bool]:
        return claim.member not in asked, claim.objection is not None

    return min(hearing.claims, key=doubts, default=None)


def _fact(hearing: Hearing, rule: TrustRule | None) -> SignatureFact:
    """What a signature is worth under `rule`; without one, only what is against it whatever the rule."""
    claim, certificate = _best(hearing, rule), hearing.certificate
    reason = hearing.fault or (_objection(claim, rule) if claim else None)
    return SignatureFact(
        form=hearing.stored.form.value,
        signer=claim.signer if claim else None,
        algorithm=claim.algorithm if claim else None,
        accepted=reason is None,
        reason=reason or "accepted",
        subject=certificate.subject if certificate else None,
        serial=certificate.serial if certificate else None,
        key=claim.key.fingerprint if claim else None,
    )


def _objection(claim: Claim, rule: TrustRule | None) -> str | None:
    """Why a signature by whom `claim` names does not count; None when it does."""
    if rule is None:
        return claim.objection
    if claim.member not in rule.of:
        return f"the rule `{rule.bundles}` does not ask for this signer"
    if claim.objection is None and claim.algorithm not in rule.algorithms:
        return f"the rule `{rule.bundles}` does not allow {claim.algorithm.value}"
    return claim.objection
