"""Chinese working days: weekends, statutory holidays and make-up days (`domain.md` chapter 4)."""

import logging
from calendar import monthrange
from datetime import date, timedelta
from functools import cache

import chinese_calendar

logger = logging.getLogger(__name__)


@cache
def _warn_unknown_year(year: int) -> None:
    logger.warning("no holiday table for %s: Monday to Friday count as working days", year)


@cache
def is_workday(day: date) -> bool:
    """Whether clocks run on this day; weekdays only in years whose holidays are not known yet."""
    try:
        return chinese_calendar.is_workday(day)
    except NotImplementedError:
        _warn_unknown_year(day.year)
        return day.weekday() < 5


def add_workdays(start: date, days: int) -> date:
    """The day on which the ``days``-th working day after ``start`` falls; the start day does not count."""
    day = start
    while days > 0:
        day += timedelta(days=1)
        days -= is_workday(day)
    return day


def add_months(day: date, months: int) -> date:
    """The same day of a later month, or the last one of a shorter month."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def workdays_between(start: date, end: date) -> int:
    """Working days after ``start`` up to and including ``end``; negative when ``end`` lies before."""
    if end < start:
        return -workdays_between(end, start)
    return sum(is_workday(start + timedelta(days=n)) for n in range(1, (end - start).days + 1))
