"""`python -m renderer`, and the entry point of the command `sitewright`."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from renderer import __version__


def main() -> int:
    """Run the command line; the exit code. The version is told before anything else is loaded."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        try:
            sys.stdout.write(f"sitewright {__version__}\n")
            sys.stdout.flush()
        except OSError:
            pass  # a full disk is told below, as for any command
        else:
            return 0
    # Loading code makes no garbage: looking for it every 700 objects is a tenth of the time that a short command
    # takes.
    gc.set_threshold(100_000)
    from renderer.cli import main as terminal

    return terminal.main()


def run() -> None:
    """Run the command line and leave.

    What must happen at the end does: temporary clones are removed, what was printed is written. Then the process ends
    without giving back its objects one by one, which takes as long as starting Python did (mypy leaves like this).
    """
    code = main()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        sys.exit(code)  # Python tells what is wrong with the place that was printed to
    os._exit(code)


if __name__ == "__main__":
    run()
