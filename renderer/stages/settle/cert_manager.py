"""The mode `cert-manager`: certificates are made in the cluster, under the names that the chart gave them.

A Secret with a certificate becomes a Certificate (https://cert-manager.io/docs/reference/api-docs/, v1) that writes
the Secret; an authority becomes a Certificate with `isCA` and an Issuer that signs with it; a `caBundle` becomes the
annotation by which cert-manager's cainjector fills it in. Nothing secret is in git, and cert-manager renews in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from renderer.errors import Finding, Where
from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish, GeneratedGroup
from renderer.model.generated.policy import GeneratedPolicy, Mode, Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.settle.made import data_keys, made
from renderer.stages.settle.other_way import cannot_make
from renderer.stages.settle.placing import without
from renderer.stages.settle.trusting_kinds import trusts
from renderer.stages.settle.ways import Answer, Draft, Place, Task
from renderer.structs import Struct, replace

_API: Final = "cert-manager.io/v1"
_INJECT: Final = "cert-manager.io/inject-ca-from"
_KEYS: Final = {
    "tls.key": GeneratedKind.PRIVATE_KEY,
    "tls.crt": GeneratedKind.CERTIFICATE,
    "ca.crt": GeneratedKind.CA,
}
"""What cert-manager writes into a Secret; it knows no other keys."""
_ALGORITHMS: Final = {"rsa": "RSA", "ecdsa": "ECDSA", "ed25519": "Ed25519"}
_COMMON_NAME_LIMIT: Final = 64


def settled(task: Task) -> Answer:
    """Certificates and Issuers in the place of Secrets, annotations in the place of bundles."""
    secrets = {item.draft.manifest.id: item.draft.manifest for item in task.items}
    plans = {name: _Plan(group, secrets) for name, group in task.groups.items() if _is_whole(group)}
    drafts: list[Draft] = []
    findings: list[Finding] = []
    for item in task.items:
        draft = item.draft
        if draft.manifest.id.kind == "Secret":
            left = sorted(data_keys(draft.manifest) - _KEYS.keys())
            if left and all(value.group in plans for value, _ in item.fields):
                findings.append(_more_than_that(draft.manifest, left))
            drafts.append(replace(draft, place=Place.REPLACED))
            continue
        sources = {plans[value.group].source(value) for value, _ in item.fields if value.group in plans}
        body = dict(draft.manifest.body)
        for value, _ in item.fields:
            body = without(body, value.path)
        manifest = draft.manifest.with_body(body)
        drafts.append(replace(draft, manifest=manifest.annotated({_INJECT: min(sources)} if sources else {})))
    return Answer(
        drafts=tuple(drafts),
        added=tuple(one for _, plan in sorted(plans.items()) for one in plan.objects()),
        findings=tuple(findings),
    )


def lacking(
    fields: Iterable[tuple[GeneratedValue, Ruling]],
    groups: Mapping[str, GeneratedGroup],
    policy: GeneratedPolicy,  # noqa: ARG001 - all ways are asked alike
) -> tuple[Finding, ...]:
    """One finding (`cert-manager-cannot`) for every object with fields that cert-manager does not make."""
    cannot: dict[ObjectId, list[tuple[GeneratedValue, str]]] = {}
    for value, _ in fields:
        why = _objection(value, groups.get(value.group))
        if why:
            cannot.setdefault(value.object, []).append((value, why))
    return tuple(_cannot(faults) for _, faults in sorted(cannot.items()))


def _objection(value: GeneratedValue, group: GeneratedGroup | None) -> str | None:
    """Why cert-manager cannot make a value; None when it can."""
    if value.kind is GeneratedKind.CA_BUNDLE:
        if not trusts(value.object):  # the kinds that the cainjector looks after
            return f"cert-manager fills in no `caBundle` of a {value.object.kind}"
        members = group.members if group else ()
        bundles = {one.certificate for one in members if one.object == value.object and one.certificate}
        return "it trusts two authorities, and one can be injected" if len(bundles) > 1 else None
    wanted = _KEYS.get(value.data_key or "")
    if wanted is None:
        return "cert-manager writes Secrets, under the keys tls.crt, tls.key and ca.crt"
    if value.kind is not wanted and {value.kind, wanted} != {GeneratedKind.CA, GeneratedKind.CERTIFICATE}:
        return f"it is a {value.kind.value}, where cert-manager writes a {wanted.value}"
    if group is None or group.certificate(value.certificate) is None:
        return "it belongs to no certificate that the chart shows"
    homes = {(one.object.namespace, one.object.name) for one in _keys(group) if one.certificate == value.certificate}
    if len(homes) > 1:
        return "the same key stands in two Secrets, and cert-manager makes one for each"
    if len({one.object.namespace for one in _keys(group)}) > 1:
        return "its group has Secrets in two namespaces, and an Issuer signs in its own"
    return None


def _keys(group: GeneratedGroup) -> Iterator[GeneratedValue]:
    return (one for one in group.members if one.kind is GeneratedKind.PRIVATE_KEY and one.in_secret)


def _is_whole(group: GeneratedGroup) -> bool:
    """True for a group that `lacking` has nothing to say about."""
    return all(_objection(one, group) is None for one in group.members if not one.kind.follows)


class _Plan(Struct, frozen=True):
    """The objects that make one group: `manifests` are those that the group has fields in, by identity."""

    group: GeneratedGroup
    manifests: Mapping[ObjectId, Manifest]

    def source(self, bundle: GeneratedValue) -> str:
        """`namespace/name` of the Certificate whose authority goes into a bundle."""
        return f"{self._beside().id.namespace}/{self._secret(bundle.certificate)}"

    def objects(self) -> Iterator[Manifest]:
        """Issuers and Certificates, authorities first."""
        stem = min(one.object.name for one in _keys(self.group))
        beside, root = self._beside(), f"{stem}-selfsigned"
        wishes = sorted(self.group.certificates, key=lambda wish: (not wish.is_ca, wish.name))
        if any(self._signer(wish) is None for wish in wishes):
            yield made(_API, "Issuer", root, beside, spec={"selfSigned": {}})
        for wish in wishes:
            signer = self._signer(wish)
            yield self._certificate(wish, root if signer is None else self._secret(signer))
            if wish.is_ca:
                secret = self._secret(wish.name)
                yield made(_API, "Issuer", secret, beside, spec={"ca": {"secretName": secret}})

    def _beside(self) -> Manifest:
        return self.manifests[min(one.object for one in _keys(self.group))]

    def _signer(self, wish: CertificateWish) -> str | None:
        """The certificate of the group that signs this one; None when it signs itself, or nobody knows."""
        return None if wish.is_self_signed or self.group.certificate(wish.issuer) is None else wish.issuer

    def _secret(self, certificate: str) -> str:
        """The Secret of a certificate: where the chart puts its key, or one beside that of the first it signs."""
        own = sorted(one.object.name for one in _keys(self.group) if one.certificate == certificate)
        if own:
            return own[0]
        signed = {wish.name for wish in self.group.certificates if wish.issuer == certificate}
        return f"{min(one.object.name for one in _keys(self.group) if one.certificate in signed)}-ca"

    def _certificate(self, wish: CertificateWish, issuer: str) -> Manifest:
        name = self._secret(wish.name)
        own = next((one.object for one in _keys(self.group) if one.certificate == wish.name), None)
        beside = self._beside() if own is None else self.manifests[own]
        spec: dict[str, Json] = {
            "secretName": name,
            "duration": f"{max(wish.days, 1) * 24}h",
            "isCA": wish.is_ca,
            "privateKey": _private_key(wish),
            "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": issuer},
        }
        if len(wish.common_name) <= _COMMON_NAME_LIMIT and (wish.common_name or not wish.host_names):
            spec["commonName"] = wish.common_name or name
        spec |= {key: list(texts) for key, texts in _lists(wish) if texts}
        if wish.organizations:
            spec["subject"] = {"organizations": list(wish.organizations)}
        template = {key: beside.metadata[key] for key in ("annotations", "labels") if beside.metadata.get(key)}
        if own is not None and template:
            spec["secretTemplate"] = template
        return made(_API, "Certificate", name, beside, spec=spec)


def _lists(wish: CertificateWish) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "dnsNames", wish.host_names
    yield "ipAddresses", wish.ip_addresses
    yield "usages", (*wish.key_usages, *wish.extended_usages)


def _private_key(wish: CertificateWish) -> dict[str, Json]:
    """A new key at every renewal, but for authorities: what they signed stays good."""
    kind, _, bits = wish.algorithm.partition("-")
    key: dict[str, Json] = {
        "algorithm": _ALGORITHMS.get(kind, "RSA"),
        "rotationPolicy": "Never" if wish.is_ca else "Always",
    }
    return {**key, "size": int(bits)} if bits.isdigit() else key


def _cannot(faults: list[tuple[GeneratedValue, str]]) -> Finding:
    expected = "a TLS Secret, or the `caBundle` of a webhook, a definition or an API service"
    return cannot_make("cert-manager-cannot", ("cert-manager", "cert-manager"), faults, expected)


def _more_than_that(secret: Manifest, left: list[str]) -> Finding:
    return Finding(
        code="cert-manager-cannot",
        message=f"cert-manager would write `{secret.id}` without {', '.join(f'`{key}`' for key in left)}",
        where=Where(subject=f"{secret.origin}, {secret.id}", path="data"),
        expected="a Secret with tls.crt, tls.key and ca.crt only",
        hint=f"add a rule with `mode: {Mode.SEALED.value}` for this Secret below `spec.generated.rules`",
    )
