"""One file for each object, the same bytes every time; and what a new tree means for the one it replaces."""

from __future__ import annotations

from typing import Any

import pytest

from renderer.errors import Severity
from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.model.ordering.wave import WavePlan
from renderer.model.site import GitOpsAgent
from renderer.model.trees.orphan import Orphan
from renderer.model.trees.tree import FileTree
from renderer.stages.layout import Laid, ManifestTexts, lay_out
from tests.simulators.sites import a_definition, a_deployment, a_plan, an_object


def laid(plan: WavePlan, previous: FileTree | None = None, **changes: Any) -> Laid:
    known: dict[str, Any] = {"agent": GitOpsAgent.FLUX, "texts": ManifestTexts(), **changes}
    return lay_out(plan, previous=previous or FileTree({}), **known)


def paths(*manifests: Manifest) -> list[str]:
    tree = laid(a_plan((20, "extensions", manifests))).tree
    return [path.removeprefix("manifests/w020-extensions/") for path in tree]


def test_every_object_has_a_file_below_its_wave_and_extension() -> None:
    web, settings = a_deployment("web"), an_object("ConfigMap", "settings", "shop", data={"a": "1"})
    crd = a_definition("acme.example", "Widget", "widgets")
    tree = laid(a_plan((5, "crds", (crd,)), (20, "extensions", (settings, web)))).tree
    assert list(tree) == [
        "manifests/w005-crds/shop/customresourcedefinition-widgets.acme.example.yaml",
        "manifests/w020-extensions/shop/configmap-settings.yaml",
        "manifests/w020-extensions/shop/deployment-web.yaml",
    ]
    assert tree.files["manifests/w020-extensions/shop/configmap-settings.yaml"] == (
        b'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\ndata:\n  a: "1"\n'
    )


def test_objects_of_one_name_are_told_apart_by_namespace() -> None:
    one, two = (an_object("ConfigMap", "settings", space) for space in ("shop", "office"))
    assert paths(one, two, an_object("ConfigMap", "other", "shop")) == [
        "shop/configmap-other.yaml",
        "shop/configmap-settings.office.yaml",
        "shop/configmap-settings.shop.yaml",
    ]


def test_what_a_namespace_does_not_tell_apart_gets_a_digest() -> None:
    role = an_object("ClusterRole", "system:reader", group="rbac.authorization.k8s.io")
    other = an_object("ClusterRole", "system/reader", group="rbac.authorization.k8s.io")
    found = paths(role, other)
    assert len(set(found)) == 2
    assert all(path.startswith("shop/clusterrole-system-reader.") for path in found)
    assert found == paths(other, role), "names do not depend on the order of objects"


def test_a_name_that_looks_like_name_and_namespace_is_not_overwritten() -> None:
    three = (
        an_object("ConfigMap", "settings", "shop"),
        an_object("ConfigMap", "settings", "office"),
        an_object("ConfigMap", "settings.shop", "shop"),
    )
    assert len(set(paths(*three))) == 3


@pytest.mark.parametrize("name", ["a" * 253, "../../etc/passwd", "a\nb", "Ä:ö", ".git", "-", "kustomization"])
def test_any_name_becomes_a_safe_file_name(name: str) -> None:
    (path,) = paths(an_object("Role", name, "shop", group="rbac.authorization.k8s.io"))
    folder, _, file = path.rpartition("/")
    assert folder == "shop"
    assert len(file.encode()) <= 200
    assert file.startswith("role-")
    assert set(file) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


def test_remembered_texts_are_those_of_dump_manifest() -> None:
    texts = ManifestTexts()
    web = a_deployment("web")
    moved = web.annotated({"argocd.argoproj.io/sync-wave": "20"})
    empty = an_object("ConfigMap", "empty", "shop", data={}, immutable=True)
    for manifest in (web, moved, web, empty):
        assert texts.of(manifest) == dump_manifest(manifest.body)
    assert texts.of(web) is texts.of(web)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renderer.stages.layout._REMEMBERED_BYTES", 10)
    texts = ManifestTexts()
    web = a_deployment("web")
    assert texts.of(web) == texts.of(web) == dump_manifest(web.body)


def test_one_value_under_two_keys_is_written_under_its_own_key() -> None:
    shared = {"a": "1"}
    texts = ManifestTexts()
    for key in ("data", "stringData", "data"):
        fields: dict[str, Any] = {key: shared}
        manifest = an_object("Secret", "s", "shop", **fields)
        assert texts.of(manifest) == dump_manifest(manifest.body)


# --- the tree that is replaced -----------------------------------------------------------------------------------


def test_an_object_that_stays_is_no_news() -> None:
    plan = a_plan((20, "extensions", (a_deployment("web"),)))
    again = laid(plan, laid(plan).tree)
    assert (again.findings, again.gone, again.orphans) == ((), (), ())


def test_a_stateful_object_must_not_move_to_a_later_wave_under_flux() -> None:
    store = an_object("StatefulSet", "store", "shop", group="apps/v1")
    others = (a_deployment("web"),)
    before = laid(a_plan((20, "extensions", (store, *others)), (24, "resources", others[:0]))).tree
    found = laid(a_plan((20, "extensions", others), (24, "resources", (store,))), before)
    (finding,) = found.findings
    assert finding.code == "object-moves-later"
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "`StatefulSet shop/store` moves from `w020-extensions` to `w024-resources`: Flux would delete and recreate it"
    )
    assert str(finding.where) == "StatefulSet shop/store"
    assert finding.expected == "`w020-extensions` or an earlier wave"
    assert finding.hint == (
        "keep `shop` where it is with `wave:` in the profile, or do it in two commits: first "
        "`kustomize.toolkit.fluxcd.io/prune: disabled` on the object in `w020-extensions`, by hand, then the move"
    )


