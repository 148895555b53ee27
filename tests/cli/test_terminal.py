"""The terminal: streams, exit codes, formats, colour, complaints about the command line."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer import __version__
from renderer.cli import main as terminal
from renderer.cli import report
from renderer.cli.console import Console
from renderer.cli.spec import Command, Options
from renderer.cli.verbs.every import SITEWRIGHT
from renderer.errors import BundleRefusedError, Finding, InputError, RemoteError, ResolutionError, Severity, Where
from renderer.model.outcome import Outcome

ROOT = Path(__file__).parents[2]


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real program, with bare surroundings."""
    surroundings = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "renderer", *arguments]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Options], Outcome]], None]:
    """Lets `sitewright try` do what a test wants."""

    def install(handler: Callable[[Options], Outcome]) -> None:
        trial = Command(name="try", summary="Try.", handler=handler)
        monkeypatch.setattr(terminal, "SITEWRIGHT", Command(name="sitewright", summary="Test.", commands=(trial,)))

    return install


# --- whole processes --------------------------------------------------------------------------------------------


def test_version() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sitewright {__version__}\n", "")


def test_start_up_loads_nothing_heavy() -> None:
    script = "import sys; from renderer.cli import main; main.main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stderr.split())
    heavy = {"git", "yaml", "ruamel", "jinja2", "cryptography", "jsonschema_rs", "helm_python", "nab_resolver"}
    assert not heavy & loaded
    assert "renderer.pipeline" not in loaded
    assert "importlib.metadata" not in loaded


