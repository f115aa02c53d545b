"""What the demo accounts find of the later life of problems, made by the services as people would.

Inspection reports with the evidence that cites them, one of them of another sample; limits that were put off;
verdicts on problems that are alike.
"""

from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from accounts.models import Role, User
from common.workdays import add_workdays
from projects import reports, services, twins
from projects.models import Bottleneck, Evidence, InspectionReport

S = Bottleneck.Status
PAPERS = 8
# Rows in review that are looked through for pairs, so that the whole country costs no more than a province.
REVIEWED = 8
VERDICTS = (
    ("apart", "两个问题的型号和失效部位不同。"),
    ("common", ""),
    ("same", "同一工序、同一缺口，合并攻关。"),
)
EXTENDED = "样品正在排队检测，下周出结果。"


def play() -> None:
    lodge_reports(User.objects.get(username="institution"))
    for username, status in (("county", S.SUBMITTED), ("city", S.IN_PROGRESS)):
        put_off(User.objects.get(username=username), status)
    judge_twins(User.objects.get(username="city"))


def lodge_reports(by: User) -> None:
    """The reports that the institution's solutions cite; what waits for verification cites another sample."""
    institution = reports.lodging_for(by)[0]
    cited = Evidence.objects.filter(kind=Evidence.Kind.TEST_REPORT, bottleneck__assigned_to=institution)
    for proof in cited.select_related("bottleneck__organization").order_by("-issued_on", "-pk")[:PAPERS]:
        row = proof.bottleneck
        proof.holder, proof.sample = row.organization.name, row.product
        proof.save(update_fields=["holder", "sample"])
        is_wrong = row.status == S.VERIFICATION
        sample = f"{row.product}（演示，另一批样品）" if is_wrong else row.product
        _lodge(proof.number, proof, sample, by)
    first = cited.order_by("issued_on", "pk")[0]
    old = _lodge(f"{first.number}-1", first, "演示样品", by)
    _lodge(f"{first.number}-2", first, "演示样品", by)
    reports.replace(old, by=by, number=f"{first.number}-2", reason="更正演示样品的规格型号。")


def _lodge(number: str, proof: Evidence, sample: str, by: User) -> InspectionReport:
    """A report as the evidence tells of it, but for its sample."""
    values = {
        "report_no": number,
        "client": proof.holder or proof.bottleneck.organization.name,
        "sample": sample,
        "method": "演示检测方法",
        "conclusion": "所检项目符合要求（演示）。",
        "issued_on": proof.issued_on,
        "sha256": sha256(f"demo {number}".encode()).hexdigest(),
    }
    return reports.lodge(reports.lodging_for(by)[0], values, by=by)


def put_off(by: User, status: str) -> None:
    """Two running limits of the officer's bureau, one of them twice."""
    today, bureau = timezone.localdate(), by.grants_of(Role.OFFICER)[0].bureau
    running = Bottleneck.objects.counted().filter(
        handler=bureau, status=status, clock_due_on__gte=today, extended_count=0
    )
    for row, times in zip(running.order_by("clock_due_on", "pk")[:2], (1, 2), strict=False):
        for _n in range(times):
            # The reviews count working days, the work a whole month.
            due = row.clock_due_on or today
            to = add_workdays(due, 5) if status == S.SUBMITTED else due + timedelta(days=30)
            services.move(row, "extend", by=by, data={"extended_to": to, "reason": EXTENDED})


def judge_twins(by: User) -> None:
    """A verdict of each kind; the other pairs wait on the desk."""
    verdicts = list(VERDICTS)
    for row in twins.in_review(by, by.grants_of(Role.OFFICER)[0])[:REVIEWED]:
        row.refresh_from_db()
        pairs = twins.pairs_of(row, by) if row.status == S.ACCEPTED else []
        for pair in pairs[:1] if verdicts else ():
            verdict, reason = verdicts.pop(0)
            master = pair.other if verdict == "same" else None
            twins.judge(row, pair.other, verdict, by=by, reason=reason, master=master)
