"""Places: a namespace where one belongs, one definition of each object, and nothing precious that can be pruned."""

from typing import Any

import pytest

from renderer.errors import Severity
from renderer.model.objects.manifest import Manifest, Origin
from renderer.model.objects.scope import GroupKind, Scope, built_in_scope, scopes_of
from renderer.stages.place import Placed, place, unite

HOMES = {("web", "host"): "extension-web", ("web", "agent"): "extension-web", ("db", "db"): "data"}


def thing(kind: str, api: str = "v1", *, extension: str = "web", component: str = "host", **fields: Any) -> Manifest:
    metadata = {"name": "x", **fields.pop("metadata", {})}
    origin = Origin(extension=extension, component=component, source=f"{component}/a.yaml")
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": metadata, **fields}, origin)


def crd(kind: str, scope: str, group: str = "a.example") -> Manifest:
    spec = {"group": group, "scope": scope, "names": {"kind": kind, "plural": f"{kind.lower()}s"}}
    return thing("CustomResourceDefinition", "apiextensions.k8s.io/v1", metadata={"name": f"{kind}.{group}"}, spec=spec)


def placed(*manifests: Manifest, known: dict[GroupKind, Scope] | None = None) -> Placed:
    """Placed, and united as the pipeline does it."""
    result = place(manifests, HOMES, known=known)
    assert len(result.manifests) == len(manifests)
    united = unite(result.manifests)
    return Placed(manifests=united.manifests, findings=(*result.findings, *united.findings))


def names(result: Placed) -> list[str]:
    return [str(manifest.id) for manifest in result.manifests]


class TestNamespaces:
    def test_an_object_without_one_gets_its_component_s_and_the_namespace_is_made(self) -> None:
        result = placed(thing("ConfigMap"), thing("Deployment", "apps/v1", extension="db", component="db"))
        assert names(result) == [
            "ConfigMap extension-web/x", "Deployment data/x", "Namespace data", "Namespace extension-web",
        ]  # fmt: skip
        assert {one.origin.extension for one in result.manifests[2:]} == {"sitewright"}
        assert not result.findings

    def test_one_that_is_set_stays(self) -> None:
        result = placed(thing("ConfigMap", metadata={"namespace": "other"}))
        assert names(result) == ["ConfigMap other/x", "Namespace other"]

    @pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
    def test_every_cluster_has_the_built_in_ones(self, name: str) -> None:
        assert names(placed(thing("ConfigMap", metadata={"namespace": name}))) == [f"ConfigMap {name}/x"]

    def test_a_namespace_that_a_chart_defines_is_not_made_again(self) -> None:
        result = placed(thing("Namespace", metadata={"name": "extension-web"}), thing("ConfigMap"))
        assert names(result) == ["Namespace extension-web", "ConfigMap extension-web/x"]

    def test_cluster_scoped_objects_lose_theirs(self) -> None:
        role = thing("ClusterRole", "rbac.authorization.k8s.io/v1", metadata={"namespace": "shop"})
        assert names(placed(role)) == ["ClusterRole x"]

    def test_custom_resources_follow_their_definition(self) -> None:
        wide = thing("Wide", "a.example/v1", metadata={"namespace": "shop"})
        result = placed(thing("Narrow", "a.example/v2"), wide, crd("Narrow", "Namespaced"), crd("Wide", "Cluster"))
        assert names(result)[:2] == ["Narrow.a.example extension-web/x", "Wide.a.example x"]

    def test_scopes_that_the_cluster_is_known_to_serve_count_too(self) -> None:
        result = placed(thing("Narrow", "a.example/v1"), known={("a.example", "Narrow"): Scope.NAMESPACED})
        assert names(result) == ["Narrow.a.example extension-web/x", "Namespace extension-web"]
        assert not result.findings

    def test_an_unknown_kind_with_a_namespace_keeps_it(self) -> None:
        result = placed(thing("Odd", "a.example/v1", metadata={"namespace": "shop"}))
        assert names(result) == ["Odd.a.example shop/x", "Namespace shop"]
        assert not result.findings

    def test_an_unknown_kind_without_one_is_taken_for_cluster_scoped_with_a_warning(self) -> None:
        result = placed(thing("Odd", "a.example/v1"))
        assert names(result) == ["Odd.a.example x"]
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("unknown-scope", Severity.WARNING)
        assert "nothing says whether `Odd.a.example` lives in a namespace" in finding.message
        assert str(finding.where) == "Odd.a.example x"
        assert finding.hint is not None
        assert "CustomResourceDefinition" in finding.hint


