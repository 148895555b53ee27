"""A conflict is told as because, therefore, and what would solve it; what is said to solve it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings

from renderer.errors import Finding
from renderer.model.resolution import Conflict, Question, Resolution, Want
from renderer.stages.explain import explain
from renderer.stages.resolve import attempt, resolve
from renderer.structs import replace
from tests.scenarios.catalogs import catalog, question
from tests.scenarios.test_resolve import ask, rich, wanted


def told(says: Mapping[str, Any]) -> Finding:
    asked = question(says)
    answer = resolve(asked)
    assert isinstance(answer, Conflict)
    return explain(answer, asked, attempt)


def lines(says: Mapping[str, Any]) -> list[str]:
    return list(told(says).explanation)


def test_a_missing_version_is_told_from_the_profile_down_to_the_bundles() -> None:
    finding = told(
        {"wants": ["a ~1.0"], "catalog": {"a 1.0.3": {"requires": ["b >=2.0"]}, "b 1.1.0": {}, "b 1.2.0": {}}}
    )
    assert str(finding).splitlines() == [
        "error[no-resolution]: the extension `a` cannot be enabled",
        "  --> spec.extensions",
        "   because the profile enables `a` ~1.0 (offered: 1.0.3)",
        "       and `a` 1.0.3 requires `b` >=2.0, but the bundles offer only 1.2.0, 1.1.0",
        "   therefore no version of `b` will do",
        "   looked at: bundle demo 1.0.0",
        "   what would solve it:",
        "     - add a bundle that offers `b` >=2.0 for this cluster, and what that in turn requires",
    ]


def test_two_extensions_that_pull_a_third_apart() -> None:
    says = {
        "wants": ["a", "c", "fine"],
        "catalog": {
            "a 1.0.0": {"requires": ["b >=2"]},
            "c 1.0.0": {"requires": ["b <2"]},
            "c 2.0.0-rc.1": {},
            "b 1.0.0": {},
            "b 2.0.0": {},
            "fine 1.0.0": {},
        },
    }
    assert told(says).message == "the extensions `a` and `c` cannot be enabled together"
    assert lines(says) == [
        "because the profile enables `a` (offered: 1.0.0)",
        "    and the profile enables `c` (offered: 1.0.0)",
        "    and `a` 1.0.0 requires `b` >=2 (offered: 2.0.0)",
        "    and `c` 1.0.0 requires `b` <2 (offered: 1.0.0)",
        "therefore no version of `b` suits `a` and `c`",
        "looked at: bundle demo 1.0.0",
        "what would solve it, each alone:",
        "  - let the profile's range for `c` (any release) take 2.0.0-rc.1",
        "  - do not enable `a`",
        "  - do not enable `c`",
    ]


def test_a_version_that_needs_another_kubernetes() -> None:
    says = {
        "wants": ["a"],
        "kubernetes": "1.28.5",
        "catalog": {"a 1.0.0": {"kubernetes": ">=1.30-0 <1.33"}, "a 1.1.0": {"kubernetes": ">=1.30-0 <1.33"}},
    }
    assert lines(says) == [
        "because the profile enables `a`, but 1.1.0, 1.0.0 need Kubernetes >=1.30-0 <1.33, and the cluster has 1.28.5",
        "therefore no version of `a` will do",
        "looked at: bundle demo 1.0.0",
        "what would solve it, each alone:",
        "  - run Kubernetes 1.30.0 (any that >=1.30-0 <1.33 admits may do) instead of 1.28.5",
        "  - add a bundle that offers `a` for this cluster, and what that in turn requires",
    ]


def test_a_version_for_another_platform_or_role() -> None:
    assert lines({"wants": ["a"], "catalog": {"a 1.0.0": {"platforms": ["linux/arm64"]}}})[0] == (
        "because the profile enables `a`, but 1.0.0 is built for linux/arm64 only, and the cluster has linux/amd64"
    )
    on_member = lines({"wants": ["a"], "role": "member", "catalog": {"a 1.0.0": {"role": "host"}}})
    assert on_member[0] == (
        "because the profile enables `a`, but 1.0.0 belongs on a host cluster, and this is a member cluster"
    )
    assert "  - enable `a` on a host cluster" in on_member


def test_the_trap_of_a_range_that_names_no_prerelease() -> None:
    says = {"wants": ["a >=1.0.0"], "catalog": {"a 1.1.0-rc.1": {}}}
    assert lines(says) == [
        (
            "because the profile enables `a` >=1.0.0, but the bundles offer only 1.1.0-rc.1, "
            "and a range that names no prerelease admits none"
        ),
        "therefore no version of `a` will do",
        "looked at: bundle demo 1.0.0",
        "what would solve it, each alone:",
        "  - let the profile's range for `a` (>=1.0.0) take 1.1.0-rc.1",
        "  - add a bundle that offers `a` >=1.0.0 for this cluster, and what that in turn requires",
    ]


def test_an_optional_requirement_and_a_range_of_the_profile() -> None:
    says = {"wants": ["a", "b >1"], "catalog": {"a 1.0.0": {"optional": ["b <2"]}, "b 1.0.0": {}, "b 2.0.0": {}}}
    assert lines(says)[2:4] == [
        "    and `a` 1.0.0 does not pull in but, where it is there, takes only `b` <2 (offered: 1.0.0)",
        "therefore no version of `b` suits the profile and `a`",
    ]
    assert "  - let the profile's range for `b` (>1) take 1.0.0" in lines(says)


def test_capabilities_and_conflicts() -> None:
    says = {
        "wants": ["a"],
        "catalog": {
            "a 1.0.0": {"requires": ["capability:dns >=1"], "conflicts": ["x <2"]},
            "x 1.0.0": {"provides": {"dns": "1.0.0"}},
            "y 1.0.0": {"provides": {"dns": "2.0.0"}, "requires": ["yy"]},
            "y-y 1.0.0": {},
        },
    }
    assert lines(says)[:6] == [
        "because the profile enables `a` (offered: 1.0.0)",
        "    and `a` 1.0.0 requires the capability `dns` >=1",
        "    and `a` 1.0.0 conflicts with `x` <2",
        "    and the capability `dns` comes only from `x` 1.0.0 or `y` 1.0.0",
        "    and `y` 1.0.0 requires `yy`, which no bundle offers (they do offer `y-y` and `y`)",
        "therefore nothing that provides `dns` will do",
    ]
    alone = {"wants": ["a"], "catalog": {"a 1.0.0": {"requires": ["capability:dns >=2"]}}}
    assert lines(alone)[1:3] == [
        "    and `a` 1.0.0 requires the capability `dns` >=2, which no offered extension provides for this cluster",
        "therefore nothing provides the capability `dns` >=2",
    ]
    excluded = {
        "wants": ["a", "x"],
        "catalog": {"a 1.0.0": {"conflicts": ["capability:dns"]}, "x 1.0.0": {"provides": {"dns": "1.0.0"}}},
    }
    assert lines(excluded)[2] == "    and `a` 1.0.0 conflicts with `x`, which provides a capability that it excludes"


def test_versions_that_say_the_same_are_told_once_and_others_side_by_side() -> None:
    offers: dict[str, Any] = {f"a 1.{minor}.0": {"requires": [f"b >={2 + minor}"]} for minor in range(5)}
    assert lines({"wants": ["a"], "catalog": offers | {"b 1.0.0": {}}})[:2] == [
        "because the profile enables `a` (offered: 5 versions from 1.0.0 to 1.4.0)",
        "    and `a` requires `b`: 1.0.0 >=2; 1.1.0 >=3; 1.2.0 >=4 and 2 more ranges",
    ]
    alike: dict[str, Any] = {f"a 1.{minor}.0": {"requires": ["b >=2"]} for minor in range(5)}
    assert lines({"wants": ["a"], "catalog": alike | {"b 1.0.0": {}}})[1] == (
        "    and every `a` requires `b` >=2, but the bundles offer only 1.0.0"
    )


def test_a_chain_of_thirty_is_told_in_a_few_lines() -> None:
    offers: dict[str, Any] = {"x 1.0.0": {}}
    for number in range(30):
        offers[f"c{number:02d} 1.0.0"] = {"requires": [f"c{number + 1:02d}" if number < 29 else "x >=2"]}
    assert lines({"wants": ["c00"], "catalog": offers}) == [
        "because the profile enables `c00` (offered: 1.0.0)",
        "    and `c00` 1.0.0 requires `c01` (offered: 1.0.0)",
        "    and `c01` 1.0.0 requires `c02` (offered: 1.0.0)",
        "    and so on, each requiring the next, through `c02`, `c03` … `c27` (26 extensions)",
        "    and `c28` 1.0.0 requires `c29` (offered: 1.0.0)",
        "    and `c29` 1.0.0 requires `x` >=2, but the bundles offer only 1.0.0",
        "therefore no version of `x` will do",
        "looked at: bundle demo 1.0.0",
        "what would solve it:",
        "  - add a bundle that offers `x` >=2 for this cluster, and what that in turn requires",
    ]


def test_a_long_story_is_cut_in_its_middle() -> None:
    offers: dict[str, Any] = {f"n{number:02d} 1.0.0": {"requires": [f"gone{number}"]} for number in range(30)}
    offers |= {f"a 1.{number}.0": {"requires": [f"n{number:02d}"]} for number in range(30)}
    said = lines({"wants": ["a"], "catalog": offers})
    assert len(said) <= 25
    assert any(line.endswith("more requirements in between") for line in said)


def test_a_second_conflict_does_not_hide_what_solves_the_first() -> None:
    says = {
        "wants": ["a", "b", "c"],
        "catalog": {
            "a 1.0.0": {"requires": ["x <1"]},
            "b 1.0.0": {"conflicts": ["c"]},
            "c 1.0.0": {},
            "x 1.0.0": {},
        },
    }
    assert lines(says)[-3:] == [
        "what would solve this conflict, each alone (the other extensions of the profile have at least one more):",
        "  - do not enable `a`",
        "  - add a bundle that offers `x` <1 for this cluster, and what that in turn requires",
    ]


def test_several_changes_at_once_are_not_guessed() -> None:
    says = {"wants": ["a"], "catalog": {"a 1.0.0": {"requires": ["b >=2", "c >=2"], "conflicts": ["b", "c"]}}}
    assert lines(says)[-1] == "no single change that was tried solves it; several are needed at once"


def test_unknown_names_are_told_with_names_that_are_spelled_alike() -> None:
    finding = told({"wants": ["vektor", "vector"], "catalog": {"vector 1.0.0": {}}})
    assert str(finding).splitlines() == [
        "error[unknown-extension]: no bundle offers the extension `vektor`",
        "  --> spec.extensions",
        "   `vektor` is spelled like `vector`",
        "   looked at: bundle demo 1.0.0",
        "   hint: enable only what the bundles offer, or add the bundle that offers it to `spec.bundles`",
    ]
    assert told({"wants": ["vektor"], "catalog": {"vector 1.0.0": {}}}).hint == "write `vector` instead of `vektor`"
    two = told({"wants": ["vektor", "zzz"], "catalog": {"vector 1.0.0": {}}})
    assert two.message == "no bundle offers the extensions `vektor` and `zzz`"
    assert two.explanation[1] == "no offered name is like `zzz`"


def test_a_profile_without_bundles() -> None:
    asked = replace(question({"wants": ["a"], "catalog": {}}), catalog=catalog([]))
    asked = replace(asked, catalog=replace(asked.catalog, bundles=()))
    answer = resolve(asked)
    assert isinstance(answer, Conflict)
    assert explain(answer, asked, attempt).explanation[-1] == "the profile names no bundle"


def test_a_search_that_was_given_up_is_not_called_a_proof() -> None:
    asked = question({"wants": ["a"], "catalog": {"a 1.0.0": {}}})
    finding = explain(Conflict(causes=(), candidates={}, proved=False), asked, attempt)
    assert finding.code == "no-resolution"
    assert "given up" in finding.message
    assert finding.hint is not None


@settings(deadline=None, max_examples=60)
@given(wanted, rich)
def test_every_conflict_has_a_short_story_and_dropping_what_it_says_solves_it(
    wants: list[str], offers: dict[str, Any]
) -> None:
    asked = ask(wants, offers)
    answer = resolve(asked)
    if isinstance(answer, Resolution):
        return
    said = explain(answer, asked, attempt).explanation
    assert 0 < len(said) <= 25
    if any(line.startswith("what would solve it") for line in said):
        for want in asked.wants:
            if f"  - do not enable `{want.name}`" in said:
                rest = tuple(other for other in asked.wants if other != want)
                assert isinstance(resolve(replace(asked, wants=rest)), Resolution)


def test_the_question_is_asked_again_a_bounded_number_of_times() -> None:
    asked = question(
        {"wants": [f"e{n}" for n in range(40)], "catalog": {f"e{n} 1.0.0": {"requires": ["x"]} for n in range(40)}}
    )
    asked = replace(asked, wants=(*asked.wants, Want("e0")))
    answer = resolve(asked)
    assert isinstance(answer, Conflict)
    asks: list[Question] = []

    def counted(changed: Question) -> Resolution | Conflict:
        asks.append(changed)
        return attempt(changed)

    explain(answer, asked, counted)
    assert len(asks) <= 9
