"""Which rule of a profile settles which generated value."""

from __future__ import annotations

import pytest

from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule, Mode, Ruling
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.objects.manifest import ObjectId


def value(name: str, path: str, kind: GeneratedKind, group: str = "web/tls", api: str = "Secret") -> GeneratedValue:
    identity = ObjectId("", api, "shop", name)
    return GeneratedValue(component="web/api", object=identity, path=path, kind=kind, source="t", group=group)


KEY = value("tls", 'data["tls.key"]', GeneratedKind.PRIVATE_KEY)
BUNDLE = value("hook", "webhooks[0].clientConfig.caBundle", GeneratedKind.CA_BUNDLE, api="Webhook")
PASSWORD = value("db", "data.password", GeneratedKind.PASSWORD, group="web/db/password")
CHECKSUM = value("pod", "spec.checksum", GeneratedKind.CHECKSUM, group="", api="Deployment")
EVERYTHING = (KEY, BUNDLE, PASSWORD, CHECKSUM)


def rule(**given: object) -> GeneratedRule:
    return GeneratedRule(reason="because", **given)  # type: ignore[arg-type]


def ruled(*rules: GeneratedRule, default: Mode = Mode.SEALED) -> dict[str, Ruling]:
    rulings = GeneratedPolicy(default=default, rules=rules).rulings(EVERYTHING)
    return {one.object.name: rulings[one] for one in EVERYTHING}


def modes(*rules: GeneratedRule) -> dict[str, Mode | None]:
    return {name: ruling.mode for name, ruling in ruled(*rules).items()}


def test_without_a_rule_the_default_decides() -> None:
    assert set(ruled(default=Mode.IN_CLUSTER).values()) == {Ruling(mode=Mode.IN_CLUSTER)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"extension": "web"}, {"tls", "hook", "db"}),
        ({"extension": "w*", "object": "Secret shop/*"}, {"tls", "hook", "db"}),
        ({"extension": "vector"}, set()),
        ({"group": "web/db/*"}, {"db"}),
        ({"object": "Secret shop/tls"}, {"tls", "hook"}),
        ({"object": "Webhook *", "field": "webhooks*caBundle"}, {"tls", "hook"}),
        ({"field": 'data["tls.key"]'}, {"tls", "hook"}),
        ({"object": "Secret *", "field": "spec*"}, set()),
    ],
)
def test_a_mode_holds_for_the_whole_group(given: dict[str, str], expected: set[str]) -> None:
    found = modes(rule(mode=Mode.EXTERNAL, **given))
    assert {name for name, mode in found.items() if mode is Mode.EXTERNAL} == expected


def test_the_first_rule_that_matches_any_member_decides() -> None:
    first, second = rule(object="Webhook *", mode=Mode.CERT_MANAGER), rule(extension="*", mode=Mode.EXTERNAL)
    assert modes(first, second) == {
        "tls": Mode.CERT_MANAGER, "hook": Mode.CERT_MANAGER, "db": Mode.EXTERNAL, "pod": Mode.SEALED
    }  # fmt: skip
    assert ruled(first, second)["tls"].number == 0


def test_a_value_is_for_the_fields_that_it_matches_and_the_rest_of_the_group_keeps_its_mode() -> None:
    found = ruled(rule(object="Webhook *", field="*", value="Q0E="), rule(group="web/tls", mode=Mode.EXTERNAL))
    assert (found["hook"].mode, found["hook"].number, found["tls"].mode) == (None, 0, Mode.EXTERNAL)


def test_a_value_below_a_mode_is_not_reached() -> None:
    found = ruled(rule(group="web/tls", mode=Mode.EXTERNAL), rule(object="Webhook *", field="*", value="Q0E="))
    assert found["hook"].mode is Mode.EXTERNAL


def test_what_follows_from_content_takes_a_value_and_no_mode() -> None:
    assert modes(rule(object="Deployment *", mode=Mode.EXTERNAL))["pod"] is Mode.SEALED
    assert modes(rule(object="Deployment *", field="*", value="mine"))["pod"] is None


def test_only_a_rule_that_names_the_object_itself_speaks_of_it_directly() -> None:
    found = ruled(rule(object="Secret shop/tls", mode=Mode.EXTERNAL), rule(extension="web", mode=Mode.EXTERNAL))
    assert {name: ruling.direct for name, ruling in found.items()} == {
        "tls": True, "hook": False, "db": False, "pod": False
    }  # fmt: skip
