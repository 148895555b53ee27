"""Manifests that refer to others are found: by the registry itself, or by the tag schema of the specification."""

from __future__ import annotations

import json
from dataclasses import dataclass

from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest
from renderer.transfer.listing import as_referrer, see_to_referrers
from tests.simulators.registries import MemoryRegistry

REPOSITORY = "mirror/team/api"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
SUBJECT = Digest.of(b"the image")
TAG = f"sha256-{SUBJECT.hex}"


@dataclass
class WithReferrers(MemoryRegistry):
    """A registry that lists referrers by itself."""

    listed: tuple[Descriptor, ...] = ()

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        self._note("referrers", repository, str(digest))
        return self.listed


class WithoutReferrers(MemoryRegistry):
    """A registry that knows the tag schema only, as the client reads it."""

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:
        found = self.manifest(repository, f"sha256-{digest.hex}")
        entries = json.loads(found.content)["manifests"] if found else []
        return tuple(
            Descriptor(media_type=one["mediaType"], digest=Digest.parse(one["digest"]), size=one["size"])
            for one in entries
        )


def a_referrer(text: str, kind: str | None = "application/spdx+json", config: str = "x/empty") -> Descriptor:
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": config, "digest": str(Digest.of(b"{}")), "size": 2},
        "layers": [],
        "annotations": {"text": text},
    } | ({"artifactType": kind} if kind else {})
    content = json.dumps(body).encode()
    return as_referrer(Descriptor(media_type=MANIFEST, digest=Digest.of(content), size=len(content)), content, "bundle")


def placed(registry: MemoryRegistry, *descriptors: Descriptor) -> None:
    """The registry has these manifests."""
    registry.manifests.setdefault(REPOSITORY, {}).update({one.digest: (b"{}", MANIFEST) for one in descriptors})


def test_a_registry_that_lists_them_by_itself_needs_no_help() -> None:
    one = a_referrer("one")
    registry = WithReferrers(listed=(one,))
    see_to_referrers(registry, REPOSITORY, SUBJECT, [one])
    assert registry.count("put") == 0


def test_elsewhere_a_tag_lists_them() -> None:
    registry, one, two = WithoutReferrers(), a_referrer("one"), a_referrer("two", None, "application/vnd.x+json")
    placed(registry, one, two)
    see_to_referrers(registry, REPOSITORY, SUBJECT, [one])
    see_to_referrers(registry, REPOSITORY, SUBJECT, [one])
    assert registry.count("put") == 1, "what is listed is not listed again"
    see_to_referrers(registry, REPOSITORY, SUBJECT, [two])
    found = registry.manifest(REPOSITORY, TAG)
    assert found is not None
    assert [
        (entry["digest"], entry["artifactType"], entry["annotations"])
        for entry in json.loads(found.content)["manifests"]
    ] == [
        (str(one.digest), "application/spdx+json", {"text": "one"}),
        (str(two.digest), "application/vnd.x+json", {"text": "two"}),
    ]


def test_a_tag_that_holds_no_list_is_written_anew() -> None:
    registry, one = WithReferrers(), a_referrer("one")
    placed(registry, one)
    other = Digest.of(b"{}")
    registry.manifests[REPOSITORY][other] = (b"{}", MANIFEST)
    registry.tagged[REPOSITORY] = {TAG: other}
    see_to_referrers(registry, REPOSITORY, SUBJECT, [one])
    found = registry.manifest(REPOSITORY, TAG)
    assert found is not None
    assert [entry["digest"] for entry in json.loads(found.content)["manifests"]] == [str(one.digest)]
