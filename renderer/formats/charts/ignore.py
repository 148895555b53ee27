"""`.helmignore`: which files of a chart directory are no part of the chart.

As in Helm's pkg/ignore/rules.go and its directory loader: Go's `filepath.Match`, rules in order, a leading `!`
ignores everything that does *not* match, `templates/.?*` is always ignored. Only the file at the root of the chart
counts, also for unpacked subcharts; archives are never filtered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from renderer.model.trees.tree import FileTree
from renderer.structs import Struct

IGNORE_FILE: Final = ".helmignore"
_ALWAYS: Final = "templates/.?*"


class _Rule(Struct, frozen=True):
    """One line. `whole` matches the path, otherwise only its last part is looked at."""

    pattern: re.Pattern[str]
    whole: bool
    negated: bool
    directories_only: bool

    def ignores(self, path: str, *, is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return self.negated
        subject = path if self.whole else path.rpartition("/")[2]
        return (self.pattern.fullmatch(subject) is not None) != self.negated


def without_ignored(chart: FileTree) -> FileTree:
    """The files of a chart directory that Helm would load. Raises ValueError for a rule that Helm refuses."""
    text = chart.files.get(IGNORE_FILE, b"").decode("utf-8-sig", errors="replace")
    rules = tuple(_rules([*text.splitlines(), _ALWAYS]))
    return FileTree({path: content for path, content in chart.items() if not _ignored(path, rules)})


def _ignored(path: str, rules: tuple[_Rule, ...]) -> bool:
    """True when `path`, or a directory above it, is ignored."""
    parts = path.split("/")
    return any(
        rule.ignores("/".join(parts[:depth]), is_directory=depth < len(parts))
        for depth in range(1, len(parts) + 1)
        for rule in rules
    )


def _rules(lines: list[str]) -> Iterator[_Rule]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if "**" in text:
            raise ValueError(f"line {number} of {IGNORE_FILE}: `**` is not supported by Helm")
        negated = text.startswith("!")
        text = text.removeprefix("!")
        directories_only = text.endswith("/")
        text = text.removesuffix("/")
        try:
            pattern = re.compile(_expression(text.removeprefix("/")), re.DOTALL)
        except re.error as error:
            raise ValueError(f"line {number} of {IGNORE_FILE}: `{text}` is not a pattern") from error
        yield _Rule(pattern, "/" in text, negated, directories_only)


def _expression(glob: str) -> str:
    """A pattern of Go's `filepath.Match` as a regular expression."""
    out: list[str] = []
    position = 0
    while position < len(glob):
        char = glob[position]
        position += 1
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\" and position < len(glob):
            out.append(re.escape(glob[position]))
            position += 1
        elif char == "[":
            end = glob.find("]", position + 1)
            if end < 0:
                raise re.error("a class without end")
            body = glob[position:end]
            sign = "^" if body.startswith("^") else ""
            out.append(f"[{sign}{body.removeprefix('^').replace('[', chr(92) + '[')}]")
            position = end + 1
        else:
            out.append(re.escape(char))
    return "".join(out)
