"""Versions and ranges mean what they mean to Masterminds/semver v3, and refuse what it refuses."""

from __future__ import annotations

import json
import pickle
import re
import time
from pathlib import Path
from typing import Any, cast

import pytest

from renderer.model.version import Constraint, Version

DATA = Path(__file__).parent.parent / "data" / "semver" / "masterminds-v3.json"


@pytest.fixture(scope="module")
def masterminds() -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(DATA.read_text(encoding="utf-8")))


def version_or_none(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except ValueError:
        return None


def constraint_or_none(text: str) -> Constraint | None:
    try:
        return Constraint.parse(text)
    except ValueError:
        return None


def test_versions_are_read_as_masterminds_reads_them(masterminds: dict[str, Any]) -> None:
    ours = {text: str(version_or_none(text) or "") for text, *_ in masterminds["versions"]}
    assert ours == {text: canonical for text, canonical, *_ in masterminds["versions"]}


def test_the_strict_reading_takes_what_the_strict_reading_of_masterminds_takes(masterminds: dict[str, Any]) -> None:
    for text, _, strict, _ in masterminds["versions"]:
        try:
            Version.parse_strict(text)
        except ValueError:
            assert not strict, text
        else:
            assert strict, text


def test_precedence_is_that_of_masterminds(masterminds: dict[str, Any]) -> None:
    ranked = [(rank, Version.parse(text)) for text, _, _, rank in masterminds["versions"] if rank >= 0]
    for rank, version in ranked:
        for other_rank, other in ranked:
            assert (version.precedence < other.precedence) == (rank < other_rank), (version, other)
            assert (version.precedence == other.precedence) == (rank == other_rank), (version, other)


def test_ranges_admit_what_masterminds_admits(masterminds: dict[str, Any]) -> None:
    versions = [version_or_none(text) for text, *_ in masterminds["versions"]]
    for text, mask in masterminds["constraints"]:
        constraint = constraint_or_none(text)
        assert (constraint is None) == (mask == ""), f"`{text}` is read by one of us only"
        if constraint is None:
            continue
        answers = "".join(f"{int(digit, 16):04b}" for digit in mask)
        for version, answer in zip(versions, answers, strict=False):
            if version is not None:
                assert constraint.allows(version) == (answer == "1"), f"`{text}` and `{version}`"


@pytest.mark.parametrize(
    ("text", "takes", "refuses"),
    [
        (">=1.19.0-0", "1.31.4-gke.100", "1.18.20"),
        (">=4.1.2-0", "4.1.2-rc.3", "4.1.1"),
        (">= 1.2.1-0", "1.2.2", "1.2.0"),
        (">= 23.9.2", "23.9.2", "24.0.0-rc.1"),
        (">=2.11.1", "2.11.1", "2.11.0"),
        ("0.1.*", "0.1.7", "0.2.0"),
        (">= 0.1.0", "10.4.1", "0.1.0-alpha"),
    ],
)
def test_the_spellings_of_the_real_kubesphere_extensions_are_read(text: str, takes: str, refuses: str) -> None:
    constraint = Constraint.parse(text)
    assert constraint.allows(Version.parse(takes))
    assert not constraint.allows(Version.parse(refuses))


class TestVersion:
    def test_the_written_text_is_kept_and_counts_for_nothing(self) -> None:
        short, full = Version.parse("v1.2"), Version.parse("1.2.0")
        assert (short.text, str(short)) == ("v1.2", "1.2.0")
        assert short == full
        assert hash(short) == hash(full)

    def test_build_metadata_has_no_precedence_but_a_place(self) -> None:
        one, two = Version.parse("1.0.0+a"), Version.parse("1.0.0+b")
        assert one.precedence == two.precedence
        assert one != two
        assert one < two
        assert Constraint.parse("=1.0.0").allows(two)

    def test_a_release_comes_after_its_prereleases(self) -> None:
        written = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0"]
        assert [str(version) for version in sorted(map(Version.parse, reversed(written)))] == written
        assert Version.parse("1.0.0-rc.1").is_prerelease
        assert not Version.parse("1.0.0").is_prerelease

    def test_it_can_be_built_from_numbers(self) -> None:
        assert Version(1, 2, 3, "rc.1", "b").text == "1.2.3-rc.1+b"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1.a", "such as `1.4.0` or `v1.4.0-rc.1`, not `1.a`"),
            ("1.a", "a version must read `major[.minor[.patch]][-prerelease][+build]`, such as"),
            ("1.0.0-01", "a number in a prerelease must not start with 0, as it does in `01`"),
            ("18446744073709551616", "each number of a version must lie between 0 and 2^64 - 1"),
            ("1" * 257, "a version has at most 256 characters, this one has 257"),
        ],
    )
    def test_a_refusal_says_rule_form_and_input(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            Version.parse(text)

    def test_the_strict_refusal_says_the_strict_form(self) -> None:
        with pytest.raises(ValueError, match=re.escape("`major.minor.patch[-prerelease][+build]`, not `v1.2`")):
            Version.parse_strict("v1.2")

    def test_it_cannot_hold_nonsense(self) -> None:
        with pytest.raises(ValueError, match="the prerelease of a version must be dot-separated"):
            Version(1, 0, 0, "a_b")
        with pytest.raises(ValueError, match="the build metadata of a version must be dot-separated"):
            Version(1, 0, 0, "", "a..b")
        with pytest.raises(ValueError, match="each number of a version"):
            Version(-1, 0, 0)


class TestConstraint:
    def test_a_prerelease_is_admitted_only_where_the_range_names_one(self) -> None:
        candidate = Version.parse("2.0.0-rc.1")
        assert not Constraint.parse(">=1.0.0").allows(candidate)
        assert Constraint.parse(">=1.0.0-0").allows(candidate)
        assert not Constraint.parse("*").allows(candidate)
        assert Constraint.parse("<1 || >=1.0.0-0").allows(candidate)

    def test_both_comparators_of_a_group_admit_the_prerelease_that_one_names(self) -> None:
        assert Constraint.parse(">=1.0.0-0 <3").allows(Version.parse("2.0.0-rc.1"))

    def test_the_text_stays_as_written(self) -> None:
        assert str(Constraint.parse(">= 1.2.1-0")) == ">= 1.2.1-0"

    def test_it_survives_the_way_to_a_worker_process(self) -> None:
        constraint = pickle.loads(pickle.dumps(Constraint.parse("^1.2 || ~3")))
        assert constraint == Constraint.parse("^1.2 || ~3")
        assert constraint.allows(Version.parse("1.9.0"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "a version range must read something like `>=1.2 <2`, `^1.4`, `~1.4.2`, `1.x`, `1.2 - 1.4` or"),
            ("", "`^1 || ^2`, not ``"),
            ("latest", "not `latest`"),
            (">=1 ||| <2", "`|` in a version range is no version"),
            ("^1.0.0-01", "`1.0.0-01` in a version range is no version: a number in a prerelease must not start"),
            ("1 " * 257, "a version range has at most 512 characters, this has 514"),
            ("1||" * 32 + "1", "a version range has at most 32 alternatives, this has 33"),
        ],
    )
    def test_a_refusal_says_rule_form_and_input(self, text: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            Constraint.parse(text)

    @pytest.mark.parametrize(
        "text", ["1  " * 160 + "!", "1" + " " * 500 + "!", "1-" + "a." * 200 + "!", "1" * 500 + "!", ">= " * 170]
    )
    def test_hostile_text_is_refused_at_once(self, text: str) -> None:
        started = time.perf_counter()
        with pytest.raises(ValueError, match="a version range"):
            Constraint.parse(text)
        assert time.perf_counter() - started < 5
