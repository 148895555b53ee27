"""What Argo CD and Flux are given to apply a tree with."""

from __future__ import annotations

from typing import Any, cast

import pytest

from renderer.errors import InputError
from renderer.formats.kubernetes.manifests import load_documents
from renderer.model.bundles.extension import HealthRule
from renderer.model.ordering.wave import WavePlan
from renderer.model.site import GitOpsAgent, Site
from renderer.model.trees.tree import FileTree
from renderer.stages.agents import agent_files
from tests.simulators.sites import SHIPPED, a_deployment, a_plan, a_site, an_object

READY = HealthRule(group="acme.example", kind="Widget", ready_condition="Ready")
PLAN = a_plan(
    (0, "namespaces", (an_object("Namespace", "shop"),)),
    (20, "extensions", (a_deployment("web"), an_object("Widget", "w", "shop", group="acme.example/v2"))),
    (999, "closing", (an_object("ConfigMap", "marker", "default"),)),
)


def objects(tree: FileTree, file: str) -> list[dict[str, Any]]:
    return [cast("dict[str, Any]", document.value) for document in load_documents(tree.files[f"agent/{file}"])]


def flux(site: Site | None = None, plan: WavePlan = PLAN, *health: HealthRule) -> FileTree:
    return agent_files(site or a_site(gitops={"agent": GitOpsAgent.FLUX}), plan, health, SHIPPED)


# --- Argo CD -----------------------------------------------------------------------------------------------------


def test_argo_cd_gets_one_application() -> None:
    tree = agent_files(a_site(gitops={"path": "clusters"}), PLAN, (), SHIPPED)
    assert list(tree) == ["agent/README.md", "agent/application.yaml"]
    (application,) = objects(tree, "application.yaml")
    assert application == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "branch-017",
            "namespace": "argocd",
            "labels": {"app.kubernetes.io/managed-by": "sitewright", "sitewright.dev/site": "branch-017"},
        },
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc"},
            "source": {
                "repoURL": "ssh://git@git.site.local/platform/branch-017.git",
                "targetRevision": "main",
                "path": "clusters/sites/branch-017/manifests",
                "directory": {"recurse": True},
            },
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": {
                    "limit": 10,
                    "refresh": True,
                    "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
                },
                "syncOptions": ["ServerSideApply=true"],
            },
        },
    }


def test_health_rules_become_a_patch_of_argocd_cm() -> None:
    tree = agent_files(a_site(), PLAN, (READY,), SHIPPED, manifest_bytes=12_345_678)
    (patch,) = objects(tree, "argocd-cm.patch.yaml")
    (key,) = patch["data"]
    assert key == "resource.customizations.health.acme.example_Widget"
    lua = patch["data"][key]
    assert 'condition.type == "Ready"' in lua
    assert "condition.observedGeneration or obj.status.observedGeneration" in lua
    assert lua.rstrip().endswith("return waiting"), "whatever is not said to be ready is waited for"
    readme = tree.files["agent/README.md"].decode()
    assert "kubectl -n argocd patch configmap argocd-cm --type merge --patch-file agent/argocd-cm.patch.yaml" in readme
    assert "this site has 12.3 MB of manifests" in readme


# --- Flux --------------------------------------------------------------------------------------------------------


def test_flux_gets_a_chain_of_one_kustomization_a_wave() -> None:
    tree = flux()
    assert list(tree) == ["agent/README.md", "agent/source.yaml", "agent/waves.yaml"]
    waves = objects(tree, "waves.yaml")
    assert [one["metadata"]["name"] for one in waves] == [
        "branch-017-w000-namespaces",
        "branch-017-w020-extensions",
        "branch-017-w999-closing",
    ]
    assert [one["spec"].get("dependsOn") for one in waves] == [
        None,
        [{"name": "branch-017-w000-namespaces"}],
        [{"name": "branch-017-w020-extensions"}],
    ]
    for one, directory in zip(waves, ("w000-namespaces", "w020-extensions", "w999-closing"), strict=True):
        spec = one["spec"]
        assert one["metadata"]["namespace"] == "flux-system"
        assert spec["path"] == f"./sites/branch-017/manifests/{directory}"
        assert (spec["prune"], spec["wait"]) == (True, True)
        assert spec["deletionPolicy"] == "Orphan"
        assert spec["sourceRef"] == {"kind": "GitRepository", "name": "branch-017"}
        assert {"interval", "retryInterval", "timeout"} <= spec.keys()
        assert "postBuild" not in spec


def test_flux_applies_its_own_directory() -> None:
    source, root = objects(flux(), "source.yaml")
    assert source["spec"] == {
        "interval": "1m",
        "url": "ssh://git@git.site.local/platform/branch-017.git",
        "ref": {"branch": "main"},
        "secretRef": {"name": "branch-017-git"},
    }
    assert (root["kind"], root["metadata"]["name"]) == ("Kustomization", "branch-017")
    assert root["spec"]["path"] == "./sites/branch-017/agent"
    assert root["spec"]["wait"] is False, "or it would wait for the waves that it starts"


def test_only_ssh_needs_a_secret_and_scp_like_addresses_become_urls() -> None:
    def source(repository: str) -> dict[str, Any]:
        site = a_site(gitops={"agent": GitOpsAgent.FLUX, "repository": repository})
        return cast("dict[str, Any]", objects(flux(site), "source.yaml")[0]["spec"])

    assert "secretRef" not in source("https://git.site.local/a.git")
    assert source("git@git.site.local:platform/a.git")["url"] == "ssh://git@git.site.local/platform/a.git"


