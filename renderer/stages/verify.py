"""Bytes, signatures, a trust policy and a moment to a `VerifiedBundle`; the only maker of one.

The order is the point: the manifest's digest, the signatures over it, the threshold, the config's digest, and only
then is the config read as JSON. Nothing is guessed: what is not proven is refused, with every signature accounted
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from renderer.errors import BundleRefusedError, Finding, InputError, Where
from renderer.formats.artifact import (
    BUNDLE_CONFIG,
    BUNDLE_TYPE,
    TITLE,
    BundleParts,
    ImageManifest,
    ReadBlob,
    parse_manifest,
    read_parts,
)
from renderer.formats.bundle_document import decode_bundle
from renderer.formats.signatures import PublicKey, StoredSignature, parse_public_key, payload_digest
from renderer.model.bundle import Bundle, VerifiedBundle
from renderer.model.extension import Descriptor
from renderer.model.fields import FieldError, spell_path
from renderer.model.reference import Digest
from renderer.model.trust import Algorithm, SignatureFact, TrustedKey, TrustPolicy, TrustRule, Verdict

_FORM: Final = "cosign"


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
        raise BundleRefusedError(_not_enough(verdict, policy, where))
    _check_bytes(parts.config_bytes, manifest.config, "bundle config", where)
    bundle = _read_config(parts.config_bytes, where)
    where = replace(where, subject=f"bundle {bundle.name} {bundle.version}")
    _check_agreement(bundle, manifest, verdict.bundle, where)
    _check_age(bundle, rule, policy, now, where)
    if not allow_rollback:
        _check_sequence(bundle, (locked_sequences or {}).get(bundle.name, 0), where)
    descriptor = replace(parts.manifest, annotations=dict(manifest.annotations), artifact_type=BUNDLE_TYPE)
    return VerifiedBundle(bundle=bundle, manifest=descriptor, verdict=verdict, source=source)


def judge(parts: BundleParts, policy: TrustPolicy, *, now: datetime, source: str) -> tuple[ImageManifest, Verdict]:
    """What `policy` says of every signature found; the verdict may be that they do not suffice.

    Raises BundleRefusedError when there is nothing to judge: a wrong digest, no manifest of a bundle, no rule.
    """
    if now.tzinfo is None:
        raise ValueError("the moment of verification needs a time zone")
    where = Where(file=source)
    _check_bytes(parts.manifest_bytes, parts.manifest, "bundle manifest", where)
    manifest = parse_manifest(parts.manifest_bytes, replace(where, subject=f"manifest {parts.manifest.digest}"))
    name = manifest.annotations.get(TITLE, "")
    if manifest.artifact_type != BUNDLE_TYPE or manifest.config.media_type != BUNDLE_CONFIG or not name:
        raise BundleRefusedError(
            Finding(
                code="bundle-malformed",
                message="the manifest is not that of a Sitewright bundle",
                where=where,
                expected=f"artifactType `{BUNDLE_TYPE}`, a config of type `{BUNDLE_CONFIG}`, an annotation `{TITLE}`",
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


# --- signatures --------------------------------------------------------------------------------------------------


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
        return None, _refused(str(error))
    found = [(key, key.public.check(stored.payload, signature)) for key in keys]
    made = [(key, algorithm) for key, algorithm in found if algorithm is not None]
    if not made:
        return None, _refused("no key of the trust policy made it")
    # One key may stand under several names: the one that the rule asks for and that is valid today speaks for it.
    made.sort(key=lambda one: (one[0].trusted.name not in rule.of, not one[0].trusted.valid_on(today)))
    key, algorithm = made[0]
    reason = _objection(key.trusted, algorithm, stored.payload, manifest, rule, today)
    return key, SignatureFact(
        form=_FORM,
        signer=key.trusted.name,
        algorithm=algorithm,
        accepted=reason is None,
        reason=reason or "accepted",
    )


def _refused(reason: str) -> SignatureFact:
    return SignatureFact(form=_FORM, signer=None, algorithm=None, accepted=False, reason=reason)


def _objection(
    key: TrustedKey, algorithm: Algorithm, payload: bytes, manifest: Digest, rule: TrustRule, today: date
) -> str | None:
    """Why a signature that `key` made over `payload` does not count for `manifest`; None when it does."""
    try:
        spoken_of = payload_digest(payload)
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


# --- refusals ----------------------------------------------------------------------------------------------------


def _check_bytes(content: bytes, descriptor: Descriptor, what: str, where: Where) -> None:
    """Refuse bytes that are not what their descriptor says."""
    got = Digest.of(content)
    if len(content) != descriptor.size or got != descriptor.digest:
        raise BundleRefusedError(
            Finding(
                code="bundle-tampered",
                message=f"the {what} is not the one that its descriptor names",
                where=where,
                expected=f"{descriptor.digest}, {descriptor.size} bytes",
                got=f"{got}, {len(content)} bytes",
                hint="copy the bundle again from where it was published",
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


def _not_enough(verdict: Verdict, policy: TrustPolicy, where: Where) -> Finding:
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


def _read_config(content: bytes, where: Where) -> Bundle:
    try:
        return decode_bundle(content)
    except FieldError as error:
        where = replace(where, subject="bundle.json", path=spell_path(error.path) or None)
        code = error.code if error.code == "unknown-api-version" else "bundle-malformed"
        raise BundleRefusedError(replace(error.finding(), code=code, where=where)) from error
    except ValueError as error:
        where = replace(where, subject="bundle.json")
        raise BundleRefusedError(Finding(code="bundle-malformed", message=str(error), where=where)) from error


def _check_agreement(bundle: Bundle, manifest: ImageManifest, name: str, where: Where) -> None:
    """The rule was chosen by the manifest's title, and copies carry the manifest's layers: both must hold."""
    if bundle.name != name:
        raise BundleRefusedError(
            Finding(
                code="bundle-tampered",
                message="the bundle's manifest and its config give it different names",
                where=where,
                expected=f"`{name}`, as the manifest says",
                got=f"`{bundle.name}`",
            )
        )
    listed = {layer.digest for layer in manifest.layers}
    for extension in bundle.extensions:
        for component in extension.components:
            if component.content.digest not in listed:
                raise BundleRefusedError(
                    Finding(
                        code="bundle-malformed",
                        message=f"component `{component.name}` of {extension.id} is not a layer of the manifest",
                        where=where,
                        got=str(component.content.digest),
                    )
                )


def _check_age(bundle: Bundle, rule: TrustRule, policy: TrustPolicy, now: datetime, where: Where) -> None:
    if rule.max_age_days is None:
        return
    if now - bundle.created > timedelta(days=rule.max_age_days):
        raise BundleRefusedError(
            Finding(
                code="bundle-too-old",
                message=f"the bundle was made {(now - bundle.created).days} days ago",
                where=where,
                expected=f"at most {rule.max_age_days} days (trust policy `{policy.name}`, rule `{rule.bundles}`)",
                got=f"created {bundle.created:%Y-%m-%d}, judged on {now:%Y-%m-%d}",
                hint="get a newer version of the bundle",
            )
        )


def _check_sequence(bundle: Bundle, locked: int, where: Where) -> None:
    if bundle.sequence >= locked:
        return
    raise BundleRefusedError(
        Finding(
            code="bundle-rollback",
            message="the bundle is older than the one that the lock holds",
            where=where,
            expected=f"sequence {locked} or higher",
            got=f"sequence {bundle.sequence}",
            hint="to go back on purpose, set `allowRollback: true` at this bundle in the profile",
        )
    )
