"""How long resolving takes, beside resolvelib on the same question in the same run.

    python tests/benchmarks/bench_resolve.py [ROUNDS]

Every case is solved ROUNDS times (default 5), the two engines in turn; the median of each and their ratio are printed.
resolvelib gets the same newest-first order and gives up after 2,000 rounds.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from renderer.structs import replace

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import resolvelib

from renderer.errors import Finding
from renderer.model.bundles.extension import Extension, Requirement, RequirementKind
from renderer.model.resolution import Conflict, Question, Want
from renderer.model.version import Constraint, Version
from renderer.stages.explain import explain
from renderer.stages.resolve import attempt, resolve
from tests.scenarios.catalogs import catalog, extension
from tests.scenarios.oracle import ask_resolvelib

ROUND_LIMIT = 2_000
RANGES = ("^{0}.0.0", "~{0}.{1}", ">={0}.{1}.0", ">={0}.0.0 <{2}.0.0", ">=1.0.0-0")


def need(name: str, constraint: str) -> Requirement:
    return Requirement(kind=RequirementKind.EXTENSION, name=name, constraint=Constraint.parse(constraint))


def universe(extensions: int, versions: int, majors: int, seed: int) -> list[Extension]:
    """`extensions` times `versions`, each version with up to five random requirements on later extensions.

    The versions are spread over `majors` major versions; the more, the more of the requirements exclude each other.
    """
    dice = random.Random(seed)
    built = []
    per_major = versions // majors
    for number in range(extensions):
        for index in range(versions):
            requires = []
            for target in dice.sample(range(number + 1, extensions), min(dice.randint(0, 5), extensions - number - 1)):
                major = dice.randint(1, majors)
                text = dice.choice(RANGES).format(major, dice.randrange(per_major), major + 1)
                requires.append(need(f"e{target:03d}", text))
            version = Version(1 + index // per_major, index % per_major, 0)
            built.append(Extension(name=f"e{number:03d}", version=version, requires=tuple(requires)))
    return built


def chain(depth: int, width: int) -> list[Extension]:
    """`depth` extensions in a row, `width` versions of each; the last needs a version that nobody offers."""
    built = []
    for number in range(depth):
        target, constraint = (f"c{number + 1:02d}", ">=1.0.0") if number + 1 < depth else ("x", ">=2.0.0")
        for minor in range(width):
            requires = (need(target, constraint),)
            built.append(Extension(name=f"c{number:02d}", version=Version(1, minor, 0), requires=requires))
    return [*built, Extension(name="x", version=Version(1, 0, 0))]


def ask_them(question: Question) -> str:
    try:
        chosen = ask_resolvelib(question, ROUND_LIMIT)
    except resolvelib.ResolutionTooDeep:
        return "gave up"
    return "none" if chosen is None else f"{len(chosen)} chosen"


def ask_sitewright(question: Question) -> str:
    answer = resolve(question)
    return "none" if isinstance(answer, Conflict) else f"{len(answer.extensions)} chosen"


def explain_it(question: Question) -> Finding:
    answer = resolve(question)
    assert isinstance(answer, Conflict)
    return explain(answer, question, attempt)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def timed(act: Callable[[Question], Any], question: Question) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = act(question)
    return time.perf_counter() - started, answer


def cases() -> Iterator[tuple[str, Question]]:
    def ask(offers: list[Extension], wants: Iterable[Want]) -> Question:
        return Question(wants=tuple(wants), catalog=catalog(offers), kubernetes=Version(1, 31, 4))

    forty = [Want(f"e{number:03d}") for number in range(40)]
    for majors in (1, 2, 3):
        yield f"200 x 30, {majors} majors, 40 wants", ask(universe(200, 30, majors, 7), forty)
    hard = universe(200, 30, 3, 7)
    for seed in (7, 8):
        dice = random.Random(seed)
        names = dice.sample(range(200), 40)
        pinned = [Want(f"e{n:03d}", Constraint.parse(f"~{dice.randint(1, 3)}.{dice.randint(0, 9)}")) for n in names]
        yield f"200 x 30, 40 wants pinned, seed {seed}", ask(hard, pinned)
    clash = [extension("p 1.0.0", {"requires": ["z ^1"]}), extension("q 1.0.0", {"requires": ["z ^2"]})]
    clash += [extension("z 1.0.0"), extension("z 2.0.0")]
    for majors in (2, 3):
        both = [*forty, Want("p"), Want("q")]
        yield f"200 x 30, {majors} majors, 40 wants and a clash", ask([*universe(200, 30, majors, 7), *clash], both)
    # Everything goes together but for the last extension, which the chosen ones want in two ways.
    split = [replace(one, requires=(*one.requires, need("z", f"^{1 + int(one.name[1:]) % 2}"))) for one in hard]
    split += [Extension(name="z", version=Version(major, 0, 0)) for major in (1, 2)]
    yield "200 x 30, 40 wants, split over z", ask(split, forty)
    for depth, width in ((2, 30), (3, 30), (5, 30), (30, 3), (30, 30)):
        yield f"chain {depth} x {width}", ask(chain(depth, width), [Want("c00")])


def main(rounds: int) -> None:
    say(f"{'case':42} {'ours':>10} {'resolvelib':>11} {'ratio':>8}  answers; explaining")
    for name, question in cases():
        ours, theirs = [], []
        for _ in range(rounds):
            took, mine = timed(ask_sitewright, question)
            ours.append(took)
            took, other = timed(ask_them, question)
            theirs.append(took)
        one, two = statistics.median(ours), statistics.median(theirs)
        told = ""
        if mine == "none":
            took, finding = timed(explain_it, question)
            told = f"; resolved and explained in {took * 1000:.0f} ms, {len(finding.explanation)} lines"
        say(f"{name:42} {one * 1000:7.1f} ms {two * 1000:8.1f} ms {two / one:7.1f}x  {mine}, {other}{told}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
