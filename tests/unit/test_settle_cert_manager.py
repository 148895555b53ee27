"""Certificates that cert-manager makes instead of a chart (stages/settle/cert_manager.py)."""

from __future__ import annotations

from typing import Any, cast

from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.policy import GeneratedPolicy, Mode
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import MADE_BEFORE, Manifest, Origin
from renderer.stages.settle import Settled, settle
from renderer.stages.waves import plan_waves

ORIGIN = Origin(extension="shop", component="web", source="web/templates/tls.yaml")
POLICY = GeneratedPolicy(default=Mode.CERT_MANAGER)
GROUP = "shop/web-tls"
ADMISSION = "admissionregistration.k8s.io/v1"


def manifest(kind: str, name: str, api: str = "v1", namespace: str = "shop", **fields: Json) -> Manifest:
    metadata: dict[str, Json] = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, ORIGIN)


def value(of: Manifest, path: str, kind: GeneratedKind, certificate: str) -> GeneratedValue:
    return GeneratedValue(
        component="shop/web",
        object=of.id,
        path=path,
        kind=kind,
        source=ORIGIN.source,
        group=GROUP,
        certificate=certificate,
    )


def wish(name: str, issuer: str, **changes: Any) -> CertificateWish:
    given = {"common_name": name, "days": 365, "is_ca": False, "algorithm": "rsa-2048", **changes}
    return CertificateWish(group=GROUP, name=name, issuer=issuer, **given)


SECRET = manifest("Secret", "web-tls", type="kubernetes.io/tls", data={"tls.crt": "eA==", "tls.key": "eQ=="})
WEBHOOK = manifest(
    "ValidatingWebhookConfiguration",
    "web",
    ADMISSION,
    "",
    webhooks=[
        {"name": "one", "clientConfig": {"caBundle": "eg==", "service": {"name": "web", "namespace": "shop"}}},
        {"name": "two", "clientConfig": {"caBundle": "eg==", "service": {"name": "web", "namespace": "shop"}}},
    ],
)
VALUES = (
    value(SECRET, 'data["tls.crt"]', GeneratedKind.CERTIFICATE, "web"),
    value(SECRET, 'data["tls.key"]', GeneratedKind.PRIVATE_KEY, "web"),
    value(WEBHOOK, "webhooks[0].clientConfig.caBundle", GeneratedKind.CA_BUNDLE, "web-ca"),
    value(WEBHOOK, "webhooks[1].clientConfig.caBundle", GeneratedKind.CA_BUNDLE, "web-ca"),
)
WISHES = (
    wish("web-ca", "web-ca", is_ca=True, days=3650, key_usages=("cert sign",)),
    wish(
        "web",
        "web-ca",
        dns_names=("web.shop.svc", "web"),
        ip_addresses=("10.0.0.1",),
        organizations=("shop",),
        key_usages=("digital signature",),
        extended_usages=("server auth",),
    ),
)


def settled(*manifests: Manifest, values: tuple[GeneratedValue, ...] = VALUES) -> Settled:
    return settle(manifests or (SECRET, WEBHOOK), values, POLICY, certificates=WISHES)


def objects(done: Settled) -> dict[str, dict[str, Any]]:
    """The bodies by kind and name."""
    return {f"{one.id.kind} {one.id.name}": cast("dict[str, Any]", one.body) for one in done.manifests}


def test_a_secret_becomes_the_certificate_that_writes_it() -> None:
    found = objects(settled())
    assert "Secret web-tls" not in found
    assert found["Certificate web-tls"]["metadata"] == {"name": "web-tls", "namespace": "shop"}
    assert found["Certificate web-tls"]["spec"] == {
        "secretName": "web-tls",
        "duration": "8760h",
        "isCA": False,
        "privateKey": {"algorithm": "RSA", "rotationPolicy": "Always", "size": 2048},
        "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": "web-tls-ca"},
        "commonName": "web",
        "dnsNames": ["web.shop.svc", "web"],
        "ipAddresses": ["10.0.0.1"],
        "usages": ["digital signature", "server auth"],
        "subject": {"organizations": ["shop"]},
    }


def test_its_authority_becomes_a_certificate_and_an_issuer_that_signs_with_it() -> None:
    found = objects(settled())
    assert found["Issuer web-tls-selfsigned"]["spec"] == {"selfSigned": {}}
    authority = found["Certificate web-tls-ca"]["spec"]
    assert (authority["isCA"], authority["secretName"], authority["duration"]) == (True, "web-tls-ca", "87600h")
    assert authority["issuerRef"]["name"] == "web-tls-selfsigned"
    assert authority["privateKey"]["rotationPolicy"] == "Never"
    assert found["Issuer web-tls-ca"]["spec"] == {"ca": {"secretName": "web-tls-ca"}}


def test_bundles_become_the_annotation_of_the_cainjector() -> None:
    webhook = objects(settled())["ValidatingWebhookConfiguration web"]
    assert webhook["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": "shop/web-tls-ca"}
    assert [one["clientConfig"] for one in webhook["webhooks"]] == [
        {"service": {"name": "web", "namespace": "shop"}}
    ] * 2


