"""What our values are made of."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

__all__ = ["Struct", "field", "replace"]
