"""`sitewright`: reads the command line, runs one command, prints what comes of it, and chooses the exit code.

Exit codes: 0 done; 1 the input is wrong or a check failed; 2 usage; 3 a bundle or signature was refused; 4 no
resolution; 5 a registry, git remote or cluster failed; 70 Sitewright itself failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from renderer import __version__
from renderer.cli.console import Console
from renderer.cli.help import command_epilog, described, overview
from renderer.cli.spec import Argument, Command, common_arguments, values_of
from renderer.cli.suggestion import misplaced_option, unknown_command, usage
from renderer.cli.verbs.every import SITEWRIGHT
from renderer.errors import Finding, RendererError, Where, when_full

INTERNAL: Final = 70
INTERRUPTED: Final = 130
_BROKEN_PIPE: Final = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Never raises, whatever the command does."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    console = Console.standard(colour="--no-color" not in given)
    try:
        return _run(given, console)
    except KeyboardInterrupt:
        console.remark("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader has gone (`| head`): nothing can be said any more, and nothing must be said at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE


def _run(given: list[str], console: Console) -> int:
    from renderer.cli import report

    form = _form(given)
    try:
        return _dispatch(given, console)
    except RendererError as error:
        findings = report.shown(error.findings, quiet=not {"--quiet", "-q"}.isdisjoint(given))
        report.complain(console, findings, form=form, code=error.exit_code)
        return error.exit_code
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except OSError as error:
        if _debugging(given):
            return _internal(console, error, debug=True)
        report.complain(console, [_system(error)], form=form, code=1)
        return 1
    except Exception as error:  # noqa: BLE001 - the last stop: a fault of ours is told as one
        return _internal(console, error, debug=_debugging(given))


def _dispatch(given: list[str], console: Console) -> int:
    command, words, rest = SITEWRIGHT, ["sitewright"], given
    while command.commands:
        program = " ".join(words)
        word = rest[0] if rest else "--help"
        if word in {"-h", "--help"}:
            console.result(overview(command, program, console.width))
            return 0 if rest else 2
        if word in {"--version", "-V"} and command is SITEWRIGHT:
            console.result(f"sitewright {__version__}")
            return 0
        if word.startswith("-"):
            raise misplaced_option(program, word)
        below = command.command(word)
        if below is None:
            raise unknown_command(program, word, (one.name for one in command.commands))
        command, words, rest = below, [*words, word], rest[1:]
    return _handle(command, " ".join(words), rest, console)


def _handle(command: Command, program: str, rest: list[str], console: Console) -> int:
    from renderer.cli import report

    options = values_of(parser_of(command, program, console.width).parse_args(rest))
    outcome = command.run(options)
    return report.show(console, outcome, form=options.text("format"), quiet=options.flag("quiet"))


class _Parser(argparse.ArgumentParser):
    """Argparse that raises what it complains about."""

    def error(self, message: str) -> NoReturn:
        raise usage(self.prog, message, self._option_string_actions)


def parser_of(command: Command, program: str, width: int, *, common: bool = True) -> argparse.ArgumentParser:
    """The parser of one command; without `common` only with its own arguments, for the reference."""

    def formatter(prog: str) -> argparse.HelpFormatter:
        return argparse.RawDescriptionHelpFormatter(prog, width=width, max_help_position=30)

    parser = _Parser(
        prog=program,
        description=described(command, width),
        epilog=command_epilog(command),
        formatter_class=formatter,
        allow_abbrev=False,
        add_help=False,
    )
    for argument in command.arguments:
        _add(parser, argument)
    if common:
        group = parser.add_argument_group("options of every command")
        for argument in common_arguments(command.formats):
            _add(group, argument)
        group.add_argument("--help", "-h", action="help", help="show this text")
    return parser


def _add(parser: argparse._ActionsContainer, argument: Argument) -> None:
    told: dict[str, Any] = {"help": argument.help.replace("%", "%%")}
    if argument.takes == "none":
        told["action"] = "store_true"
    else:
        told |= {"metavar": argument.metavar or argument.key.upper(), "default": argument.default}
        told |= {"action": "append"} if argument.takes == "repeated" else {}
        told |= {"nargs": {"maybe": "?", "many": "+"}[argument.takes]} if argument.takes in {"maybe", "many"} else {}
    if argument.choices:
        told |= {"choices": argument.choices, "metavar": "|".join(argument.choices)}
    if argument.is_option:
        told |= {"dest": argument.key, "required": argument.required}
    parser.add_argument(*argument.names, **told)


def _form(given: Sequence[str]) -> str:
    """The format asked for, found without a parser: complaints about the command line obey it as well."""
    spelled = f" {' '.join(given)} ".replace("--format=", "--format ")
    return "json" if " --format json " in spelled else "text"


def _debugging(given: Sequence[str]) -> bool:
    return "--debug" in given or bool(os.environ.get("SITEWRIGHT_DEBUG"))


def _system(error: OSError) -> Finding:
    """What the operating system refused, where no adapter knew better."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else None
    said = (error.strerror or str(error)).lower()
    return Finding(
        code="system-error",
        message=f"`{place}`: {said}" if place else said,
        where=Where(file=place),
        hint=when_full(error)
        or "check that it exists, its owner and the free space; --debug shows where Sitewright met it",
    )


def _internal(console: Console, error: Exception, *, debug: bool) -> int:
    if debug:
        import traceback

        console.remark("".join(traceback.format_exception(error)).rstrip("\n"))
    line = str(error).partition("\n")[0]
    console.remark(f"{console.styled('internal error', 'bold', 'red')}: {type(error).__name__}: {line}")
    hint = "report it with the output of the same command and --debug added"
    console.remark(f"   this is a fault of Sitewright {__version__}, not of your input\n   hint: {hint}")
    return INTERNAL
