"""Image references, digests and platforms: what they accept, how they read, what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.model.reference import Digest, ImageReference, Platform

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("docker.io/nginx:1.27", "docker.io/library/nginx:1.27"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("kubesphere/ks-apiserver:v4.1.3", "docker.io/kubesphere/ks-apiserver:v4.1.3"),
        ("quay.io/minio/mc:RELEASE.2024-04-29T09-56-05Z", "quay.io/minio/mc:RELEASE.2024-04-29T09-56-05Z"),
        ("harbor.site.local:5443/k8s/pause:3.9", "harbor.site.local:5443/k8s/pause:3.9"),
        ("localhost/tools/a:1", "localhost/tools/a:1"),
        ("localhost:5000/a:1", "localhost:5000/a:1"),
        (f"ghcr.io/o/i@sha256:{HEX}", f"ghcr.io/o/i@sha256:{HEX}"),
        (f"ghcr.io/o/i:1@sha256:{HEX}", f"ghcr.io/o/i:1@sha256:{HEX}"),
    ],
)
def test_references_are_completed_as_container_runtimes_complete_them(text: str, whole: str) -> None:
    assert str(ImageReference.parse(text)) == whole


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a repository path"),
        ("docker.io/", "is not a repository path"),
        ("docker.io/Nginx:1", "is not a repository path"),
        ("quay.io/a:", "the tag behind `:` is empty"),
        ("quay.io/a:b:c", "is not a tag"),
        ("quay.io/a@sha256:abc", "a sha256 digest must have 64"),
        ("quay.io/a@md5:abc", "a digest must use sha256 or sha512"),
        ("quay.io/a/../b:1", "is not a repository path"),
        ("-x.io/a:1", "is not a registry host"),
        ("quay.io/" + "a" * 255 + ":1", "at most 255 characters"),
    ],
)
def test_what_is_not_a_reference_is_refused_with_the_broken_rule(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ImageReference.parse(text)


def test_pinning_keeps_the_tag_and_untagging_drops_it() -> None:
    digest = Digest.of(b"index")
    pinned = ImageReference.parse("nginx:1.27").pinned(digest)
    assert str(pinned) == f"docker.io/library/nginx:1.27@{digest}"
    assert str(pinned.untagged()) == f"docker.io/library/nginx@{digest}"
    assert str(pinned.without_digest()) == "docker.io/library/nginx:1.27"


def test_a_reference_needs_a_tag_or_a_digest() -> None:
    with pytest.raises(ValueError, match="needs a tag or a digest"):
        ImageReference.parse("nginx:1").without_digest().__class__("docker.io", "library/nginx")


@given(
    st.from_regex(r"[a-z0-9]{1,8}(\.[a-z]{2,5})(:[0-9]{2,5})?", fullmatch=True),
    st.from_regex(r"[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", fullmatch=True),
)
def test_a_whole_reference_survives_writing_and_reading(host: str, repository: str, tag: str) -> None:
    reference = ImageReference(host, repository, tag)
    if host == "docker.io" and "/" not in repository:
        return
    assert ImageReference.parse(str(reference)) == reference


@given(st.text(max_size=80))
def test_no_text_makes_the_parser_fail_otherwise_than_with_a_value_error(text: str) -> None:
    try:
        parsed = ImageReference.parse(text)
    except ValueError:
        return
    assert ImageReference.parse(str(parsed)) == parsed


def test_a_digest_is_lower_case_hexadecimal_of_the_right_length() -> None:
    assert str(Digest.parse(f"sha256:{HEX}")) == f"sha256:{HEX}"
    for wrong in ("sha256:" + "A" * 64, "sha256:" + "a" * 63, "sha512:" + HEX, HEX, "sha256:" + "a" * 63 + "\n"):
        with pytest.raises(ValueError, match="digest"):
            Digest.parse(wrong)


@pytest.mark.parametrize(
    ("has", "wants", "serves"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "linux/arm64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_platforms_match_by_variant_and_arm64_is_arm64_v8(has: str, wants: str, serves: bool) -> None:
    assert Platform.parse(has).serves(Platform.parse(wants)) is serves


@pytest.mark.parametrize("text", ["amd64", "linux", "linux/", "linux/amd64/v8/x", "Linux/amd64", "linux/amd64\n"])
def test_what_is_not_a_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a platform must read"):
        Platform.parse(text)
