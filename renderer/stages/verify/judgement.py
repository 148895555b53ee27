"""What each signature of a bundle is worth under a trust policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.bundle.artifact import (
    TITLE,
    BundleParts,
    ImageManifest,
    parse_manifest,
)
from renderer.formats.trust.keys import PublicKey, parse_public_key
from renderer.formats.trust.stored import StoredSignature
from renderer.model.bundles.trust import Algorithm, SignatureFact, TrustedKey, TrustPolicy, TrustRule, Verdict
from renderer.model.reference import Digest
from renderer.stages.verify.contents import check_bytes


def judge(parts: BundleParts, policy: TrustPolicy, *, now: datetime, source: str) -> tuple[ImageManifest, Verdict]:
    """What `policy` says of every signature found; the verdict may be that they do not suffice.

    Raises BundleRefusedError when there is nothing to judge: a wrong digest, no manifest of a bundle, no rule.
    """
    if now.tzinfo is None:
        raise ValueError("the moment of verification needs a time zone")
    where = Where(file=source)
    kind = parts.kind
    check_bytes(parts.manifest_bytes, parts.manifest, f"{kind.noun} manifest", where)
    manifest = parse_manifest(parts.manifest_bytes, replace(where, subject=f"manifest {parts.manifest.digest}"))
    name = manifest.annotations.get(TITLE, "")
    if (manifest.artifact_type, manifest.config.media_type) != (kind.artifact_type, kind.config_type) or not name:
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
    rule = policy.rule_for(name)
    if rule is None:
        raise BundleRefusedError(_no_rule(name, policy, where))
    facts = _facts(parts.signatures, parts.manifest.digest, _usable_keys(policy), rule, now)
    return manifest, Verdict(
        bundle=name,
        manifest=parts.manifest.digest,
        policy=policy.name,
        threshold=rule.threshold,
        signatures=facts,
        verified_at=now,
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


def not_enough(verdict: Verdict, policy: TrustPolicy, where: Where) -> Finding:
    """Why the signatures do not suffice, each of them accounted for."""
    rule = policy.rule_for(verdict.bundle)
    wanted = ", ".join(f"`{name}`" for name in (rule.of if rule else ()))
    where = replace(where, subject=f"bundle {verdict.bundle}, manifest {verdict.manifest}")
    signers = verdict.signers
    if not verdict.signatures:
        code, message = "bundle-unsigned", f"the bundle `{verdict.bundle}` is not signed"
    elif not signers:
        code, message = "signature-untrusted", f"no signature of the bundle `{verdict.bundle}` counts"
    else:
        code = "trust-threshold"
        message = f"the bundle `{verdict.bundle}` needs {verdict.threshold} signers and has {len(signers)} that count"
    return Finding(
        code=code,
        message=message,
        where=where,
        expected=f"{verdict.threshold} of {wanted} (trust policy `{policy.name}`)",
        got=", ".join(f"`{name}`" for name in signers) or "none",
        explanation=tuple(
            f"signature {number} by {f'`{fact.signer}`' if fact.signer else 'an unknown key'}: {fact.reason}"
            for number, fact in enumerate(verdict.signatures, start=1)
        ),
        hint=f"sitewright bundle sign --key KEY {where.file}",
    )


@dataclass(frozen=True, slots=True)
class _Key:
    trusted: TrustedKey
    public: PublicKey


def _usable_keys(policy: TrustPolicy) -> tuple[_Key, ...]:
    """The keys of the policy, parsed; every unusable one is a finding."""
    keys: list[_Key] = []
    faults: list[Finding] = []
    for trusted in policy.keys:
        try:
            keys.append(_Key(trusted, parse_public_key(trusted.pem)))
        except ValueError as error:
            faults.append(
                Finding(
                    code="invalid-public-key",
                    message=f"the key `{trusted.name}` cannot be used: {error}",
                    where=Where(subject=f"trust policy {policy.name}, key {trusted.name}"),
                    hint="openssl pkey -in PRIVATE.pem -pubout -out PUBLIC.pem",
                )
            )
    if faults:
        raise InputError(*faults)
    return tuple(keys)


def _facts(
    signatures: Sequence[StoredSignature], manifest: Digest, keys: tuple[_Key, ...], rule: TrustRule, now: datetime
) -> tuple[SignatureFact, ...]:
    """One fact for each signature. One key counts once, whatever the number of its signatures and names."""
    today = now.astimezone(UTC).date()
    counted: set[Digest] = set()
    facts: list[SignatureFact] = []
    for stored in signatures:
        key, fact = _fact(stored, manifest, keys, rule, today)
        if key is not None and fact.accepted:
            if key.public.fingerprint in counted:
                fact = replace(fact, accepted=False, reason="another signature of the same key has been counted")
            counted.add(key.public.fingerprint)
        facts.append(fact)
    return tuple(facts)


def _fact(
    stored: StoredSignature, manifest: Digest, keys: tuple[_Key, ...], rule: TrustRule, today: date
) -> tuple[_Key | None, SignatureFact]:
    """The key that made a signature, and what that signature is worth."""
    try:
        signature = stored.signature()
    except ValueError as error:
        return None, _refused(stored, str(error))
    found = [(key, key.public.check(stored.signed_bytes, signature)) for key in keys]
    made = [(key, algorithm) for key, algorithm in found if algorithm is not None]
    if not made:
        return None, _refused(stored, "no key of the trust policy made it")
    # One key may stand under several names: the one that the rule asks for and that is valid today speaks for it.
    made.sort(key=lambda one: (one[0].trusted.name not in rule.of, not one[0].trusted.valid_on(today)))
    key, algorithm = made[0]
    reason = _objection(key.trusted, algorithm, stored, manifest, rule, today)
    return key, SignatureFact(
        form=stored.form.value,
        signer=key.trusted.name,
        algorithm=algorithm,
        accepted=reason is None,
        reason=reason or "accepted",
    )


def _refused(stored: StoredSignature, reason: str) -> SignatureFact:
    return SignatureFact(form=stored.form.value, signer=None, algorithm=None, accepted=False, reason=reason)


def _objection(
    key: TrustedKey, algorithm: Algorithm, stored: StoredSignature, manifest: Digest, rule: TrustRule, today: date
) -> str | None:
    """Why a signature that `key` made does not count for `manifest`; None when it does."""
    try:
        spoken_of = stored.digest()
    except ValueError as error:
        return str(error)
    if spoken_of != manifest:
        return f"it is for another manifest, {spoken_of}"
    if key.name not in rule.of:
        return f"the rule `{rule.bundles}` does not ask for this signer"
    if not key.valid_on(today):
        return f"the key is valid {_period(key)}, and today is {today}"
    if algorithm not in rule.algorithms:
        return f"the rule `{rule.bundles}` does not allow {algorithm.value}"
    return None


def _period(key: TrustedKey) -> str:
    start = f"from {key.valid_from}" if key.valid_from else ""
    end = f"to {key.valid_to}" if key.valid_to else ""
    return " ".join(part for part in (start, end) if part)
