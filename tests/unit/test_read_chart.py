"""The text of a chart -> objects: documents, Lists, hooks, what is stripped, what is wrong."""

from __future__ import annotations

from typing import cast

import pytest

from renderer.errors import Severity
from renderer.model.bundles.chart import ChartFile, ChartOutput
from renderer.model.bundles.extension import Component, ComponentKind, Descriptor
from renderer.model.fields import Json
from renderer.model.objects.manifest import HookPhase, Manifest
from renderer.model.reference import Digest
from renderer.model.rendering import Inflated
from renderer.model.version import Version
from renderer.stages.chart import chart_request, name_hooks, read_chart

WEB = Component(
    name="web",
    kind=ComponentKind.HELM,
    content=Descriptor(media_type="application/gzip", digest=Digest.of(b"chart"), size=5),
    release="shop",
    namespace="shop",
    values={"image": {"tag": "1"}, "replicas": 1},
    forced={"tags": {"agent": False}},
)


def read(*templates: str, crds: tuple[str, ...] = ()) -> Inflated:
    """Read templates named `web/templates/0.yaml`, `1.yaml` …"""
    return read_chart(
        ChartOutput(
            templates=tuple(ChartFile(path=f"web/templates/{n}.yaml", text=text) for n, text in enumerate(templates)),
            crds=tuple(ChartFile(path=f"web/crds/{n}.yaml", text=text) for n, text in enumerate(crds)),
        ),
        "demo",
        WEB,
    )


def ids(inflated: Inflated) -> list[str]:
    return [str(manifest.id) for manifest in inflated.manifests]


def only(inflated: Inflated) -> Manifest:
    assert not inflated.findings
    (manifest,) = inflated.manifests
    return manifest


def config(name: str, *annotations: str) -> str:
    noted = "".join(f"\n    {line}" for line in annotations)
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n" + (
        f"  annotations:{noted}\n" if annotations else ""
    )


def job(name: str, hook: str, body: str = "x", weight: str = "0") -> str:
    return (
        f"apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n"
        f"  annotations: {{helm.sh/hook: {hook!r}, helm.sh/hook-weight: {weight!r}, helm.sh/hook-delete-policy: x}}\n"
        f"spec: {{ttlSecondsAfterFinished: 0, template: {{spec: {{containers: [{{name: a, image: {body}}}]}}}}}}\n"
    )


class TestRequest:
    def test_values_lie_over_the_defaults_and_under_what_is_forced(self) -> None:
        request = chart_request(
            WEB,
            b"chart",
            {"image": {"name": "web"}, "tags": {"agent": True, "mine": True}, "replicas": None},
            kubernetes=Version.parse("v1.31"),
            api_versions=["b/v1", "a/v1", "b/v1"],
        )
        assert request.values == {
            "image": {"tag": "1", "name": "web"},
            "replicas": None,
            "tags": {"agent": False, "mine": True},
        }
        assert request.kube_version == "1.31.0"
        assert {"a/v1", "b/v1"} <= set(request.api_versions)
        assert list(request.api_versions) == sorted(set(request.api_versions))
        assert (request.release, request.namespace, request.chart) == ("shop", "shop", WEB.content.digest)


class TestDocuments:
    def test_crds_come_first_then_templates_by_path_and_identity(self) -> None:
        crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\n"
        both = config("two") + "---\n" + config("one")
        assert ids(read(both, config("zero"), crds=(crd,))) == [
            "CustomResourceDefinition a.b",
            "ConfigMap one",
            "ConfigMap two",
            "ConfigMap zero",
        ]

    def test_say_where_they_come_from(self) -> None:
        origin = only(read(config("one"))).origin
        assert str(origin) == "extension demo, web: web/templates/0.yaml"
        assert origin.hook is None

    @pytest.mark.parametrize("line", ["---", "--- # note", "---# note", "---   "])
    def test_are_separated_as_helm_does(self, line: str) -> None:
        assert ids(read(f"{config('one')}{line}\n{config('two')}")) == ["ConfigMap one", "ConfigMap two"]

    def test_may_be_empty_or_comments(self) -> None:
        assert read("", "# nothing\n", "---\n---\n\n# nothing\n---\n") == Inflated(manifests=())

    @pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\n---\n", "\n\n\n---\n# end\n"])
    def test_end_alike_wherever_they_stand(self, end: str) -> None:
        # Helm 3, 4.2 and 4.3 print different numbers of line breaks behind a document.
        assert only(read(config("one") + "data:\n  text: |+\n    x" + end)).body["data"] == {"text": "x\n"}

    def test_lists_are_expanded_and_typed_lists_give_their_type(self) -> None:
        text = """
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}
  - apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleList
    items: [{metadata: {name: r}}]
"""
        assert ids(read(text)) == ["ServiceAccount a", "Role r"]

    def test_a_custom_kind_may_end_in_list(self) -> None:
        assert ids(read("{apiVersion: a.b/v1, kind: AllowList, metadata: {name: x}}")) == ["AllowList.a.b x"]

    def test_equal_crds_of_a_subchart_that_is_used_twice_count_once(self) -> None:
        crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b}\n"
        assert len(read(crds=(crd, crd)).manifests) == 1
        assert len(read(crds=(crd, crd + "spec: {scope: Cluster}\n")).manifests) == 2


