"""Reports that the demo institution lodged, and how often documents were checked."""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from random import Random
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from bulletins.checking import State
from bulletins.models import Bulletin, Lookup
from common import bulk
from enterprises.models import Bureau
from projects import reports
from projects.models import InspectionReport

SAMPLES = ("谐波减速器柔轮", "六维力传感器", "伺服电机编码器", "精密滚珠丝杠", "机器人控制柜")
STATES = {
    Bulletin.Status.REPLACED: State.REPLACED,
    Bulletin.Status.WITHDRAWN: State.WITHDRAWN,
    InspectionReport.Status.REPLACED: State.REPLACED,
    InspectionReport.Status.WITHDRAWN: State.WITHDRAWN,
}
# Days for which look-ups are told.
DAYS = 28
FIELDS = ("id", "day", "code", "state", "by_file", "number")


def lodge_reports(today: date) -> None:
    """Some that hold, one that was replaced by the next, one that was taken back."""
    by = User.objects.get(username="institution")
    (institution,) = reports.lodging_for(by)
    lodged = [
        reports.lodge(
            institution,
            {
                "report_no": f"YSJC-{today.year}-{number:04d}",
                "client": "演示·委托单位",
                "sample": f"演示·{sample}",
                "method": "演示方法",
                "conclusion": "演示：所检项目符合要求。",
                "issued_on": today - timedelta(days=60 - 7 * number),
                "sha256": hashlib.sha256(f"演示{number}".encode()).hexdigest(),
            },
            by=by,
        )
        for number, sample in enumerate(SAMPLES, 1)
    ]
    reports.replace(lodged[0], by=by, number=lodged[1].report_no, reason="演示：样品型号写错，已更正重出。")
    reports.withdraw(lodged[2], by=by, reason="演示：测量装置校准过期，报告撤回。")


def look_ups(today: date) -> None:
    """Of each issued bulletin and lodged report, by code and by file, on the days since it was there; of the
    national ones some were altered, and some of what was checked is not known."""
    rnd = Random(today.toordinal())  # noqa: S311 (a demo)
    number = count(1)
    days = [today - timedelta(days=ago) for ago in range(DAYS)]
    rows = []
    for document in _documents():
        for day in days:
            asked = [
                (state, by_file, 1 + rnd.randrange(9 - 4 * by_file))
                for state in document.said_on(day)
                for by_file in (0, 1)
            ]
            if asked and document.is_national:
                asked.append((State.ALTERED, 1, 1))
            rows += [(next(number), f"{day}", document.code, *one) for one in asked]
    rows += [
        (next(number), f"{day}", "", State.UNKNOWN, by_file % 2, 1 + rnd.randrange(3))
        for by_file, day in enumerate(days)
    ]
    bulk.insert(Lookup, FIELDS, rows)
    bulk.numbers_follow(Lookup)


class Document(NamedTuple):
    """What may be checked: since when, and what is said of it since it ended, if it did."""

    code: str
    since: date
    ended: date | None
    state: State
    is_national: bool = False

    def said_on(self, day: date) -> tuple[State, ...]:
        """On the day of its end one thing after the other."""
        if day < self.since:
            return ()
        if self.ended is None or day < self.ended:
            return (State.GENUINE,)
        return (State.GENUINE, self.state) if day == self.ended else (self.state,)


def _documents() -> Iterator[Document]:
    for row in Bulletin.objects.public().select_related("bureau", "replaced_by"):
        ended = row.withdrawn_at and timezone.localdate(row.withdrawn_at)
        if row.replaced_by and row.status == Bulletin.Status.REPLACED:
            ended = row.replaced_by.issued_on
        state = STATES.get(row.status, State.GENUINE)
        is_national = row.bureau.level == Bureau.Level.NATIONAL
        yield Document(row.verification_code, row.issued_on, ended, state, is_national)
    for report in InspectionReport.objects.judged("demo"):
        ended = report.ended_at and timezone.localdate(report.ended_at)
        since, state = timezone.localdate(report.lodged_at), STATES.get(report.status, State.GENUINE)
        yield Document(report.verification_code, since, ended, state)
