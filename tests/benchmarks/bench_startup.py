"""Start-up: whole processes of `sitewright --version` and `--help` against a bare Python, medians of many."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
LIMITS = {"--version": 0.12, "--help": 0.15}


def seconds(*arguments: str) -> float:
    """One whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    commands: dict[str, tuple[str, ...]] = {"python -c pass": ("-c", "pass")}
    commands |= {f"sitewright {option}": ("-m", "renderer", option) for option in LIMITS}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):  # interleaved, so that other load meets all of them
        for name, arguments in commands.items():
            times[name].append(seconds(*arguments))
    medians = {name: statistics.median(measured) for name, measured in times.items()}
    bare = medians["python -c pass"]
    for name, median in medians.items():
        print(f"{name:<24} {median * 1000:6.1f} ms  {median / bare:5.2f} x bare python")
    missed = [option for option, limit in LIMITS.items() if medians[f"sitewright {option}"] > limit]
    print(f"limits: {', '.join(f'{option} {limit * 1000:.0f} ms' for option, limit in LIMITS.items())}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