def test_health_rules_go_to_the_waves_that_have_the_kind() -> None:
    other = HealthRule(group="other.example", kind="Gadget", ready_condition="Ready")
    first, second, third = objects(flux(None, PLAN, READY, other), "waves.yaml")
    assert "healthCheckExprs" not in first["spec"]
    assert "healthCheckExprs" not in third["spec"]
    (rule,) = second["spec"]["healthCheckExprs"]
    assert (rule["apiVersion"], rule["kind"]) == ("acme.example/v2", "Widget")
    assert rule["current"] == (
        "has(status.conditions) && status.conditions.exists(c, c.type == 'Ready' && c.status == 'True' &&"
        " (has(c.observedGeneration) ? c.observedGeneration == metadata.generation :"
        " (has(status.observedGeneration) && status.observedGeneration == metadata.generation)))"
    )


def test_names_fit_into_labels_and_stay_different() -> None:
    name = "a" * 60
    site = a_site(name=name, gitops={"agent": GitOpsAgent.FLUX})
    waves = objects(flux(site), "waves.yaml")
    names = [one["metadata"]["name"] for one in waves]
    assert len(set(names)) == 3
    assert all(len(one) <= 63 for one in names)
    assert [one["spec"].get("dependsOn") for one in waves] == [None, [{"name": names[0]}], [{"name": names[1]}]]


def test_the_readme_tells_how_to_apply_it_and_to_look_more_often() -> None:
    readme = flux().files["agent/README.md"].decode()
    assert "kubectl apply -f agent/source.yaml" in readme
    assert "--requeue-dependency=5s" in readme
    assert "| `w020-extensions` | `branch-017-w020-extensions` | 2 |" in readme


# --- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        HealthRule(group="acme.example", kind="Widget", ready_condition='Ready" then os.exit() end --'),
        HealthRule(group="acme.example", kind="Widget'", ready_condition="Ready"),
        HealthRule(group="", kind="Pod", ready_condition="Ready"),
        HealthRule(group="acme.example", kind="Widget", ready_condition="Ready\n"),
    ],
)
@pytest.mark.parametrize("agent", GitOpsAgent)
def test_nothing_but_names_gets_into_lua_and_cel(rule: HealthRule, agent: GitOpsAgent) -> None:
    with pytest.raises(InputError) as caught:
        agent_files(a_site(gitops={"agent": agent}), PLAN, (rule,), SHIPPED)
    (finding,) = caught.value.findings
    assert finding.code == "bad-health-rule"
    assert finding.expected == "an API group, a kind and the type of a status condition, such as `Ready`"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: Application\n", "it must yield Kubernetes objects with `apiVersion` and `kind`"),
        ("", "it must yield Kubernetes objects with `apiVersion` and `kind`"),
        ("a: [\n", "its text is not Kubernetes YAML: line 2, column 1"),
        ("apiVersion: v1\nkind: A\nkind: B\n", "its text is not Kubernetes YAML: line 3, column 1"),
        ("{{ nam }}", "`nam` is not defined; did you mean `name`"),
    ],
)
def test_a_broken_template_of_a_site_is_refused(text: str, reason: str) -> None:
    templates = {**SHIPPED, "argocd/application.yaml.j2": text}
    with pytest.raises(InputError) as caught:
        agent_files(a_site(), PLAN, (), templates)
    (finding,) = caught.value.findings
    assert finding.code == "template-failed"
    assert reason in finding.message
    assert finding.where.file == "argocd/application.yaml.j2"


def test_a_site_can_replace_an_agent_object() -> None:
    text = "{kind: Application, apiVersion: argoproj.io/v1alpha1, metadata: {name: {{ name | tojson }}}}"
    tree = agent_files(a_site(), PLAN, (), {**SHIPPED, "argocd/application.yaml.j2": text})
    assert tree.files["agent/application.yaml"] == (
        b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: branch-017\n"
    )


# --- sealed objects ----------------------------------------------------------------------------------------------


SEALED = a_plan(
    (0, "namespaces", (an_object("Namespace", "shop"),)),
    (20, "extensions", (an_object("Secret", "web", "shop", sops={"mac": "ENC[…]"}),)),
)


def test_flux_decrypts_in_the_waves_that_hold_sealed_objects_and_nowhere_else() -> None:
    """`spec.decryption`: https://fluxcd.io/flux/components/kustomize/kustomizations/#decryption."""
    tree = flux(plan=SEALED)
    first, second = objects(tree, "waves.yaml")
    assert "decryption" not in first["spec"]
    assert second["spec"]["decryption"] == {"provider": "sops", "secretRef": {"name": "sops-age"}}
    assert "--from-file=age.agekey=<private key of the site>" in tree.files["agent/README.md"].decode()
    assert "sops" not in flux().files["agent/README.md"].decode()


def test_argo_cd_says_that_it_needs_help_with_sealed_objects() -> None:
    readme = agent_files(a_site(), SEALED, (), SHIPPED).files["agent/README.md"].decode()
    assert "encrypted with SOPS, which Argo CD cannot open by itself" in readme
    assert "SOPS" not in agent_files(a_site(), PLAN, (), SHIPPED).files["agent/README.md"].decode()
