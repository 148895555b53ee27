"""Capturing and sealing: what is kept, what is sealed anew, when a private key is needed, and what opens afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from renderer.errors import Severity
from renderer.formats.kubernetes.manifests import dump_manifest, load_values
from renderer.formats.sealed.generated_values import open_generated
from renderer.formats.sealed.sops import sops_open
from renderer.model.fields import Json
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode
from renderer.model.generated.sealed import NOTHING_CAPTURED
from renderer.model.objects.manifest import Manifest, ObjectId, Origin
from renderer.stages.generated.discovering import discover
from renderer.stages.settle import settle
from renderer.stages.settle.sealed.assembling import assembled, uncaptured
from renderer.stages.settle.sealed.capturing import Wish, capture
from renderer.stages.settle.sealed.parts import sealed_parts
from tests.simulators.sealing import FILE, NOW, ONE, OTHER, Locked, lock

SECRET, CONFIG = ObjectId("", "Secret", "shop", "web"), ObjectId("", "ConfigMap", "shop", "web")


def chart(seed: str, *, port: int = 80, name: str = "web", more: Mapping[str, Json] | None = None) -> list[Manifest]:
    """A chart that invents a password, writes it into a Secret and a text, and a token beside it."""
    password, token = f"password-{seed}", f"token-{seed}-abcdef"
    text = f"port: {port}\npassword: {password}\nimage: web:1\n"
    data: dict[str, Json] = {"password": base64.b64encode(password.encode()).decode(), "user": "YWRtaW4="}
    bodies: list[dict[str, Json]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {**data, **(more or {})}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"app.yaml": text, "x": "y"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token"}, "stringData": {"token": token}},
    ]
    origin = Origin(extension="shop", component="web", source="templates/all.yaml")
    return [
        Manifest.of({**body, "metadata": {**body["metadata"], "namespace": "shop"}}, origin)  # type: ignore[dict-item]
        for body in bodies
    ]


def first_lock(**more: Any) -> Locked:
    return lock(chart("a"), chart("b"), **more)


def test_a_secret_is_sealed_as_a_whole_and_a_config_map_only_where_it_must_be() -> None:
    done = first_lock()
    assert done.findings == ()
    secret, config = done.object(SECRET), done.object(CONFIG)
    assert set(secret) == {"apiVersion", "data", "kind", "metadata", "sops"}
    assert all(str(value).startswith("ENC[") for value in secret["data"].values())
    assert secret["metadata"] == {"name": "web", "namespace": "shop"}
    assert config["data"]["x"] == "y"
    assert config["data"]["app.yaml"].startswith("ENC[")
    assert config["sops"]["encrypted_regex"] == r"^(app\.yaml)$"
    # what the first render invented, in all places that shared it
    assert done.opened(SECRET)["data"] == {"password": "cGFzc3dvcmQtYQ==", "user": "YWRtaW4="}
    assert done.opened(CONFIG)["data"]["app.yaml"] == "port: 80\npassword: password-a\nimage: web:1\n"


def test_a_secret_with_nothing_generated_in_it_is_sealed_too() -> None:
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "static", "namespace": "shop"},
        "stringData": {"url": "https://x", "empty": ""},
    }
    static = Manifest.of(body, Origin(extension="shop", component="web", source="templates/static.yaml"))
    empty = Manifest.of(
        {**body, "metadata": {"name": "empty", "namespace": "shop"}, "stringData": {"a": ""}}, static.origin
    )
    done = lock([*chart("a"), static, empty], [*chart("b"), static, empty])
    assert done.opened(static.id)["stringData"] == {"url": "https://x", "empty": ""}
    assert "sops" not in done.object(empty.id)
    changed = static.with_body({**body, "stringData": {"url": "https://y"}})
    again = lock([*chart("c"), changed], [*chart("d"), changed], done.file, key=None)
    assert again.opened(static.id)["stringData"] == {"url": "https://y"}, "what the chart says needs no private key"


def test_no_secret_is_in_clear_anywhere() -> None:
    done = first_lock()
    text = "".join(dump_manifest(one.body).decode() for one in done.tree) + repr(done)
    for render in ("a", "b"):
        for secret in (
            f"password-{render}",
            f"token-{render}",
            base64.b64encode(f"password-{render}".encode()).decode(),
        ):
            assert secret not in text


def test_the_tree_is_a_function_of_the_file() -> None:
    """Whatever later renders invent, they give the same objects."""
    done = first_lock()
    again = lock(chart("c"), chart("d"), done.file, key=None)
    assert again.tree == done.tree
    assert again.file == done.file
    assert not again.capture.changes
    assert not again.work.changes


def test_the_real_yaml_of_the_tree_opens() -> None:
    body = load_values(dump_manifest(first_lock().object(SECRET)))
    assert isinstance(body, dict)
    assert sops_open(body, [ONE.identity]).content["kind"] == "Secret"


def test_a_new_secret_needs_no_key_and_leaves_the_others_alone() -> None:
    before = first_lock()
    with_token = [*chart("c")[:2], *_other("c"), chart("c")[2]], [*chart("d")[:2], *_other("d"), chart("d")[2]]
    keyless = lock(*with_token, before.file, key=None)
    assert len(keyless.capture.added) == 1
    assert keyless.object(SECRET) == before.object(SECRET)
    assert len(keyless.file.earlier) == 1
    # who has the key opens both documents, and joins them when something is to be written
    assert {one.group for one in open_generated(keyless.file, [ONE.identity], FILE).secrets} == set(
        keyless.file.captured.groups
    )
    joined = lock(*with_token, keyless.file, renew=frozenset(keyless.capture.added))
    assert joined.file.earlier == ()
    assert {one.group for one in open_generated(joined.file, [ONE.identity], FILE).secrets} == set(
        joined.file.captured.groups
    )


def _other(seed: str) -> list[Manifest]:
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "other", "namespace": "shop"},
        "stringData": {"apikey": f"other-{seed}-123456"},
    }
    return [Manifest.of(body, Origin(extension="shop", component="web", source="templates/other.yaml"))]


def test_renewing_one_group_changes_what_holds_it_and_nothing_else() -> None:
    before = first_lock()
    (group,) = [name for name, one in before.file.captured.groups.items() if "Secret shop/token" in str(one.secret)]
    done = lock(chart("c"), chart("d"), before.file, key=None, renew=frozenset({group}))
    assert done.capture.renewed == (group,)
    assert done.file.captured.groups[group].revision == 2
    token = ObjectId("", "Secret", "shop", "token")
    assert done.opened(token)["stringData"] == {"token": "token-c-abcdef"}
    for identity in (SECRET, CONFIG):
        assert done.object(identity) == before.object(identity)


def test_when_the_chart_changes_what_stands_beside_a_secret_a_key_is_needed() -> None:
    before = first_lock()
    with pytest.raises(AssertionError, match="seal `ConfigMap shop/web` anew"):
        lock(chart("c", port=81), chart("d", port=81), before.file, key=None)
    done = lock(chart("c", port=81), chart("d", port=81), before.file)
    assert done.opened(CONFIG)["data"]["app.yaml"] == "port: 81\npassword: password-a\nimage: web:1\n"
    assert done.object(SECRET) == before.object(SECRET)


def test_for_other_recipients_everything_is_sealed_anew_with_the_old_key() -> None:
    before = first_lock()
    with pytest.raises(AssertionError, match="seal everything for other recipients"):
        lock(chart("c"), chart("d"), before.file, key=None, recipients=(ONE, OTHER))
    done = lock(chart("c"), chart("d"), before.file, recipients=(OTHER,), seed="again")
    assert done.opened(SECRET, OTHER)["data"]["password"] == "cGFzc3dvcmQtYQ=="
    assert {one.value.reveal() for one in open_generated(done.file, [OTHER.identity], FILE).secrets} >= {
        "cGFzc3dvcmQtYQ==",
        "password-a",
    }
    assert done.file.captured.recipients == (OTHER.recipient,)


def test_one_more_copy_of_a_captured_secret_is_captured_too() -> None:
    """The group keeps its name, so that nothing else is sealed anew and no Pod starts again."""
    before = first_lock()
    done = lock([*chart("c"), _copy("c")], [*chart("d"), _copy("d")], before.file)
    assert done.findings == ()
    assert done.capture.added == ()
    assert done.file.captured.groups.keys() == before.file.captured.groups.keys()
    assert done.opened(ObjectId("", "Secret", "shop", "copy"))["data"]["password"] == "cGFzc3dvcmQtYQ=="
    for identity in (SECRET, CONFIG):
        assert done.object(identity) == before.object(identity)


def _copy(seed: str) -> Manifest:
    body, origin = chart(seed)[0].body, chart(seed)[0].origin
    return Manifest.of({**body, "metadata": {"name": "copy", "namespace": "shop"}}, origin)


def test_a_group_that_is_gone_is_told_and_removed() -> None:
    before = first_lock()
    done = lock(chart("c")[:2], chart("d")[:2], before.file, key=None)
    (finding,) = done.findings
    assert (finding.code, finding.severity) == ("generated-gone", Severity.WARNING)
    assert "no chart makes" in finding.message
    assert finding.hint is not None
    assert len(done.file.captured.groups) == len(before.file.captured.groups) - 1


def test_a_group_that_is_settled_in_another_way_is_no_longer_kept() -> None:
    before = first_lock()
    rules = (GeneratedRule(group="*/token", mode=Mode.EXTERNAL, reason="ours"),)
    done = lock(chart("c"), chart("d"), before.file, key=None, rules=rules)
    assert done.findings == ()
    assert len(done.file.captured.groups) == len(before.file.captured.groups) - 1


def test_a_tree_without_all_of_a_group_is_refused() -> None:
    policy = GeneratedPolicy(recipients=(ONE.recipient,))
    found = discover(chart("a"), chart("b"))
    findings = uncaptured(policy.rulings(found.values), NOTHING_CAPTURED)
    assert {one.code for one in findings} == {"sealed-outdated"}
    assert findings[0].message.startswith("not all values of `")
    assert uncaptured(policy.rulings(found.values), first_lock().file.captured) == ()


def test_what_is_no_text_cannot_be_captured() -> None:
    found = discover([_odd(["a"])], [_odd(["a", "b"])])
    ruled = GeneratedPolicy(recipients=(ONE.recipient,)).rulings(found.values)
    taken = capture(found, ruled, Wish(today=NOW.date()), "profiles/shop.yaml")
    assert taken.groups == {}
    assert [(one.code, one.where.path) for one in taken.findings] == [("generated-value", "data.secret")]


def _odd(items: list[Json]) -> Manifest:
    body: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "odd", "namespace": "shop"},
        "data": {"secret": items},
    }
    return Manifest.of(body, Origin(extension="shop", component="web", source="templates/odd.yaml"))


def test_a_group_that_moved_is_a_decision() -> None:
    before = first_lock()
    moved = (
        [Manifest.of(_renamed(one.body), one.origin) for one in chart("c")],
        [Manifest.of(_renamed(one.body), one.origin) for one in chart("d")],
    )
    asked = lock(*moved, before.file)
    finding = asked.findings[0]
    assert (finding.code, finding.severity) == ("generated-moved", Severity.ERROR)
    assert finding.hint is not None
    old, new = finding.hint.rpartition(" ")[2].split("=")
    kept = lock(*moved, before.file, moves={old: new})
    assert kept.findings == ()
    body = kept.opened(ObjectId("", "Secret", "shop", "front"))
    assert body["data"]["password"] == "cGFzc3dvcmQtYQ=="
    assert finding.explanation == (f"a new value instead: sitewright lock profiles/shop.yaml --rotate {new}",)
    fresh = lock(*moved, before.file, renew=frozenset({new}))
    assert fresh.opened(ObjectId("", "Secret", "shop", "front"))["data"]["password"] == "cGFzc3dvcmQtYw=="


def _renamed(body: Mapping[str, Json]) -> dict[str, Json]:
    text = json.dumps(body).replace('"name": "web"', '"name": "front"')
    renamed: dict[str, Json] = json.loads(text)
    return renamed


def test_a_tree_that_the_file_does_not_fit_is_refused() -> None:
    before = first_lock()
    policy = GeneratedPolicy(recipients=(ONE.recipient,))
    found = discover(chart("c", port=81), chart("d", port=81))
    shaped = settle(chart("c", port=81), found.values, policy, before.file.captured).manifests
    parts = sealed_parts(policy.rulings(found.values), policy, shaped)
    _, findings = assembled(shaped, parts, before.file.captured)
    assert [one.code for one in findings] == ["sealed-outdated"]
    assert findings[0].message == "what was sealed of `ConfigMap shop/web` is not what it holds now"
    assert findings[0].hint == "sitewright lock PROFILE"
    _, findings = assembled(shaped, parts, NOTHING_CAPTURED)
    assert {one.code for one in findings} == {"sealed-outdated"}


def test_an_object_that_sops_would_take_for_sealed_elsewhere_is_refused() -> None:
    first, second = ([_labelled(one) for one in chart(seed)] for seed in ("a", "b"))
    done = lock(first, second)
    assert {one.code for one in done.findings} == {"sealed-ambiguous"}
    assert done.findings[0].where.path == "metadata.labels.data"
    assert "mode: external" in str(done.findings[0].hint)


def _labelled(manifest: Manifest) -> Manifest:
    return manifest.with_metadata(labels={"data": "x"})
