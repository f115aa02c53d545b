"""Reports that the demo institution lodged, and how often documents were checked."""

import hashlib
from datetime import date, timedelta
from itertools import count
from random import Random

from accounts.models import User
from bulletins.checking import State
from bulletins.models import Bulletin, Lookup
from common import bulk
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
    """Of each issued bulletin and lodged report by code and by file; of the national ones some were altered,
    and some of what was checked is not known."""
    rnd = Random(today.toordinal())  # noqa: S311 (a demo)
    bulletins = Bulletin.objects.public().values_list("verification_code", "status", "bureau__level")
    lodged = InspectionReport.objects.judged("demo").values_list("verification_code", "status")
    documents = [*bulletins, *((code, status, None) for code, status in lodged)]
    states = [(code, STATES.get(status, State.GENUINE), level) for code, status, level in documents]
    number = count(1)
    rows = []
    for ago in range(DAYS):
        day = f"{today - timedelta(days=ago)}"
        for code, state, level in states:
            asked = [(state, 0, rnd.randrange(9)), (state, 1, rnd.randrange(4))]
            if level == 0:
                asked.append((State.ALTERED, 1, int(rnd.random() < 0.1)))
            rows += [(next(number), day, code, *one) for one in asked if one[2]]
        rows.append((next(number), day, "", State.UNKNOWN, ago % 2, 1 + rnd.randrange(3)))
    bulk.insert(Lookup, FIELDS, rows)
    bulk.numbers_follow(Lookup)
