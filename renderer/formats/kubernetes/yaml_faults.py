"""Why a YAML stream is refused: it is not what Kubernetes reads, or it costs too much."""

from __future__ import annotations

from typing import Any, Final

from renderer.structs import Struct


class YamlError(ValueError):
    """Bytes that Kubernetes would not read, or that pass a limit.

    `line` and `column` count from 1. `code` is `yaml-syntax`, `yaml-limit` or `duplicate-key`.
    """

    def __init__(self, message: str, line: int, column: int, code: str = "yaml-syntax") -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column
        self.code = code

    def below(self, lines: int) -> YamlError:
        """The same fault in a text that begins behind so many lines."""
        return YamlError(self.message, self.line + lines, self.column, self.code)


def fault_at(event: Any, message: str, code: str = "yaml-syntax") -> YamlError:
    """What is wrong where an event begins."""
    mark = event.start_mark
    return YamlError(message, mark.line + 1, mark.column + 1, code)


class Limits(Struct, frozen=True, kw_only=True):
    """What a stream may cost. An alias counts as everything it stands for, in nodes and in depth."""

    bytes: int = 64 * 2**20
    depth: int = 200
    nodes: int = 4_000_000
    aliased: int = 400_000
    documents: int = 20_000


DEFAULT: Final = Limits()
