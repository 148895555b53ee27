"""What a command of the command line is, as data.

The parser, the help, the shell completion and docs/cli.md are all made from the same `Command` values. Handlers
import what they need when they run: `sitewright --version` loads none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, cast

from renderer.model.outcome import Outcome
from renderer.structs import Struct


class Argument(Struct, frozen=True, kw_only=True):
    """One positional argument (a name without dashes) or one option.

    `takes` says how many values: `one`, `maybe` (positional, may be left out), `many` (positional, at least one),
    `repeated` (an option that may be given several times), `none` (a switch).
    """

    names: tuple[str, ...]
    help: str
    takes: Literal["one", "maybe", "many", "repeated", "none"] = "one"
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    completes: Literal["files", "directories", "nothing"] = "files"

    @property
    def is_option(self) -> bool:
        """True for `--name`, False for a positional argument."""
        return self.names[0].startswith("-")

    @property
    def key(self) -> str:
        """The name under which handlers read the value."""
        return next((name for name in self.names if name.startswith("--")), self.names[0]).lstrip("-")


class Options:
    """The values that were given to one command, read by name with the type that the command declares."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def __contains__(self, name: object) -> bool:
        """True when the command declares an argument of this name."""
        return name in self._values

    def given(self, name: str) -> bool:
        """True when the argument has a value, or the switch is on."""
        return bool(self._values[name])

    def text(self, name: str) -> str:
        """The value of an argument that is always there (required, or with a default)."""
        return cast("str", self._values[name])

    def optional(self, name: str) -> str | None:
        """The value of an argument, or None."""
        return cast("str | None", self._values[name])

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of an argument that may be given several times."""
        return tuple(cast("list[str] | None", self._values[name]) or ())

    def flag(self, name: str) -> bool:
        """True when a switch was given."""
        return bool(self._values[name])


Handler = Callable[[Options], Outcome]


class Command(Struct, frozen=True, kw_only=True):
    """One command: `name` is one word, `summary` one line, `description` what a newcomer must know.

    A command has either a handler or `commands` of its own (`bundle build`).
    """

    name: str
    summary: str
    description: str = ""
    arguments: tuple[Argument, ...] = ()
    examples: tuple[str, ...] = ()
    formats: tuple[str, ...] = ("text", "json")
    handler: Handler | None = None
    commands: tuple[Command, ...] = ()

    def run(self, options: Options) -> Outcome:
        """Do what the command does. Raises RendererError."""
        if self.handler is None:
            raise TypeError(f"`{self.name}` has commands of its own and does nothing by itself")
        return self.handler(options)

    def command(self, name: str) -> Command | None:
        """The command below of this name, or None."""
        return next((command for command in self.commands if command.name == name), None)

    def all_arguments(self) -> tuple[Argument, ...]:
        """Its own arguments, then those that every command has."""
        return (*self.arguments, *common_arguments(self.formats))

    def leaves(self, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
        """Every command that does something, with the words that lead to it."""
        for command in self.commands:
            words = (*before, command.name)
            if command.commands:
                yield from command.leaves(words)
            else:
                yield words, command


def common_arguments(formats: tuple[str, ...]) -> tuple[Argument, ...]:
    """What every command understands."""
    spoken = "how to print the result: text for people, json for programs"
    return (
        Argument(names=("--format",), help=spoken, choices=formats, default="text", completes="nothing"),
        Argument(names=("--quiet", "-q"), help="print errors only, no warnings, notes or progress", takes="none"),
        Argument(names=("--no-color",), help="no colour, also on a terminal (as with NO_COLOR=1)", takes="none"),
        Argument(names=("--debug",), help="show a traceback when Sitewright itself fails", takes="none"),
    )


def values_of(namespace: Any) -> Options:
    """What argparse read (a `Namespace`; argparse itself stays in cli/main.py), as `Options`."""
    return Options(vars(namespace))
