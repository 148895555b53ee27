"""What a change of a tree means: objects, fields, waves, risks; and how `sitewright diff` tells it."""

import json
from collections.abc import Mapping

import pytest

from renderer.commands.diff import MARKDOWN_LIMIT, diff_trees
from renderer.errors import InputError
from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json
from renderer.model.trees.change import ChangeKind, FieldChange, FileChange, Review
from renderer.model.trees.tree import FileTree
from renderer.stages.review.compare import review
from renderer.stages.review.differences import differences

OLD_DIGEST, NEW_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64
Body = Mapping[str, Json]


def thing(kind: str, name: str = "web", *, api: str = "v1", namespace: str = "shop", **fields: Json) -> dict[str, Json]:
    """One object."""
    metadata: dict[str, Json] = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **fields}


def tree(*bodies: Body, wave: str = "w040-extensions", **files: str) -> FileTree:
    """A rendered tree with these objects in one wave, and further files by path (`__` for `/`)."""
    manifests = [
        (f"manifests/{wave}/x/{str(body['kind']).lower()}-{index}.yaml", dump_manifest(body))
        for index, body in enumerate(bodies)
    ]
    return FileTree.of([*manifests, *((path.replace("__", "/"), text.encode()) for path, text in files.items())])


def deployment(image: str = f"shop/web:1.2@{OLD_DIGEST}", replicas: int = 2, **more: Json) -> dict[str, Json]:
    container: dict[str, Json] = {"name": "web", "image": image, **more}
    spec: dict[str, Json] = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    return thing("Deployment", api="apps/v1", spec=spec)


def risks(before: FileTree, after: FileTree) -> list[tuple[str, str]]:
    return [(risk.code, risk.message) for risk in review(before, after).risks]


# --- differences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        ({"a": 1}, {"b": 1}, [("a", 1, None), ("b", None, 1)]),
        ({"a": {"b.c/d": 1}}, {"a": {"b.c/d": 2}}, [('a["b.c/d"]', 1, 2)]),
        ({"args": ["-a", "-b"]}, {"args": ["-a", "-c"]}, [("args", ["-a", "-b"], ["-a", "-c"])]),
        ({"args": [1, True]}, {"args": [1, 1]}, [("args", [1, True], [1, 1])]),
        (
            {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "C", "value": "3"}, {"name": "A", "value": "1"}, {"name": "B", "value": "9"}]},
            [("env[name=B].value", "2", "9"), ("env[name=C]", None, {"name": "C", "value": "3"})],
        ),
        (
            {"env": [{"name": "A"}, {"name": "B"}]},
            {"env": [{"name": "B"}, {"name": "A"}]},
            [("env (order)", ["A", "B"], ["B", "A"])],
        ),
        (
            {"rules": [{"verbs": ["get"]}, {"verbs": ["list"]}]},
            {"rules": [{"verbs": ["list"]}]},
            [("rules[0]", {"verbs": ["get"]}, None)],
        ),
        ({"ports": [{"port": 80, "x": 1}]}, {"ports": [{"port": 80, "x": 2}]}, [("ports[port=80].x", 1, 2)]),
    ],
)
def test_fields_that_differ(before: Json, after: Json, expected: list[tuple[str, Json, Json]]) -> None:
    found = [(change.path, change.before, change.after) for change in differences(before, after)]
    assert found == expected


# --- objects ----------------------------------------------------------------------------------------------------


def test_equal_trees_have_nothing_to_review() -> None:
    assert review(tree(deployment()), tree(deployment())) == Review()


def test_objects_are_added_removed_and_changed() -> None:
    before = tree(deployment(replicas=2), thing("Service"))
    after = tree(deployment(replicas=3), thing("ConfigMap"))
    found = [(change.kind, str(change.id), change.fields) for change in review(before, after).changes]
    assert found == [
        (ChangeKind.ADDED, "ConfigMap shop/web", ()),
        (ChangeKind.REMOVED, "Service shop/web", ()),
        (ChangeKind.CHANGED, "Deployment shop/web", (FieldChange(path="spec.replicas", before=2, after=3),)),
    ]


