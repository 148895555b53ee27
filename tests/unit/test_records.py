"""What is written down beside the manifests, and whether a tree is what its record says."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from renderer.errors import Finding, InputError, Severity, Where
from renderer.formats.kubernetes.manifests import load_values
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest
from renderer.model.rendering import Composed, DroppedHook, ExternalObject
from renderer.model.site import CheckRules, IgnoreRule
from renderer.model.trees.orphan import Orphan
from renderer.model.trees.tree import FileTree
from renderer.stages.provenance import PROVENANCE, is_current, provenance, render_inputs
from renderer.stages.records import read_orphans, record_files
from renderer.structs import replace
from tests.simulators.sites import SHIPPED, a_deployment, a_lock, a_plan, a_site, an_object, composed, pinned

WEB = a_deployment("web")
PLAN = a_plan(
    (0, "namespaces", (an_object("Namespace", "shop"),)),
    (20, "extensions", (an_object("Service", "web", "shop"), WEB)),
    reasons={WEB.id: "shop requires no other enabled extension"},
)
IMAGES = (pinned("nginx:1.27"), pinned("quay.io/team/api:2"))


def records(whole: Composed, orphans: tuple[Orphan, ...] = ()) -> dict[str, str]:
    tree = record_files(whole, lock_bytes=b"a: lock\n", orphans=orphans, templates=SHIPPED)
    return {path.removeprefix("records/"): content.decode() for path, content in tree.items()}


def test_a_plain_site_has_four_records() -> None:
    found = records(composed(PLAN, images=IMAGES))
    assert list(found) == ["images.txt", "lock.yaml", "plan.md", "report.md"]
    assert found["lock.yaml"] == "a: lock\n"
    assert found["images.txt"] == "".join(f"{image}\n" for image in IMAGES)


def test_the_report_of_a_small_site() -> None:
    assert (
        records(composed(PLAN, images=IMAGES))["report.md"]
        == f"""\
# branch-017

Kubernetes 1.31.4 (kubeadm, containerd, linux/amd64), applied by argocd.
3 objects in 2 waves, 2 images, 0 errors, 0 warnings, 0 notes.

Rendered by Sitewright 0.1.0 with Helm v4.2.3 (embedded) from `profiles/branch-017.yaml` and its lock,
of which [lock.yaml](lock.yaml) is a copy. Where everything comes from: [provenance.json](provenance.json).
Why each object is in its wave: [plan.md](plan.md). How to apply it: [agent/README.md](../agent/README.md).

## Extensions · 扩展组件

| extension | version | bundle | objects | required by |
|---|---|---|---|---|
| shop | 1.2.0 | demo | 3 | profile |

## Bundles · 交付包

| bundle | version | sequence | digest | signed by |
|---|---|---|---|---|
| demo | 4.1.3 | 7 | `{Digest.of(b"bundle")}` | office, vendor-2026 |

## Waves · 部署批次

| wave | objects | kinds |
|---|---|---|
| `w000-namespaces` | 1 | 1 Namespace |
| `w020-extensions` | 2 | 1 Deployment, 1 Service |

## Images · 镜像

Every image is pinned by digest: [images.txt](images.txt).
Manifests keep the upstream names; nodes fetch them from the site registry (files and README in `nodes/`).

| images of | come from |
|---|---|
| `docker.io` | `harbor.site.local:5443/dockerhub` |
| `quay.io` | `harbor.site.local:5443/quay` |
"""
    )


def test_the_plan_says_why_each_object_is_where_it_is() -> None:
    assert (
        records(composed(PLAN))["plan.md"]
        == """\
# The waves of branch-017 · 部署批次

Everything in a wave is healthy before the next wave starts.

## w000-namespaces

| object | extension | why it is in this wave |
|---|---|---|
| `Namespace shop` | shop |  |

## w020-extensions

