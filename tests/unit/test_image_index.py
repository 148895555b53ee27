"""One image under every spelling that objects use for it (model/images/index.py)."""

from __future__ import annotations

from renderer.model.bundles.bundle import BundleImage
from renderer.model.bundles.extension import Descriptor
from renderer.model.images.index import ImageIndex, vouches
from renderer.model.images.mirror import Mirror, MirrorPlan
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.site import Fallback

AMD64 = Platform.parse("linux/amd64")


def descriptor(text: str) -> Descriptor:
    return Descriptor(media_type="application/vnd.oci.image.index.v1+json", digest=Digest.of(text.encode()), size=1)


def image(reference: str) -> BundleImage:
    platforms = {AMD64: descriptor(f"amd64 {reference}")}
    return BundleImage(reference=ImageReference.parse(reference), content=descriptor(reference), platforms=platforms)


def index(*references: str, mirrors: MirrorPlan | None = None) -> ImageIndex:
    return ImageIndex.of({one.reference: one for one in map(image, references)}, mirrors)


def plan(*mirrors: Mirror) -> MirrorPlan:
    return MirrorPlan(scheme="https", host="harbor.site", mirrors=mirrors, fallback=Fallback.NEVER, ca=None, images=())


def test_short_names_are_completed_as_runtimes_do() -> None:
    known = index("docker.io/library/redis:7")
    redis = image("docker.io/library/redis:7")
    for name in ("redis", "library/redis", "docker.io/redis", "index.docker.io/redis", "docker.io/library/redis"):
        assert known.find(name, "7", None) == redis
    assert known.find("quay.io/library/redis", "7", None) is None


def test_no_tag_and_no_digest_means_latest() -> None:
    known = index("docker.io/library/redis:7", "docker.io/library/busybox:latest")
    assert known.find("busybox", None, None) == image("docker.io/library/busybox:latest")
    assert known.find("redis", None, None) is None


def test_a_digest_finds_its_image_or_one_of_its_platforms() -> None:
    redis = image("docker.io/library/redis:7")
    known = index("docker.io/library/redis:7")
    assert known.find("redis", None, str(redis.digest)) == redis
    assert known.find("redis", None, str(redis.platforms[AMD64].digest)) == redis
    assert known.find("redis", None, f"sha256:{'0' * 64}") is None
    assert vouches(redis, str(redis.digest))
    assert not vouches(redis, f"sha256:{'0' * 64}")


def test_an_image_without_a_tag_is_found_by_digest_only() -> None:
    reference = f"quay.io/team/api@sha256:{'a' * 64}"
    known = ImageIndex.of({ImageReference.parse(reference): image(reference)}, None)
    assert known.find("quay.io/team/api", None, str(image(reference).digest)) == image(reference)
    assert known.find("quay.io/team/api", None, None) is None
    assert known.exact == {}


def test_a_name_in_the_site_registry_is_a_spelling_too() -> None:
    known = index("quay.io/team/api:1", mirrors=plan(Mirror(source="quay.io", project="quay")))
    for name in ("harbor.site/quay/team/api", "harbor.site/team/api"):
        assert known.find(name, "1", None) == image("quay.io/team/api:1")


def test_a_spelling_that_could_mean_two_contents_means_none() -> None:
    known = index(
        "quay.io/team/api:1",
        "docker.io/team/api:1",
        mirrors=plan(Mirror(source="quay.io", project="quay"), Mirror(source="docker.io", project="hub")),
    )
    # A chart that drops the upstream host says `harbor.site/team/api` for both.
    assert known.find("harbor.site/team/api", "1", None) is None
    assert known.find("harbor.site/quay/team/api", "1", None) == image("quay.io/team/api:1")
    assert known.find("harbor.site/hub/team/api", "1", None) == image("docker.io/team/api:1")
    assert known.find("quay.io/team/api", "1", None) == image("quay.io/team/api:1")