def test_a_move_to_another_wave_is_told_once() -> None:
    def in_wave(number: str) -> dict[str, Json]:
        body = thing("ConfigMap", data={"a": "1"})
        return {**body, "metadata": {"name": "web", "annotations": {"argocd.argoproj.io/sync-wave": number}}}

    (change,) = review(tree(in_wave("40")), tree(in_wave("45"), wave="w045-late")).changes
    assert (change.kind, change.fields) == (ChangeKind.MOVED, ())
    assert (change.wave_before, change.wave_after) == ("w040-extensions", "w045-late")


def test_an_object_in_another_file_of_the_same_wave_has_not_changed() -> None:
    body = thing("ConfigMap")
    assert review(tree(body), tree(thing("Service"), body)).changes[0].id.kind == "Service"


def test_files_that_hold_no_object_are_told_by_path() -> None:
    before = tree(nodes__k3s__registries="a", records__plan="1", nodes__old="x")
    after = tree(nodes__k3s__registries="b", records__plan="2", nodes__new="x")
    assert review(before, after).files == (
        FileChange(kind=ChangeKind.CHANGED, path="nodes/k3s/registries"),
        FileChange(kind=ChangeKind.ADDED, path="nodes/new"),
        FileChange(kind=ChangeKind.REMOVED, path="nodes/old"),
        FileChange(kind=ChangeKind.CHANGED, path="records/plan"),
    )


def test_values_of_secrets_are_never_told() -> None:
    def secret(password: str) -> dict[str, Json]:
        annotations: dict[str, Json] = {"kubectl.kubernetes.io/last-applied-configuration": password}
        metadata: dict[str, Json] = {"name": "web", "namespace": "shop", "annotations": annotations}
        return {**thing("Secret", data={"password": password}, stringData={"token": password}), "metadata": metadata}

    whole = thing("Secret", type="Opaque")
    for before, after in ((secret("b2xk"), secret("bmV3")), (whole, secret("bmV3")), (secret("b2xk"), whole)):
        outcome = diff_trees({"s": tree(before)}, {"s": tree(after)})
        markdown = diff_trees({"s": tree(before)}, {"s": tree(after)}, form="markdown")
        told = outcome.text + json.dumps(outcome.document) + markdown.text
        assert "b2xk" not in told
        assert "bmV3" not in told
        assert "data" in outcome.text
        assert "(hidden)" in outcome.text


def test_a_manifest_that_is_none_is_a_finding() -> None:
    broken = FileTree.of([("manifests/w000-x/a.yaml", b"kind: [\n")])
    with pytest.raises(InputError) as caught:
        review(FileTree({}), broken)
    (finding,) = caught.value.findings
    assert finding.code == "invalid-manifest"
    assert (finding.where.file, finding.where.line) == ("manifests/w000-x/a.yaml", 2)
    assert finding.hint == "render the site again: sitewright render PROFILE"


# --- risks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (thing("CustomResourceDefinition", api="apiextensions.k8s.io/v1", namespace=""), "crd-removed"),
        (thing("Namespace", namespace=""), "namespace-removed"),
        (thing("PersistentVolumeClaim"), "volume-removed"),
        (thing("StatefulSet", api="apps/v1"), "stateful-removed"),
    ],
)
def test_removals_that_lose_something(body: Body, code: str) -> None:
    ((found, message),) = risks(tree(body), tree())
    assert found == code
    assert message.startswith("is removed: ")
    moved = risks(tree(body), tree(body, wave="w090-late"))
    assert moved == [
        ("moved-later", "moves from w040-extensions to the later w090-late: Flux deletes it first and creates it anew")
    ]
    assert risks(tree(body), tree(body, wave="w001-early")) == []