| object | extension | why it is in this wave |
|---|---|---|
| `Service shop/web` | shop |  |
| `Deployment shop/web` | shop | shop requires no other enabled extension |
"""
    )


def test_findings_and_what_the_profile_accepts_of_them() -> None:
    accepted = IgnoreRule(rule="privileged-container", object="DaemonSet *", reason="CNI", until=date(2027, 1, 1))
    findings = (
        Finding(code="privileged-container", message="a|b", where=Where(subject="DaemonSet kube-system/cni"),
                severity=Severity.WARNING),
        Finding(code="api-removed", message="gone", where=Where(subject="CronJob shop/gc", path="apiVersion")),
    )  # fmt: skip
    site = a_site(checks=CheckRules(ignore=(accepted,)))
    report = records(composed(PLAN, site=site, findings=findings))["report.md"]
    assert "1 errors, 1 warnings, 0 notes" in report
    assert (
        "| warning | privileged-container | DaemonSet kube-system/cni | a\\|b | accepted, until 2027-01-01: CNI |\n"
        "| error | api-removed | CronJob shop/gc, apiVersion | gone |  |\n"
    ) in report


def left_out(kind: str, name: str, source: str = "shop/templates/clean.yaml", *hooks: str) -> DroppedHook:
    group = "batch" if kind == "Job" else ""
    return DroppedHook(
        id=ObjectId(group, kind, "shop", name),
        extension="shop",
        component="shop",
        source=source,
        hooks=hooks or ("pre-delete",),
    )


def test_hooks_that_were_left_out_are_listed() -> None:
    hooks = (left_out("Job", "a"), left_out("Job", "b"), left_out("Pod", "c", "shop/templates/t.yaml", "test", "x"))
    found = records(composed(PLAN, dropped=hooks))
    rows = (
        "| 2 x Job | shop | pre-delete | `shop/templates/clean.yaml` |\n"
        "| Pod | shop | test, x | `shop/templates/t.yaml` |\n"
    )
    assert rows in found["report.md"]
    assert rows in found["plan.md"]


def test_names_that_a_chart_invents_for_them_are_not_recorded_and_their_order_is_ours() -> None:
    one, other = (left_out("Job", f"clean-{random}") for random in ("x81ha", "a9s7d"))
    account = left_out("ServiceAccount", "clean")
    found, again = (records(composed(PLAN, dropped=hooks)) for hooks in ((one, account), (account, other)))
    assert found == again


# --- secrets -----------------------------------------------------------------------------------------------------


def test_secrets_md_shows_what_to_create() -> None:
    secret = an_object(
        "Secret", "web-tls", "shop", type="kubernetes.io/tls", data={"tls.key": "<generated>", "ca.crt": "QUJD"}
    )
    field = GeneratedValue(
        component="shop/shop",
        object=secret.id,
        path='data["tls.key"]',
        kind=GeneratedKind.SECRET,
        source="shop/templates/tls.yaml",
    )
    found = records(composed(PLAN, external=(ExternalObject(manifest=secret, fields=(field,)),)))
    text = found["secrets.md"]
    assert "## Secret shop/web-tls\n" in text
    assert '| `data["tls.key"]` | secret | `shop/templates/tls.yaml` |\n' in text
    yaml = text.partition("```yaml\n")[2].partition("```")[0]
    assert load_values(yaml.encode()) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "web-tls", "namespace": "shop"},
        "data": {"ca.crt": "QUJD"},
        "stringData": {"tls.key": "<generated>"},
    }, "an operator writes the value as it is, not in base64"
    assert "| `Secret shop/web-tls` | shop | 1 |\n" in found["report.md"]


def test_a_certificate_says_for_whom_and_who_has_to_trust_it() -> None:
    secret = an_object("Secret", "hook-tls", "shop", data={"tls.crt": "<generated>"})
    field = GeneratedValue(
        component="shop/shop", object=secret.id, path='data["tls.crt"]', kind=GeneratedKind.SECRET, source="a.yaml"
    )
    volume = {"name": "tls", "secret": {"secretName": "hook-tls"}}
    template = {"metadata": {"labels": {"app": "hook", "tier": "x"}}, "spec": {"volumes": [volume]}}
    client = {"service": {"name": "hook", "namespace": "shop", "path": "/x"}, "caBundle": "Q0E="}
    plan = a_plan(
        (
            20,
            "extensions",
            (
                an_object("Deployment", "hook", "shop", group="apps/v1", spec={"template": template}),
                an_object("Service", "hook", "shop", spec={"selector": {"app": "hook"}}),
                an_object("Service", "other", "shop", spec={"selector": {"app": "other"}}),
                an_object("Service", "headless", "shop", spec={}),
                an_object("Service", "hook", "elsewhere", spec={"selector": {"app": "hook"}}),
                an_object(
                    "ValidatingWebhookConfiguration",
                    "hook",
                    group="admissionregistration.k8s.io/v1",
                    webhooks=[{"name": "a.b.c", "clientConfig": client}],
                ),
                an_object(
                    "Museum", "m", group="acme.example/v1", spec={"url": "https://hook.shop.svc:443", "caBundle": ""}
                ),
                an_object(
                    "Museum", "n", group="acme.example/v1", spec={"url": "https://hooks.shop.svc", "caBundle": ""}
                ),
            ),
        )
    )
    text = records(composed(plan, external=(ExternalObject(manifest=secret, fields=(field,)),)))["secrets.md"]
    assert (
        "\n`tls.crt` is a server certificate for `hook.shop.svc`, `tls.key` its private key, both PEM.\n"
        "The CA that signed it stands, as base64 of its PEM text, in `caBundle` of `Museum.acme.example m`, "
        "`ValidatingWebhookConfiguration hook` (`spec.generated` of the profile).\n\n```yaml\n"
    ) in text
    nobody = records(composed(PLAN, external=(ExternalObject(manifest=secret, fields=(field,)),)))["secrets.md"]
    assert "\n\n`tls.crt` is a certificate, `tls.key` its private key, both PEM.\n\n```yaml\n" in nobody


def test_other_objects_with_secret_material_are_shown_as_they_are() -> None:
    settings = an_object("ConfigMap", "settings", "shop", data={"app.yaml": "jwt: <generated>\n"})
    line = GeneratedValue(
        component="shop/shop",
        object=settings.id,
        path='data["app.yaml"]#1',
        kind=GeneratedKind.OTHER,
        source="a.yaml",
    )
    text = records(composed(PLAN, external=(ExternalObject(manifest=settings, fields=(line,)),)))["secrets.md"]
    assert '| `data["app.yaml"]`, line 1 | other | `a.yaml` |\n' in text
    assert "data:\n  app.yaml: |\n    jwt: <generated>\n" in text


# --- orphans -----------------------------------------------------------------------------------------------------

ORPHANS = (
    Orphan(id=ObjectId("", "Namespace", "", "old"), reason="protected from pruning"),
    Orphan(id=ObjectId("acme.example", "Widget", "shop", "w"), reason="its whole wave is gone"),
    Orphan(
        id=ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.acme.example"),
        reason="protected from pruning",
    ),
)


def test_orphans_are_found_again_in_what_was_written() -> None:
    tree = record_files(composed(PLAN), lock_bytes=b"", orphans=ORPHANS, templates=SHIPPED)
    assert read_orphans(tree) == ORPHANS
    assert read_orphans(FileTree({})) == ()


def test_custom_resources_are_to_be_deleted_before_their_definition() -> None:
    text = records(composed(PLAN), ORPHANS)["orphans.md"]
    assert [line for line in text.splitlines() if line.startswith("kubectl")] == [
        "kubectl delete widget.acme.example -n shop 'w'",
        "kubectl delete customresourcedefinition.apiextensions.k8s.io 'widgets.acme.example'",
        "kubectl delete namespace 'old'",
    ]


def test_lines_that_we_did_not_write_are_no_orphans() -> None:
    text = "# x\n| `a` |\n| `Namespace` | `` | `` | `a`b` | why |\n\xff"
    assert read_orphans(FileTree({"records/orphans.md": text.encode("latin-1")})) == ()


def test_a_broken_template_of_a_site_is_refused() -> None:
    with pytest.raises(InputError, match="template-failed"):
        record_files(
            composed(PLAN), lock_bytes=b"", orphans=(), templates={**SHIPPED, "records/report.md.j2": "{{ x.y }}"}
        )


# --- provenance --------------------------------------------------------------------------------------------------

TREE = FileTree.of([("manifests/w000-a/b/c.yaml", b"x\n"), ("records/lock.yaml", b"lock\n")])


def inputs(**changes: Any) -> Any:
    site = a_site()
    return replace(render_inputs(site, a_lock(site), b"lock\n", SHIPPED, sitewright="0.1.0"), **changes)


def test_provenance_is_an_in_toto_statement_about_the_tree() -> None:
    statement = json.loads(provenance(inputs(), TREE))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [{"name": "sites/branch-017", "digest": {"sha256": TREE.digest().hex}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {"profile": "profiles/branch-017.yaml", "site": "branch-017"}
    by_name = {one["name"]: one for one in definition["resolvedDependencies"]}
    assert by_name["lock"]["digest"] == {"sha256": Digest.of(b"lock\n").hex}
    assert by_name["bundle demo"] == {
        "name": "bundle demo",
        "uri": "bundles/demo.tar",
        "digest": {"sha256": Digest.of(b"bundle").hex},
        "annotations": {"version": "4.1.3", "sequence": 7, "signers": ["office", "vendor-2026"]},
    }
    builder = statement["predicate"]["runDetails"]["builder"]
    assert builder["version"] == {"sitewright": "0.1.0", "helm": "v4.2.3", "chartEngine": "embedded"}


def test_a_tree_is_current_until_it_or_an_input_changes() -> None:
    whole = TREE.joined(FileTree.of([(PROVENANCE, provenance(inputs(), TREE))]))
    assert is_current(whole, inputs())
    other = Digest.of(b"other")
    assert not is_current(TREE, inputs()), "nothing is recorded"
    for changes in (
        {"profile": other},
        {"lock": other},
        {"templates": other},
        {"sitewright": "0.2.0"},
        {"bundles": ()},
    ):
        assert not is_current(whole, inputs(**changes)), changes
    for files in ({**whole.files, "manifests/w000-a/b/c.yaml": b"edited\n"}, {**whole.files, "new": b""}):
        assert not is_current(FileTree.of(files.items()), inputs()), "the tree was touched"
    short = {path: content for path, content in whole.items() if path != "records/lock.yaml"}
    assert not is_current(FileTree.of(short.items()), inputs()), "a file is missing"


def test_templates_of_a_site_are_an_input() -> None:
    site = a_site()
    ours, theirs = (
        render_inputs(site, a_lock(site), b"", templates, sitewright="0.1.0")
        for templates in (SHIPPED, {**SHIPPED, "records/report.md.j2": "x"})
    )
    assert ours.templates != theirs.templates
