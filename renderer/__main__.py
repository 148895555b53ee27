"""`python -m renderer`, and the entry point of the command `sitewright`."""

from __future__ import annotations

import gc
import sys

from renderer import __version__


def main() -> int:
    """Run the command line; the exit code. The version is told before anything else is loaded."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"sitewright {__version__}\n")
        return 0
    # Loading code makes no garbage: looking for it every 700 objects is a tenth of the time that a short command
    # takes, and looking at everything once more before the process ends another tenth.
    gc.set_threshold(100_000)
    from renderer.cli import main as terminal

    code = terminal.main()
    gc.freeze()
    return code


if __name__ == "__main__":
    sys.exit(main())
