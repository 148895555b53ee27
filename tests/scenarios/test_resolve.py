"""The resolver, case by case (`resolver.yaml`), and against two independent judges on random catalogs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.model.bundles.extension import ClusterRole, Extension
from renderer.model.lock import Lock, LockedEngine, LockedExtension
from renderer.model.reference import Digest, Platform
from renderer.model.resolution import PROFILE, Conflict, Link, Question, Resolution, Want, broken_rules
from renderer.model.site import (
    CheckRules,
    Cluster,
    Distribution,
    ExtensionRequest,
    Fallback,
    GitOps,
    GitOpsAgent,
    ImagesMode,
    Runtime,
    SecretsMode,
    Site,
    SiteRegistry,
)
from renderer.model.version import Constraint, Version
from renderer.stages.resolve import attempt, resolve
from renderer.structs import replace
from tests.scenarios.catalogs import catalog, extension, question
from tests.scenarios.oracle import ask_resolvelib

NO_DIGEST = Digest("sha256", "0" * 64)
SITE = Site(
    name="demo",
    labels={},
    cluster=Cluster(
        kubernetes=Version(1, 31, 4),
        distribution=Distribution.K3S,
        runtime=Runtime.CONTAINERD,
        runtime_version=None,
        platforms=(Platform("linux", "amd64"),),
        api_versions=(),
        role=ClusterRole.BOTH,
        name="demo",
    ),
    registry=SiteRegistry(url="https://registry.local", projects={}, images=ImagesMode.MIRROR, fallback=Fallback.NEVER),
    gitops=GitOps(agent=GitOpsAgent.FLUX, repository="", branch="main", path=""),
    trust="trust.yaml",
    bundles=(),
    extensions=(
        ExtensionRequest(name="a", constraint=None),
        ExtensionRequest(name="b", constraint=Constraint.parse("^1")),
    ),
    secrets=SecretsMode.EXTERNAL,
    checks=CheckRules(),
    templates={},
    profile="demo.yaml",
    digest=NO_DIGEST,
)
CASES = yaml.safe_load((Path(__file__).parent / "resolver.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict[str, Any]) -> None:
    answer = resolve(question(case))
    if "conflict" in case:
        assert isinstance(answer, Conflict)
        told = [
            " ".join(
                filter(None, [cause.source, *map(str, cause.versions), cause.kind.value, cause.target, cause.range])
            )
            for cause in answer.causes
        ]
        assert told == case["conflict"]
        assert list(answer.unknown) == case.get("unknown", [])
        return
    assert isinstance(answer, Resolution)
    assert [one.id for one in answer.extensions] == case["resolved"]
    if "links" in case:
        assert [spell(link) for link in answer.links] == case["links"]
    if "skipped" in case:
        assert [f"{one.source}: {one.requirement}, {one.why}" for one in answer.skipped] == case["skipped"]


def spell(link: Link) -> str:
    return f"{link.source} -> {link.target}" + (f" {link.requirement.constraint}" if link.requirement else "")


def test_a_resolution_knows_who_requires_what() -> None:
    answer = resolve(
        question(
            {
                "wants": ["a", "b"],
                "catalog": {"a 1.0.0": {"requires": ["b"]}, "b 1.0.0": {}, "c 1.0.0": {}},
            }
        )
    )
    assert isinstance(answer, Resolution)
    assert answer.required_by("b") == ("a", PROFILE)
    assert answer.required_by("c") == ()
    assert answer.version_of("a") == Version(1, 0, 0)
    assert answer.version_of("c") is None


def test_an_assumed_extension_counts_like_an_offered_one() -> None:
    asked = question({"wants": ["a"], "catalog": {"a 1.0.0": {"requires": ["b >=2"]}, "b 1.0.0": {}}})
    assert isinstance(resolve(asked), Conflict)
    assert isinstance(resolve(replace(asked, assumed=(extension("b 2.0.0"),))), Resolution)


def test_every_version_of_a_long_chain_is_tried_before_the_conflict_is_told() -> None:
    offers: dict[str, Any] = {"x 1.0.0": {}}
    for number in range(30):
        target = f"c{number + 1:02d}" if number < 29 else "x >=2"
        offers |= {f"c{number:02d} 1.{minor}.0": {"requires": [target]} for minor in range(30)}
    answer = resolve(question({"wants": ["c00"], "catalog": offers}))
    assert isinstance(answer, Conflict)
    assert len(answer.causes) == 31
    assert len(answer.causes[-1].versions) == 30


def test_a_search_that_grows_beyond_all_bounds_is_given_up_and_says_so() -> None:
    # Five extensions that must all have different versions, out of four: the proof takes a while.
    offers: dict[str, Any] = {}
    for me in range(5):
        for version in range(1, 5):
            others = [f"p{other} ={version}.0.0" for other in range(5) if other != me]
            offers[f"p{me} {version}.0.0"] = {"conflicts": others}
    asked = question({"wants": [f"p{number}" for number in range(5)], "catalog": offers})
    assert isinstance(resolve(asked), Conflict)
    answer = attempt(asked, rounds=5)
    assert isinstance(answer, Conflict)
    assert not answer.proved
    assert answer.causes == ()


def test_a_question_is_what_a_site_asks_of_a_catalog_with_its_lock() -> None:
    offers = catalog([extension("a 1.0.0"), extension("a 2.0.0"), extension("b 1.0.0"), extension("b 2.0.0")])
    assert chosen(Question.of(SITE, offers)) == ["a 2.0.0", "b 1.0.0"]
    assert chosen(Question.of(SITE, offers, locked("a 1.0.0"))) == ["a 1.0.0", "b 1.0.0"]
    assert chosen(Question.of(SITE, offers, locked("a 1.0.0"), upgrade=["a"])) == ["a 2.0.0", "b 1.0.0"]


def locked(*identities: str) -> Lock:
    """A lock that holds nothing but extension versions."""
    entries = (identity.split() for identity in identities)
    return Lock(
        site="demo",
        sitewright="1.0.0",
        engine=LockedEngine(name="embedded", helm="v4.0.0"),
        profile=NO_DIGEST,
        api_versions=(),
        bundles=(),
        extensions=tuple(
            LockedExtension(name=name, version=Version.parse(text), bundle="demo", components={}, required_by=())
            for name, text in entries
        ),
        images=(),
        generated=(),
    )


def chosen(asked: Question) -> list[str]:
    answer = resolve(asked)
    assert isinstance(answer, Resolution)
    return [one.id for one in answer.extensions]


class TestTheAnswerIsCheckedAgain:
    ASKED = question(
        {
            "wants": ["a ^1"],
            "kubernetes": "1.30.0",
            "catalog": {
                "a 1.0.0": {"requires": ["b >=2", "capability:dns"], "optional": ["d <1"], "conflicts": ["e"]},
                "a 2.0.0": {},
                "b 1.0.0": {"kubernetes": ">=1.40"},
                "d 1.0.0": {},
                "e 1.0.0": {},
            },
        }
    )

    def broken(self, *identities: str) -> list[str]:
        every = {one.id: one for name in self.ASKED.names() for one in self.ASKED.offered(name)}
        chosen = tuple(every.get(identity) or extension(identity) for identity in identities)
        return list(broken_rules(self.ASKED, Resolution(extensions=chosen, links=(), skipped=())))

    def test_what_the_profile_enables_must_be_there_in_its_range(self) -> None:
        assert "a ^1 is missing" in self.broken()
        assert "a ^1 is missing" in self.broken("a 2.0.0")

    def test_every_requirement_must_hold(self) -> None:
        broken = self.broken("a 1.0.0", "b 1.0.0", "d 1.0.0", "e 1.0.0")
        assert "a 1.0.0 requires b >=2" in broken
        assert "a 1.0.0 requires capability dns *" in broken
        assert "a 1.0.0 does not go with d 1.0.0" in broken
        assert "a 1.0.0 conflicts with e 1.0.0" in broken

    def test_everything_must_be_offered_fit_the_cluster_and_be_required(self) -> None:
        broken = self.broken("b 1.0.0", "f 1.0.0")
        assert "the cluster cannot take b 1.0.0" in broken
        assert "f 1.0.0 is not offered" in broken
        assert "f is required by nobody" in broken


# ---- random catalogs

names = st.sampled_from("abcde")
ranges = st.sampled_from(["*", "^1", "^2", ">=1.1", "<2", "1.0.0", ">=1.0.0-0", ">=2.0.0-0", "<1.1 || >=2"])
on_extension = st.builds("{} {}".format, names, ranges)
on_anything = on_extension | st.builds("capability:{} {}".format, st.sampled_from("xy"), ranges)
versions = st.sampled_from(["1.0.0", "1.1.0", "2.0.0-rc.1", "2.0.0"])
identities = st.builds("{} {}".format, names, versions)
plain = st.dictionaries(
    identities, st.fixed_dictionaries({"requires": st.lists(on_extension, max_size=2)}), max_size=12
)
rich = st.dictionaries(
    identities,
    st.fixed_dictionaries(
        {
            "requires": st.lists(on_anything, max_size=2),
            "optional": st.lists(on_anything, max_size=1),
            "conflicts": st.lists(on_anything, max_size=1),
            "provides": st.dictionaries(st.sampled_from("xy"), versions, max_size=1),
        }
    ),
    max_size=10,
)
wanted = st.lists(names, min_size=1, max_size=3, unique=True)


def ask(wants: Iterable[str], offers: Mapping[str, Any]) -> Question:
    return question({"wants": list(wants), "catalog": offers})


@settings(deadline=None)
@given(wanted, plain)
def test_there_is_an_answer_exactly_when_resolvelib_has_one(wants: list[str], offers: dict[str, Any]) -> None:
    # resolvelib recurses for ever over some cycles; cycles are judged by the next test.
    for identity, says in offers.items():
        says["requires"] = [needed for needed in says["requires"] if needed[0] > identity[0]]
    asked = ask(wants, offers)
    assert isinstance(resolve(asked), Resolution) == (ask_resolvelib(asked, 10_000) is not None)


@settings(deadline=None)
@given(wanted, rich)
def test_there_is_an_answer_exactly_when_trying_everything_finds_one(wants: list[str], offers: dict[str, Any]) -> None:
    asked = ask(wants, offers)
    answer = resolve(asked)
    if isinstance(answer, Resolution):
        assert broken_rules(asked, answer) == ()
    else:
        assert answer.proved
        assert not any(stands(asked, chosen) for chosen in everything(asked))


@settings(deadline=None)
@given(wanted, rich)
def test_the_causes_of_a_conflict_are_a_conflict_by_themselves(wants: list[str], offers: dict[str, Any]) -> None:
    answer = resolve(ask(wants, offers))
    if isinstance(answer, Conflict) and not answer.unknown:
        kept = [cause.target for cause in answer.causes if cause.source == PROFILE]
        assert kept
        assert isinstance(resolve(ask(kept, offers)), Conflict)


@settings(deadline=None)
@given(wanted, rich, st.data())
def test_the_answer_depends_on_nothing_else(wants: list[str], offers: dict[str, Any], data: st.DataObject) -> None:
    shuffled = dict(data.draw(st.permutations(list(offers.items()))))
    unrelated = {"zz 9.0.0": {"requires": ["a >=1", "nowhere"], "conflicts": ["b"]}}
    first = resolve(ask(wants, offers))
    second = resolve(ask(reversed(wants), shuffled | unrelated))
    if isinstance(first, Resolution):
        assert isinstance(second, Resolution)
        assert first.extensions == second.extensions
        assert first.links == second.links
    else:
        assert isinstance(second, Conflict)
        assert first.causes == second.causes


@settings(deadline=None)
@given(wanted, rich)
def test_what_was_resolved_stays_when_it_is_locked(wants: list[str], offers: dict[str, Any]) -> None:
    first = resolve(ask(wants, offers))
    if isinstance(first, Resolution):
        locked = {one.name: one.version for one in first.extensions}
        newer: dict[str, Any] = {f"{name} 3.0.0": {} for name in locked}
        again = resolve(replace(ask(wants, offers | newer), preferred=locked))
        assert isinstance(again, Resolution)
        assert again.extensions == first.extensions


@settings(deadline=None)
@given(wanted, rich)
def test_little_effort_is_enough_for_little_questions(wants: list[str], offers: dict[str, Any]) -> None:
    assert isinstance(attempt(ask(wants, offers)), Resolution) == isinstance(resolve(ask(wants, offers)), Resolution)


def everything(asked: Question) -> Iterator[tuple[Extension, ...]]:
    """Every way to choose at most one version of each extension."""
    for chosen in itertools.product(*[(None, *asked.offered(name)) for name in asked.names()]):
        yield tuple(one for one in chosen if one is not None)


def stands(asked: Question, chosen: tuple[Extension, ...]) -> bool:
    """True when nothing but superfluous extensions speaks against `chosen`."""
    broken = broken_rules(asked, Resolution(extensions=chosen, links=(), skipped=()))
    return all(one.endswith("is required by nobody") for one in broken)


def test_a_want_reads_like_the_profile() -> None:
    assert str(Want("a", Constraint.parse("^1"))) == "a ^1"
    assert str(Want("a")) == "a"
    assert catalog([]).offers == {}
