"""The help of every command as one Markdown text: the reference part of docs/cli.md."""

from __future__ import annotations

from typing import Final

from renderer.cli.help import overview
from renderer.cli.main import parser_of
from renderer.cli.spec import Command, common_arguments

_WIDTH: Final = 100


def reference(root: Command) -> str:
    """A heading and a block for the overview, then for each command what is its own."""
    blocks = [_block(root.name, overview(root, root.name, _WIDTH)), _common()]
    for words, command in root.leaves():
        program = " ".join((root.name, *words))
        parser = parser_of(command, program, _WIDTH, common=False)
        blocks.append(_block(program, parser.format_help().rstrip()))
    return "\n".join(blocks)


def _common() -> str:
    rows = [(", ".join(one.names), one.help) for one in common_arguments(("text", "json"))]
    rows.append(("--help, -h", "explain the command"))
    table = "\n".join(f"| `{names}` | {text} |" for names, text in rows)
    return f"### Options of every command\n| option | |\n|---|---|\n{table}\n"


def _block(program: str, text: str) -> str:
    return f"### {program}\n```\n{text}\n```\n"
