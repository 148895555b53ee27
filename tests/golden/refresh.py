"""Write the golden trees, the reference of commands and the outputs in the pages anew: `make golden`.

Look at the difference before you commit it. What differs in a page is written in full: shorten it with `…` again.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cli import refresh_reference
from tests.golden import pages
from tests.golden.demo_site import CASES, ROOT, prepare, render


def main() -> None:
    """Render every case and replace its tree; the demo's lock comes along. Then the pages."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory)
            prepare(place, case)
            target = ROOT / "tests/golden/trees" / case
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(render(place), target)
            if case == "demo-argocd":
                shutil.copy(place / "profiles/demo.lock.yaml", ROOT / "profiles/demo.lock.yaml")
        print(f"{target.relative_to(ROOT)}: {sum(path.is_file() for path in target.rglob('*'))} files")
    refresh_reference.PAGE.write_text(refresh_reference.page(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as directory:
        pages.refresh(Path(directory))


if __name__ == "__main__":
    main()
