"""What nodes may demand of images: as much as the trust policy asks for, or more, or a finding; never less."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from renderer.errors import Severity
from renderer.model.bundles.trust import Algorithm, Revocation, TrustedKey, TrustPolicy, TrustRule
from renderer.model.lock import Lock, LockedBundle, LockedEngine, LockedImage, LockedSignatures
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version
from renderer.stages.image_demands import ImageDemands, image_demands
from tests.simulators.bundles import Workshop

DIGEST = Digest.of(b"image")
NAME = ImageReference.parse("docker.io/team/api:1")
TODAY = date(2026, 11, 20)


def a_lock(signed: Sequence[str] = ()) -> Lock:
    """A lock of one image of the bundle `demo` that the keys `signed` have signed."""
    image = LockedImage(
        reference=NAME,
        digest=DIGEST,
        platforms={Platform.parse("linux/amd64"): DIGEST},
        mirror="",
        signatures=LockedSignatures(bundle="demo", keys=tuple(signed)) if signed else None,
    )
    bundle = LockedBundle(
        name="demo", source="demo.tar", version=Version.parse("1.0.0"), sequence=1, digest=DIGEST, signers=()
    )
    return Lock(
        site="shop", sitewright="0.1.0", engine=LockedEngine(name="embedded", helm="v4"), profile=DIGEST,
        api_versions=(), bundles=(bundle,), extensions=(), images=(image,), generated=(),
    )  # fmt: skip


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, TrustedKey]:
    workshop = Workshop(tmp_path)
    for name, kind in (("a", "p256"), ("b", "ed25519"), ("c", "rsa"), ("long", "p384")):
        workshop.key(name, kind)
    return workshop.keys


def demanded(
    keys: dict[str, TrustedKey],
    threshold: int,
    of: Sequence[str],
    signed: Sequence[str],
    algorithms: frozenset[Algorithm] = frozenset(Algorithm),
) -> tuple[list[list[str]], ImageDemands]:
    """The names of the keys that are demanded, and all that came of it."""
    asked = TrustRule(bundles="demo*", threshold=threshold, of=tuple(of), algorithms=algorithms)
    policy = TrustPolicy(name="test", keys=tuple(keys.values()), rules=(asked,))
    found = image_demands(a_lock(signed), policy, today=TODAY, profile="shop.yaml")
    demand = found.demands.get(NAME.pinned(DIGEST))
    names = {key.pem: name for name, key in keys.items()}
    return [[names[pem] for pem in one] for one in demand.keys] if demand else [], found


def codes(found: ImageDemands) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize(
    ("threshold", "of", "signed", "wanted"),
    [
        (1, "a", "a", [["a"]]),
        (1, "ab", "a", [["a", "b"]]),
        (2, "ab", "ab", [["a"], ["b"]]),
        (3, "abc", "abc", [["a"], ["b"], ["c"]]),
        (1, ["a", "long"], "a", [["a"]]),
    ],
)
def test_what_policy_json_can_say(
    keys: dict[str, TrustedKey], threshold: int, of: Sequence[str], signed: str, wanted: list[list[str]]
) -> None:
    names, found = demanded(keys, threshold, of, signed)
    assert (names, codes(found)) == (wanted, [])


@pytest.mark.parametrize(("signed", "wanted"), [("ab", [["a"], ["b"]]), ("abc", [["a"], ["b"], ["c"]])])
def test_some_of_several_become_those_who_signed(
    keys: dict[str, TrustedKey], signed: str, wanted: list[list[str]]
) -> None:
    names, found = demanded(keys, 2, "abc", signed)
    assert (names, codes(found)) == (wanted, ["policy-asks-for-more"])
    assert found.findings[0].severity is Severity.NOTE


@pytest.mark.parametrize(("threshold", "of", "signed"), [(1, "a", ""), (2, "ab", "a"), (1, "a", "b"), (2, "ab", "ac")])
def test_too_few_signatures_leave_the_image_with_its_digest(
    keys: dict[str, TrustedKey], threshold: int, of: str, signed: str
) -> None:
    names, found = demanded(keys, threshold, of, signed)
    assert (names, codes(found)) == ([], ["image-by-digest"])
    (finding,) = found.findings
    assert finding.severity is Severity.WARNING
    assert "sitewright bundle sign --images" in str(finding.hint)


def test_a_rule_that_nodes_cannot_ask_for_is_said_so(keys: dict[str, TrustedKey]) -> None:
    names, found = demanded(keys, 2, ["a", "long"], "a")
    assert (names, codes(found)) == ([], ["policy-cannot-ask", "image-by-digest"])
    assert found.findings[0].got == "`a`"
    names, found = demanded(keys, 1, ["a"], "a", algorithms=frozenset({Algorithm.ED25519}))
    assert (names, codes(found)) == ([], ["policy-cannot-ask", "image-by-digest"])


def test_keys_that_are_not_believed_today_are_not_demanded(keys: dict[str, TrustedKey]) -> None:
    old, gone = keys["a"], keys["b"]
    keys["a"] = TrustedKey(name="a", pem=old.pem, valid_to=date(2026, 1, 1))
    keys["b"] = TrustedKey(name="b", pem=gone.pem, revoked=Revocation())
    assert demanded(keys, 1, "abc", "abc")[0] == [["c"]]
    # a lost key does not come back under another name
    keys["c"] = TrustedKey(name="c", pem=gone.pem)
    assert demanded(keys, 1, "abc", "abc")[0] == []


def test_one_key_under_two_names_is_one_signer(keys: dict[str, TrustedKey]) -> None:
    keys["b"] = TrustedKey(name="b", pem=keys["a"].pem)
    names, found = demanded(keys, 2, "ab", "ab")
    assert names == []
    assert "policy-cannot-ask" in codes(found)