PROTECTED: Json = {
    "argocd.argoproj.io/sync-options": "ServerSideApply=true,Prune=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def test_what_is_protected_from_pruning_stays_behind_and_may_move() -> None:
    body = thing("Namespace", namespace="")
    body["metadata"] = {"name": "web", "annotations": PROTECTED}
    assert risks(tree(body), tree()) == [
        ("left-behind", "leaves the tree and stays in the cluster: it is protected from pruning (records/orphans.md)")
    ]
    assert risks(tree(body, wave="w000-namespaces"), tree(body)) == []
    body["metadata"] = {"name": "web", "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}
    assert [code for code, _ in risks(tree(body), tree())] == ["namespace-removed"], "Argo CD would delete it"


def test_a_custom_resource_that_goes_with_its_definition() -> None:
    definition = thing(
        "CustomResourceDefinition",
        "queues.example.com",
        api="apiextensions.k8s.io/v1",
        namespace="",
        spec={"group": "example.com", "names": {"kind": "Queue"}},
    )
    queue = thing("Queue", "orders", api="example.com/v1")
    assert ("removed-with-definition", QUEUE_RISK) in risks(tree(definition, queue), tree())
    assert risks(tree(definition, queue), tree(definition)) == []


QUEUE_RISK = (
    "is removed together with its definition `queues.example.com`: if its controller goes first, its finalizers are "
    "never done; remove it one commit earlier"
)


def test_objects_that_a_person_creates() -> None:
    def page(*bodies: Body) -> FileTree:
        blocks = (f"## one\n\n```yaml\n{dump_manifest(body).decode()}```\n" for body in bodies)
        return tree(**{"records__secrets.md": "".join(blocks)}) if bodies else tree()

    def named(before: FileTree, after: FileTree) -> list[tuple[str, str]]:
        return [(risk.code, str(risk.id)) for risk in review(before, after).risks]

    first, second = thing("Secret", data={"a": "<generated>"}), thing("Secret", data={"b": "<generated>"})
    assert named(page(), page(first)) == [("external-new", "Secret shop/web")]
    assert named(page(first), page(second)) == [("external-changed", "Secret shop/web")]
    assert named(page(first), page()) == []
    assert named(page(first), page(first, thing("ConfigMap", "web"))) == [("external-new", "ConfigMap shop/web")]
    edited = tree(**{"records__secrets.md": "```yaml\n{\n```\n```yaml\n- 1\n```\n"})
    assert named(edited, page(first)) == [("external-new", "Secret shop/web")]


@pytest.mark.parametrize(
    ("kind", "api", "before", "after", "path"),
    [
        ("Deployment", "apps/v1", {"selector": {"a": "1"}}, {"selector": {"a": "2"}}, "spec.selector.a"),
        ("Service", "v1", {"clusterIP": "10.0.0.1"}, {"clusterIP": "10.0.0.2"}, "spec.clusterIP"),
        ("StatefulSet", "apps/v1", {"serviceName": "a"}, {"serviceName": "b"}, "spec.serviceName"),
        ("Job", "batch/v1", {"template": {"x": 1}}, {"template": {"x": 2}}, "spec.template.x"),
        ("PersistentVolumeClaim", "v1", {"storageClassName": "a"}, {"storageClassName": "b"}, "spec.storageClassName"),
    ],
)
def test_fields_that_kubernetes_refuses_to_change(kind: str, api: str, before: Json, after: Json, path: str) -> None:
    found = risks(tree(thing(kind, api=api, spec=before)), tree(thing(kind, api=api, spec=after)))
    assert found == [("immutable-field", f"`{path}` cannot be changed: the object must be deleted and created anew")]


@pytest.mark.parametrize(
    ("kind", "api", "before", "after"),
    [
        ("StatefulSet", "apps/v1", {"replicas": 1}, {"replicas": 2}),
        ("Service", "v1", {}, {"clusterIP": "10.0.0.2"}),
        ("PersistentVolumeClaim", "v1", {"resources": {"a": "1Gi"}}, {"resources": {"a": "2Gi"}}),
        ("ConfigMap", "v1", {"a": "1"}, {"a": "2"}),
    ],
)
def test_fields_that_may_change(kind: str, api: str, before: Json, after: Json) -> None:
    assert risks(tree(thing(kind, api=api, spec=before)), tree(thing(kind, api=api, spec=after))) == []


def test_an_image_that_changed_under_its_tag() -> None:
    moved = risks(tree(deployment()), tree(deployment(f"shop/web:1.2@{NEW_DIGEST}")))
    path = "spec.template.spec.containers[name=web].image"
    assert moved == [("tag-moved", f"`shop/web:1.2` has another content than before under the same tag (`{path}`)")]
    assert risks(tree(deployment()), tree(deployment(f"shop/web:1.3@{NEW_DIGEST}"))) == []


def role(*rules: Json, kind: str = "ClusterRole") -> dict[str, Json]:
    return thing(kind, "reader", api="rbac.authorization.k8s.io/v1", namespace="", rules=list(rules))


def rule(group: str, resource: str, *verbs: str) -> Json:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (rule("", "secrets", "get"), "may now read secrets"),
        (rule("apps", "deployments", "*"), "may now do everything with deployments"),
        (rule("", "users", "impersonate"), "may now impersonate users"),
        (rule("apps", "*", "get"), "may now get every resource of apps"),
        (rule("*", "pods", "get"), "may now get pods of every API group"),
    ],
)
def test_roles_that_may_do_more(new: Json, message: str) -> None:
    harmless = rule("", "pods", "get", "list")
    assert risks(tree(role(harmless)), tree(role(harmless, new))) == [("rbac-widened", message)]
    assert risks(tree(role(harmless, new)), tree(role(new, harmless))) == []
    assert risks(tree(), tree(role(new))) == [("rbac-widened", message)]


