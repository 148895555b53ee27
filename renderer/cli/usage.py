"""Command lines that contradict themselves or say too little."""

from __future__ import annotations

from renderer.cli.spec import Options
from renderer.errors import Finding, UsageError, Where


def misused(message: str, hint: str, subject: str = "command line") -> UsageError:
    """The error of a command line, to be raised; `hint` shows how it would be right."""
    return UsageError(Finding(code="usage", message=message, where=Where(subject=subject), hint=hint))


def whole_number(options: Options, name: str, allowed: range, noun: str) -> int:
    """The number behind the option `--<name>`. Raises UsageError for anything that is not in `allowed`."""
    text = options.text(name)
    if not text.isascii() or not text.isdigit() or int(text) not in allowed:
        raise misused(f"`{text}` is no number of {noun}", f"--{name} {allowed[0]} to {allowed[-1]}")
    return int(text)
