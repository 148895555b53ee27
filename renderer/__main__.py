"""`python -m renderer`, and the entry point of the command `sitewright`."""

from __future__ import annotations

import sys

from renderer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
