"""Values that a Job makes in the cluster (stages/settle/in_cluster): what it can make, and what its objects say.

tests/cluster/test_in_cluster.py runs the scripts against a real API server.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.model.fields import Json
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import MADE_AFTER, MADE_BEFORE, MADE_LAST, Manifest, Origin
from renderer.stages.chart.hooks import name_hooks
from renderer.stages.settle import Settled, settle
from renderer.stages.waves import plan_waves
from renderer.structs import replace

ORIGIN = Origin(extension="shop", component="web", source="web/templates/tls.yaml")
POLICY = GeneratedPolicy(default=Mode.IN_CLUSTER, image="docker.io/alpine/k8s:1.33.4")
ADMISSION = "admissionregistration.k8s.io/v1"
KIND = GeneratedKind


def manifest(kind: str, name: str, api: str = "v1", namespace: str = "shop", **fields: Json) -> Manifest:
    metadata: dict[str, Json] = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, ORIGIN)


def value(
    of: Manifest, path: str, kind: GeneratedKind, form: str, certificate: str = "", group: str = "shop/web-tls"
) -> GeneratedValue:
    return GeneratedValue(
        component="shop/web",
        object=of.id,
        path=path,
        kind=kind,
        source=ORIGIN.source,
        group=group,
        certificate=certificate,
        form=form,
    )


def wish(name: str, issuer: str, **changes: Any) -> CertificateWish:
    given = {"common_name": name, "days": 365, "is_ca": False, "algorithm": "rsa-2048", **changes}
    return CertificateWish(group="shop/web-tls", name=name, issuer=issuer, **given)


def webhook(resource: str = "carts", group: str = "shop.example") -> Manifest:
    rules: Json = [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}]
    client: Json = {"caBundle": "eg==", "service": {"name": "web", "namespace": "shop"}}
    hooks: Json = [{"name": "one.shop.example", "clientConfig": client, "rules": rules}]
    return manifest("ValidatingWebhookConfiguration", "web", ADMISSION, "", webhooks=hooks)


SECRET = manifest("Secret", "web-tls", type="kubernetes.io/tls", data={"tls.crt": "eA==", "tls.key": "eQ=="})
WEBHOOK = webhook()
CRD = manifest(
    "CustomResourceDefinition",
    "stores.shop.example",
    "apiextensions.k8s.io/v1",
    "",
    spec={"group": "shop.example", "scope": "Namespaced", "names": {"kind": "Store", "plural": "stores"}},
)
STORE = manifest("Store", "main", "shop.example/v1", spec={"caBundle": "eg=="})
LOGIN = manifest("Secret", "login", data={"password": "eA=="})
PAIR = (
    value(SECRET, 'data["tls.crt"]', KIND.CERTIFICATE, "certificate", "web"),
    value(SECRET, 'data["tls.key"]', KIND.PRIVATE_KEY, "rsa-private-key", "web"),
)
BUNDLE = value(WEBHOOK, "webhooks[0].clientConfig.caBundle", KIND.CA_BUNDLE, "certificate", "ca")
WISHES = (wish("ca", "ca", is_ca=True), wish("web", "ca", dns_names=("web.shop.svc",)))


def settled(
    *manifests: Manifest,
    values: tuple[GeneratedValue, ...] = (*PAIR, BUNDLE),
    wishes: tuple[CertificateWish, ...] = WISHES,
    policy: GeneratedPolicy = POLICY,
) -> Settled:
    return settle(manifests or (SECRET, WEBHOOK), values, policy, certificates=wishes)


def named(done: Settled) -> dict[str, Manifest]:
    return {f"{one.id.kind} {one.id.name}": one for one in done.manifests}


def script(done: Settled, name: str) -> str:
    body = cast("dict[str, Any]", named(done)[f"Job {name}"].body)
    text: str = body["spec"]["template"]["spec"]["containers"][0]["command"][2]
    return text


def test_the_secret_leaves_the_tree_and_jobs_with_their_rights_come() -> None:
    done = settled()
    assert done.findings == ()
    assert done.external == ()
    assert [(one.id.kind, one.id.name, one.id.namespace) for one in done.manifests] == [
        ("ValidatingWebhookConfiguration", "web", ""),
        ("ServiceAccount", "sitewright-shop-values", "shop"),
        ("Role", "sitewright-shop-values", "shop"),
        ("RoleBinding", "sitewright-shop-values", "shop"),
        ("Job", "sitewright-shop-values", "shop"),
        ("ServiceAccount", "sitewright-shop-bundles", "shop"),
        ("ClusterRole", "sitewright-shop-bundles", ""),
        ("ClusterRoleBinding", "sitewright-shop-bundles", ""),
        ("Role", "sitewright-shop-bundles", "shop"),
        ("RoleBinding", "sitewright-shop-bundles", "shop"),
        ("Job", "sitewright-shop-bundles", "shop"),
    ]
    assert "<generated>" not in str(done.manifests)
    hooks = cast("list[dict[str, Any]]", named(done)["ValidatingWebhookConfiguration web"].body["webhooks"])
    assert "caBundle" not in hooks[0]["clientConfig"]


def test_a_job_may_read_what_it_creates_and_nothing_else() -> None:
    done = named(settled())
    assert done["Role sitewright-shop-values"].body["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["web-tls", "web-tls-generated"],
            "verbs": ["get"],
        },
    ]
    assert done["ClusterRole sitewright-shop-bundles"].body["rules"] == [
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            "resources": ["validatingwebhookconfigurations"],
            "resourceNames": ["web"],
            "verbs": ["get", "patch"],
        }
    ]


def test_its_pod_can_do_little() -> None:
    body = cast("dict[str, Any]", named(settled())["Job sitewright-shop-values"].body)
    pod = body["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["image"] == POLICY.image
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def test_a_secret_that_has_all_is_its_own_home_and_no_second_one_is_made() -> None:
    whole = manifest("Secret", "web-tls", data={"tls.crt": "eA==", "tls.key": "eQ==", "ca.crt": "eg=="})
    authority = value(whole, 'data["ca.crt"]', KIND.CA, "certificate", "ca")
    assert "web-tls-generated" not in script(
        settled(whole, WEBHOOK, values=(*PAIR, authority, BUNDLE)), "sitewright-shop-values"
    )


def test_the_waves_are_made_before_the_pods_and_trusted_before_what_webhooks_judge() -> None:
    deployment = manifest("Deployment", "web", "apps/v1")
    judged = manifest("Cart", "first", "shop.example/v1")
    carts = CRD.with_body(
        {
            **CRD.body,
            "metadata": {"name": "carts.shop.example"},
            "spec": {"group": "shop.example", "scope": "Namespaced", "names": {"kind": "Cart", "plural": "carts"}},
        }
    )
    bundle = value(STORE, "spec.caBundle", KIND.CA_BUNDLE, "certificate", "ca")
    done = settled(SECRET, WEBHOOK, deployment, judged, carts, CRD, STORE, values=(*PAIR, BUNDLE, bundle))
    assert done.findings == ()
    plan = plan_waves(done.manifests, {"shop": frozenset()}, {}).plan
    waves = {f"{one.id.kind} {one.id.name}": wave.number for wave in plan.waves for one in wave.manifests}
    order = [
        "Job sitewright-shop-values",
        "Deployment web",
        "ValidatingWebhookConfiguration web",
        "Job sitewright-shop-bundles",
        "Cart first",
        "Job sitewright-shop-custom-bundles",
    ]
    assert [waves[name] for name in order] == sorted({waves[name] for name in order})
    assert waves["Store main"] < waves["Job sitewright-shop-custom-bundles"]


def test_jobs_are_named_after_what_they_do_once_images_are_pinned() -> None:
    done = name_hooks(settled().manifests)
    (job,) = (one for one in done if one.id.name.startswith("sitewright-shop-values-"))
    other = name_hooks(settled(wishes=(wish("ca", "ca", is_ca=True), wish("web", "ca", days=30))).manifests)
    assert job.id.kind == "Job"
    assert job.id not in {one.id for one in other}
    assert {one.origin.source for one in done[1:]} <= {MADE_BEFORE, MADE_AFTER, MADE_LAST}


def test_without_an_image_the_lines_for_it_are_said() -> None:
    (finding,) = settled(policy=GeneratedPolicy(default=Mode.IN_CLUSTER)).findings
    assert finding.code == "in-cluster-no-image"
    assert finding.where.path == "spec.generated.inCluster.image"
    assert finding.explanation[-1].strip() == "image: docker.io/alpine/k8s:1.33.4"


def test_the_lines_take_an_object_that_is_no_secret_out_of_the_tree_when_the_mode_is_external() -> None:
    config = manifest("ConfigMap", "c", data={"app.yaml": "a: 1\nkey: x"})
    one = value(config, 'data["app.yaml"]#2', KIND.PASSWORD, "alphanumeric-20", group="shop/c/key")
    (finding,) = settled(config, values=(one,)).findings
    assert finding.explanation[-4:-2] == ('        - object: "ConfigMap shop/c"', '          field: "data*app.yaml*"')
    rule = GeneratedRule(object="ConfigMap shop/c", field="data*app.yaml*", mode=Mode.EXTERNAL, reason="as it says")
    done = settled(config, values=(one,), policy=replace(POLICY, rules=(rule,)))
    assert (done.findings, done.manifests, [out.manifest.id for out in done.external]) == ((), (), [config.id])


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (
            value(manifest("ConfigMap", "c"), "data.key", KIND.PASSWORD, "alphanumeric-20"),
            "a Job makes what stands alone under a key of a Secret",
        ),
        (value(LOGIN, "data.password#3", KIND.PASSWORD, "alphanumeric-20"), "a Job makes what stands alone under"),
        (value(LOGIN, "data.password", KIND.PASSWORD, ""), "only the chart knows how it is made"),
        (value(SECRET, 'data["tls.key"]', KIND.PRIVATE_KEY, "rsa-private-key"), "it belongs to no certificate"),
        (value(SECRET, 'data["tls.crt"]', KIND.CERTIFICATE, "", "web"), "more than one thing stands there"),
        (
            value(manifest("A", "a", "x/v1"), "spec.all[0].caBundle", KIND.CA_BUNDLE, "certificate", "ca"),
            "a Job fills in no list of a A",
        ),
    ],
)
def test_what_a_job_cannot_make_is_said_with_the_lines_that_settle_it(one: GeneratedValue, why: str) -> None:
    at = Manifest.of(
        {
            "apiVersion": "x/v1" if one.object.group else "v1",
            "kind": one.object.kind,
            "metadata": {"name": one.object.name, "namespace": "shop"},
        },
        ORIGIN,
    )
    done = settled(at, values=(one,))
    found = [finding for finding in done.findings if why in finding.message]
    assert [finding.code for finding in found] == ["in-cluster-cannot"]
    in_secret = '        - group: "shop/web-tls"'
    assert (in_secret if one.kind.is_public or one.in_secret else '        - object: "ConfigMap shop/c"') in (
        found[0].explanation
    )
    assert found[0].hint == "add these lines to the profile, then `sitewright lock`"
    assert "Job" not in {manifest.id.kind for manifest in done.manifests}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"common_name": "a\nb"}, "its name holds characters"),
        ({"organizations": ("$HOME",)}, "its name holds characters"),
        ({"common_name": "", "dns_names": ("$s.web%!",)}, "it names nobody"),
        ({"algorithm": "dsa-1024"}, "its key is dsa-1024"),
    ],
)
def test_certificates_of_other_kinds_are_refused(changes: dict[str, Any], why: str) -> None:
    findings = settled(SECRET, values=PAIR, wishes=(WISHES[0], wish("web", "ca", **changes))).findings
    assert {finding.code for finding in findings} == {"in-cluster-cannot"}
    assert why in findings[0].message


def test_a_name_that_no_client_can_ask_for_is_left_out() -> None:
    odd = wish("web", "ca", dns_names=("web.shop.svc", "$s.web.svc%!(EXTRA string=shop)"))
    text = script(settled(SECRET, values=PAIR, wishes=(WISHES[0], odd)), "sitewright-shop-values")
    assert "DNS.0 = web.shop.svc" in text
    assert "EXTRA" not in text


def test_a_fixed_secret_beside_a_generated_one_is_never_put_into_the_job() -> None:
    secret = manifest("Secret", "login", data={"user": "YWRtaW4=", "api-key": "aHVudGVyMg==", "password": "eA=="})
    password = value(secret, "data.password", KIND.PASSWORD, "alphanumeric-20", group="shop/login")
    (finding,) = settled(secret, values=(password,)).findings
    assert finding.code == "in-cluster-cannot"
    assert finding.message == "`Secret shop/login` also holds `api-key`, which would stand in git in clear"


def test_a_webhook_that_would_refuse_the_job_is_refused() -> None:
    judging = webhook("pods", "")
    bundle = value(judging, "webhooks[0].clientConfig.caBundle", KIND.CA_BUNDLE, "certificate", "ca")
    (finding,) = settled(SECRET, judging, values=(*PAIR, bundle)).findings
    assert finding.code == "in-cluster-cannot"
    assert "would refuse the Job that gives it its `caBundle`" in finding.message


def test_a_custom_resource_needs_its_definition_in_the_site() -> None:
    bundle = value(STORE, "spec.caBundle", KIND.CA_BUNDLE, "certificate", "ca")
    done = settled(SECRET, STORE, CRD, values=(*PAIR, bundle))
    assert done.findings == ()
    rules = named(done)["Role sitewright-shop-custom-bundles"].body["rules"]
    assert {
        "apiGroups": ["shop.example"],
        "resources": ["stores"],
        "resourceNames": ["main"],
        "verbs": ["get", "patch"],
    } in cast("list[Any]", rules)
    (finding,) = settled(SECRET, STORE, values=(*PAIR, bundle)).findings
    assert (
        finding.message == "nothing in this site defines the kind of `Store.shop.example shop/main`, "
        "whose `caBundle` a Job is to fill in"
    )


def test_hostile_text_of_a_chart_stays_text(real: Callable[[str], Path]) -> None:
    nasty = "'; kubectl delete ns --all; $(HOME) $$ `id` \n\" \\"
    secret = manifest("Secret", "login", data={"password": "eA=="}).with_metadata(annotations={"note": nasty})
    password = value(secret, "data.password", KIND.PASSWORD, "special-9", group="shop/login")
    text = script(settled(secret, values=(password,)), "sitewright-shop-values")
    assert "$$" not in text
    (create,) = (line for line in shlex.split(text.split("\nbegin ")[1]) if line.startswith("apiVersion"))
    assert (
        '"annotations": {"note": "\'; kubectl delete ns --all; \\u0024(HOME) \\u0024\\u0024 `id` \\n\\" \\\\"}'
        in create
    )
    subprocess.run([real("dash"), "-n"], input=text, text=True, check=True)
