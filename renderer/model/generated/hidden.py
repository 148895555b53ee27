"""A secret in memory that no message can show by accident."""

from __future__ import annotations

from renderer.model.fields import Json


class Hidden:
    """One value that a chart invented, kept from every `repr`, format, log and traceback.

    Only `sitewright lock` holds such values, to compare and to seal them. `reveal` is the one way to the content, so
    that its uses can be counted.
    """

    __slots__ = ("_content",)

    def __init__(self, content: Json) -> None:
        self._content = content

    def reveal(self) -> Json:
        """The value itself."""
        return self._content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self._content == other._content

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<hidden>"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a hidden value is not written down")
