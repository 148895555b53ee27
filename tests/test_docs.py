"""What the pages say is so: commands print what is shown, links lead somewhere, codes exist, words are ours."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.golden.pages import ROOT, agrees, blocks, original_of, pages, prepare_workspace, run, steps

PAGES = pages()
NAMES = {page: page.relative_to(ROOT).as_posix() for page in PAGES}
EXECUTED = [page for page in PAGES if page == original_of(page) and blocks(page.read_text(encoding="utf-8"))]
TRANSLATED = [page for page in PAGES if page != original_of(page)]
LINK = re.compile(r"\]\(([^()\s]+)\)")
CODE = re.compile(r"[a-z]+(-[a-z]+)+")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def by_name(page: object) -> str:
    """Pages are shown by their path in test names."""
    return NAMES[page] if isinstance(page, Path) else str(page)


def prose(text: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", text)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The repository's profiles after `make demo`, and the environment of a shell there."""
    place = tmp_path_factory.mktemp("pages")
    environment = prepare_workspace(place)
    subprocess.run(["make", "demo"], cwd=place / "sitewright", env=environment, check=True, capture_output=True)
    return place / "sitewright", environment


@pytest.mark.parametrize("page", EXECUTED, ids=by_name)
def test_commands_print_what_the_page_shows(
    page: Path, demo: tuple[Path, dict[str, str]], tmp_path: Path, real: Callable[[str], Path]
) -> None:
    prepared, environment = demo
    workspace = tmp_path / "sitewright"
    shutil.copytree(prepared, workspace)
    shown = [step for block in blocks(page.read_text(encoding="utf-8")) for step in steps(block)]
    for program in ("openssl", "age-keygen", "docker-registry"):
        if any(step.command.startswith(f"{program} ") for step in shown):
            real(program)
    printed = run(shown, workspace, environment)
    wrong = [
        f"$ {step.command}\n--- the page says\n{step.shown}\n--- it prints\n{output}"
        for step, output in zip(shown, printed, strict=True)
        if not agrees(step.shown, output)
    ]
    assert not wrong, "\n\n".join([f"{NAMES[page]} (write it anew with `make golden`)", *wrong])


def test_the_readme_shows_the_first_two_commands_of_a_newcomer() -> None:
    commands = [
        step.command for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")) for step in steps(block)
    ]
    assert commands[0] == "make demo"


@pytest.mark.parametrize("page", TRANSLATED, ids=by_name)
def test_a_chinese_page_repeats_the_commands_and_headings_of_the_english_one(page: Path) -> None:
    chinese, english = (path.read_text(encoding="utf-8") for path in (page, original_of(page)))
    assert blocks(chinese) == blocks(english)
    assert [len(one) for one in headings(chinese)] == [len(one) for one in headings(english)], "another set of headings"
    assert f"]({page.name})" in english, "the English page does not lead to the Chinese one"
    assert f"]({original_of(page).name})" in chinese, "the Chinese page does not lead to the English one"


def headings(text: str) -> list[str]:
    """The `#` marks of every heading."""
    return re.findall(r"^(#+) ", prose(text), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = prose(page.read_text(encoding="utf-8"))
    dead = [
        target
        for target in LINK.findall(text)
        if not target.startswith(("https://", "http://", "mailto:")) and not leads_somewhere(page, target)
    ]
    assert not dead


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a relative link names a file or directory of the repository, and a heading in it."""
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.is_relative_to(ROOT) or not file.exists():
        return False
    return not anchor or anchor in set(anchors(file.read_text(encoding="utf-8")))


def anchors(text: str) -> Iterator[str]:
    """The anchors that GitHub and GitLab give to headings."""
    for heading in re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("name", ["docs/README.md", "docs/README.zh.md"])
def test_every_page_is_listed(name: str) -> None:
    index = (ROOT / name).read_text(encoding="utf-8")
    chinese = name.endswith(".zh.md")
    pages_here = [page for page in (ROOT / "docs").glob("*.md") if "README" not in page.name]
    wanted = {page.name for page in pages_here if page.name.endswith(".zh.md") == chinese}
    if chinese:  # where there is no translation, the list leads to the English page
        wanted |= {page.name for page in pages_here if not page.with_name(page.name.replace(".md", ".zh.md")).exists()}
        wanted = {one for one in wanted if not (one.endswith(".md") and f"{one.removesuffix('.md')}.zh.md" in wanted)}
    assert {target for target in LINK.findall(index) if target in {page.name for page in pages_here}} >= wanted


def codes_of_the_program() -> set[str]:
    """Every kebab-case word that stands alone as a string in the source: all codes are among them."""
    words: set[str] = set()
    for file in (ROOT / "renderer").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                words.add(node.value)
    return words


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_codes_in_tables_are_those_of_the_program(page: Path) -> None:
    named = set(codes_in_tables(page.read_text(encoding="utf-8")))
    if page.name.startswith("errors"):
        assert len(named) > 60, "has the table of codes another shape?"
    assert not named - codes_of_the_program(), "codes that the program does not have"


def codes_in_tables(text: str) -> Iterator[str]:
    """What stands in backticks in the first column of tables whose first column is headed so."""
    in_table = False
    for line in text.splitlines():
        first = line.split("|")[1].strip() if line.startswith("|") else ""
        in_table = bool(first) and (in_table or first in {"code", "finding", "代码", "问题"})
        if in_table:
            yield from (word for word in re.findall(r"`([^`]+)`", first) if CODE.fullmatch(word))


@pytest.mark.parametrize("page", TRANSLATED, ids=by_name)
def test_a_chinese_page_names_the_same_codes(page: Path) -> None:
    chinese, english = (
        set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", prose(path.read_text(encoding="utf-8"))))
        for path in (page, original_of(page))
    )
    assert chinese == english


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_pages_name_no_place_of_any_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:work|tmp|root|home/\w+)/\S*", text)