def test_bindings_that_reach_more() -> None:
    def binding(*names: str) -> dict[str, Json]:
        subjects: list[Json] = [{"kind": "ServiceAccount", "name": name, "namespace": "shop"} for name in names]
        reference: dict[str, Json] = {"name": "admin"}
        body = thing("ClusterRoleBinding", api="rbac.authorization.k8s.io/v1", namespace="")
        return {**body, "roleRef": reference, "subjects": subjects}

    found = risks(tree(binding("web")), tree(binding("web", "job")))
    assert found == [("rbac-widened", "gives the role `admin` to ServiceAccount shop/job")]


def test_webhooks_that_close() -> None:
    def webhook(policy: str) -> dict[str, Json]:
        hooks: list[Json] = [{"name": "check.web.io", "failurePolicy": policy}]
        api = "admissionregistration.k8s.io/v1"
        return thing("ValidatingWebhookConfiguration", api=api, namespace="", webhooks=hooks)

    ((code, message),) = risks(tree(webhook("Ignore")), tree(webhook("Fail")))
    assert (code, message[:22]) == ("webhook-fails-closed", "`check.web.io` refuses")
    assert risks(tree(webhook("Fail")), tree(webhook("Fail"), thing("Service"))) == []


def test_definitions_that_serve_less() -> None:
    def crd(*served: str) -> dict[str, Json]:
        versions: list[Json] = [{"name": name, "served": True} for name in served]
        api = "apiextensions.k8s.io/v1"
        return thing("CustomResourceDefinition", "queues.x.io", api=api, namespace="", spec={"versions": versions})

    ((code, message),) = risks(tree(crd("v1", "v1beta1")), tree(crd("v1")))
    assert code == "crd-version-removed"
    assert message == "no longer serves version v1beta1: objects and clients that use it fail"


# --- how it is told ---------------------------------------------------------------------------------------------


