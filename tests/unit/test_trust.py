"""Trust policies that cannot be wrong once built (model/bundles/trust.py)."""

from __future__ import annotations

from datetime import date

import pytest

from renderer.model.bundles.trust import (
    NameKind,
    Revocation,
    SubjectName,
    SubjectPattern,
    TrustedAuthority,
    TrustedKey,
    TrustPolicy,
    TrustRule,
)

VENDOR = TrustedKey(name="vendor", pem=b"")
OFFICE = TrustedKey(name="office", pem=b"")


def rule(bundles: str = "*", threshold: int = 1, of: tuple[str, ...] = ("vendor",)) -> TrustRule:
    return TrustRule(bundles=bundles, threshold=threshold, of=of)


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_asks_for_somebody(threshold: int) -> None:
    with pytest.raises(ValueError, match=f"a threshold of {threshold} asks for nobody"):
        rule(threshold=threshold, of=("vendor", "office"))


def test_a_threshold_can_be_reached() -> None:
    asked = rule(threshold=3, of=("vendor", "office"))
    with pytest.raises(ValueError, match=r"a threshold of 3 cannot be reached with 2 signer"):
        TrustPolicy(name="site", keys=(VENDOR, OFFICE), rules=(asked,))
    bank = TrustedAuthority(name="bank", pem=b"", subjects=(SubjectPattern.parse("*@bank.example"),))
    many = rule(threshold=3, of=("vendor", "bank"))
    assert TrustPolicy(name="site", keys=(VENDOR,), authorities=(bank,), rules=(many,)).rules == (many,)


def test_a_signer_counts_once() -> None:
    with pytest.raises(ValueError, match="a signer is listed twice"):
        rule(threshold=2, of=("vendor", "vendor"))


def test_one_name_is_one_key_or_authority() -> None:
    with pytest.raises(ValueError, match="two keys or authorities have the same name"):
        TrustPolicy(name="site", keys=(VENDOR, TrustedKey(name="vendor", pem=b"another")), rules=())
    twin = TrustedAuthority(name="vendor", pem=b"", subjects=(SubjectPattern("*"),))
    with pytest.raises(ValueError, match="two keys or authorities have the same name"):
        TrustPolicy(name="site", keys=(VENDOR,), authorities=(twin,), rules=())


def test_a_rule_asks_for_signers_of_the_policy() -> None:
    with pytest.raises(ValueError, match="`office` is not the name of a key or authority in this policy"):
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


@pytest.mark.parametrize(
    ("revocation", "told"),
    [
        (Revocation(), "revoked"),
        (Revocation(since=date(2026, 11, 2), reason="laptop stolen"), "revoked since 2026-11-02 (laptop stolen)"),
    ],
)
def test_a_revoked_key_is_not_believed_from_a_day_on(revocation: Revocation, told: str) -> None:
    key = TrustedKey(name="k", pem=b"", revoked=revocation)
    assert key.revoked_on(date(2026, 11, 2))
    assert key.revoked_on(date(2026, 11, 1)) is (revocation.since is None)
    assert str(revocation) == told
    assert not TrustedKey(name="k", pem=b"").revoked_on(date(2026, 11, 2))


EMAIL, URI, DNS, COMMON = NameKind.EMAIL, NameKind.URI, NameKind.DNS, NameKind.COMMON_NAME


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("release@bank.example", SubjectName(EMAIL, "release@bank.example"), True),
        ("release@bank.example", SubjectName(EMAIL, "Release@Bank.Example"), True),
        ("release@bank.example", SubjectName(EMAIL, "prerelease@bank.example"), False),
        ("release@bank.example", SubjectName(EMAIL, "release@bankXexample"), False),
        ("release@bank.example", SubjectName(COMMON, "release@bank.example"), False),
        ("*@bank.example", SubjectName(EMAIL, "li.na@bank.example"), True),
        ("*@bank.example", SubjectName(EMAIL, "li@evil@bank.example"), False),
        ("*", SubjectName(EMAIL, "li@bank.example"), False),
        ("*bank.example", SubjectName(EMAIL, "li@bank.example"), False),
        ("email:*@*.bank.example", SubjectName(EMAIL, "li@it.bank.example"), True),
        ("email:release@bank.example", SubjectName(URI, "release@bank.example"), False),
        ("build.bank.example", SubjectName(DNS, "BUILD.bank.example"), True),
        ("dns:*.bank.example", SubjectName(DNS, "a.b.bank.example"), True),
        ("dns:*.bank.example", SubjectName(DNS, "bank.example"), False),
        ("https://ci.bank.example/teams/*", SubjectName(URI, "https://ci.bank.example/teams/core"), True),
        ("https://ci.bank.example/teams/*", SubjectName(URI, "https://ci.bank.example/teams/core/x"), False),
        ("uri:https://CI.bank.example", SubjectName(URI, "https://ci.bank.example"), False),
        ("cn:Release Office", SubjectName(COMMON, "Release Office"), True),
        ("cn:Release Office", SubjectName(COMMON, "release office"), False),
        ("Release Office", SubjectName(COMMON, "Release Office"), False),
        ("cn:*", SubjectName(COMMON, "anybody"), True),
        ("spiffe://bank/[a-z]", SubjectName(URI, "spiffe://bank/x"), False),
        ("r.lease@bank.example", SubjectName(EMAIL, "release@bank.example"), False),
        ("release@bank.example", SubjectName(EMAIL, "release@bank.example\n"), False),
    ],
)
def test_patterns_ask_for_names_of_certificates(pattern: str, name: SubjectName, matches: bool) -> None:
    asked = SubjectPattern.parse(pattern)
    assert asked.matches(name) is matches
    assert str(asked) == pattern


@pytest.mark.parametrize("text", ["", " ", "cn:", "email: "])
def test_a_pattern_asks_for_something(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be empty"):
        SubjectPattern.parse(text)
