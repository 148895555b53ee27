"""What somebody may have meant to type."""

from __future__ import annotations

import re
from collections.abc import Iterable

from renderer.errors import Finding, UsageError, Where


def closest(typed: str, known: Iterable[str]) -> str | None:
    """The known word that is nearest to what was typed, if one is near."""
    import difflib

    found = difflib.get_close_matches(typed, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown_command(program: str, typed: str, known: Iterable[str]) -> UsageError:
    """`sitewright rendr`: no such command."""
    near = closest(typed, known)
    return UsageError(
        Finding(
            code="unknown-command",
            message=f"`{program}` has no command `{typed}`",
            where=Where(subject="command line"),
            hint=f"{program} {near}" if near else f"{program} --help",
        )
    )


def misplaced_option(program: str, typed: str) -> UsageError:
    """`sitewright --quiet render`: options belong behind the command."""
    return UsageError(
        Finding(
            code="usage",
            message=f"`{typed}` stands before the command; options come after it",
            where=Where(subject="command line"),
            hint=f"{program} COMMAND {typed}",
        )
    )


def usage(program: str, complaint: str, options: Iterable[str]) -> UsageError:
    """What the argument parser complained about, with the option that was probably meant."""
    near = None
    unknown = re.match(r"unrecognized arguments: (-[^\s=]*)", complaint)
    if unknown is not None:
        near = closest(unknown[1], options)
    choice = re.match(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", complaint)
    if choice is not None:
        known = [word.strip("' ") for word in choice[3].split(",")]
        what = f"a value of `{choice[1]}`" if choice[1].startswith("-") else "known here"
        complaint = f"`{choice[2]}` is not {what}; choose from {', '.join(known)}"
        near = closest(choice[2], known)
    return UsageError(
        Finding(
            code="usage",
            message=complaint,
            where=Where(subject=program),
            hint=f"did you mean `{near}`?" if near else f"{program} --help",
        )
    )


def unknown_value(what: str, typed: str, known: Iterable[str]) -> UsageError:
    """A value that must be one of a few, and is none of them."""
    names = list(known)
    near = closest(typed, names)
    return UsageError(
        Finding(
            code=f"unknown-{what}",
            message=f"there is no {what} `{typed}`",
            where=Where(subject="command line"),
            expected=", ".join(f"`{name}`" for name in names),
            hint=f"did you mean `{near}`?" if near else f"sitewright {what}",
        )
    )