def test_text() -> None:
    before = tree(
        deployment(args=["-a", "-b"]), thing("PersistentVolumeClaim", "data"), records__plan="1", nodes__k3s="a"
    )
    after = tree(deployment(f"shop/web:1.2@{NEW_DIGEST}", args=["-a", "-c"]), records__plan="2", nodes__k3s="b")
    outcome = diff_trees({"sites/demo": before}, {"sites/demo": after})
    assert outcome.text == (
        "sites/demo: 1 removed, 1 changed; 2 other files; 2 risks\n"
        "\n"
        "risks:\n"
        "  PersistentVolumeClaim shop/data: is removed: its data may be deleted with it [volume-removed]\n"
        "  Deployment shop/web: `shop/web:1.2` has another content than before under the same tag "
        "(`spec.template.spec.containers[name=web].image`) [tag-moved]\n"
        "\n"
        "w040-extensions:\n"
        "  - PersistentVolumeClaim shop/data\n"
        "  ~ Deployment shop/web\n"
        "      spec.template.spec.containers[name=web].args\n"
        "          -a\n"
        "        - -b\n"
        "        + -c\n"
        "      spec.template.spec.containers[name=web].image\n"
        "        - shop/web:1.2@sha256:aaaaaaaaaaaa…\n"
        "        + shop/web:1.2@sha256:bbbbbbbbbbbb…\n"
        "\n"
        "other files:\n"
        "  ~ nodes/k3s\n"
        "  ~ records/ (1 file)"
    )
    assert not outcome.failed
    assert diff_trees({"s": before}, {"s": after}, fail_on_change=True).failed
    assert not diff_trees({"s": before}, {"s": before}, fail_on_change=True).failed


def test_long_texts_show_the_lines_that_differ() -> None:
    old = "".join(f"line {number}\n" for number in range(200))
    new = old.replace("line 100\n", "line one hundred\n")
    text = diff_trees(
        {"s": tree(thing("ConfigMap", data={"conf": old}))}, {"s": tree(thing("ConfigMap", data={"conf": new}))}
    ).text
    assert "        -line 100\n        +line one hundred\n" in text
    assert len(text.splitlines()) < 15


def test_json() -> None:
    document = diff_trees({"s": tree(deployment(replicas=1))}, {"s": tree(deployment(replicas=2))}).document
    assert document == {
        "sites": [
            {
                "root": "s",
                "counts": {"added": 0, "removed": 0, "changed": 1, "moved": 0},
                "objects": [
                    {
                        "change": "changed",
                        "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"},
                        "waveBefore": "w040-extensions",
                        "waveAfter": "w040-extensions",
                        "fields": [{"path": "spec.replicas", "before": 1, "after": 2}],
                    }
                ],
                "files": [],
                "renewed": [],
                "risks": [],
            }
        ]
    }


def test_markdown_begins_with_summary_and_risks() -> None:
    before, after = tree(deployment(), thing("Namespace", namespace="")), tree(deployment(replicas=3))
    text = diff_trees({"sites/demo": before}, {"sites/demo": after}, form="markdown").text
    assert text.splitlines()[:6] == [
        "| site | changes |",
        "|---|---|",
        "| `sites/demo` | 1 removed, 1 changed; 1 risk |",
        "",
        "### Risks",
        "- **Namespace web** is removed: everything in it goes with it `namespace-removed`",
    ]
    assert "<details><summary><code>~ Deployment shop/web</code></summary>" in text
    assert "```diff\n@@ spec.replicas @@\n- 2\n+ 3\n```" in text


def test_markdown_stays_below_the_limit_of_a_comment_and_says_what_is_missing() -> None:
    before = tree(*(thing("ConfigMap", f"c{number}", data={"x": "old"}) for number in range(1500)))
    after = tree(*(thing("ConfigMap", f"c{number}", data={"x": "new" * 20}) for number in range(1500)))
    text = diff_trees({"s": before}, {"s": after}, form="markdown").text
    assert MARKDOWN_LIMIT - 1000 < len(text) <= MARKDOWN_LIMIT
    assert text.startswith("| site | changes |\n|---|---|\n| `s` | 1500 changed |")
    assert text.splitlines()[-1].endswith(" more entries: `sitewright diff` shows all of it.")


def test_markdown_cannot_be_broken_out_of() -> None:
    evil = "</summary></details>\n```\n````\n<script>alert(1)</script>\n"
    before = tree(thing("ConfigMap", data={"x": "a\n"}))
    text = diff_trees({"s": before}, {"s": tree(thing("ConfigMap", data={"x": evil}))}, form="markdown").text
    opening = next(line for line in text.splitlines() if line.endswith("diff") and line.startswith("`"))
    fence = opening.removesuffix("diff")
    inside = text.split(opening)[1].split(f"\n{fence}\n")[0]
    assert "<script>" in inside
    assert fence not in inside
