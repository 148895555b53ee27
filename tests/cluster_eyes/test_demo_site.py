"""The golden trees of the demo with the eyes of a cluster: what the agents need is there, nothing that trips them."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.cluster_eyes.eyes import objects, obstacles, waves

TREES = Path(__file__).parents[1] / "golden" / "trees"
CASES = sorted(path.name for path in TREES.iterdir())


def only(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (one,) = (body for body in found if body["kind"] == kind)
    return one


def agent(case: str) -> list[dict[str, Any]]:
    return [dict(body) for _, body in objects(TREES / case / "sites/demo/agent")]


@pytest.mark.real
@pytest.mark.parametrize("case", CASES)
def test_nothing_stands_in_the_way(case: str, kubectl: Path, tmp_path: Path) -> None:
    assert obstacles(TREES / case / "sites/demo", kubectl, tmp_path) == []


@pytest.mark.real
def test_the_eyes_see(kubectl: Path, tmp_path: Path) -> None:
    """Each kind of obstacle, put into a copy, is found."""
    site = tmp_path / "site"
    shutil.copytree(TREES / "demo-flux/sites/demo", site)
    web = site / "manifests/w040-extensions/web"
    service = (web / "service-web.yaml").read_text()
    (web / "again.yaml").write_text(service)
    (web / "list.json").write_text("{}")
    (web / "deployment-web.yaml").write_text((web / "deployment-web.yaml").read_text().replace('"40"', '"41"'))
    shutil.rmtree(site / "manifests/w035-before/sitewright")
    namespace = site / "manifests/w000-namespaces/sitewright/namespace-shop.yaml"
    namespace.write_text(namespace.read_text().replace("Prune=false", "Prune=true"))
    found = obstacles(site, kubectl, tmp_path / "scratch")
    assert found[:-1] == [
        "manifests/w040-extensions/web/list.json is not one manifest",
        "w035-before has no marker and could become empty",
        "manifests/w000-namespaces/sitewright/namespace-shop.yaml is pruned by one agent or both",
        "manifests/w040-extensions/web/deployment-web.yaml does not carry its wave",
        "manifests/w040-extensions/web/service-web.yaml is the object of manifests/w040-extensions/web/again.yaml",
    ]
    assert found[-1].startswith("w040-extensions: ")
    assert "may not add resource with an already registered id" in found[-1]


def test_both_agents_apply_the_same_manifests() -> None:
    argocd, flux = (TREES / f"demo-{one}/sites/demo/manifests" for one in ("argocd", "flux"))
    same, other = (
        {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*.yaml")}
        for tree in (argocd, flux)
    )
    assert same == other


def test_argocd_takes_the_whole_tree_again_after_a_failure() -> None:
    application = only(agent("demo-argocd"), "Application")
    assert application["spec"]["source"] == {
        "repoURL": "ssh://git@git.demo.local/platform/demo.git",
        "targetRevision": "main",
        "path": "sites/demo/manifests",
        "directory": {"recurse": True},
    }
    policy = application["spec"]["syncPolicy"]
    assert policy["automated"] == {"prune": True, "selfHeal": True}
    assert "ServerSideApply=true" in policy["syncOptions"]
    assert policy["retry"]["refresh"] is True, "without it a failed revision is retried for ever"
    assert policy["retry"]["limit"] > 0
    last = waves(TREES / "demo-argocd/sites/demo")[-1]
    assert last == "w999-closing", "Argo CD does not wait for the last wave"


def test_flux_takes_wave_after_wave() -> None:
    found = [one for one in agent("demo-flux") if one["kind"] == "Kustomization"]
    (own,) = (one for one in found if one["spec"]["path"].endswith("/agent"))
    chain = [one for one in found if one is not own]
    assert [one["spec"]["path"] for one in chain] == [
        f"./sites/demo/manifests/{wave}" for wave in waves(TREES / "demo-flux/sites/demo")
    ]
    assert "dependsOn" not in chain[0]["spec"]
    for before, after in pairwise(chain):
        assert after["spec"]["dependsOn"] == [{"name": before["metadata"]["name"]}]
    for one in chain:
        assert one["spec"] | {"wait": True, "prune": True, "deletionPolicy": "Orphan"} == one["spec"]
    source = only(agent("demo-flux"), "GitRepository")
    for one in found:
        assert "postBuild" not in one["spec"], "it would replace ${...} in every object"
        assert "targetNamespace" not in one["spec"]
        assert one["spec"]["sourceRef"] == {"kind": "GitRepository", "name": source["metadata"]["name"]}
        assert one["metadata"]["namespace"] == source["metadata"]["namespace"]


def test_both_agents_wait_for_the_same_custom_resources() -> None:
    patch = only(agent("demo-argocd"), "ConfigMap")
    assert list(patch["data"]) == ["resource.customizations.health.messaging.example.com_Queue"]
    rules = [rule for one in agent("demo-flux") for rule in one["spec"].get("healthCheckExprs", [])]
    assert [(rule["apiVersion"], rule["kind"]) for rule in rules] == [("messaging.example.com/v1", "Queue")]
    (lua,) = patch["data"].values()
    assert "observedGeneration" in lua
    assert "observedGeneration" in rules[0]["current"]