def test_nothing_secret_is_left_and_nothing_is_open() -> None:
    done = settled()
    assert done.findings == ()
    assert done.external == ()
    assert "<generated>" not in str(done.manifests)


def test_a_certificate_that_signs_itself_needs_no_authority() -> None:
    values = (*VALUES[:2], value(WEBHOOK, "webhooks[0].clientConfig.caBundle", GeneratedKind.CA_BUNDLE, "web"))
    done = settle((SECRET, WEBHOOK), values, POLICY, certificates=(wish("web", "web"),))
    found = objects(done)
    assert sorted(found) == ["Certificate web-tls", "Issuer web-tls-selfsigned", "ValidatingWebhookConfiguration web"]
    annotations = found["ValidatingWebhookConfiguration web"]["metadata"]["annotations"]
    assert annotations == {"cert-manager.io/inject-ca-from": "shop/web-tls"}


def test_a_label_of_the_secret_goes_to_the_secret_that_cert_manager_writes() -> None:
    labelled = SECRET.with_metadata(labels={"app": "web"})
    spec = objects(settled(labelled, WEBHOOK))["Certificate web-tls"]["spec"]
    assert spec["secretTemplate"] == {"labels": {"app": "web"}}


def test_what_cert_manager_does_not_make_is_said_with_the_lines_that_settle_it() -> None:
    store = manifest("Repository", "web", "kubesphere.io/v1", "", spec={"caBundle": "eg=="})
    bundle = value(store, "spec.caBundle", GeneratedKind.CA_BUNDLE, "web-ca")
    done = settled(SECRET, WEBHOOK, store, values=(*VALUES, bundle))
    (finding,) = done.findings
    assert finding.code == "cert-manager-cannot"
    assert finding.message == (
        "cert-manager cannot make `spec.caBundle` of `Repository.kubesphere.io web`: "
        "cert-manager fills in no `caBundle` of a Repository"
    )
    assert '        - group: "shop/web-tls"' in finding.explanation


def test_other_keys_in_the_secret_and_other_names_of_keys_are_refused() -> None:
    more = manifest("Secret", "web-tls", data={"tls.crt": "eA==", "tls.key": "eQ==", "user": "YQ=="})
    (finding,) = settled(more, WEBHOOK).findings
    assert finding.message == "cert-manager would write `Secret shop/web-tls` without `user`"
    other = manifest("Secret", "web-tls", data={"server.key": "eQ=="})
    key = value(other, 'data["server.key"]', GeneratedKind.PRIVATE_KEY, "web")
    (finding,) = settle((other,), (key,), POLICY, certificates=WISHES).findings
    assert "under the keys tls.crt, tls.key and ca.crt" in finding.message


def test_a_password_is_not_for_cert_manager() -> None:
    secret = manifest("Secret", "web", data={"password": "eQ=="})
    password = value(secret, "data.password", GeneratedKind.PASSWORD, "")
    (finding,) = settle((secret,), (password,), POLICY).findings
    assert finding.code == "cert-manager-cannot"


def beside_cert_manager() -> list[Manifest]:
    """What the shop becomes, and the operator's own objects."""
    operator = Origin(extension="cert-manager", component="cert-manager", source="crds.yaml")
    definition = manifest(
        "CustomResourceDefinition",
        "certificates.cert-manager.io",
        "apiextensions.k8s.io/v1",
        "",
        spec={"group": "cert-manager.io", "names": {"kind": "Certificate", "plural": "certificates"}, "versions": []},
    )
    pods = manifest("Deployment", "cert-manager", "apps/v1", "cert-manager", spec={})
    return [*settled().manifests, *(Manifest(one.id, one.body, operator) for one in (definition, pods))]


def test_certificates_come_before_what_needs_them_and_after_cert_manager() -> None:
    everything = beside_cert_manager()
    planned = plan_waves(everything, {"shop": frozenset(), "cert-manager": frozenset()}, {})
    waves = {str(one): wave.number for one, wave in planned.plan.wave_of().items()}
    assert waves["Deployment cert-manager/cert-manager"] < waves["Certificate.cert-manager.io shop/web-tls"]
    assert waves["Certificate.cert-manager.io shop/web-tls"] < planned.bases["shop"]
    assert all(one.origin.source == MADE_BEFORE for one in everything if one.id.group == "cert-manager.io")


def test_cert_manager_comes_before_what_its_own_package_requires() -> None:
    requires = {"shop": frozenset[str](), "middle": frozenset({"shop"}), "cert-manager": frozenset({"middle"})}
    planned = plan_waves(beside_cert_manager(), requires, {})
    assert planned.findings == ()
    assert planned.bases["cert-manager"] < planned.bases["shop"]


def test_keys_that_a_chart_gives_as_text_are_the_same_keys() -> None:
    secret = manifest("Secret", "web-tls", stringData={"tls.crt": "x", "tls.key": "y"})
    values = (
        value(secret, 'stringData["tls.crt"]', GeneratedKind.CERTIFICATE, "web"),
        value(secret, 'stringData["tls.key"]', GeneratedKind.PRIVATE_KEY, "web"),
    )
    done = settle((secret,), values, POLICY, certificates=(wish("web", "web"),))
    assert done.findings == ()
    assert "Secret" not in {one.id.kind for one in done.manifests}
