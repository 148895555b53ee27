"""Settling generated values: what stays, what an operator creates, what the profile must say."""

from __future__ import annotations

import base64
from typing import cast

import pytest

from renderer.formats.kubernetes.manifests import dump_manifest
from renderer.model.fields import Json
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import HookPhase, Manifest, ObjectId, Origin
from renderer.stages.chart import name_hooks
from renderer.stages.settle import PLACEHOLDER, settle, unsettled
from renderer.structs import replace

ORIGIN = Origin(extension="demo", component="web", source="web/templates/a.yaml")
BY_HAND = GeneratedPolicy(default=Mode.EXTERNAL)
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def manifest(kind: str, name: str = "a", api: str = "v1", *, hook: HookPhase | None = None, **fields: Json) -> Manifest:
    origin = Origin(extension="demo", component="web", source="web/templates/a.yaml", hook=hook)
    return Manifest.of({"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}, origin)


def generated(of: Manifest | ObjectId, path: str, kind: GeneratedKind) -> GeneratedValue:
    identity = of.id if isinstance(of, Manifest) else of
    return GeneratedValue(component="demo/web", object=identity, path=path, kind=kind, source=ORIGIN.source)


def given(*rules: tuple[str, str, Json]) -> GeneratedPolicy:
    return GeneratedPolicy(
        default=Mode.EXTERNAL,
        rules=tuple(
            GeneratedRule(object=one, field=field, value=value, reason="because") for one, field, value in rules
        ),
    )


def external(objects: str, field: str) -> GeneratedPolicy:
    rule = GeneratedRule(object=objects, field=field, mode=Mode.EXTERNAL, reason="because")
    return GeneratedPolicy(default=Mode.EXTERNAL, rules=(rule,))


def webhook(ca: str) -> Manifest:
    return manifest(
        "ValidatingWebhookConfiguration",
        api="admissionregistration.k8s.io/v1",
        webhooks=[{"clientConfig": {"caBundle": ca}}, {"clientConfig": {"caBundle": ca}}],
    )


SECRET = manifest("Secret", data={"key": "c2VjcmV0"})


class TestSecrets:
    SECRET = manifest(
        "Secret", type="kubernetes.io/tls", data={"tls.key": "c2VjcmV0", "ca.crt": "eA==", "user": "YQ=="}
    )
    FIELDS = (
        generated(SECRET, 'data["tls.key"]', GeneratedKind.SECRET),
        generated(SECRET, 'data["ca.crt"]', GeneratedKind.SECRET),
    )

    def test_stay_out_of_the_tree_and_keep_their_shape(self) -> None:
        settled = settle([self.SECRET], self.FIELDS, BY_HAND)
        assert settled.manifests == ()
        assert settled.findings == ()
        (external,) = settled.external
        assert external.fields == (self.FIELDS[1], self.FIELDS[0])
        assert external.manifest.body == {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a"},
            "type": "kubernetes.io/tls",
            "data": {"tls.key": PLACEHOLDER, "ca.crt": PLACEHOLDER, "user": "YQ=="},
        }

    def test_show_the_public_values_of_the_profile(self) -> None:
        settled = settle([self.SECRET], self.FIELDS, given(("Secret a", "data*ca.crt*", "UFVCTElD")))
        assert cast("dict[str, Json]", settled.external[0].manifest.body["data"])["ca.crt"] == "UFVCTElD"

    def test_that_the_profile_makes_public_to_the_last_field_stay(self) -> None:
        settled = settle([self.SECRET], self.FIELDS, given(("Secret *", "data*", "eA==")))
        assert settled.external == ()
        assert settled.manifests[0].body["data"] == {"tls.key": "eA==", "ca.crt": "eA==", "user": "YQ=="}

    def test_of_another_component_under_the_same_name_are_left_alone(self) -> None:
        # Neither has a namespace yet where its chart leaves that to the release.
        other = self.SECRET.from_origin(component="other")
        settled = settle([self.SECRET, other], self.FIELDS, BY_HAND)
        assert settled.manifests == (other,)
        assert [one.manifest.origin for one in settled.external] == [ORIGIN]

    def test_without_invented_fields_are_left_alone(self) -> None:
        assert settle([self.SECRET], (), BY_HAND).manifests == (self.SECRET,)


class TestCaBundles:
    FIELDS = tuple(
        generated(webhook(""), f"webhooks[{n}].clientConfig.caBundle", GeneratedKind.CA_BUNDLE) for n in (0, 1)
    )

    @pytest.mark.parametrize("text", [PEM, base64.b64encode(PEM.encode()).decode(), f"\n{PEM}\n\n"])
    def test_come_from_the_profile_as_pem_or_base64(self, text: str) -> None:
        policy = given(("ValidatingWebhookConfiguration *", "webhooks*caBundle", text))
        settled = settle([webhook("invented")], self.FIELDS, policy)
        assert settled.findings == ()
        assert settled.manifests == (webhook(base64.b64encode(PEM.encode()).decode()),)

    def test_may_be_named_by_the_path_as_it_is_spelled(self) -> None:
        rules = given(*(("ValidatingWebhookConfiguration a", field.path, PEM) for field in self.FIELDS))
        assert settle([webhook("invented")], self.FIELDS, rules).findings == ()

    def test_that_nobody_gives_are_a_finding_with_the_lines_that_settle_them(self) -> None:
        settled = settle([webhook("aW52ZW50ZWQ=")], self.FIELDS, BY_HAND)
        (finding,) = settled.findings
        assert finding.code == "generated-value"
        assert finding.message == (
            "the chart invents `webhooks[0].clientConfig.caBundle` and 1 more field "
            "of `ValidatingWebhookConfiguration a` at every render"
        )
        assert finding.where.file == "web/templates/a.yaml"
        assert finding.where.subject == "extension demo, web, ValidatingWebhookConfiguration a"
        assert finding.where.path == "webhooks[0].clientConfig.caBundle"
        assert finding.explanation[:6] == (
            "settle it in the profile:",
            "  spec:",
            "    generated:",
            "      rules:",
            '        - object: "ValidatingWebhookConfiguration a"',
            '          field: "webhooks*.clientConfig.caBundle"',
        )
        assert finding.hint is not None
        assert "sitewright lock" in finding.hint
        assert settled.manifests == (webhook(PLACEHOLDER),), "an invented value never reaches the tree"

    def test_first_rule_that_matches_decides(self) -> None:
        rules = given(("*", "spec*", "x"), ("*", "webhooks*", "first"), ("*", "*", "second"))
        assert settle([webhook("invented")], self.FIELDS, rules).manifests == (webhook("first"),)


class TestTexts:
    CONFIG = manifest("ConfigMap", data={"app.yaml": "url: x\n  token: HUSH-HUSH\nlevel: info\n"})
    FIELD = generated(CONFIG, 'data["app.yaml"]#2', GeneratedKind.OTHER)

    def test_that_an_operator_creates_show_everything_but_the_value(self) -> None:
        settled = settle([self.CONFIG], [self.FIELD], external("ConfigMap a", "data*app.yaml*"))
        assert settled.manifests == ()
        data = settled.external[0].manifest.body["data"]
        assert data == {"app.yaml": "url: x\n  token: <generated>\nlevel: info\n"}

    def test_may_get_their_value_from_the_profile(self) -> None:
        settled = settle([self.CONFIG], [self.FIELD], given(("ConfigMap a", "data*", "public")))
        assert settled.manifests[0].body["data"] == {"app.yaml": "url: x\n  token: public\nlevel: info\n"}

    def test_never_show_the_value_in_a_finding(self) -> None:
        settled = settle([self.CONFIG], [self.FIELD], BY_HAND)
        (finding,) = settled.findings
        assert "HUSH" not in str(finding)
        assert '          field: "data*app.yaml*"' in finding.explanation
        assert "HUSH" not in str(settled.manifests)

    def test_of_one_object_make_one_finding(self) -> None:
        more = generated(self.CONFIG, "data.b", GeneratedKind.OTHER)
        assert len(settle([self.CONFIG], [self.FIELD, more], BY_HAND).findings) == 1


class TestChecksums:
    def deployment(self, text: str) -> Manifest:
        return manifest("Deployment", "d", "apps/v1", spec={"checksum": text})

    def settled(self, *, image: str = "one", text: str = "x") -> Manifest:
        secret = manifest("Secret", data={"key": text}, type=image)
        deployment = self.deployment(text)
        fields = [
            generated(secret, "data.key", GeneratedKind.SECRET),
            generated(deployment, "spec.checksum", GeneratedKind.CHECKSUM),
        ]
        (kept,) = settle([deployment, secret], fields, BY_HAND).manifests
        return kept

    def test_are_of_what_the_generated_objects_settle_to(self) -> None:
        first, again, other = self.settled(), self.settled(text="y"), self.settled(image="two")
        assert first == again
        assert first != other
        assert len(cast("dict[str, str]", first.body["spec"])["checksum"]) == 64

    def summed(self, *objects: Manifest, of: tuple[ObjectId, ...]) -> Json:
        """The checksum of a deployment over `of`, in a site where `Secret a` is generated."""
        checksum = generated(self.deployment("x"), "spec.checksum", GeneratedKind.CHECKSUM)
        fields = [replace(checksum, of=of), generated(SECRET, "data.key", GeneratedKind.SECRET)]
        settled = settle([self.deployment("x"), *objects], fields, BY_HAND)
        (body,) = (one.body for one in settled.manifests if one.id.kind == "Deployment")
        return cast("dict[str, Json]", body["spec"])["checksum"]

    def test_change_exactly_when_one_of_the_objects_that_they_sum_does(self) -> None:
        one, two = (manifest("ConfigMap", data={"a": text}) for text in "bc")
        other, changed = (manifest("ConfigMap", "other", data={"a": text}) for text in "bc")
        before = self.summed(one, other, SECRET, of=(one.id,))
        assert self.summed(one, changed, SECRET, of=(one.id,)) == before
        assert self.summed(two, other, SECRET, of=(one.id,)) != before
        assert self.summed(one, changed, SECRET, of=(one.id, other.id)) != self.summed(
            one, other, SECRET, of=(one.id, other.id)
        )

    def test_of_a_secret_do_not_follow_from_the_secret(self) -> None:
        one, two = (manifest("Secret", data={"key": text}) for text in ("b25l", "dHdv"))
        assert self.summed(one, of=(one.id,)) == self.summed(two, of=(one.id,))

    def test_of_objects_of_another_component_and_of_none(self) -> None:
        here = manifest("ConfigMap", data={"a": "b"})
        there = here.from_origin(component="other")
        assert self.summed(there, SECRET, of=(here.id,)) == self.summed(here, SECRET, of=(here.id,))
        assert self.summed(SECRET, of=(here.id,)) != self.summed(here, SECRET, of=(here.id,))

    def test_may_be_given_too(self) -> None:
        deployment = self.deployment("x")
        field = generated(deployment, "spec.checksum", GeneratedKind.CHECKSUM)
        settled = settle([deployment], [field], given(("Deployment d", "spec.checksum", "mine")))
        assert settled.manifests == (self.deployment("mine"),)


DATABASE = manifest("Secret", "db", data={"password": "x", "token": "y"})


class TestModes:
    FIELDS = tuple(
        replace(generated(DATABASE, f"data.{key}", GeneratedKind.PASSWORD), group=f"web/db/{key}")
        for key in ("password", "token")
    )

    def policy(self, *rules: GeneratedRule) -> GeneratedPolicy:
        return GeneratedPolicy(default=Mode.EXTERNAL, rules=rules)

    def test_of_one_object_are_one(self) -> None:
        rule = GeneratedRule(group="web/db/token", mode=Mode.SEALED, reason="because")
        finding = unsettled(self.FIELDS, self.policy(rule))[0]
        assert str(finding).splitlines() == [
            "error[generated-modes-differ]: `Secret db` holds secrets that the profile settles in different modes",
            "  --> Secret db, spec.generated.rules",
            "   expected: one mode for everything in the object",
            "   got: `external` for web/db/password, `sealed` for web/db/token",
            "   settle the whole object, above the rules that speak of its groups:",
            '     - {object: "Secret db", mode: external, reason: …}',
            "   hint: add such a rule to `spec.generated.rules` of the profile, then `sitewright lock`",
        ]
        whole = GeneratedRule(object="Secret db", mode=Mode.EXTERNAL, reason="because")
        assert unsettled(self.FIELDS, self.policy(whole, rule)) == ()


class TestNames:
    STABLE = ObjectId("batch", "Job", "", "setup-*")
    FIELD = generated(STABLE, "metadata.name", GeneratedKind.NAME)

    def job(self, name: str, *, hook: HookPhase | None = None, image: str = "i") -> Manifest:
        return manifest("Job", name, "batch/v1", hook=hook, spec={"label": name, "image": image})

    def test_of_hooks_become_stable_and_get_their_hash_later(self) -> None:
        one, other = (
            settle([self.job(name, hook=HookPhase.AFTER)], [self.FIELD], BY_HAND).manifests
            for name in ("setup-1", "setup-2")
        )
        assert one == other
        assert one[0].body["spec"] == {"label": "setup", "image": "i"}
        assert name_hooks(one)[0].id.name.startswith("setup-")

    def test_of_other_objects_follow_their_content(self) -> None:
        first, again, other = (
            settle([self.job(name, image=image)], [self.FIELD], BY_HAND).manifests[0].id.name
            for name, image in (("setup-1", "i"), ("setup-2", "i"), ("setup-3", "j"))
        )
        assert first == again != other
        assert first.startswith("setup-")
        assert len(first) == len("setup-") + 8

    def test_of_two_hooks_with_one_stem_stay_apart(self) -> None:
        jobs = [self.job(f"setup-{n}", hook=HookPhase.AFTER, image=str(n)) for n in (1, 2)]
        settled = settle(jobs, [self.FIELD], BY_HAND).manifests
        assert len({one.id for one in settled}) == 2

    def test_are_not_looked_for_in_other_templates(self) -> None:
        elsewhere = self.job("setup-fixed").from_origin(source="web/templates/b.yaml")
        assert settle([elsewhere], [self.FIELD], BY_HAND).manifests == (elsewhere,)


class TestStrangeLocks:
    """A lock that does not fit what was rendered is for `lock --check`; here nothing breaks."""

    @pytest.mark.parametrize("path", ["spec.gone.deep", "data[7].x", "data.list[9]", 'data["app.yaml"]#99', ""])
    def test_fields_that_are_not_there_change_nothing(self, path: str) -> None:
        config = manifest("ConfigMap", data={"app.yaml": "a: b", "list": [1]})
        field = generated(config, path, GeneratedKind.OTHER)
        settled = settle([config], [field], given(("*", "*", "v")))
        assert settled.manifests == (config,)

    def test_objects_that_are_not_there_are_passed_over(self) -> None:
        field = generated(ObjectId("", "Secret", "", "gone"), "data.x", GeneratedKind.SECRET)
        config = manifest("ConfigMap")
        assert settle([config], [field], BY_HAND).manifests == (config,)

    def test_an_object_that_comes_and_goes_must_be_created_by_an_operator(self) -> None:
        config = manifest("ConfigMap")
        field = generated(config, "", GeneratedKind.OTHER)
        (finding,) = settle([config], [field], BY_HAND).findings
        assert finding.message == "the chart yields `ConfigMap a` in some renders only"
        assert '          field: "*"' in finding.explanation
        assert settle([config], [field], external("ConfigMap a", "*")).manifests == ()


def test_settling_keeps_the_order_and_changes_no_input() -> None:
    objects = [manifest("ConfigMap", name, data={"x": name}) for name in "cab"]
    before = [dump_manifest(one.body) for one in objects]
    field = generated(objects[1], "data.x", GeneratedKind.OTHER)
    settled = settle(objects, [field], given(("*", "*", "new")))
    assert [one.id.name for one in settled.manifests] == ["c", "a", "b"]
    assert [dump_manifest(one.body) for one in objects] == before
