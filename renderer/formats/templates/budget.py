"""What a template may cost, and the filters and operators that count it.

Templates come from bundles and from site owners. A template is a program, and a short one can ask for a day of time
or a terabyte of text, so everything that can multiply is counted before it happens.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from renderer.formats.kubernetes.writer import UnwritableError, dump
from renderer.formats.kubernetes.yaml_quoting import double_quoted
from renderer.model.fields import kind_of
from renderer.structs import Struct

_WIDTH: Final = 200
_NUMBER_BITS: Final = 256
_CHARACTERS: Final = 256
"""Characters of a text that cost one step."""
_PARTS: Final = 16
"""Values of a list or mapping that cost one step."""


class OverBudgetError(Exception):
    """A template asked for more than it may have."""


class TemplateLimits(Struct, frozen=True, kw_only=True):
    """What one rendering may cost.

    `source` is the size of one template and `text` that of any text that it makes, its output included, in
    characters. `steps` counts rounds of loops, calls, filters and includes, and what they look at; `nodes` the values
    in one list or mapping.
    """

    source: int = 1 << 20
    text: int = 4 << 20
    steps: int = 200_000
    nodes: int = 100_000


class Budget:
    """Counts what one rendering spends. Every method raises OverBudgetError when a limit is passed."""

    def __init__(self, limits: TemplateLimits) -> None:
        self.limits = limits
        self.steps = limits.steps

    def spend(self, steps: int = 1) -> None:
        """Count steps."""
        self.steps -= steps
        if self.steps < 0:
            raise OverBudgetError(f"it takes more than {self.limits.steps} steps (loops, calls, filters)")

    def text(self, length: int) -> None:
        """Count a text of this length, before it is made."""
        if length > self.limits.text:
            raise OverBudgetError(f"it makes a text of more than {self.limits.text} characters")
        self.spend(length // _CHARACTERS)

    def rounds(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items, each counted as one step."""
        for item in items:
            self.spend()
            yield item

    def measured(self, value: Any) -> Any:
        """`value`, when it holds no more values than allowed, shared ones counted as often as they appear."""
        left = self.limits.nodes
        stack = [value]
        while stack:
            item = stack.pop()
            left -= 1
            if left < len(stack):
                raise OverBudgetError(f"it makes a value with more than {self.limits.nodes} parts")
            if isinstance(item, Mapping):
                stack.extend(item.values())
            elif isinstance(item, list | tuple):
                stack.extend(item)
        self.spend(1 + (self.limits.nodes - left) // _PARTS)
        return value

    def joined(self, parts: Iterable[str]) -> str:
        """The parts as one text."""
        kept: list[str] = []
        length = 0
        for part in parts:
            length += len(part)
            if length > self.limits.text:
                break
            kept.append(part)
        self.text(length)
        return "".join(kept)

    def multiplied(self, left: Any, right: Any) -> Any:
        """`left * right`."""
        for one, times in ((left, right), (right, left)):
            if isinstance(one, str):
                self.text(len(one) * int(times))
            elif isinstance(one, list | tuple) and len(one) * int(times) > self.limits.nodes:
                raise OverBudgetError(f"it makes a list of more than {self.limits.nodes} parts")
        return _bounded_number(left * right)

    def power(self, left: Any, right: Any) -> Any:
        """`left ** right`."""
        if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > _NUMBER_BITS:
            raise OverBudgetError(f"it makes a number of more than {_NUMBER_BITS} bits")
        return left**right

    def added(self, left: Any, right: Any) -> Any:
        """`left + right`."""
        if isinstance(left, str) and isinstance(right, str):
            self.text(len(left) + len(right))
        elif isinstance(left, list | tuple):
            return self.measured(left + right)
        return _bounded_number(left + right)

    def replaced(self, text: object, old: str, new: str) -> str:
        """`text` with every `old` replaced."""
        source = str(text)
        if old:
            self.text(len(source) + source.count(old) * max(len(new) - len(old), 0))
            return source.replace(old, new)
        raise ValueError("`replace` needs a text to look for")

    def indented(self, text: object, width: int = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja's signature
        """`text` with every line but the first moved to the right; empty lines stay empty unless `blank`."""
        if not 0 <= width <= _WIDTH:
            raise ValueError(f"`indent` takes a width from 0 to {_WIDTH}")
        source = str(text)
        self.text(len(source) + width * (source.count("\n") + 1))
        lead = " " * width
        lines = [f"{lead}{line}" if line or blank else line for line in source.split("\n")]
        return "\n".join(lines) if first else "\n".join(lines).removeprefix(lead if source[:1] != "\n" or blank else "")

    def as_json(self, value: Any, indent: int | None = None) -> str:
        """`value` as JSON with sorted keys."""
        if indent is not None and not 0 <= indent <= _WIDTH:
            raise ValueError(f"`to_json` takes an indent from 0 to {_WIDTH}")
        return json.dumps(self._defined(value), ensure_ascii=False, sort_keys=True, allow_nan=False, indent=indent)

    def as_yaml(self, value: Any) -> str:
        """`value` as Kubernetes YAML, without a line feed at the end."""
        try:
            return dump(self._defined(value)).removesuffix("\n")
        except UnwritableError as error:
            raise ValueError(str(error)) from error

    def _defined(self, value: Any) -> Any:
        """`value`, measured. Raises jinja2's UndefinedError, which names what is not defined in it."""
        stack = [self.measured(value)]
        while stack:
            item = stack.pop()
            if hasattr(item, "_fail_with_undefined_error"):
                str(item)
            stack.extend(item.values() if isinstance(item, Mapping) else item if isinstance(item, list | tuple) else ())
        return value


def quoted(value: object) -> str:
    """A text in double quotes that YAML and JSON read alike."""
    return double_quoted(str(value))


def base64_of(value: object) -> str:
    """The Base64 form of a text in UTF-8."""
    return base64.b64encode(str(value).encode()).decode()


def sha256_of(value: object) -> str:
    """The SHA-256 digest of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(str(value).encode()).hexdigest()


def spelled(value: object) -> object:
    """A value as it stands in text: `true` and `false` for booleans, numbers and texts as they are.

    Null, lists and mappings have no text of their own: Raises ValueError that names the filter to use.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if hasattr(value, "_fail_with_undefined_error"):
        return str(value)  # Jinja's strict undefined value: raises, naming what is not defined
    what = "null" if value is None else kind_of(value)
    raise ValueError(f"{what} has no text of its own; use `| to_json`, `| to_yaml` or `| join`")


def _bounded_number(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _NUMBER_BITS:
        raise OverBudgetError(f"it makes a number of more than {_NUMBER_BITS} bits")
    return value


def size_of(value: object) -> int:
    """How many steps it costs to look at a value once."""
    if isinstance(value, str):
        return 1 + len(value) // _CHARACTERS
    return 1 + len(value) // _PARTS if isinstance(value, list | tuple | dict) else 1
