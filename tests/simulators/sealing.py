"""One `lock` of a site with sealed values, and the render that follows, without bundles, charts and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from renderer.errors import Finding
from renderer.formats.sealed.generated_values import GeneratedFile, open_generated
from renderer.formats.sealed.sops import sops_open
from renderer.model.generated.policy import GeneratedPolicy, GeneratedRule
from renderer.model.generated.sealed import NOTHING_CAPTURED
from renderer.model.objects.manifest import Manifest, ObjectId
from renderer.stages.generated.discovering import discover
from renderer.stages.settle import settle
from renderer.stages.settle.sealed.assembling import assembled
from renderer.stages.settle.sealed.capturing import Capture, Wish, capture
from renderer.stages.settle.sealed.names import with_known_names
from renderer.stages.settle.sealed.parts import sealed_parts
from renderer.stages.settle.sealed.sealing import Work, plan_sealing, sealed_file
from renderer.structs import replace
from tests.sealing_fixture import KeyPair, counted, key_pair

ONE, OTHER = key_pair("one"), key_pair("other")
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
FILE = "profiles/shop.generated.yaml"


@dataclass(frozen=True)
class Locked:
    """What one `lock` left: the file, what it decided, what it had to do, and the objects of the tree."""

    capture: Capture
    work: Work
    file: GeneratedFile
    tree: tuple[Manifest, ...]
    findings: tuple[Finding, ...]

    def object(self, identity: ObjectId) -> dict[str, Any]:
        return dict(next(one.body for one in self.tree if one.id == identity))

    def opened(self, identity: ObjectId, key: KeyPair = ONE) -> dict[str, Any]:
        return dict(sops_open(self.object(identity), [key.identity]).content)


def lock(
    first: list[Manifest],
    second: list[Manifest],
    before: GeneratedFile | None = None,
    *,
    key: KeyPair | None = ONE,
    recipients: tuple[KeyPair, ...] = (ONE,),
    renew: frozenset[str] = frozenset(),
    moves: Mapping[str, str] = MappingProxyType({}),
    rules: tuple[GeneratedRule, ...] = (),
    seed: str = "lock",
) -> Locked:
    """The lock's part and the render's part, one after the other. Without a `key` nothing can be opened."""
    policy = GeneratedPolicy(recipients=tuple(pair.recipient for pair in recipients), rules=rules)
    known = before.captured if before else NOTHING_CAPTURED
    found = with_known_names(discover(first, second), known)
    ruled = policy.rulings(found.values)
    wish = Wish(today=NOW.date(), before=known, renew=renew, moves=moves)
    taken = capture(found, ruled, wish, "profiles/shop.yaml")
    captured = replace(NOTHING_CAPTURED, groups=taken.groups)
    shaped = settle(first, found.values, policy, captured).manifests
    parts = sealed_parts(ruled, policy, shaped)
    work = plan_sealing(shaped, parts, taken, known, policy.recipients)
    assert key is not None or not work.needs, work.needs
    opened = open_generated(before, [key.identity], FILE) if before and key and before.current else None
    file = sealed_file("shop", work, taken, before, opened, NOW, counted(seed))
    tree, outdated = assembled(settle(second, found.values, policy, file.captured).manifests, parts, file.captured)
    return Locked(taken, work, file, tree, (*taken.findings, *work.findings, *outdated))
