"""The algebra of versions and ranges."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from renderer.model.version import Constraint, Version

numbers = st.integers(0, 12) | st.integers(0, 2**64 - 1)
identifiers = st.from_regex(r"(?:0|[1-9][0-9]{0,2}|[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,3})", fullmatch=True)
prereleases = st.lists(identifiers, max_size=3).map(".".join)
builds = st.lists(st.from_regex(r"[0-9A-Za-z-]{1,4}", fullmatch=True), max_size=2).map(".".join)
versions = st.builds(Version, numbers, numbers, numbers, prereleases, builds)
close = st.builds(
    Version, st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["", "", "0", "a", "rc.1"])
)


@given(versions)
def test_a_version_reads_back_from_its_text(version: Version) -> None:
    assert Version.parse(str(version)) == version
    assert Version.parse_strict(str(version)) == version
    assert Version.parse(f"v{version}") == version


@given(versions, versions, versions)
def test_the_order_is_total(one: Version, two: Version, three: Version) -> None:
    assert (one < two) + (one == two) + (one > two) == 1
    if one <= two <= three:
        assert one <= three
    if one == two:
        assert hash(one) == hash(two)


@given(st.lists(versions))
def test_sorting_does_not_depend_on_where_one_starts(items: list[Version]) -> None:
    backwards = sorted(items, reverse=True)[::-1]
    assert [str(version) for version in backwards] == [str(version) for version in sorted(items)]


@given(versions)
def test_a_prerelease_lies_between_releases(version: Version) -> None:
    release = Version(version.major, version.minor, version.patch)
    assert (version.precedence < release.precedence) == version.is_prerelease


@given(close, close)
def test_comparison_operators_agree_with_the_order(bound: Version, version: Version) -> None:
    def allows(operator: str) -> bool:
        # The second comparator refuses nothing here, but names a prerelease and so admits prereleases.
        return Constraint.parse(f"{operator}{bound} <99.0.0-0").allows(version)

    assert allows(">") == (version.precedence > bound.precedence)
    assert allows(">=") == (version.precedence >= bound.precedence)
    assert allows("<") == (version.precedence < bound.precedence)
    assert allows("<=") == (version.precedence <= bound.precedence)
    assert allows("=") == (version.precedence == bound.precedence)
    assert allows("!=") == (version.precedence != bound.precedence)


@given(close, close)
def test_caret_and_tilde_are_ranges_that_start_at_their_version(bound: Version, version: Version) -> None:
    for operator in ("^", "~"):
        if Constraint.parse(f"{operator}{bound}").allows(version):
            assert version.precedence >= bound.precedence
        assert Constraint.parse(f"{operator}{bound}").allows(bound)


@given(close, close, close)
def test_alternatives_are_a_union(one: Version, two: Version, version: Version) -> None:
    union = Constraint.parse(f"^{one} || <{two}")
    assert union.allows(version) == (
        Constraint.parse(f"^{one}").allows(version) or Constraint.parse(f"<{two}").allows(version)
    )


@given(close, close, close)
def test_a_list_is_an_intersection_of_releases(one: Version, two: Version, version: Version) -> None:
    if version.is_prerelease:
        return
    both = Constraint.parse(f">={one}, !={two}")
    assert both.allows(version) == (
        Constraint.parse(f">={one}").allows(version) and Constraint.parse(f"!={two}").allows(version)
    )


@given(st.text(alphabet="0123.*xX-+ab|,<>=!~^v \t", max_size=40))
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        constraint = Constraint.parse(text)
        assert constraint.text == text
        constraint.allows(Version(1, 0, 0))
