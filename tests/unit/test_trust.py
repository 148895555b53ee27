"""Trust policies that cannot be wrong once built (model/bundles/trust.py)."""

from __future__ import annotations

from datetime import date

import pytest

from renderer.model.bundles.trust import TrustedKey, TrustPolicy, TrustRule

VENDOR = TrustedKey(name="vendor", pem=b"")
OFFICE = TrustedKey(name="office", pem=b"")


def rule(bundles: str = "*", threshold: int = 1, of: tuple[str, ...] = ("vendor",)) -> TrustRule:
    return TrustRule(bundles=bundles, threshold=threshold, of=of)


@pytest.mark.parametrize("threshold", [0, -1, 3])
def test_a_threshold_can_be_reached_and_asks_for_somebody(threshold: int) -> None:
    with pytest.raises(ValueError, match=f"a threshold of {threshold} cannot be reached with 2 signer"):
        rule(threshold=threshold, of=("vendor", "office"))


def test_a_signer_counts_once() -> None:
    with pytest.raises(ValueError, match="a signer is listed twice"):
        rule(threshold=2, of=("vendor", "vendor"))


def test_one_name_is_one_key() -> None:
    with pytest.raises(ValueError, match="two keys have the same name"):
        TrustPolicy(name="site", keys=(VENDOR, TrustedKey(name="vendor", pem=b"another")), rules=())


def test_a_rule_asks_for_keys_of_the_policy() -> None:
    with pytest.raises(ValueError, match="`office` is not the name of a key in this policy"):
        TrustPolicy(name="site", keys=(VENDOR,), rules=(rule(of=("vendor", "office")),))


def test_the_first_rule_that_matches_decides() -> None:
    strict = rule("kubesphere*", threshold=2, of=("vendor", "office"))
    policy = TrustPolicy(name="site", keys=(VENDOR, OFFICE), rules=(strict, rule("kube*")))
    assert policy.rule_for("kubesphere-core") is strict
    assert policy.rule_for("kubeflow") == rule("kube*")
    assert policy.rule_for("shop") is None
    assert policy.rule_for("KubeSphere") is None, "letters count, on every operating system"


@pytest.mark.parametrize(("day", "valid"), [(1, False), (2, True), (3, True), (4, False)])
def test_a_key_is_valid_on_its_first_and_on_its_last_day(day: int, valid: bool) -> None:
    key = TrustedKey(name="k", pem=b"", valid_from=date(2026, 11, 2), valid_to=date(2026, 11, 3))
    assert key.valid_on(date(2026, 11, day)) is valid
