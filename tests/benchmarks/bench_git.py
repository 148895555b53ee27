"""One commit of 5,000 files, then of 20 changed ones: `GitStore` against `git add -A && git commit`.

The peer writes its files first, as it must; writing is not counted for it. Both end with the same tree.
"""

import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from renderer.adapters.git.store import GitStore
from renderer.model.trees.owned_root import PROOF
from renderer.model.trees.tree import FileTree
from renderer.ports import Author

FILES, CHANGED, ROUNDS = 5_000, 20, 3
AUTHOR = Author(name="Bench", email="bench@site.example", when=datetime(2026, 11, 1, tzinfo=UTC))
LINE = '    - name: setting-{0}\n      value: "{0} of many values"\n'


def tree(version: int) -> FileTree:
    """5,000 manifests of about 2 KiB each, 20 of which differ from version to version."""
    body = "".join(LINE.format(number) for number in range(40))
    files = [
        (f"manifests/w{n % 9}/m{n}.yaml", f"# {n} {version if n < CHANGED else 0}\n{body}".encode())
        for n in range(FILES)
    ]
    return FileTree.of([(PROOF, b"{}"), *files])


def git(path: Path, *arguments: str) -> str:
    person = ["-c", "user.name=Bench", "-c", "user.email=bench@site.example", "-c", "gc.auto=0"]
    return subprocess.run(
        ["git", *person, *arguments], cwd=path, check=True, capture_output=True, text=True
    ).stdout.strip()


def ours(path: Path, wanted: FileTree) -> float:
    store = GitStore(str(path), "main")
    start = time.perf_counter()
    store.publish({"sites/bench": wanted}, "Render bench\n", AUTHOR)
    return time.perf_counter() - start


def theirs(path: Path, wanted: FileTree) -> float:
    for name, content in wanted.items():
        file = path / "sites/bench" / name
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    start = time.perf_counter()
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "Render bench")
    return time.perf_counter() - start


def main() -> int:
    trees = [tree(0), tree(1)]
    best: dict[str, list[float]] = {"bare": [9e9, 9e9], "checked out": [9e9, 9e9], "git add -A": [9e9, 9e9]}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(ROUNDS):
            paths = {name: Path(place) / f"{name.replace(' ', '-')}-{turn}" for name in best}
            for name, path in paths.items():
                path.mkdir()
                git(path, "init", "-q", "-b", "main", *(["--bare"] if name == "bare" else []), ".")
                for step, wanted in enumerate(trees):
                    seconds = (theirs if name == "git add -A" else ours)(path, wanted)
                    best[name][step] = min(best[name][step], seconds)
            assert len({git(path, "rev-parse", "main^{tree}") for path in paths.values()}) == 1
    peer = best["git add -A"]
    for name, (fresh, change) in best.items():
        ratios = f"{fresh / peer[0]:5.2f} x, {change / peer[1]:5.2f} x `git add -A && git commit`"
        print(f"{name:<12} {FILES} new: {fresh * 1000:7.1f} ms   {CHANGED} changed: {change * 1000:6.1f} ms   {ratios}")
    return 0 if best["bare"][0] < peer[0] else 1


if __name__ == "__main__":
    sys.exit(main())