class TestFaults:
    def test_bad_yaml_names_template_and_line_and_does_not_stop_the_reading(self) -> None:
        inflated = read(config("one") + "---\n" + config("two") + "data: [1\nx: 2\n", config("three"))
        assert ids(inflated) == ["ConfigMap one", "ConfigMap three"]
        (finding,) = inflated.findings
        assert (finding.code, finding.severity) == ("chart-bad-yaml", Severity.ERROR)
        assert finding.message.startswith("the text that this template yields is not YAML: ")
        assert finding.where.file == "web/templates/0.yaml"
        assert finding.where.line in {10, 11}
        assert finding.where.subject == "extension demo, web"
        assert finding.hint is not None

    def test_a_duplicate_key_is_a_warning(self) -> None:
        inflated = read("# one\n---\n" + config("one") + "data: {a: b}\ndata: {c: d}\n")
        assert inflated.manifests[0].body["data"] == {"c": "d"}
        (finding,) = inflated.findings
        assert (finding.code, finding.severity) == ("duplicate-key", Severity.WARNING)
        assert finding.message == "the key `data` stands twice in one mapping; Kubernetes takes the last one"
        assert (finding.where.file, finding.where.line) == ("web/templates/0.yaml", 8)

    @pytest.mark.parametrize(
        ("text", "code", "message", "path"),
        [
            ("- a\n", "chart-bad-object", "a Kubernetes object is a mapping, this is a list", None),
            ("hello\n", "chart-bad-object", "a Kubernetes object is a mapping, this is a string", None),
            (
                "kind: A\nmetadata: {name: x}\n",
                "chart-bad-object",
                "`apiVersion` is missing or not a string",
                "apiVersion",
            ),
            ("apiVersion: v1\nkind: A\n", "chart-bad-object", "`metadata` must be a mapping", "metadata"),
            (
                "apiVersion: v1\nkind: A\nmetadata: {generateName: x-}\n",
                "generate-name",
                "an object with a generated name cannot be tracked by a GitOps agent",
                "metadata.generateName",
            ),
        ],
        ids=["list", "text", "no-version", "no-metadata", "generate-name"],
    )
    def test_what_is_no_object_is_an_error(self, text: str, code: str, message: str, path: str | None) -> None:
        (finding,) = read("\n" + text).findings
        assert (finding.code, finding.message, finding.where.path) == (code, message, path)
        assert finding.where.line == 2
        assert finding.severity is Severity.ERROR

    def test_lists_in_lists_have_an_end(self) -> None:
        text = config("x")
        body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"
        for _ in range(12):
            body = f"{{apiVersion: v1, kind: List, items: [{body}]}}"
        (finding,) = read(text, body).findings
        assert finding.message == "Lists lie more than 8 deep in each other"


class TestStripping:
    def test_what_only_a_server_writes(self) -> None:
        manifest = only(
            read("""
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a, creationTimestamp: null}
spec:
  template: {metadata: {creationTimestamp: null, labels: {a: b}}, spec: {}}
  volumeClaimTemplates: [{metadata: {name: c, creationTimestamp: null}, status: {}, spec: {}}]
status: {replicas: 0}
""")
        )
        assert manifest.body == {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "a"},
            "spec": {
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {}},
                "volumeClaimTemplates": [{"metadata": {"name": "c"}, "spec": {}}],
            },
        }

    def test_in_a_cron_job_too(self) -> None:
        manifest = only(
            read("""
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec: {jobTemplate: {metadata: {creationTimestamp: null}, spec: {template: {metadata: {creationTimestamp: null}}}}}
""")
        )
        assert manifest.body["spec"] == {"jobTemplate": {"metadata": {}, "spec": {"template": {"metadata": {}}}}}

    def test_the_status_of_a_custom_resource_stays(self) -> None:
        # KubeSphere loads a JSBundle only when its chart says so here; its CRD has no status subresource.
        text = "apiVersion: extensions.kubesphere.io/v1alpha1\nkind: JSBundle\nmetadata: {name: x}\n"
        assert only(read(text + "status: {state: Available}\n")).body["status"] == {"state": "Available"}

    def test_kept_objects_are_protected_for_both_agents(self) -> None:
        text = config(
            "one", "helm.sh/resource-policy: Keep", "argocd.argoproj.io/sync-options: Prune=confirm, Validate=false"
        )
        assert only(read(text)).annotations == {
            "helm.sh/resource-policy": "Keep",
            "argocd.argoproj.io/sync-options": "Validate=false,Prune=false",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
        }

    def test_weights_on_what_is_no_hook_are_not_left_for_argo_cd_to_find(self) -> None:
        text = config("one", 'helm.sh/hook-weight: "5"', 'argocd.argoproj.io/sync-wave: "7"')
        assert "annotations" not in only(read(text)).metadata


