"""Blobs whose bytes are at hand."""

from __future__ import annotations

import io

from renderer.model.bundles.extension import Descriptor
from renderer.ports import Blob


def in_memory(descriptor: Descriptor, content: bytes) -> Blob:
    """A blob of these bytes."""
    return Blob(descriptor=descriptor, open=lambda: io.BytesIO(content))