def test_a_reader_that_goes_away_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "renderer", "completion", "bash"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_a_full_disk_is_told(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "renderer", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("error[system-error]: no space left on device\n")


def test_a_process_that_leaves_in_a_hurry_does_what_it_must_at_its_end() -> None:
    script = (
        "import atexit, sys; from renderer.__main__ import run; atexit.register(print, 'tidied');"
        "sys.argv[1:] = ['validate', 'nothing-there.yaml']; run()"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "nothing-there.yaml: 1 fault\ntidied\n")
    assert "error[file-not-found]" in done.stderr


def test_a_terminal_that_knows_ascii_only_gets_something() -> None:
    done = process("--help", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert "sitewright COMMAND ?" in done.stdout


# --- help -------------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: sitewright COMMAND …\n")
    for one in SITEWRIGHT.commands:
        assert f"\n  {one.name} " in out


def test_without_a_command_the_help_is_shown_and_it_counts_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main([]) == 2
    assert capsys.readouterr().out.startswith("usage: sitewright COMMAND …")
    assert terminal.main(["bundle"]) == 2
    assert capsys.readouterr().out.startswith("usage: sitewright bundle COMMAND …")


@pytest.mark.parametrize("words", [" ".join(words) for words, _ in SITEWRIGHT.leaves()])
def test_every_command_explains_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        terminal.main([*words.split(), "--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: sitewright {words} ")
    assert "\nexamples:\n  sitewright " in out
    assert "--format" in out
    assert max(len(line) for line in out.splitlines()) <= 110


def test_examples_are_accepted_by_the_parser() -> None:
    import shlex

    for words, one in SITEWRIGHT.leaves():
        for example in one.examples:
            given = shlex.split(example.partition(" > ")[0])
            assert given[: len(words) + 1] == ["sitewright", *words], example
            terminal.parser_of(one, "x", 100).parse_args(given[len(words) + 1 :])


# --- complaints about the command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "message", "hint"),
    [
        (["rendr"], "unknown-command", "`sitewright` has no command `rendr`", "sitewright render"),
        (["bundle", "sing"], "unknown-command", "`sitewright bundle` has no command `sing`", "sitewright bundle sign"),
        (["xyzzy"], "unknown-command", "`sitewright` has no command `xyzzy`", "sitewright --help"),
        (["-q", "doctor"], "usage", "`-q` stands before the command; options come after it", "sitewright COMMAND -q"),
        (["doctor", "--quite"], "usage", "unrecognized arguments: --quite", "did you mean `--quiet`?"),
        (["doctor", "--form", "json"], "usage", "unrecognized arguments: --form json", "did you mean `--format`?"),
        (
            ["doctor", "--format", "yaml"],
            "usage",
            "`yaml` is not a value of `--format`; choose from text, json",
            "sitewright doctor --help",
        ),
        (["completion", "bsh"], "usage", "`bsh` is not known here; choose from bash, zsh", "did you mean `bash`?"),
        (
            ["render"],
            "usage",
            "the following arguments are required: PROFILE",
            "sitewright render --help",
        ),
        (
            ["render", "profiles/demo.yaml"],
            "usage",
            "the trees need a place to go: a directory or a git repository",
            "sitewright render profiles/demo.yaml --out build",
        ),
        (
            ["render", "p.yaml", "--out", "x", "--push"],
            "usage",
            "--push belongs to --repo",
            "--repo URL --branch main",
        ),
        (
            ["render", "p.yaml", "--out", "x", "--repo", "y"],
            "usage",
            "--out and --repo name two places; a tree goes to one",
            "leave one of them out",
        ),
        (
            ["render", "p.yaml", "--repo", "y"],
            "usage",
            "--repo needs the branch that the commit goes to",
            "--branch main",
        ),
        (["schema", "sit"], "unknown-schema", "there is no schema `sit`", "did you mean `site`?"),
        (
            ["resolve"],
            "usage",
            "name a profile, or an extension with --manifest",
            "sitewright resolve profiles/demo.yaml",
        ),
    ],
)
def test_wrong_usage(given: list[str], code: str, message: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(given) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error[{code}]: {message}\n  --> ")
    assert err.endswith(f"   hint: {hint}\n")


def test_wrong_usage_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    for given in (["doctor", "--format=json", "--x"], ["rendr", "--format", "json"]):
        assert terminal.main(given) == 2
        out, err = capsys.readouterr()
        assert out == ""
        document = json.loads(err)
        assert document["exitCode"] == 2
        assert document["findings"][0]["severity"] == "error"


def test_a_time_that_is_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert terminal.main(["bundle", "build", "profiles/demo/bundle.yaml", "-o", "build/x"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error[invalid-epoch]: `yesterday` is not a time\n  --> SOURCE_DATE_EPOCH\n")


def test_an_engine_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main(["lock", "profiles/demo.yaml", "--engine", "tiller"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error[unknown-engine]: `tiller` is no chart engine\n")
    assert err.endswith("hint: sitewright doctor\n")


# --- what a command gives ---------------------------------------------------------------------------------------

WARNING = Finding(code="careful", message="be careful", severity=Severity.WARNING, where=Where(file="a.yaml", line=3))
ERROR = Finding(
    code="wrong", message="`a` is wrong", expected="`b`", got="`a`", hint="sitewright try", explanation=("x",)
)
Install = Callable[[Callable[[Options], Outcome]], None]


def test_results_go_to_stdout_and_findings_to_stderr(command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    command(lambda _: Outcome(text="done", document={"done": True}, findings=(WARNING,)))
    assert terminal.main(["try"]) == 0
    assert capsys.readouterr() == ("done\n", "warning[careful]: be careful\n  --> a.yaml:3\n")
    assert terminal.main(["try", "--quiet"]) == 0
    assert capsys.readouterr() == ("done\n", "")
    assert terminal.main(["try", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"done": True}
    place = {"file": "a.yaml", "line": 3}
    finding = {"code": "careful", "severity": "warning", "message": "be careful", "where": place}
    assert json.loads(err) == {"exitCode": 0, "findings": [finding]}


def test_an_outcome_that_failed_ends_with_1(command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    command(lambda _: Outcome(text="no", document=None, findings=(ERROR, WARNING), failed=True))
    assert terminal.main(["try", "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == "no\n"
    assert err == "error[wrong]: `a` is wrong\n   expected: `b`\n   got: `a`\n   x\n   hint: sitewright try\n"
    assert terminal.main(["try"]) == 1
    assert capsys.readouterr().err.endswith("\n\n1 error, 1 warning\n")


@pytest.mark.parametrize(
    ("kind", "code"), [(InputError, 1), (BundleRefusedError, 3), (ResolutionError, 4), (RemoteError, 5)]
)
def test_the_class_of_an_error_chooses_the_exit_code(
    kind: type[InputError], code: int, command: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Options) -> Outcome:
        raise kind(ERROR)

    command(fail)
    assert terminal.main(["try"]) == code
    assert capsys.readouterr().err.startswith("error[wrong]: `a` is wrong\n")
    assert terminal.main(["try", "--format", "json"]) == code
    assert json.loads(capsys.readouterr().err)["exitCode"] == code


def test_a_fault_of_ours_is_told_as_one(
    command: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Options) -> Outcome:
        raise ZeroDivisionError("division by zero\nsecond line")

    command(fail)
    monkeypatch.delenv("SITEWRIGHT_DEBUG", raising=False)
    assert terminal.main(["try"]) == 70
    assert capsys.readouterr().err == (
        "internal error: ZeroDivisionError: division by zero\n"
        f"   this is a fault of Sitewright {__version__}, not of your input\n"
        "   hint: report it with the output of the same command and --debug added\n"
    )
    assert terminal.main(["try", "--debug"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    monkeypatch.setenv("SITEWRIGHT_DEBUG", "1")
    assert terminal.main(["try"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_what_the_system_refuses_is_no_fault_of_ours(
    command: Install, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Options) -> Outcome:
        raise OSError(28, "No space left on device", "out/a.yaml")

    command(full)
    monkeypatch.delenv("SITEWRIGHT_DEBUG", raising=False)
    assert terminal.main(["try"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error[system-error]: `out/a.yaml`: no space left on device\n  --> out/a.yaml\n   hint: ")
    assert terminal.main(["try", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_130(command: Install, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: Options) -> Outcome:
        raise KeyboardInterrupt

    command(interrupted)
    assert terminal.main(["try"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


# --- colour -----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("err", "environment", "colour", "coloured"),
    [
        (Terminal(), {}, True, True),
        (Terminal(), {"NO_COLOR": "1"}, True, False),
        (Terminal(), {"NO_COLOR": ""}, True, True),
        (Terminal(), {"TERM": "dumb"}, True, False),
        (Terminal(), {}, False, False),
        (io.StringIO(), {}, True, False),
    ],
)
def test_colour_is_for_terminals(err: io.StringIO, environment: dict[str, str], colour: bool, coloured: bool) -> None:
    console = Console(io.StringIO(), err, environment=environment, colour=colour)
    report.complain(console, [ERROR], form="text", code=1)
    told = err.getvalue()
    assert ("\x1b[1;31merror[wrong]\x1b[0m: " in told) == coloured
    assert ("\x1b[" in told) == coloured


# --- completion -------------------------------------------------------------------------------------------------


def complete(*words: str) -> list[str]:
    """What bash offers after these words."""
    script = "\n".join(
        [
            'eval "$(cat)"',
            f"COMP_WORDS=({' '.join(repr(word) for word in ('sitewright', *words))})",
            f"COMP_CWORD={len(words)}",
            "_sitewright",
            'printf "%s\\n" "${COMPREPLY[@]}"',
        ]
    )
    text = process("completion", "bash").stdout
    done = subprocess.run(["bash", "-c", script], input=text, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_options_and_values() -> None:
    assert complete("ren") == ["render"]
    assert complete("bundle", "si") == ["sign"]
    assert "--merge-request" in complete("render", "--me")
    assert complete("diff", "a", "--format", "m") == ["markdown"]
    assert complete("completion", "")[:2] == ["bash", "zsh"]
