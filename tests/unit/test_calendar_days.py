"""Days as profiles and trust policies write them (formats/documents/calendar_days.py)."""

from __future__ import annotations

from datetime import date

import pytest

from renderer.formats.documents.calendar_days import parse_day


def test_a_day_is_year_month_and_day() -> None:
    assert parse_day("2028-02-29") == date(2028, 2, 29)


@pytest.mark.parametrize(
    "text",
    ["2027-02-29", "2027-13-01", "2027-1-1", "20270101", "2027-W01-1", "2027-01-01T00:00:00Z", "2027-01-01\n", ""],
)
def test_anything_else_is_no_day(text: str) -> None:
    with pytest.raises(ValueError, match="is not a day of the calendar such as `2027-12-31`"):
        parse_day(text)
