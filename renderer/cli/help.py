"""Help texts, made from the same data as the parser."""

from __future__ import annotations

import textwrap

from renderer.cli.spec import Command


def overview(command: Command, program: str, width: int) -> str:
    """What `sitewright --help` and `sitewright bundle --help` print."""
    column = max(len(one.name) for one in command.commands) + 4
    lines = [f"usage: {program} COMMAND …", "", described(command, width)]
    lines += ["", "commands:"]
    for one in command.commands:
        text = textwrap.wrap(one.summary, width - column)
        lines.append(f"  {one.name:<{column - 2}}{text[0]}")
        lines += (" " * column + line for line in text[1:])
    lines += ["", f"`{program} COMMAND --help` explains one command, with examples."]
    return "\n".join(lines + _examples(command))


def described(command: Command, width: int) -> str:
    """Summary and description, each a paragraph."""
    return "\n\n".join(textwrap.fill(text, width - 2) for text in (command.summary, command.description) if text)


def command_epilog(command: Command) -> str:
    """What stands below the options of one command."""
    return "\n".join(_examples(command)).lstrip("\n")


def _examples(command: Command) -> list[str]:
    return ["", "examples:", *(f"  {example}" for example in command.examples)] if command.examples else []
