"""What values are made of: `Struct` of msgspec, slotted, frozen where it says so, compared and hashed by its fields.

To Python a frozen dataclass is the same and costs 30 × more to define, which a short command pays a hundred times
over: docs/decisions/0013-values-are-structs.md. A dataclass is left where a field is not shown (a secret) or does not
count for equality, which a Struct cannot say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import force_setattr

if TYPE_CHECKING:  # type checkers know what this one takes for the fields of a Struct, too; msgspec's takes anything
    from dataclasses import replace  # noqa: TID251 - for type checkers only
else:
    from msgspec.structs import replace

__all__ = ["Struct", "field", "force_setattr", "replace"]
