"""Every rule: what it finds, how it says so, and what it leaves alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from renderer.checks import kubernetes, ordering, sealed, security, supply_chain
from renderer.errors import Finding, Severity, Where
from renderer.model.check import Rule, accepted_by, judge, run_rules
from renderer.model.generated.policy import GeneratedPolicy
from renderer.model.objects.manifest import Manifest
from renderer.model.reference import ImageReference
from renderer.model.rendering import Composed
from renderer.model.site import (
    CheckRules,
    Distribution,
    Fallback,
    GitOpsAgent,
    IgnoreRule,
    ImagesMode,
    Runtime,
    SecretsMode,
)
from renderer.model.version import Version
from renderer.structs import replace
from tests.sealing_fixture import key_pair
from tests.simulators.sites import a_definition, a_deployment, a_plan, a_site, an_object, composed, pinned

RULES: Sequence[Rule] = (*supply_chain.RULES, *kubernetes.RULES, *ordering.RULES, *security.RULES, *sealed.RULES)
SHOP = an_object("Namespace", "shop")
NGINX = pinned("nginx:1.27")


def flat(*manifests: Manifest, **changes: Any) -> Composed:
    """All objects in one wave."""
    return composed(a_plan((20, "extensions", manifests)), **changes)


def found(whole: Composed, code: str) -> list[Finding]:
    findings = [finding for finding in run_rules(RULES, whole) if finding.code == code]
    by_code = {rule.code: rule for rule in RULES}
    assert code in by_code, "findings carry the code of their rule"
    return findings


def test_rules_have_codes_of_their_own_and_say_why() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert all(rule.title and rule.why.endswith(".") for rule in RULES)


def test_a_decent_site_has_no_findings() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"storageClassName": "local-path"}}
    store = an_object("StatefulSet", "store", "shop", group="apps/v1", spec={"volumeClaimTemplates": [claim]})
    plan = a_plan(
        (0, "namespaces", (SHOP,)),
        (5, "crds", (a_definition("acme.example", "Widget", "widgets", "v1", "v2"),)),
        (20, "extensions", (a_deployment("web", image=str(NGINX)), an_object("ServiceAccount", "web", "shop"), store)),
        (24, "resources", (an_object("Widget", "w", "shop", group="acme.example/v2"),)),
    )
    assert run_rules(RULES, composed(plan, images=(NGINX,))) == ()


def test_findings_come_errors_first_in_a_fixed_order() -> None:
    objects = [a_deployment("b", hostNetwork=True), a_deployment("a", hostNetwork=True)]
    findings = run_rules(RULES, flat(SHOP, *objects))
    assert findings == run_rules(reversed(RULES), flat(SHOP, *reversed(objects)))
    assert [finding.severity for finding in findings] == [Severity.ERROR] * 2 + [Severity.WARNING] * 2


# --- what a profile accepts --------------------------------------------------------------------------------------

HOST = Finding(
    code="privileged-container",
    message="…",
    where=Where(subject="extension cni 1.0.0, DaemonSet kube-system/cni"),
    severity=Severity.WARNING,
)


def ignoring(code: str, glob: str, until: date | None = None) -> CheckRules:
    return CheckRules(ignore=(IgnoreRule(rule=code, object=glob, reason="CNI", until=until),))


@pytest.mark.parametrize(
    ("code", "glob", "accepted"),
    [
        ("privileged-container", "DaemonSet kube-system/*", True),
        ("privileged-container", "extension cni *", True),
        ("privileged-container", "*", True),
        ("privileged-container", "DaemonSet other/*", False),
        ("privileged-container", "daemonset *", False),
        ("secret-in-clear", "*", False),
    ],
)
def test_ignore_rules_name_a_code_and_an_object(code: str, glob: str, *, accepted: bool) -> None:
    rules = ignoring(code, glob)
    assert (accepted_by(HOST, rules.ignore) is not None) is accepted
    judgement = judge([HOST], rules, profile="profiles/a.yaml", today=date(2026, 1, 1))
    assert judgement.findings == (() if accepted else (HOST,))
    assert len(judgement.accepted) == (1 if accepted else 0)


def test_an_ignore_rule_counts_until_its_last_day() -> None:
    rules = ignoring("privileged-container", "*", date(2026, 6, 30))
    assert judge([HOST], rules, profile="p.yaml", today=date(2026, 6, 30)).findings == ()
    first, second = judge([HOST], rules, profile="p.yaml", today=date(2026, 7, 1)).findings
    assert first == HOST
    assert (second.code, second.severity) == ("ignore-expired", Severity.WARNING)
    assert second.message == (
        "the exception for `privileged-container` on `*` ended on 2026-06-30; it accepts nothing now"
    )
    assert str(second.where) == "p.yaml, spec.checks.ignore[0]"
    assert second.hint == "mend what it excused, or set a later `until` with the reason"


def test_the_profile_says_which_severities_fail() -> None:
    judgement = judge([HOST], CheckRules(), profile="p.yaml", today=date(2026, 1, 1))
    assert judgement.failing(CheckRules()) == ()
    assert judgement.failing(CheckRules(fail=frozenset({Severity.WARNING}))) == (HOST,)


# --- supply chain ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("nginx:1.27", "`nginx:1.27` has no digest: a tag can move"),
        (str(pinned("redis:7")), "has a digest that the lock does not list: no bundle vouches for it"),
        ("nginx:", "is no image reference"),
    ],
)
def test_containers_run_what_the_lock_lists(image: str, reason: str) -> None:
    (finding,) = found(flat(SHOP, a_deployment("web", image=image), images=(NGINX,)), "unpinned-image")
    assert finding.severity is Severity.ERROR
    assert reason in finding.message
    assert str(finding.where) == "Deployment shop/web, spec.template.spec.containers[0].image"
    assert finding.got == f"`{image}`"
    assert finding.explanation == ("from extension shop, shop: shop/templates/deployment.yaml",)
    assert finding.hint is not None
    assert finding.hint.startswith("sitewright lock")


def test_every_place_that_runs_an_image_is_looked_at() -> None:
    bad = [{"name": "a", "image": "x:1"}]
    pod = {"containers": bad, "initContainers": bad, "ephemeralContainers": bad,
           "volumes": [{"name": "v", "image": {"reference": "y:1"}}]}  # fmt: skip
    job = {"template": {"spec": pod}}
    objects = (
        an_object("Pod", "a", "shop", spec=pod),
        an_object("Job", "a", "shop", group="batch/v1", spec=job),
        an_object("CronJob", "a", "shop", group="batch/v1", spec={"jobTemplate": {"spec": job}}),
    )
    paths = [str(finding.where) for finding in found(flat(SHOP, *objects), "unpinned-image")]
    assert len(paths) == 12
    assert "CronJob shop/a, spec.jobTemplate.spec.template.spec.volumes[0].image.reference" in paths
    assert "Pod shop/a, spec.ephemeralContainers[0].image" in paths


def test_rewritten_images_name_the_site_registry() -> None:
    site = a_site(registry={"images": ImagesMode.REWRITE})
    ours = f"harbor.site.local:5443/dockerhub/library/nginx@{NGINX.digest}"
    objects = (SHOP, a_deployment("ours", image=ours), a_deployment("stray", image=str(NGINX)))
    (finding,) = found(flat(*objects, site=site, images=(NGINX,)), "stray-registry-host")
    assert str(finding.where).startswith("Deployment shop/stray, ")
    assert finding.expected == "`harbor.site.local:5443/…`"
    assert found(flat(*objects, images=(NGINX,)), "stray-registry-host") == []


@pytest.mark.parametrize(
    ("fallback", "severity"), [(Fallback.NEVER, Severity.ERROR), (Fallback.UPSTREAM, Severity.WARNING)]
)
def test_every_source_registry_needs_a_project(fallback: Fallback, severity: Severity) -> None:
    images = tuple(pinned(f"ghcr.io/team/{name}:1") for name in "abcde")
    site = a_site(registry={"fallback": fallback})
    (finding,) = found(flat(site=site, images=images), "no-mirror-for-registry")
    assert finding.severity is severity
    assert finding.message.startswith("no project of the site registry holds the images of `ghcr.io`")
    assert str(finding.where) == 'profiles/branch-017.yaml, spec.registry.projects["ghcr.io"]'
    assert finding.explanation[-1] == "and 2 more"
    assert finding.hint == "add `ghcr.io: <project>` below `spec.registry.projects`"


def test_images_that_would_share_a_tag_in_the_site_registry() -> None:
    images = (pinned("ghcr.io/team/api:1"), pinned("quay.io/team/api:1"), pinned("quay.io/team/api:2"))
    site = a_site(registry={"projects": {"*": "all"}})
    (finding,) = found(flat(site=site, images=images), "mirror-collision")
    assert finding.message == (
        "2 different images would all be `harbor.site.local:5443/all/team/api:1`: the last one copied takes the tag"
    )
    assert finding.severity is Severity.ERROR
    assert finding.explanation == ("ghcr.io/team/api:1", "quay.io/team/api:1")
    assert finding.hint == "give each of these registries a project of its own"


def test_a_path_that_two_registries_share_is_refused_where_images_are_rewritten() -> None:
    images = (pinned("ghcr.io/team/api:1"), pinned("quay.io/team/api:2"), pinned("quay.io/team/api:3"))
    projects = {"projects": {"*": "all"}}
    (finding,) = found(
        flat(site=a_site(registry={**projects, "images": ImagesMode.REWRITE}), images=images), "mirror-collision"
    )
    assert finding.message == "3 different images would all be `harbor.site.local:5443/all/team/api`"
    assert found(flat(site=a_site(registry=projects), images=images), "mirror-collision") == []


def test_one_image_that_two_registries_have_may_share_its_place() -> None:
    image = pinned("ghcr.io/team/api:1")
    same = ImageReference.parse(f"quay.io/team/api:1@{image.digest}")
    site = a_site(registry={"projects": {"*": "all"}})
    assert found(flat(site=site, images=(image, same)), "mirror-collision") == []


@pytest.mark.parametrize(
    ("cluster", "registry", "severity"),
    [
        ({"runtime": Runtime.DOCKER}, {}, Severity.WARNING),
        ({"runtime": Runtime.DOCKER}, {"fallback": Fallback.UPSTREAM}, Severity.NOTE),
        ({"runtime": Runtime.DOCKER}, {"images": ImagesMode.REWRITE}, None),
        ({"runtime": Runtime.CRIO}, {}, None),
        ({"distribution": Distribution.K3S, "runtime": Runtime.DOCKER}, {}, None),
    ],
)
def test_docker_nodes_that_cannot_use_mirrors(
    cluster: dict[str, Any], registry: dict[str, Any], severity: Severity | None
) -> None:
    findings = found(flat(site=a_site(cluster=cluster, registry=registry)), "docker-cannot-mirror")
    assert [one.severity for one in findings] == ([severity] if severity else [])
    for finding in findings:
        assert finding.expected == "Docker 29 or later with its containerd image store on every node"
        assert finding.hint is not None
        assert finding.hint.startswith("set `spec.registry.images: rewrite`")


# --- Kubernetes --------------------------------------------------------------------------------------------------


def test_an_object_is_defined_once() -> None:
    twice = (an_object("ConfigMap", "a", "shop"), an_object("ConfigMap", "a", "shop", extension="other"))
    (finding,) = found(flat(SHOP, *twice), "duplicate-object")
    assert finding.message == "`ConfigMap shop/a` is in the tree 2 times"
    assert finding.got is not None
    assert "extension shop" in finding.got
    assert "extension other" in finding.got


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (an_object("ConfigMap", "a"), "has no namespace, but its kind needs one"),
        (an_object("Namespace", "a", "shop"), "has a namespace, but its kind cannot have one"),
        (an_object("ConfigMap", "a", "nowhere"), "is in `nowhere`, which nothing in the tree creates"),
        (an_object("ConfigMap", "a", "kube-system"), None),
        (an_object("ConfigMap", "a", "shop"), None),
    ],
)
def test_objects_are_in_the_namespace_they_need(manifest: Manifest, reason: str | None) -> None:
    findings = found(flat(SHOP, manifest), "namespace-missing")
    assert [finding.message for finding in findings] == ([f"`{manifest.id}` {reason}"] if reason else [])


@pytest.mark.parametrize(
    ("group", "kind", "release", "message"),
    [
        ("policy/v1beta1", "PodDisruptionBudget", "1.25.0", "was removed in Kubernetes 1.25"),
        ("policy/v1beta1", "PodDisruptionBudget", "1.24.17", None),
        ("batch/v1beta1", "CronJob", "1.31.4", "was removed in Kubernetes 1.25"),
        ("batch/v1", "CronJob", "1.31.4", None),
        ("batch/v1", "CronJob", "1.20.0", "is served only since Kubernetes 1.21"),
        ("batch/v1", "Job", "1.20.0", None),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26.0-rc.1", "was removed in Kubernetes 1.26"),
        ("extensions/v1beta1", "Ingress", "1.22.0", "was removed in Kubernetes 1.22"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", "1.32.0+k3s1", "was removed in Kubernetes 1.32"),
    ],
)
def test_api_versions_that_the_release_serves(group: str, kind: str, release: str, message: str | None) -> None:
    site = a_site(cluster={"kubernetes": Version.parse(release)})
    findings = found(flat(SHOP, an_object(kind, "a", "shop", group=group), site=site), "api-removed")
    assert [finding.severity for finding in findings] == ([Severity.ERROR] if message else [])
    for finding in findings:
        assert message is not None
        assert message in finding.message
        assert finding.got == f"`{group}`"
        assert finding.hint == "sitewright lock --upgrade shop"


def test_custom_resources_need_a_definition() -> None:
    objects = tuple(an_object("Gadget", name, "shop", group="other.example/v1") for name in "ab")
    (finding,) = found(flat(SHOP, *objects), "crd-missing")
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "nothing in the tree defines `Gadget` of `other.example/v1`: applying 2 object(s) fails unless the cluster has"
        " the definition already"
    )
    assert finding.hint is not None
    assert "add `other.example/v1/Gadget` to `spec.cluster.apiVersions`" in finding.hint
    for served in ("other.example/v1", "other.example/v1/Gadget"):
        assert not found(flat(SHOP, *objects, site=a_site(cluster={"api_versions": (served,)})), "crd-missing")


def test_custom_resources_use_a_served_version() -> None:
    definition = a_definition("acme.example", "Widget", "widgets", "v1", "v2")
    widget = an_object("Widget", "w", "shop", group="acme.example/v1alpha1")
    (finding,) = found(flat(SHOP, definition, widget), "crd-version-not-served")
    assert finding.severity is Severity.ERROR
    assert finding.expected == "`acme.example/v1`, `acme.example/v2`"


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (an_object("ConfigMap", "Upper", "shop"), "metadata.name"),
        (an_object("Service", "1st", "shop"), "metadata.name"),
        (an_object("Service", "a.b", "shop"), "metadata.name"),
        (an_object("Role", "a/b", "shop", group="rbac.authorization.k8s.io"), "metadata.name"),
        (an_object("ConfigMap", "a", "shop", labels={"helm.sh/chart": "a-1.0+b"}), 'metadata.labels["helm.sh/chart"]'),
        (an_object("ConfigMap", "a", "shop", labels={"a": "x" * 64}), "metadata.labels.a"),
        (an_object("ConfigMap", "a", "shop", labels={"A_/b": "x"}), 'metadata.labels["A_/b"]'),
        (an_object("ConfigMap", "a", "shop", annotations={"a b": "x"}), 'metadata.annotations["a b"]'),
        (an_object("ConfigMap", "a", "shop", annotations={"a": 1}), "metadata.annotations.a"),
        (an_object("Role", "system:a", "shop", group="rbac.authorization.k8s.io"), None),
        (an_object("ConfigMap", "kube-root-ca.crt", "shop", labels={"a": ""}), None),
    ],
)
def test_metadata_is_such_as_the_api_server_takes(manifest: Manifest, path: str | None) -> None:
    findings = found(flat(SHOP, manifest), "metadata-invalid")
    assert [finding.where.path for finding in findings] == ([path] if path else [])


def test_labels_of_pods_are_looked_at() -> None:
    web = an_object(
        "Deployment",
        "web",
        "shop",
        group="apps/v1",
        spec={"template": {"metadata": {"labels": {"v": "1+2"}}, "spec": {}}},
    )
    (finding,) = found(flat(SHOP, web), "metadata-invalid")
    assert finding.where.path == "spec.template.metadata.labels.v"


def test_sizes_that_the_api_server_takes() -> None:
    loud = an_object("ConfigMap", "loud", "shop", annotations={"a": "x" * 262_144})
    full = an_object("ConfigMap", "full", "shop", data={"a": "x" * 600_000}, binaryData={"b": "x" * 600_000})
    first, second = found(flat(SHOP, loud, full), "object-too-large")
    assert (first.where.path, second.where.path) == ("data", "metadata.annotations")
    assert "holds 1200002 bytes; the API server takes 1048576" in first.message


def test_lists_and_hooks_are_no_objects_of_a_tree() -> None:
    things = an_object("ConfigMapList", "a", "shop", items=[])
    hook = an_object("ConfigMap", "b", "shop", annotations={"helm.sh/hook": "pre-install"})
    whole = flat(SHOP, things, hook)
    assert [finding.where.subject for finding in found(whole, "not-one-object")] == ["ConfigMapList shop/a"]
    assert [finding.where.subject for finding in found(whole, "hook-left-in")] == ["ConfigMap shop/b"]
    allow_list = an_object("AllowList", "c", "shop", group="acme.example/v1")
    assert found(flat(SHOP, allow_list), "not-one-object") == []


# --- order -------------------------------------------------------------------------------------------------------


def test_a_namespace_comes_before_what_lives_in_it() -> None:
    web = a_deployment("web")
    late = composed(a_plan((0, "first", (web,)), (5, "second", (SHOP,))))
    (finding,) = found(late, "namespace-too-late")
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "`Deployment shop/web` in wave `w000-first` lives in `Namespace shop`, which comes only in wave `w005-second`"
    )
    assert finding.expected == "`Namespace shop` in a wave before 0 or in the same"
    assert not found(flat(SHOP, web), "namespace-too-late"), "within a wave both agents apply namespaces first"


def test_a_definition_comes_a_wave_before_its_resources() -> None:
    definition = a_definition("acme.example", "Widget", "widgets")
    widget = an_object("Widget", "w", "shop", group="acme.example/v1")
    (finding,) = found(flat(SHOP, definition, widget), "crd-too-late")
    assert "which comes in the same wave" in finding.message
    early = a_plan((0, "namespaces", (SHOP,)), (5, "crds", (definition,)), (20, "extensions", (widget,)))
    assert not found(composed(early), "crd-too-late")


POD_NEEDS: dict[str, dict[str, Any]] = {
    "ServiceAccount": {"serviceAccountName": "it"},
    "ConfigMap": {"volumes": [{"name": "v", "configMap": {"name": "it"}}]},
    "Secret": {"containers": [{"name": "a", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "it"}}}]}]},
    "ConfigMap of envFrom": {"initContainers": [{"name": "a", "envFrom": [{"configMapRef": {"name": "it"}}]}]},
    "Secret of a projected volume": {
        "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "it"}}, {"downwardAPI": {}}]}}]
    },
}


@pytest.mark.parametrize("need", POD_NEEDS)
def test_a_wave_does_not_wait_for_a_later_one(need: str) -> None:
    kind = need.partition(" ")[0]
    web, it = a_deployment("web", **POD_NEEDS[need]), an_object(kind, "it", "shop")
    late = a_plan((0, "namespaces", (SHOP,)), (20, "extensions", (web,)), (24, "resources", (it,)))
    (finding,) = found(composed(late), "needs-later-object")
    assert f"cannot become ready without `{kind} shop/it`" in finding.message
    assert not found(flat(SHOP, web, it), "needs-later-object")
    assert not found(flat(SHOP, web), "needs-later-object"), "something else may create it"


def test_what_is_optional_or_not_waited_for_may_come_later() -> None:
    optional = a_deployment("web", volumes=[{"name": "v", "configMap": {"name": "it", "optional": True}}])
    job = {"template": {"spec": {"serviceAccountName": "it"}}}
    cron = an_object("CronJob", "c", "shop", group="batch/v1", spec={"jobTemplate": {"spec": job}})
    its = (an_object("ConfigMap", "it", "shop"), an_object("ServiceAccount", "it", "shop"))
    plan = a_plan((0, "namespaces", (SHOP,)), (20, "extensions", (optional, cron)), (24, "resources", its))
    assert not found(composed(plan), "needs-later-object")


def test_a_webhook_comes_after_its_service() -> None:
    def webhook(policy: str) -> Manifest:
        one = {"failurePolicy": policy, "clientConfig": {"service": {"name": "hook", "namespace": "shop"}}}
        group = "admissionregistration.k8s.io"
        return an_object("ValidatingWebhookConfiguration", "w", group=group, webhooks=[one])

    service = an_object("Service", "hook", "shop")
    for policy, expected in (("Fail", 1), ("Ignore", 0)):
        plan = a_plan((0, "namespaces", (SHOP, webhook(policy))), (20, "extensions", (service,)))
        findings = found(composed(plan), "webhook-too-early")
        assert len(findings) == expected
        assert all(one.where.path == "webhooks[0].clientConfig.service" for one in findings)


def test_storage_classes_are_those_of_the_site() -> None:
    def claim(name: str | None) -> Manifest:
        return an_object("PersistentVolumeClaim", "data", "shop", spec={"storageClassName": name} if name else {})

    (finding,) = found(flat(SHOP, claim("fast")), "storage-class-unknown")
    assert finding.severity is Severity.WARNING
    assert (finding.expected, finding.got) == ("`local-path`", "`fast`")
    assert finding.hint is not None
    assert "`spec.cluster.capacity.storageClasses`" in finding.hint
    own = an_object("StorageClass", "fast", group="storage.k8s.io")
    for whole in (flat(SHOP, claim(None)), flat(SHOP, claim("local-path")), flat(SHOP, claim("fast"), own)):
        assert not found(whole, "storage-class-unknown")


# --- security ----------------------------------------------------------------------------------------------------

KEY = "-----BEGIN RSA PRIVATE KEY-----\nx\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("manifest", "severity"),
    [
        (an_object("Secret", "a", "shop", data={"tls.key": encoded(KEY)}), Severity.ERROR),
        (an_object("Secret", "a", "shop", stringData={"tls.key": KEY}), Severity.ERROR),
        (an_object("ConfigMap", "a", "shop", data={"tls.key": KEY}), Severity.ERROR),
        (an_object("Secret", "a", "shop", data={"password": encoded("x")}), Severity.WARNING),
        (an_object("Secret", "a", "shop", data={"broken": "ä%"}), Severity.WARNING),
        (an_object("Secret", "a", "shop", data={"empty": "", "number": 1}), None),
        (an_object("Secret", "a", "shop"), None),
        (an_object("ConfigMap", "a", "shop", data={"ca.crt": "-----BEGIN CERTIFICATE-----"}), None),
    ],
)
def test_secrets_stay_out_of_git(manifest: Manifest, severity: Severity | None) -> None:
    findings = found(flat(SHOP, manifest), "secret-in-clear")
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert not any(KEY in str(finding) or encoded(KEY) in str(finding) for finding in findings), (
        "a message never shows content"
    )
    with_sops = found(flat(SHOP, manifest, site=a_site(secrets=SecretsMode.SOPS)), "secret-in-clear")
    assert with_sops == findings, "what is not encrypted is as clear as ever"


def test_an_object_that_sops_has_encrypted_is_no_secret_in_clear() -> None:
    secret = an_object("Secret", "a", "shop", data={"tls.key": "ENC[AES256_GCM,data:x]"}, sops={"version": "3.9.0"})
    assert not found(flat(SHOP, secret, site=a_site(secrets=SecretsMode.SOPS)), "secret-in-clear")
    assert found(flat(SHOP, secret), "secret-in-clear"), "the profile does not say that SOPS is used"
    recipients = GeneratedPolicy(recipients=(key_pair("one").recipient,))
    assert not found(flat(SHOP, secret, site=a_site(generated=recipients)), "secret-in-clear")


def test_what_stands_in_clear_beside_sealed_values_is_found() -> None:
    data = {"tls.key": "ENC[AES256_GCM,data:x]", "password": encoded("x")}
    half = an_object("Secret", "a", "shop", data=data, sops={"version": "3.9.0"})
    (finding,) = found(flat(SHOP, half, site=a_site(secrets=SecretsMode.SOPS)), "secret-in-clear")
    assert finding.got == "values for `password`"


def test_argo_cd_cannot_open_what_is_sealed() -> None:
    secret = an_object("Secret", "a", "shop", data={"key": "ENC[AES256_GCM,data:x]"}, sops={"version": "3.9.0"})
    (finding,) = found(flat(SHOP, secret), "sealed-needs-decryption")
    assert finding.severity is Severity.WARNING
    assert finding.message == "Argo CD cannot open 1 object that SOPS has encrypted"
    assert finding.explanation == ("Secret shop/a",)
    assert finding.hint is not None
    flux = a_site(gitops={"agent": GitOpsAgent.FLUX})
    assert not found(flat(SHOP, secret, site=flux), "sealed-needs-decryption")
    assert not found(flat(SHOP), "sealed-needs-decryption")


def test_privileges_are_one_finding_for_each_workload() -> None:
    security_context = {"privileged": True, "capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}
    web = a_deployment(
        "web",
        hostNetwork=True,
        volumes=[{"name": "v", "hostPath": {"path": "/"}}],
        containers=[
            {"name": "a", "securityContext": security_context},
            {"name": "b", "securityContext": security_context},
        ],
    )
    clock = a_deployment("clock", volumes=[{"name": "v", "hostPath": {"path": "/etc/localtime"}}])
    (finding,) = found(flat(SHOP, web, clock, a_deployment("plain")), "privileged-container")
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "`Deployment shop/web` reaches out of its containers: `capability SYS_ADMIN`, `hostNetwork`, `hostPath /`,"
        " `privileged`"
    )


def test_power_over_the_cluster_is_a_note() -> None:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "web", "namespace": "shop"}
    binding = an_object("ClusterRoleBinding", "a", group=group, roleRef={"name": "cluster-admin"}, subjects=[subject])
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = an_object("ClusterRole", "b", group=group, rules=[{"apiGroups": [""]}, everything])
    mild = an_object("ClusterRole", "c", group=group, rules=[{**everything, "verbs": ["get"]}])
    first, second = found(flat(binding, role, mild), "cluster-admin")
    assert {first.severity, second.severity} == {Severity.NOTE}
    assert second.message == "`ClusterRoleBinding a` makes `ServiceAccount web` `cluster-admin`"
    assert first.where.path == "rules[1]"


def test_rules_survive_malformed_objects() -> None:
    bodies: list[dict[str, Any]] = [
        {"spec": None},
        {"spec": []},
        {"spec": {"template": {"spec": {"containers": {}, "volumes": [1, None], "initContainers": [[], "x"]}}}},
        {"data": [], "stringData": "x", "webhooks": {}, "rules": [1], "subjects": 4, "roleRef": []},
    ]
    kinds = [("Deployment", "apps/v1"), ("Secret", ""), ("ClusterRoleBinding", "rbac.authorization.k8s.io"),
             ("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"), ("PersistentVolumeClaim", ""),
             ("CustomResourceDefinition", "apiextensions.k8s.io/v1"), ("StatefulSet", "apps/v1")]  # fmt: skip
    objects = [
        an_object(kind, f"n{number}", group=group, **body)
        for number, body in enumerate(bodies)
        for kind, group in kinds
    ]
    run_rules(RULES, replace(flat(*objects)))
