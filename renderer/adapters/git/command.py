"""Running git: the only module that knows GitPython, and of GitPython only the door to the program.

Every call is a list of arguments, never a shell line. What the caller's environment or the repository's own
configuration could slip in is shut out here, for all calls: redirections (`GIT_DIR`, `GIT_INDEX_FILE` …), hooks,
file system monitors, transports that run programs, questions on the terminal, translated messages.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from renderer.errors import Finding, InputError, Where
from renderer.formats.git.remote import without_credentials
from renderer.structs import Struct

if TYPE_CHECKING:
    from git import Git as Program

_REDIRECTING: Final = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
)
_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.quotePath=false",
    "fastimport.unpackLimit=1",
    "gc.autoDetach=false",
    "i18n.commitEncoding=UTF-8",
)
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "file:https:ssh",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}

_LOCKED: Final = re.compile(r"Unable to create '(?P<path>[^'\n]+\.lock)': File exists")


class Answer(Struct, frozen=True):
    """What one run of git gave: exit status, standard output as bytes, standard error as text."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """Standard output as text, without the line break at its end."""
        return self.output.decode("utf-8", "surrogateescape").rstrip("\n")


class GitFailedError(Exception):
    """Git ended with a status that the caller did not expect. `errors` is what it said, without credentials."""

    def __init__(self, verb: str, answer: Answer) -> None:
        self.verb = verb
        self.status = answer.status
        self.errors = without_credentials(answer.errors).strip()
        super().__init__(f"git {verb} ended with {answer.status}: {self.errors}")

    def refusal(self, location: str) -> InputError:
        """This failure as a finding about a repository of this machine."""
        said = tuple(line for line in self.errors.splitlines() if line.strip())
        lock = _LOCKED.search(self.errors)
        if lock is not None:
            return InputError(_locked(location, lock["path"]))
        finding = Finding(
            code="git-refused",
            message=f"git refused `git {self.verb}` in `{location}`",
            where=Where(file=location),
            explanation=said[:20],
            hint="mend what git says, then run the same command again",
        )
        return InputError(finding)


class Git:
    """Git in one directory. Making one costs nothing; the first call loads GitPython (about 40 ms)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(
        self,
        verb: str,
        *arguments: str,
        data: bytes = b"",
        environment: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (0,),
    ) -> Answer:
        """Run `git <verb> <arguments>` with `data` on its standard input. Raises GitFailedError, InputError."""
        program = _program()
        from git.exc import GitCommandNotFound

        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        command = [program.GIT_PYTHON_GIT_EXECUTABLE, *settings, verb, *arguments]
        # Never climb out of the directory: a path without a repository must not find one further up.
        ceiling = {"GIT_CEILING_DIRECTORIES": str(self.directory.parent)}
        try:
            process = program(str(self.directory)).execute(
                command, istream=-1, as_process=True, env={**_ENVIRONMENT, **ceiling, **(environment or {})}
            )
        except GitCommandNotFound as error:
            raise InputError(_not_found()) from error
        output, errors = process.communicate(data)
        answer = Answer(process.returncode, output, errors.decode("utf-8", "replace"))
        if answer.status not in ok:
            raise GitFailedError(verb, answer)
        return answer


def _program() -> type[Program]:
    """GitPython's command interface, with the caller's redirections forgotten by this process."""
    for name in _REDIRECTING:
        os.environ.pop(name, None)
    os.environ.setdefault("GIT_PYTHON_REFRESH", "raise")
    try:
        import git
    except ImportError as error:
        raise InputError(_not_found()) from error
    return git.Git


def _not_found() -> Finding:
    return Finding(
        code="git-not-found",
        message="there is no program `git`",
        where=Where(subject="program git"),
        expected="git 2.30 or newer on PATH",
        hint="install git, then run the same command again",
    )


def _locked(location: str, lock: str) -> Finding:
    return Finding(
        code="git-locked",
        message=f"`{location}` is locked: another git works there, or one was killed and left its lock",
        where=Where(file=location),
        explanation=(f"the lock is `{lock}`",),
        hint=f"wait for the other git; if none runs there: rm {shlex.quote(lock)}",
    )


def version() -> str:
    """The version of git. Raises InputError (`git-not-found`)."""
    return Git(Path.cwd()).run("version").text.removeprefix("git version ")


def configured_identity(directory: Path) -> tuple[str, str] | None:
    """Name and address that git would commit with in `directory`, or None when it is not told. Raises InputError."""
    git = Git(directory.absolute())
    name, email = (git.run("config", "--get", f"user.{key}", ok=(0, 1, 128)).text for key in ("name", "email"))
    return (name, email) if name and email else None
