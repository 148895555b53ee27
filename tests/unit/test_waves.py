"""Waves: few boundaries, and everything that must be ready is ready before what needs it."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model.objects.manifest import HookPhase, Manifest, ObjectId, Origin
from renderer.model.ordering.apply_order import apply_order
from renderer.stages.waves import Planned, plan_waves

RBAC = "rbac.authorization.k8s.io/v1"


def thing(
    kind: str,
    name: str = "x",
    api: str = "v1",
    *,
    of: str = "web",
    hook: HookPhase | None = None,
    weight: int = 0,
    component: str = "main",
    **fields: Any,
) -> Manifest:
    origin = Origin(extension=of, component=component, source="a.yaml", hook=hook, hook_weight=weight)
    cluster = kind.startswith(("Cluster", "Custom", "Validating", "Mutating", "Priority", "Namespace", "API"))
    metadata = {"name": name, **({} if cluster else {"namespace": "shop"}), **fields.pop("metadata", {})}
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, origin)


def deployment(of: str = "web", name: str = "x") -> Manifest:
    return thing("Deployment", name, "apps/v1", of=of)


def job(name: str, phase: HookPhase, weight: int = 0, of: str = "web", **pod: Any) -> Manifest:
    spec = {"template": {"spec": {"containers": [], **pod}}}
    return thing("Job", name, "batch/v1", of=of, hook=phase, weight=weight, spec=spec)


def crd(kind: str = "Widget", *, of: str = "web", conversion: str = "None") -> Manifest:
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    spec = {"group": "a.example", "names": names, "conversion": {"strategy": conversion}}
    return thing("CustomResourceDefinition", f"{kind}.a.example", "apiextensions.k8s.io/v1", of=of, spec=spec)


def webhook(*, of: str = "web", policy: str | None = None, resource: str = "widgets") -> Manifest:
    rule = {"apiGroups": ["a.example"], "resources": [resource]}
    one = {"name": "a", "rules": [rule], **({"failurePolicy": policy} if policy else {})}
    return thing("ValidatingWebhookConfiguration", "hook", "admissionregistration.k8s.io/v1", of=of, webhooks=[one])


def widget(*, of: str = "web", kind: str = "Widget") -> Manifest:
    return thing(kind, "w", "a.example/v1", of=of)


def planned(
    *manifests: Manifest,
    requires: Mapping[str, set[str]] | None = None,
    overrides: Mapping[str, tuple[int, str]] | None = None,
) -> Planned:
    graph = {name: frozenset(needs) for name, needs in (requires or {}).items()}
    return plan_waves(manifests, graph, overrides or {})


def layout(result: Planned) -> dict[str, list[str]]:
    """Directory -> objects, without the markers."""
    return {
        wave.directory: [str(one.id) for one in wave.manifests if one.origin.extension != "sitewright"]
        for wave in result.plan.waves
    }


def wave_of(result: Planned, manifest: Manifest) -> int:
    return result.plan.wave_of()[manifest.id].number


class TestFewWaves:
    def test_namespaces_definitions_extensions_and_the_closing_wave(self) -> None:
        namespace, one = thing("Namespace", "shop"), thing("PriorityClass", "high", "scheduling.k8s.io/v1")
        result = planned(deployment(), crd(), namespace, one, thing("ServiceAccount"), widget())
        assert layout(result) == {
            "w000-namespaces": ["Namespace shop", "PriorityClass high"],
            "w005-crds": ["CustomResourceDefinition Widget.a.example"],
            "w020-extensions": ["ServiceAccount shop/x", "Deployment shop/x", "Widget.a.example shop/w"],
            "w999-closing": [],
        }
        assert not result.findings

    def test_extensions_that_do_not_require_each_other_share_a_wave(self) -> None:
        result = planned(deployment("a", "a"), deployment("b", "b"), deployment("c", "c"), requires={"c": {"a"}})
        assert layout(result) == {
            "w020-extensions": ["Deployment shop/a", "Deployment shop/b"],
            "w040-extensions": ["Deployment shop/c"],
            "w999-closing": [],
        }

    def test_the_longest_way_decides(self) -> None:
        requires = {"c": {"a", "b"}, "b": {"a"}, "d": {"missing"}}
        result = planned(*(deployment(name, name) for name in "abcd"), requires=requires)
        assert [wave_of(result, deployment(name, name)) for name in "abcd"] == [20, 40, 60, 20]

    def test_every_object_carries_its_wave_and_a_reason(self) -> None:
        first, second = deployment("a", "a"), deployment("b", "b")
        result = planned(first, second, requires={"b": {"a"}})
        for wave in result.plan.waves:
            for manifest in wave.manifests:
                assert manifest.annotations["argocd.argoproj.io/sync-wave"] == str(wave.number)
                assert result.plan.reasons[manifest.id]
        assert result.plan.reasons[first.id] == "a requires no other enabled extension"
        assert result.plan.reasons[second.id] == "b requires a"

    def test_every_wave_has_a_marker_that_does_not_change_with_its_content(self) -> None:
        few, many = planned(deployment()), planned(deployment(), thing("ConfigMap", "more"))
        for one, other in zip(few.plan.waves, many.plan.waves, strict=True):
            marker = next(found for found in one.manifests if found.origin.extension == "sitewright")
            assert marker.id == ObjectId("", "ConfigMap", "default", f"sitewright-w{one.number:03d}")
            assert marker in other.manifests

    def test_the_order_of_the_input_does_not_matter(self) -> None:
        manifests = [deployment("a"), crd(of="a"), webhook(of="a"), widget(of="b"), job("j", HookPhase.AFTER, of="b")]
        assert planned(*manifests).plan == planned(*reversed(manifests)).plan

    def test_nothing_yields_only_the_closing_wave(self) -> None:
        assert layout(planned()) == {"w999-closing": []}


class TestWhatNeedsPods:
    def test_a_webhook_that_refuses_when_down_comes_after_its_pods(self) -> None:
        for policy in (None, "Fail"):
            assert wave_of(planned(deployment(), one := webhook(policy=policy)), one) == 24

    def test_a_webhook_that_lets_pass_when_down_needs_no_wave(self) -> None:
        result = planned(deployment(), one := webhook(policy="Ignore"), crd(), two := widget())
        assert (wave_of(result, one), wave_of(result, two)) == (20, 20)

    def test_an_api_service_comes_after_its_pods(self) -> None:
        one = thing("APIService", "v1.metrics", "apiregistration.k8s.io/v1")
        assert wave_of(planned(deployment(), one), one) == 24

    @pytest.mark.parametrize("resource", ["widgets", "widgets/status", "*", "*/*"])
    def test_a_custom_resource_waits_for_the_webhooks_that_judge_it(self, resource: str) -> None:
        result = planned(deployment(), crd(), webhook(resource=resource), one := widget())
        assert wave_of(result, one) == 24
        assert result.plan.reasons[one.id] == "after the pods of web, whose webhooks must answer for Widget"

    def test_a_webhook_for_another_resource_does_not_hold_it_back(self) -> None:
        assert wave_of(planned(crd(), webhook(resource="gadgets"), one := widget()), one) == 20

    def test_a_custom_resource_waits_for_a_conversion_webhook(self) -> None:
        assert wave_of(planned(crd(conversion="Webhook"), one := widget()), one) == 24

    def test_a_custom_resource_comes_after_the_extension_that_defines_its_kind(self) -> None:
        """Also when it does not require that extension: its health would hold back the very operator it waits for."""
        base = [deployment("op", "op"), crd(of="op"), deployment("lib", "lib")]
        same = planned(*base, one := widget(of="app"))
        later = planned(*base, one, requires={"op": {"lib"}})
        before = planned(*base, one, requires={"app": {"op"}})
        assert [wave_of(result, one) for result in (same, later, before)] == [24, 44, 40]

    def test_what_a_finished_operator_serves_does_not_wait_for_the_own_pods(self) -> None:
        """A Certificate comes with the Deployment that mounts its Secret, or neither would ever be ready."""
        result = planned(
            deployment("op", "op"), crd(of="op"), webhook(of="op"), deployment("app", "app"), one := widget(of="app"),
            requires={"app": {"op"}},
        )  # fmt: skip
        assert wave_of(result, one) == 40

    def test_a_kind_that_pods_register_comes_last_and_argo_cd_does_not_ask_for_it(self) -> None:
        result = planned(deployment(), one := widget())
        assert layout(result)["w027-runtime"] == ["Widget.a.example shop/w"]
        (found,) = [m for wave in result.plan.waves for m in wave.manifests if m.id == one.id]
        assert found.annotations["argocd.argoproj.io/sync-options"] == "SkipDryRunOnMissingResource=true"


class TestHooks:
    def test_hooks_lie_around_their_extension_weight_by_weight(self) -> None:
        result = planned(
            deployment(),
            job("pre-2", HookPhase.BEFORE, 5), job("pre-1", HookPhase.BEFORE, -5),
            job("post-1", HookPhase.AFTER, 0), job("post-2", HookPhase.AFTER, 1),
            thing("ConfigMap", "input", hook=HookPhase.BEFORE, weight=-10),
            thing("ConfigMap", "more", hook=HookPhase.BEFORE, weight=0),
            thing("ConfigMap", "late", hook=HookPhase.BEFORE, weight=9),
        )  # fmt: skip
        assert layout(result) == {
            "w015-before": ["ConfigMap shop/input", "Job shop/pre-1"],
            "w016-before": ["ConfigMap shop/late", "ConfigMap shop/more", "Job shop/pre-2"],
            "w020-extensions": ["Deployment shop/x"],
            "w029-after": ["Job shop/post-1"],
            "w030-after": ["Job shop/post-2"],
            "w999-closing": [],
        }

    def test_hooks_of_different_releases_share_waves(self) -> None:
        first, second = job("a", HookPhase.AFTER, 3, of="a"), job("b", HookPhase.AFTER, 8, of="b")
        assert layout(planned(first, second)) == {"w029-after": ["Job shop/a", "Job shop/b"], "w999-closing": []}

    def test_what_a_job_before_the_extension_needs_comes_with_it(self) -> None:
        """Helm finds it there on an upgrade; on a first installation of a tree it would be missing."""
        subjects = [{"kind": "ServiceAccount", "name": "runner", "namespace": "shop"}]
        volumes = [
            {"name": "a", "secret": {"secretName": "key"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "data"}},
        ]
        result = planned(
            job("pre", HookPhase.BEFORE, serviceAccountName="runner", volumes=volumes,
                containers=[{"envFrom": [{"configMapRef": {"name": "env"}}]}]),
            thing("ServiceAccount", "runner"), thing("Secret", "key"), thing("ConfigMap", "env"),
            thing("PersistentVolumeClaim", "data"), thing("ServiceAccount", "idle"), thing("ConfigMap", "other"),
            thing("Role", "r", RBAC), thing("ClusterRole", "c", RBAC),
            thing("RoleBinding", "b", RBAC, subjects=subjects, roleRef={"kind": "Role", "name": "r"}),
            thing("ClusterRoleBinding", "d", RBAC, subjects=subjects, roleRef={"kind": "ClusterRole", "name": "c"}),
        )  # fmt: skip
        assert layout(result)["w020-extensions"] == ["ServiceAccount shop/idle", "ConfigMap shop/other"]
        assert len(layout(result)["w015-before"]) == 9

    def test_more_weights_than_waves_are_told(self) -> None:
        jobs = [job(f"j{weight}", HookPhase.BEFORE, weight) for weight in range(7)]
        result = planned(*jobs)
        assert layout(result)["w019-before"] == ["Job shop/j4", "Job shop/j5", "Job shop/j6"]
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("hooks-compressed", Severity.WARNING)
        assert str(finding.where) == "extension web"
        assert "more than 5 weights" in finding.message


class TestOverrides:
    def test_the_profile_moves_an_extension_and_its_reason_is_kept(self) -> None:
        result = planned(deployment(), overrides={"web": (300, "storage team wants it last")})
        assert layout(result) == {"w300-extensions": ["Deployment shop/x"], "w999-closing": []}
        assert result.plan.reasons[deployment().id] == "the profile puts web here: storage team wants it last"

    def test_what_requires_it_follows(self) -> None:
        manifests = [deployment(name, name) for name in "ab"]
        result = planned(*manifests, requires={"b": {"a"}}, overrides={"a": (305, "late")})
        assert [wave_of(result, one) for one in manifests] == [305, 320]
        assert not result.findings

    def test_an_override_before_a_requirement_is_refused_with_the_number_that_works(self) -> None:
        manifests = [deployment("a", "a"), job("post", HookPhase.AFTER, of="a"), deployment("b", "b")]
        early = planned(*manifests, requires={"b": {"a"}}, overrides={"b": (25, "early")})
        (finding,) = early.findings
        assert (finding.code, finding.severity) == ("wave-before-requirement", Severity.ERROR)
        assert str(finding.where) == "extension b"
        assert finding.expected == "a wave from 30 on, since the last wave of `a` is 29"
        assert finding.got == "25"
        assert finding.hint == "set `wave: 30` for `b` in the profile, or an earlier one for `a`"
        assert not planned(*manifests, requires={"b": {"a"}}, overrides={"b": (30, "as told")}).findings

    def test_the_first_waves_are_taken(self) -> None:
        result = planned(deployment(), overrides={"web": (3, "first")})
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("wave-reserved", Severity.ERROR)
        assert (finding.expected, finding.got) == ("a wave from 11 to 900", "3")
        assert wave_of(result, deployment()) == 11


class TestCircles:
    def test_extensions_in_a_circle_start_together_and_the_way_is_shown(self) -> None:
        requires = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
        result = planned(*(deployment(name, name) for name in "abcd"), requires=requires)
        assert [wave_of(result, deployment(name, name)) for name in "abcd"] == [20, 20, 20, 40]
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("requirement-cycle", Severity.WARNING)
        assert finding.message == "extensions require each other in a circle: a -> b -> c -> a"
        assert finding.explanation == ("they start together: a, b, c",)
        assert str(finding.where) == "extension a"

    def test_a_long_chain_needs_no_recursion(self) -> None:
        names = [f"e{number:04d}" for number in range(60)]
        requires = {name: {before} for before, name in itertools.pairwise(names)}
        result = planned(*(deployment(name, name) for name in names), requires=requires)
        assert wave_of(result, deployment(names[-1], names[-1])) == 20 * 60
        assert result.plan.waves[-1].directory == "w1201-closing"


def test_the_order_inside_a_wave_is_total_and_documented() -> None:
    kinds = [
        ("", "Namespace"), ("", "ServiceAccount"), ("", "ConfigMap"), ("rbac.authorization.k8s.io", "ClusterRole"),
        ("", "Service"), ("apps", "Deployment"), ("batch", "Job"), ("networking.k8s.io", "Ingress"),
        ("kubesphere.io", "ServiceAccount"), ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ]  # fmt: skip
    ids = [ObjectId(group, kind, "n", "x") for group, kind in kinds]
    assert sorted(sorted(ids), key=apply_order) == ids
    assert apply_order(ObjectId("", "ConfigMap", "a", "b")) < apply_order(ObjectId("", "ConfigMap", "b", "a"))
