"""What manifests lead to (formats/bundle/closure.py)."""

import pytest

from renderer.errors import BundleRefusedError
from renderer.formats.bundle.artifact import (
    IMAGE_CONFIG,
    IMAGE_INDEX,
    IMAGE_MANIFEST,
    ImageManifest,
    describe,
    index_content,
)
from renderer.formats.bundle.closure import closure
from renderer.model.bundles.extension import Descriptor
from renderer.model.reference import Digest


class Layout:
    """Blobs by digest; `put` gives the descriptor of new ones."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}

    def put(self, content: bytes, media_type: str) -> Descriptor:
        descriptor = describe(content, media_type)
        self.blobs[descriptor.digest] = content
        return descriptor

    def image(self, name: str) -> Descriptor:
        config, layer = self.put(name.encode(), IMAGE_CONFIG), self.put(b"shared layer", "layer")
        return self.put(ImageManifest(config=config, layers=(layer,)).content(), IMAGE_MANIFEST)

    def closure(self, *roots: Descriptor) -> list[bytes]:
        found = closure(roots, lambda one: self.blobs[one.digest], self.blobs.__contains__, "bundle")
        return [self.blobs[digest] for digest in found]


def test_an_index_leads_to_manifests_configs_and_layers_each_once() -> None:
    layout = Layout()
    arm, amd = layout.image("arm"), layout.image("amd")
    index = layout.put(index_content([arm, amd]), IMAGE_INDEX)
    texts = layout.closure(index, amd)
    assert texts == [
        layout.blobs[index.digest],
        layout.blobs[arm.digest],
        b"arm",
        b"shared layer",
        layout.blobs[amd.digest],
        b"amd",
    ]


def test_a_platform_that_was_left_out_is_passed_over() -> None:
    layout = Layout()
    arm, amd = layout.image("arm"), layout.image("amd")
    index = layout.put(index_content([arm, amd]), IMAGE_INDEX)
    del layout.blobs[arm.digest]
    assert b"arm" not in layout.closure(index)


def test_what_is_no_manifest_is_a_leaf() -> None:
    layout = Layout()
    assert layout.closure(layout.put(b"{}", "application/json")) == [b"{}"]


def test_indexes_may_not_be_nested_without_end() -> None:
    layout = Layout()
    one = layout.image("deep")
    for _ in range(6):
        one = layout.put(index_content([one]), IMAGE_INDEX)
    with pytest.raises(BundleRefusedError) as refused:
        layout.closure(one)
    assert refused.value.findings[0].code == "bundle-malformed"
    assert "nested more than 5 deep" in refused.value.findings[0].message


def test_a_manifest_that_is_too_large_is_not_read() -> None:
    layout = Layout()
    large = Descriptor(media_type=IMAGE_MANIFEST, digest=Digest.of(b"?"), size=5 * 2**20)
    with pytest.raises(BundleRefusedError) as refused:
        layout.closure(large)
    assert "at most 4194304 bytes" in refused.value.findings[0].message
