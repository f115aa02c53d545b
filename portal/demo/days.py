"""Days as small numbers, with what is asked of them hundreds of thousands of times looked up in tables."""

from bisect import bisect_right
from datetime import date, timedelta

from common.workdays import is_workday

FIRST = date(2022, 1, 1)
# How far after today plan dates may reach, and the clocks of working days.
PLANS, CLOCKS = 1000, 130


class Days:
    """Day ``n`` is the n-th after 1 January 2022; times are text in UTC, as the database stores them."""

    def __init__(self, today: date) -> None:
        self.today = self.of(today)
        dates = [FIRST + timedelta(days=n) for n in range(self.today + PLANS)]
        self.iso = [day.isoformat() for day in dates]
        self._work = [n for n, day in enumerate(dates[: self.today + CLOCKS]) if is_workday(day)]
        self._before = [bisect_right(self._work, n) for n in range(self.today + CLOCKS)]
        # 08:30 Shanghai is 00:30 UTC; an office day of eleven hours stays within one UTC day.
        self.clock = [
            f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(1800, 1800 + 11 * 3600)
        ]

    @staticmethod
    def of(day: date) -> int:
        return (day - FIRST).days

    def add_workdays(self, day: int, days: int) -> int:
        """The same as `common.workdays.add_workdays`."""
        return self._work[self._before[day] + days - 1]

    def workday_at_or_before(self, day: int) -> int:
        return self._work[max(self._before[day] - 1, 0)]

    def moment(self, day: int, second: int) -> str:
        """``second`` counts from 08:30 Shanghai time."""
        return f"{self.iso[day]} {self.clock[second]}"
