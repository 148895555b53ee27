"""docs/cli.md says what the program says."""

import sys

import pytest

from tests.cli.refresh_reference import PAGE, page


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="argparse of other Pythons lays help out differently")
def test_the_reference_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/cli/refresh_reference.py"
