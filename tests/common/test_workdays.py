"""Working days by the State Council's notices for 2024 to 2026, counted on the calendar by hand."""

import logging
from datetime import date

import pytest

from common import workdays


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        # National Day 2024: 1 to 7 October off, Saturday 12 October worked.
        (date(2024, 9, 30), 1, date(2024, 10, 8)),
        (date(2024, 9, 30), 5, date(2024, 10, 12)),
        # Spring Festival 2025: 28 January to 4 February off, Sunday 26 January and Saturday 8 February not.
        (date(2025, 1, 24), 1, date(2025, 1, 26)),
        (date(2025, 1, 27), 4, date(2025, 2, 8)),
        # An ordinary week.
        (date(2026, 11, 20), 3, date(2026, 11, 25)),
        (date(2026, 11, 20), 0, date(2026, 11, 20)),
    ],
)
def test_adding_working_days_skips_holidays_and_counts_made_up_days(start, days, end):
    assert workdays.add_workdays(start, days) == end
    assert workdays.workdays_between(start, end) == days


def test_days_between_are_negative_when_the_end_is_past():
    assert workdays.workdays_between(date(2026, 11, 25), date(2026, 11, 20)) == -3


def test_an_unknown_year_falls_back_to_weekdays_with_one_warning(caplog):
    workdays.is_workday.cache_clear()
    workdays._warn_unknown_year.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert workdays.is_workday(date(2099, 1, 2))  # a Friday
        assert not workdays.is_workday(date(2099, 1, 3))
    assert [record.getMessage() for record in caplog.records] == [
        "no holiday table for 2099: Monday to Friday count as working days"
    ]
