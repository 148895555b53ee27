"""Pages that show commands with their real output: reading them, running them, comparing, writing them anew.

In README.md and docs/*.md a fenced block marked `console` is executed; every other block is not.

    ```console
    $ sitewright render profiles/demo.yaml --repo build/demo/gitops --branch main
    sites/demo: 30 files, 3 changed
    …
    ```

- A line `$ …` is a command, lines `> …` behind it belong to it; what follows is its output, standard error included.
- ```console one` holds one command; further lines with `$ ` are its output (`make demo` shows what it runs).
- All blocks of a page run in their order, in one shell, in a copy of the repository's profiles after `make demo`.
- A line `…` stands for any number of lines left out, `…` at the end of a line for the rest of it.
- Digests, commit ids, sizes of time and ports of this machine differ from run to run: they are compared by their shape.
- A page `NAME.zh.md` repeats the blocks of `NAME.md`, so only the latter is executed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console(?P<kind>| one)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "…"
_END = "--- end of the command ---"
_SHAPES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<64 hex digits>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<40 hex digits>"),
    (re.compile(r"\b[0-9a-f]{7,16}\b"), "<hex digits>"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "<time>"),
    (re.compile(r"\b127\.0\.0\.1:\d+"), "<address>"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """A console block: what is between its fences, and whether it holds one command only."""

    content: str
    one: bool

    def __str__(self) -> str:
        """The block as it stands in a page."""
        return f"```console{' one' if self.one else ''}\n{self.content}```"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a block as it is written (without `$ ` and `> `), and the output that the page shows."""

    command: str
    shown: str


def pages() -> list[Path]:
    """Every page for people: README.md and what is below docs/, Chinese pages included."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def original_of(page: Path) -> Path:
    """The English page that a Chinese one mirrors; the page itself otherwise."""
    return page.with_name(page.name.replace(".zh.md", ".md"))


def block_of(match: re.Match[str]) -> Block:
    """The block that `BLOCK` found."""
    return Block(content=match["content"], one=bool(match["kind"]))


def blocks(text: str) -> list[Block]:
    """Every console block of a page."""
    return [block_of(match) for match in BLOCK.finditer(text)]


def steps(block: Block) -> Iterator[Step]:
    """The commands of one block with the outputs shown."""
    command: list[str] = []
    shown: list[str] = []
    for line in block.content.splitlines():
        if line.startswith("$ ") and not (block.one and command):
            if command:
                yield Step("\n".join(command), "\n".join(shown))
            command, shown = [line[2:]], []
        elif line.startswith("> ") and not shown:
            command.append(line[2:])
        else:
            shown.append(line)
    if command:
        yield Step("\n".join(command), "\n".join(shown))


def prepare_workspace(place: Path) -> dict[str, str]:
    """A copy of what the demo needs below `place`, with `make demo` behind it; returns the environment of its shell."""
    workspace, programs = place / "sitewright", place / "bin"
    workspace.mkdir(parents=True)
    programs.mkdir()
    shutil.copytree(ROOT / "profiles", workspace / "profiles", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "schemas", workspace / "schemas")
    # a repository, as a clone is: the root that paths of profiles count from
    subprocess.run(["git", "init", "-q", "-b", "main", str(workspace)], check=True)
    for name, line in (
        ("sitewright", f'exec "{sys.executable}" -m renderer "$@"'),
        # what the Makefile runs once Sitewright is installed
        ("make", f'test "$*" = demo && exec "{sys.executable}" profiles/demo/demo.py'),
    ):
        program = programs / name
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o755)
    return {
        "PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(place),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PAGER": "cat",
        "GIT_AUTHOR_NAME": "Demo",
        "GIT_AUTHOR_EMAIL": "demo@example.com",
        "SOURCE_DATE_EPOCH": "1793520000",
    }


def run(page: list[Step], workspace: Path, environment: dict[str, str]) -> list[str]:
    """The output of every step, run one after another in one shell."""
    script = "".join(
        f"{step.command}\n__code=$?; printf '%s\\n' '{_END}'; (exit $__code)\n" for step in page
    )  # the subshell hands the exit code on to the next step: `echo $?`
    done = subprocess.run(
        ["bash", "--norc", "-s"],
        input=script,
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    outputs = done.stdout.split(f"{_END}\n")
    assert len(outputs) == len(page) + 1, done.stdout
    return [output.rstrip("\n") for output in outputs[:-1]]


def shape(text: str) -> str:
    """`text` with everything that differs from run to run replaced by what it is; spaces at line ends do not count."""
    for pattern, name in _SHAPES:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def agrees(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed, as far as it shows it."""
    pattern = ""
    for line in shape(shown).splitlines():
        if line.strip() == LEFT_OUT:
            pattern += "(?:[^\n]*\n)*?"
        elif line.endswith(LEFT_OUT):
            pattern += re.escape(line.removesuffix(LEFT_OUT)) + "[^\n]*\n"
        else:
            pattern += re.escape(line) + "\n"
    said = shape(printed)
    return re.fullmatch(pattern, said + "\n" if said else "") is not None


def refreshed(text: str, workspace: Path, environment: dict[str, str]) -> str:
    """The page with the outputs of now. What agrees stays as it is; the rest is written in full, to be shortened."""
    page = [step for block in blocks(text) for step in steps(block)]
    outputs = iter(run(page, workspace, environment))

    def again(match: re.Match[str]) -> str:
        lines = []
        for step in steps(block_of(match)):
            printed = next(outputs)
            # a fence in an output would end the block: such an output is shortened there
            printed = re.sub(r"^```.*", LEFT_OUT, printed, count=1, flags=re.MULTILINE | re.DOTALL)
            shown = step.shown if agrees(step.shown, printed) else printed
            lines.append("$ " + step.command.replace("\n", "\n> "))
            lines.extend([shown] if shown else [])
        content = "".join(f"{line}\n" for line in lines)
        return str(Block(content=content, one=block_of(match).one))

    return BLOCK.sub(again, text)


def refresh(place: Path) -> None:
    """Write the outputs in all pages anew, and repeat them in the Chinese pages; `place` is an empty directory."""
    environment = prepare_workspace(place / "first")
    subprocess.run(["make", "demo"], cwd=place / "first/sitewright", env=environment, check=True, capture_output=True)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        original = original_of(page)
        if not blocks(text) or page != original:
            continue
        workspace = place / page.stem / "sitewright"
        shutil.copytree(place / "first/sitewright", workspace)
        now = refreshed(text, workspace, environment)
        page.write_text(now, encoding="utf-8")
        translation = page.with_name(page.name.replace(".md", ".zh.md"))
        if translation.exists():
            repeat(now, translation)


def repeat(original: str, translation: Path) -> None:
    """Put the console blocks of a page into its translation, in their order."""
    now = iter(blocks(original))
    text = translation.read_text(encoding="utf-8")
    assert len(blocks(text)) == len(blocks(original)), f"{translation}: another number of console blocks"
    translation.write_text(BLOCK.sub(lambda _: str(next(now)), text), encoding="utf-8")
