"""Addresses of bundles in registries, and which tag is the newest version."""

from __future__ import annotations

import pytest

from renderer.model.bundles.address import BundleAddress, is_address, newest, version_tag, versions
from renderer.model.reference import Digest
from renderer.model.version import Constraint, Version

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "host", "repository", "reference"),
    [
        ("oci://harbor.local:5443/bundles/demo", "harbor.local:5443", "bundles/demo", None),
        ("oci://harbor.local/demo:1.0.0", "harbor.local", "demo", "1.0.0"),
        (f"oci://[::1]:5000/a/b/c@{DIGEST}", "[::1]:5000", "a/b/c", DIGEST),
    ],
)
def test_an_address_says_where(text: str, host: str, repository: str, reference: str | None) -> None:
    address = BundleAddress.parse(text)
    assert (address.host, address.repository, address.reference) == (host, repository, reference)
    assert str(address) == text
    assert is_address(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://harbor.local/demo", "an address in a registry begins with `oci://`"),
        ("oci://harbor.local", "an address names a registry and a repository in it"),
        ("oci://harbor.local/", "an address names a registry and a repository in it"),
        ("oci:///demo", "`` is not a registry host"),
        ("oci://me@harbor.local/demo", "`me@harbor.local` is not a registry host"),
        ("oci://harbor.local/demo:", "the tag behind `:` is empty"),
        ("oci://harbor.local/demo:-x", "`-x` is not a tag"),
        ("oci://harbor.local/../demo", "`../demo` is not a repository path (lower-case letters, digits and . _ - /)"),
        (f"oci://harbor.local/demo:1@{DIGEST}", "an address has a tag or a digest, not both"),
        ("oci://harbor.local/demo@sha256:abc", "a sha256 digest must have 64 lower-case hexadecimal digits"),
    ],
)
def test_what_is_no_address(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        BundleAddress.parse(text)
    assert str(raised.value) == why


def test_one_repository_has_many_bundles() -> None:
    address = BundleAddress.parse("oci://harbor.local/demo:1.0.0")
    assert str(address.at("2.0.0")) == "oci://harbor.local/demo:2.0.0"
    assert str(address.at(Digest.parse(DIGEST))) == f"oci://harbor.local/demo@{DIGEST}"


def test_a_tag_has_no_plus() -> None:
    assert version_tag(Version.parse("1.0.0-rc.1+build.7")) == "1.0.0-rc.1_build.7"
    assert versions(["1.0.0_build.7"]) == ((Version.parse("1.0.0+build.7"), "1.0.0_build.7"),)


@pytest.mark.parametrize(
    ("constraint", "tag"),
    [
        (None, "1.10.0"),
        ("*", "1.10.0"),
        ("<1.10.0", "1.2.0"),
        ("~1.2.0", "1.2.0"),
        (">=1.0.0-0", "2.0.0-rc.1"),
        (">=3", None),
    ],
)
def test_the_newest_version_that_is_admitted(constraint: str | None, tag: str | None) -> None:
    tags = ("1.0.0", "1.10.0", "1.2.0", "2.0.0-rc.1", "latest", "v9.0.0", "9", f"sha256-{'a' * 64}.sig")
    assert newest(tags, Constraint.parse(constraint) if constraint else None) == tag
