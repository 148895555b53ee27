"""Whatever a lock holds: what is written reads back as the same lock."""

import string
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.formats.kubernetes.manifests import load_values
from renderer.formats.lockfile import decode_lock, encode_lock
from renderer.model.generated.groups import CertificateWish
from renderer.model.generated.values import GeneratedKind, GeneratedValue
from renderer.model.lock import Lock, LockedBundle, LockedEngine, LockedExtension, LockedImage, LockedSignatures
from renderer.model.objects.manifest import ObjectId
from renderer.model.reference import Digest, ImageReference, Platform
from renderer.model.version import Version

T = TypeVar("T")
WORDS = st.sampled_from(
    ["on", "y", "1e3", "null", "~", "a, b", "a: b", "{a}", "[a]", "#a", "a #b", "'", '"', "\\", "-"]
)
TEXT = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
NAME = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
DIGEST = st.integers(0, 2**256 - 1).map(lambda number: Digest("sha256", f"{number:064x}"))
VERSION = st.builds(
    lambda numbers, pre: Version.parse_strict(".".join(map(str, numbers)) + pre),
    st.tuples(*[st.integers(0, 30)] * 3),
    st.sampled_from(["", "-rc.1", "-alpha", "+k3s1"]),
)
PLATFORM = st.builds(Platform, st.just("linux"), NAME, st.sampled_from(["", "v7"]))
TEXTS = st.lists(TEXT, max_size=3, unique=True).map(tuple)
BUNDLE = st.builds(
    LockedBundle, name=TEXT, source=TEXT, version=VERSION, sequence=st.integers(1, 99), digest=DIGEST, signers=TEXTS
)
EXTENSION = st.builds(
    LockedExtension,
    name=NAME,
    version=VERSION,
    bundle=TEXT,
    components=st.dictionaries(TEXT, DIGEST, max_size=3),
    required_by=TEXTS,
)
IMAGE = st.builds(
    LockedImage,
    reference=st.builds(ImageReference, st.just("ghcr.io"), NAME, NAME),
    digest=DIGEST,
    platforms=st.dictionaries(PLATFORM, DIGEST, max_size=3),
    mirror=TEXT,
    signatures=st.none() | st.builds(LockedSignatures, bundle=TEXT, keys=TEXTS),
)
OBJECT = st.builds(ObjectId, st.one_of(st.just(""), TEXT), TEXT, st.one_of(st.just(""), TEXT), TEXT)
GENERATED = st.builds(
    GeneratedValue,
    component=TEXT,
    object=OBJECT,
    path=TEXT,
    kind=st.sampled_from(GeneratedKind),
    source=TEXT,
    group=st.one_of(st.just(""), TEXT),
    certificate=st.one_of(st.just(""), TEXT),
    of=st.lists(OBJECT, max_size=2, unique=True).map(lambda found: tuple(sorted(found))),
)
CERTIFICATE = st.builds(
    CertificateWish,
    group=TEXT,
    name=TEXT,
    common_name=st.one_of(st.just(""), TEXT),
    organizations=TEXTS,
    dns_names=TEXTS,
    ip_addresses=TEXTS,
    key_usages=TEXTS,
    extended_usages=TEXTS,
    days=st.integers(0, 40_000),
    is_ca=st.booleans(),
    issuer=st.one_of(st.just(""), TEXT),
    algorithm=TEXT,
)


def pins(items: st.SearchStrategy[T], key: str) -> st.SearchStrategy[tuple[T, ...]]:
    """Pins as a lock holds them: each once, sorted."""

    def order(item: T) -> str:
        return str(getattr(item, key))

    return st.lists(items, max_size=4, unique_by=order).map(lambda found: tuple(sorted(found, key=order)))


LOCK = st.builds(
    Lock,
    site=TEXT,
    sitewright=TEXT,
    engine=st.builds(LockedEngine, name=TEXT, helm=TEXT),
    profile=DIGEST,
    api_versions=TEXTS.map(lambda texts: tuple(sorted(texts))),
    bundles=pins(BUNDLE, "name"),
    extensions=pins(EXTENSION, "name"),
    images=pins(IMAGE, "reference"),
    generated=st.lists(GENERATED, max_size=3, unique=True).map(
        lambda found: tuple(sorted(found, key=lambda one: one.order))
    ),
    captured=st.none() | DIGEST,
    certificates=st.lists(CERTIFICATE, max_size=3, unique_by=lambda one: one.order).map(
        lambda found: tuple(sorted(found, key=lambda one: one.order))
    ),
)


@given(LOCK)
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back(lock: Lock) -> None:
    assert decode_lock(encode_lock(lock), "a.lock.yaml", "a.yaml") == lock


@given(LOCK)
@settings(max_examples=30, deadline=None)
def test_writing_again_changes_nothing(lock: Lock) -> None:
    once = encode_lock(lock)
    assert encode_lock(decode_lock(once, "a.lock.yaml", "a.yaml")) == once
    assert load_values(once, strict_keys=True)