class TestHooks:
    @pytest.mark.parametrize(
        ("annotation", "phase"),
        [
            ("pre-install", HookPhase.BEFORE),
            ("pre-install,pre-upgrade", HookPhase.BEFORE),
            ("pre-upgrade", HookPhase.BEFORE),
            ("post-install", HookPhase.AFTER),
            ("post-install, post-upgrade", HookPhase.AFTER),
            ("Post-Install", HookPhase.AFTER),
            ("pre-upgrade,post-upgrade", HookPhase.AFTER),
            ("post-install,pre-upgrade", HookPhase.AFTER),
            ("pre-install,post-install", HookPhase.BEFORE),
            ("post-install,post-delete", HookPhase.AFTER),
        ],
    )
    def test_become_objects_before_or_after_the_rest(self, annotation: str, phase: HookPhase) -> None:
        manifest = only(read(job("a", annotation, weight="-5")))
        assert (manifest.origin.hook, manifest.origin.hook_weight) == (phase, -5)
        assert "annotations" not in manifest.metadata

    @pytest.mark.parametrize(
        "annotation",
        [
            "pre-delete",
            "post-delete",
            "pre-rollback,post-rollback",
            "test",
            "test-success",
            "",
            "pre-instal",
            "crd-install",
        ],
    )
    def test_of_other_kinds_are_dropped_and_listed(self, annotation: str) -> None:
        inflated = read(job("a", annotation))
        assert not inflated.manifests
        (dropped,) = inflated.dropped
        assert (str(dropped.id), dropped.hooks) == ("Job a", tuple(annotation.split(",")))
        assert (dropped.extension, dropped.component, dropped.source) == ("demo", "web", "web/templates/0.yaml")
        assert dropped.phase is HookPhase.DROPPED

    @pytest.mark.parametrize(
        ("annotation", "phase"),
        [("PreSync", HookPhase.BEFORE), ("PostSync", HookPhase.AFTER), ("Sync", None), ("Skip", HookPhase.DROPPED)],
    )
    def test_of_argo_cd_mean_the_same_to_both_agents(self, annotation: str, phase: HookPhase | None) -> None:
        text = config(
            "one",
            f"argocd.argoproj.io/hook: {annotation}",
            "argocd.argoproj.io/hook-delete-policy: HookSucceeded",
            'argocd.argoproj.io/sync-wave: "3"',
            "helm.sh/hook: pre-delete",
        )
        inflated = read(text)
        if phase is HookPhase.DROPPED:
            assert [dropped.hooks for dropped in inflated.dropped] == [("Skip",)]
        else:
            manifest = only(inflated)
            assert (manifest.origin.hook, manifest.origin.hook_weight) == (phase, 3)
            assert "annotations" not in manifest.metadata

    def test_a_weight_that_is_no_number_is_0(self) -> None:
        assert only(read(job("a", "pre-install", weight="first"))).origin.hook_weight == 0

    def test_a_hook_with_a_generated_name_gets_a_fixed_one(self) -> None:
        text = job("a", "post-install").replace("name: a\n", "generateName: migrate-\n", 1)
        assert only(read(text)).id.name == "migrate"


class TestHookNames:
    def named(self, *templates: str) -> list[Manifest]:
        return list(name_hooks(read(*templates).manifests))

    def test_follow_the_content_and_nothing_else(self) -> None:
        (one,), (same,), (other,) = (self.named(job("a", "pre-install", body)) for body in ("img:1", "img:1", "img:2"))
        assert one.id.name.startswith("a-")
        assert len(one.id.name) == 10
        assert one == same
        assert other.id.name != one.id.name

    def test_follow_what_the_job_may_read_in_the_same_phase(self) -> None:
        script = config("script", "helm.sh/hook: pre-install")
        names = [
            self.named(f"{script}data: {{a: {data}}}\n", job("a", hook))[-1].id.name
            for data, hook in (("x", "pre-install"), ("y", "pre-install"), ("x", "post-install"), ("y", "post-install"))
        ]
        assert names[0] != names[1]
        assert names[2] == names[3]

    def test_fit_into_a_label(self) -> None:
        (one,) = self.named(job("a" * 63, "pre-install"))
        assert len(one.id.name) == 63

    def test_only_jobs_and_pods_that_are_hooks_are_renamed(self) -> None:
        plain = job("a", "x").replace("helm.sh/hook: 'x', ", "")
        assert ids(Inflated(manifests=tuple(self.named(plain, config("c", "helm.sh/hook: pre-install"))))) == [
            "Job a",
            "ConfigMap c",
        ]

    def test_a_finished_job_must_stay_or_it_would_run_for_ever(self) -> None:
        (one,) = self.named(job("a", "pre-install"))
        spec = cast("dict[str, Json]", one.body["spec"])
        assert "ttlSecondsAfterFinished" not in spec
        assert "template" in spec