@pytest.mark.parametrize(
    ("manifest", "severity"),
    [
        (an_object("Widget", "a", "shop", group="acme.example/v1"), Severity.ERROR),
        (an_object("PersistentVolumeClaim", "a", "shop"), Severity.ERROR),
        (an_object("ConfigMap", "a", "shop"), Severity.WARNING),
        (a_deployment("a"), Severity.WARNING),
    ],
    ids=lambda value: value.id.kind if isinstance(value, Manifest) else None,
)
def test_what_loses_nothing_when_recreated_is_only_a_warning(manifest: Manifest, severity: Severity) -> None:
    marker = (an_object("ConfigMap", "marker", "default"),)
    before = laid(a_plan((20, "extensions", (manifest, *marker)))).tree
    after = a_plan((20, "extensions", marker), (24, "resources", (manifest,)))
    assert [finding.severity for finding in laid(after, before).findings] == [severity]


def test_moves_that_agents_survive_are_no_findings() -> None:
    store = an_object("StatefulSet", "store", "shop", group="apps/v1")
    kept = store.annotated({"kustomize.toolkit.fluxcd.io/prune": "disabled"})
    marker = (an_object("ConfigMap", "marker", "default"),)

    def tree(first: tuple[Manifest, ...], second: tuple[Manifest, ...]) -> WavePlan:
        return a_plan((20, "extensions", (*first, *marker)), (24, "resources", second))

    assert not laid(tree((store,), ()), laid(tree((), (store,))).tree).findings, "to an earlier wave"
    assert not laid(tree((), (kept,)), laid(tree((kept,), ())).tree).findings, "announced one commit before"
    argo = laid(tree((), (store,)), laid(tree((store,), ())).tree, agent=GitOpsAgent.ARGOCD)
    assert not argo.findings, "Argo CD keeps the object"
    gone_wave = laid(a_plan((24, "resources", (store,))), laid(a_plan((20, "extensions", (store,)))).tree)
    assert not gone_wave.findings, "a wave that goes leaves its objects to the others"


def test_what_agents_do_not_prune_is_an_orphan() -> None:
    crd, web = a_definition("acme.example", "Widget", "widgets"), a_deployment("web")
    marker = (an_object("ConfigMap", "marker", "default"),)
    before = laid(a_plan((20, "extensions", (crd, web, *marker)))).tree
    for agent in GitOpsAgent:
        found = laid(a_plan((20, "extensions", marker)), before, agent=agent)
        assert found.gone == (crd.id, web.id)
        assert found.orphans == (Orphan(id=crd.id, reason="protected from pruning"),)


def test_a_whole_wave_that_goes_leaves_its_objects_under_flux() -> None:
    web, marker = a_deployment("web"), an_object("ConfigMap", "marker", "default")
    before = laid(a_plan((20, "extensions", (marker,)), (40, "extensions", (web,)))).tree
    after = a_plan((20, "extensions", (marker,)))
    assert laid(after, before).orphans == (Orphan(id=web.id, reason="its whole wave is gone"),)
    assert laid(after, before, agent=GitOpsAgent.ARGOCD).orphans == ()


def test_orphans_stay_listed_until_they_are_managed_again() -> None:
    crd, marker = a_definition("acme.example", "Widget", "widgets"), an_object("ConfigMap", "marker", "default")
    known = (
        Orphan(id=crd.id, reason="protected from pruning"),
        Orphan(id=ObjectId("", "Namespace", "", "old"), reason="protected from pruning"),
    )
    assert laid(a_plan((5, "crds", (marker,))), orphans=known).orphans == (known[1], known[0])
    assert laid(a_plan((5, "crds", (marker, crd))), orphans=known).orphans == (known[1],)


def test_a_broken_file_of_the_tree_before_is_reported_and_passed_over() -> None:
    before = FileTree.of(
        [("manifests/w020-extensions/shop/a.yaml", b"a: [\n"), ("manifests/w020-extensions/shop/b.yaml", b"a: 1\n")]
    )
    found = laid(a_plan((20, "extensions", (a_deployment("web"),))), before)
    assert [(one.code, one.severity, str(one.where)) for one in found.findings] == [
        ("previous-unreadable", Severity.WARNING, "manifests/w020-extensions/shop/a.yaml"),
        ("previous-unreadable", Severity.WARNING, "manifests/w020-extensions/shop/b.yaml"),
    ]


def test_limits_of_etcd_and_argo_cd() -> None:
    big = an_object("ConfigMap", "big", "shop", data={"text": "x" * 1_600_000})
    (finding,) = laid(a_plan((20, "extensions", (big,)))).findings
    assert (finding.code, finding.severity) == ("object-too-large", Severity.ERROR)
    assert str(finding.where) == "manifests/w020-extensions/shop/configmap-big.yaml"
    many = tuple(an_object("ConfigMap", f"c{n}", "shop", data={"text": "x" * 1_000_000}) for n in range(11))
    plan = a_plan((20, "extensions", many))
    (finding,) = laid(plan, agent=GitOpsAgent.ARGOCD).findings
    assert (finding.code, finding.severity) == ("tree-too-large", Severity.WARNING)
    assert finding.message == "the manifests have 11.0 MB; Argo CD reads 10 MB by default"
    assert finding.hint is not None
    assert "`reposerver.max.combined.directory.manifests.size`" in finding.hint
    assert laid(plan, agent=GitOpsAgent.FLUX).findings == ()