class TestOneDefinition:
    def test_equal_definitions_are_one(self) -> None:
        result = placed(thing("ConfigMap", data={"a": "b"}), thing("ConfigMap", component="agent", data={"a": "b"}))
        assert names(result) == ["ConfigMap extension-web/x", "Namespace extension-web"]
        assert result.manifests[0].origin.component == "host"
        assert not result.findings

    def test_different_definitions_are_an_error_that_names_both(self) -> None:
        result = placed(thing("ConfigMap", data={"a": "b"}), thing("ConfigMap", component="agent", data={"a": "c"}))
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("duplicate-object", Severity.ERROR)
        assert finding.message == "`ConfigMap extension-web/x` is defined twice, and not alike"
        assert finding.got == "extension web, host: host/a.yaml, and extension web, agent: agent/a.yaml"
        assert finding.hint == "turn one of them off in the `values` of `web` in the profile"
        assert result.manifests[0].body["data"] == {"a": "b"}

    def test_of_the_two_parts_of_a_kubesphere_package_the_host_s_is_kept(self) -> None:
        host = thing("ConfigMap", component="devops", data={"a": "b"})
        agent = thing("ConfigMap", component="devops-agent", data={"a": "c"})
        result = unite([host, agent])
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("defined-by-both-parts", Severity.NOTE)
        assert finding.message == "the host's part and the agent of `web` define `ConfigMap x`, and not alike"
        assert result.manifests[0].body["data"] == {"a": "b"}
        assert unite([agent, host]).findings[0].code == "duplicate-object"

    def test_the_same_object_named_with_and_without_its_namespace_is_one(self) -> None:
        result = placed(thing("ConfigMap"), thing("ConfigMap", metadata={"namespace": "extension-web"}))
        assert names(result) == ["ConfigMap extension-web/x", "Namespace extension-web"]

    def test_namespaces_are_merged_and_the_first_wins_a_dispute(self) -> None:
        first = thing("Namespace", metadata={"labels": {"a": "1", "b": "2"}})
        second = thing("Namespace", component="agent", metadata={"labels": {"b": "3", "c": "4"}})
        result = placed(first, second)
        assert result.manifests[0].metadata["labels"] == {"a": "1", "b": "2", "c": "4"}
        (finding,) = result.findings
        assert (finding.code, finding.severity) == ("namespace-disputed", Severity.WARNING)
        assert str(finding.where) == 'Namespace x, metadata.labels["b"]'
        assert (finding.expected, finding.got) == (
            "`2` (extension web, host: host/a.yaml)", "`3` (extension web, agent: agent/a.yaml)",
        )  # fmt: skip


class TestPruning:
    @pytest.mark.parametrize(
        "precious",
        [thing("Namespace"), thing("PersistentVolumeClaim"), crd("Wide", "Cluster")],
        ids=lambda one: str(one.id),
    )
    def test_what_takes_data_along_is_kept_by_both_agents(self, precious: Manifest) -> None:
        annotations = placed(precious).manifests[0].annotations
        assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false"
        assert annotations["kustomize.toolkit.fluxcd.io/prune"] == "disabled"

    def test_other_options_stay_and_confirm_goes(self) -> None:
        """`Prune=confirm` would hold back every later commit."""
        options = {"argocd.argoproj.io/sync-options": "Replace=true, Prune=confirm"}
        result = placed(thing("Namespace", metadata={"annotations": options}))
        assert result.manifests[0].annotations["argocd.argoproj.io/sync-options"] == "Replace=true,Prune=false"

    def test_anything_else_can_be_pruned(self) -> None:
        assert not placed(thing("ConfigMap")).manifests[0].annotations


class TestSubjects:
    def binding(self, kind: str, **subject: str) -> Manifest:
        subjects = [{"kind": "ServiceAccount", "name": "runner", **subject}]
        return thing(kind, "rbac.authorization.k8s.io/v1", subjects=subjects)

    def test_a_cluster_role_binding_must_say_where_its_account_lives(self) -> None:
        (finding,) = placed(self.binding("ClusterRoleBinding")).findings
        assert (finding.code, finding.severity) == ("subject-without-namespace", Severity.ERROR)
        assert str(finding.where) == "ClusterRoleBinding x, subjects[0].namespace"
        assert "`runner`" in finding.message
        assert finding.hint is not None

    def test_a_role_binding_means_its_own_namespace(self) -> None:
        assert not placed(self.binding("RoleBinding")).findings
        assert not placed(self.binding("ClusterRoleBinding", namespace="shop")).findings


class TestScopes:
    @pytest.mark.parametrize(
        ("group", "kind", "scope"),
        [
            ("", "Namespace", Scope.CLUSTER),
            ("", "Pod", Scope.NAMESPACED),
            ("rbac.authorization.k8s.io", "ClusterRole", Scope.CLUSTER),
            ("rbac.authorization.k8s.io", "Role", Scope.NAMESPACED),
            ("storage.k8s.io", "StorageClass", Scope.CLUSTER),
            ("kubesphere.io", "ServiceAccount", None),
            ("apps", "Nothing", None),
        ],
    )
    def test_built_in_kinds(self, group: str, kind: str, scope: Scope | None) -> None:
        assert built_in_scope(group, kind) is scope

    def test_malformed_definitions_are_passed_over(self) -> None:
        bodies: list[Any] = [{}, {"spec": None}, {"spec": {"names": []}}, {"spec": {"names": {}, "scope": "Odd"}}]
        assert scopes_of(bodies) == {}
