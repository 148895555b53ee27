"""Write the reference part of docs/cli.md anew, from the commands themselves."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
PAGE = ROOT / "docs" / "cli.md"
MARK = "<!-- made by `python tests/cli/refresh_reference.py` from here to the end -->\n"


def page() -> str:
    """docs/cli.md as it should be."""
    from renderer.cli.reference import reference
    from renderer.cli.verbs.every import SITEWRIGHT

    head, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    return f"{head}{mark}\n{reference(SITEWRIGHT)}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
