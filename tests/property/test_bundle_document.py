"""`bundle.json`: everything of a bundle survives writing and reading, and equal bundles give equal bytes."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from renderer.formats.bundle.artifact import CARRIED
from renderer.formats.bundle.document import decode_bundle, encode_bundle
from renderer.formats.canonical_json import canonical_json, parse_json
from renderer.model.bundles.bundle import Bundle, BundleImage, Referrer, ReferrerForm
from renderer.model.bundles.extension import (
    ClusterRole,
    Component,
    ComponentKind,
    Descriptor,
    Extension,
    HealthRule,
    Requirement,
    RequirementKind,
)
from renderer.model.fields import FieldError
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Constraint, Version
from tests.simulators.bundles import schema

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,10}[a-z0-9])?(\.[a-z0-9]{1,5})?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FILLED = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
VERSIONS = st.builds(
    lambda numbers, pre, build: Version(numbers[0], numbers[1], numbers[2], pre, build),
    st.tuples(*[st.integers(0, 2**40)] * 3),
    st.sampled_from(["", "rc.1", "alpha", "0.x-y"]),
    st.sampled_from(["", "build.5", "001"]),
)
CONSTRAINTS = st.sampled_from([">= 1.0.0-0", "^2", "~1.2", "*", "1.2 - 1.4", "^1 || ^2"]).map(Constraint.parse)
DIGESTS = st.binary(min_size=1, max_size=3).map(Digest.of)
PLATFORMS = st.sampled_from(["linux/amd64", "linux/arm64/v8", "windows/amd64", "linux/arm/v7"]).map(Platform.parse)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=8,
)
VALUES = st.dictionaries(TEXTS, JSON, max_size=3)
DESCRIPTORS = st.builds(
    Descriptor,
    media_type=FILLED,
    digest=DIGESTS,
    size=st.integers(0, 2**50),
    annotations=st.dictionaries(st.sampled_from([CARRIED, "a.b/c"]), TEXTS),
    artifact_type=st.none() | FILLED,
)
REFERENCES = st.builds(
    ImageReference,
    registry=st.sampled_from(["docker.io", "quay.io", "harbor.site.local:5443"]),
    repository=LABELS.map(lambda name: f"library/{name}"),
    tag=st.sampled_from(["1.0", "latest", "v1_2-x"]),
)
COMPONENTS = st.builds(
    Component,
    name=NAMES,
    kind=st.sampled_from(ComponentKind),
    content=DESCRIPTORS,
    release=NAMES,
    namespace=LABELS,
    values=VALUES,
    forced=VALUES,
    values_schema=st.none() | VALUES,
)
REQUIREMENTS = st.builds(
    Requirement, kind=st.sampled_from(RequirementKind), name=NAMES, constraint=CONSTRAINTS, optional=st.booleans()
)
LOCALES = st.dictionaries(st.sampled_from(["en", "zh"]), TEXTS)
EXTENSIONS = st.builds(
    Extension,
    name=NAMES,
    version=VERSIONS,
    titles=LOCALES,
    descriptions=LOCALES,
    components=st.lists(COMPONENTS, max_size=3, unique_by=lambda one: one.name).map(tuple),
    requires=st.lists(REQUIREMENTS, max_size=3).map(tuple),
    provides=st.dictionaries(FILLED, VERSIONS, max_size=2),
    conflicts=st.lists(REQUIREMENTS, max_size=2).map(tuple),
    kubernetes=st.none() | CONSTRAINTS,
    platforms=st.lists(PLATFORMS, max_size=2).map(tuple),
    cluster_role=st.sampled_from(ClusterRole),
    images=st.lists(REFERENCES, max_size=2).map(tuple),
    health=st.lists(st.builds(HealthRule, group=FILLED, kind=FILLED, ready_condition=FILLED), max_size=2).map(tuple),
)
REFERRERS = st.builds(
    lambda content, subject, form, suffix: Referrer(
        content=content,
        subject=subject,
        form=form,
        tag=f"{subject.algorithm}-{subject.hex}.{suffix}" if form is ReferrerForm.TAG else None,
    ),
    DESCRIPTORS,
    DIGESTS,
    st.sampled_from(ReferrerForm),
    st.sampled_from(["sig", "att", "sbom"]),
)
IMAGES = st.builds(
    BundleImage,
    reference=REFERENCES,
    content=DESCRIPTORS,
    platforms=st.dictionaries(PLATFORMS, DESCRIPTORS, max_size=2),
    omitted=st.lists(PLATFORMS, max_size=2).map(tuple),
    referrers=st.lists(REFERRERS, max_size=2).map(tuple),
)
BUNDLES = st.builds(
    Bundle,
    name=NAMES,
    version=VERSIONS,
    sequence=st.integers(1, 2**40),
    created=st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1)).map(  # noqa: DTZ001
        lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
    ),
    platforms=st.lists(PLATFORMS, max_size=2).map(tuple),
    extensions=st.lists(EXTENSIONS, max_size=2, unique_by=lambda one: one.id).map(tuple),
    images=st.lists(IMAGES, max_size=2).map(tuple),
)
VALIDATOR = Draft202012Validator(json.dumps(schema("bundle")))


@given(BUNDLES)
@settings(max_examples=150, deadline=None)
def test_a_bundle_survives_writing_and_reading(bundle: Bundle) -> None:
    content = encode_bundle(bundle)
    assert decode_bundle(content) == bundle
    assert encode_bundle(decode_bundle(content)) == content


@given(BUNDLES)
@settings(max_examples=60, deadline=None)
def test_what_is_written_satisfies_the_schema(bundle: Bundle) -> None:
    document = json.loads(encode_bundle(bundle))
    assert [str(error) for error in VALIDATOR.iter_errors(document)] == []


@given(VALUES, st.randoms())
def test_equal_values_give_equal_bytes(value: dict[str, Any], chance: random.Random) -> None:
    keys = list(value)
    chance.shuffle(keys)
    assert canonical_json({key: value[key] for key in keys}) == canonical_json(value)
    assert parse_json(canonical_json(value), limit=2**20) == value


def referring(**fields: str) -> dict[str, Any]:
    """A `bundle.json` whose only image has one referrer."""
    digest = f"sha256:{'1f' * 32}"
    content = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    referrer = {"content": content, "subject": digest, **fields}
    return minimal(images=[{"reference": "a/b:1", "content": content, "platforms": {}, "referrers": [referrer]}])


def minimal(**spec: object) -> dict[str, Any]:
    """A small `bundle.json`."""
    empty = {"sequence": 1, "created": "2026-11-01T00:00:00Z", "platforms": [], "extensions": [], "images": []}
    return {
        "apiVersion": "sitewright.dev/v1",
        "kind": "Bundle",
        "metadata": {"name": "demo", "version": "1.0.0"},
        "spec": empty | spec,
    }


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        (minimal() | {"apiVersion": "sitewright.dev/v2"}, "unknown-api-version", "cannot read such a bundle"),
        (minimal() | {"kind": "Site"}, "unknown-api-version", "cannot read such a bundle"),
        (minimal() | {"restricted": True}, "unknown-field", "`restricted` is not a field of this document"),
        (minimal(only={"region": "east"}), "unknown-field", "spec.only"),
        (minimal(sequence=0), "invalid-field", "counts from 1"),
        (minimal(sequence=True), "invalid-field", "spec.sequence"),
        (minimal(created="2026-11-01"), "invalid-field", "spec.created"),
        (minimal(created="2026-11-01T00:00:00"), "invalid-field", "with its zone"),
        (minimal(extensions=[{"name": "A", "version": "1.0.0"}]), "invalid-field", "spec.extensions[0].name"),
        (minimal(extensions=[{"name": "a", "version": "1.0.0"}] * 2), "invalid-field", "same extension version twice"),
        (
            minimal(extensions=[{"name": "a", "version": "1.0.0", "requires": [{"version": "*"}]}]),
            "invalid-field",
            "names either an extension or a capability",
        ),
        (
            minimal(images=[{"reference": "nginx", "content": {"digest": "sha256:0"}}]),
            "invalid-field",
            "spec.images[0].content",
        ),
        (referring(form="tag"), "invalid-field", "exactly when it is found by its tag"),
        (referring(form="subject", tag="latest"), "invalid-field", "exactly when it is found by its tag"),
        (referring(form="tag", tag="latest"), "invalid-field", "begins with its subject"),
        (referring(form="tag", tag=f"sha256-{'1f' * 32}.a/b"), "invalid-field", "begins with its subject"),
        (referring(form="rumour"), "invalid-field", "spec.images[0].referrers[0].form"),
    ],
)
def test_what_cannot_be_understood_is_refused(document: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        decode_bundle(json.dumps(document).encode())
    assert (caught.value.code if code != "invalid-field" else code) == code
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "line 1, column 2"),
        (b'{"a": 1, "a": 2}', "the key `a` is given twice"),
        (b'{"a": NaN}', "`NaN` is not JSON"),
        (b'{"a": "\\ud800"}', "not UTF-8"),
        (b"\xff", "not UTF-8"),
        (b"[" * 101 + b"]" * 101, "deeper than 100 levels"),
        (b"[" * 100_000, "deeper than 100 levels"),
        (b'"' + b"x" * 2**20 + b'"', "are allowed"),
        (b"1" * 5000, "digits"),
    ],
)
def test_json_is_read_strictly(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(content, limit=2**20)
