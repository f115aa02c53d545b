"""Committees, demands for standards and specifications of the demo city, and a question to an expert."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from enterprises.models import Bureau
from portal.demo.people import CITY, PROVINCE
from projects import opinions, specs
from projects.effects import HIGH_GRADES
from projects.facts import plain
from projects.models import Bottleneck, SpecDemand, SpecKind, TechnicalCommittee
from projects.workflow import JUDGED

COMMITTEES = (
    ("YS/MTC 01", "metrology", "演示·全国几何量计量技术委员会", "长度、角度、形状"),
    ("YS/MTC 02", "metrology", "演示·全国力值硬度计量技术委员会", "力值、扭矩、硬度"),
    ("YS/TC 101", "standard", "演示·全国机器人标准化技术委员会", "机器人与零部件"),
    ("YS/TC 102", "standard", "演示·全国接口与互联标准化技术委员会", "接口、协议、数据"),
)
# How far each demand has come; the first are those of problems with the first keys.
WAYS: tuple[tuple[str, ...], ...] = (
    ("approve", "draft", "consult"),
    (),
    ("approve", "draft", "consult", "examine", "report", "publish"),
    ("approve", "draft"),
    ("decline",),
    ("approve", "draft", "consult", "examine", "redraft"),
    ("approve", "terminate"),
    ("approve",),
)
NUMBERS = {SpecKind.METROLOGY: "JJF {n}-{year}", SpecKind.STANDARD: "GB/T {n}-{year}"}
REASON = "演示：委员会答复。"


def spread() -> None:
    """Make the demands of the city's officer as a person would, for open problems with such a gap."""
    for code, kind, name, domain in COMMITTEES:
        TechnicalCommittee.objects.create(
            code=code, kind=kind, name=name, domain=domain, contact_email="weiyuanhui@example.org"
        )
    officer = User.objects.get(username="city")
    in_city = Bottleneck.objects.filter(bureau__in=Bureau.objects.within(Bureau.objects.get(code=CITY)))
    waiting = in_city.filter(nqi_gap__in=specs.KINDS).open().filter(chain__isnull=False)
    rows = list(waiting.select_related("chain", "bureau", "handler").order_by("-pk")[: 2 * len(WAYS)])
    for number, (row, way) in enumerate(zip(rows, WAYS, strict=False)):
        demand = specs.propose(row, _values(row, number), by=officer)
        _wait_longer(demand, 20 + 35 * number)
        for step in way:
            specs.move(demand, step, _data(demand, step, number), by=officer, version=demand.version)
    for row in rows[len(WAYS) :]:
        if like := specs.alike(row, officer, limit=1):
            specs.join(like[0], row, by=officer)
    _ask_expert()


def _values(row: Bottleneck, number: int) -> dict[str, Any]:
    kind = specs.KINDS[Bottleneck.Gap(row.nqi_gap)]
    committees = TechnicalCommittee.objects.filter(kind=kind).order_by("code")
    measure = row.measures.first()
    subject = "校准规范" if kind == SpecKind.METROLOGY else "技术要求"
    return {
        "title": f"{row.product}{subject}（演示）",
        "quantity": measure.metric if measure else row.product,
        "range": f"现值 {plain(measure.value_now)}，目标 {plain(measure.target)}" if measure else "全部型号",
        "uncertainty": "U=目标值的三分之一（k=2）",
        "object": row.product,
        "users": f"{row.chain.name if row.chain else ''}产业链上的企业和检测机构",
        "urgency": row.urgency,
        "committee": committees[number % len(committees)],
    }


def _data(demand: SpecDemand, step: str, number: int) -> dict[str, Any]:
    today = timezone.localdate()
    given = {
        "plan_no": f"YS{today.year}{number:04d}",
        "published_no": NUMBERS[SpecKind(demand.kind)].format(n=99_000 + number, year=today.year),
        "published_on": today,
    }
    return {"reason": REASON} | {key: given[key] for key in specs.STEPS[step].needs}


def _wait_longer(demand: SpecDemand, days: int) -> None:
    wait = demand.waits.get()
    wait.since -= timedelta(days=days)
    wait.save()


def _ask_expert() -> None:
    """One problem of the expert's province that is being verified waits for the opinion."""
    expert = User.objects.get(username="expert")
    in_province = Bottleneck.objects.filter(
        bureau__in=Bureau.objects.within(Bureau.objects.get(code=PROVINCE))
    )
    judged = in_province.filter(status__in=JUDGED, grade__in=HIGH_GRADES).select_related("bureau__parent")
    for row in judged.order_by("-pk"):
        officers = User.objects.filter(grants__bureau=row.bureau.parent, grants__role="officer").order_by(
            "-pk"
        )
        for officer in officers:
            if opinions.grant_to_ask(row, officer):
                opinions.ask(row, expert, by=officer, question="请看改进前后的数据是否可比。")
                return
