"""Ledger rows for counting, written straight into the tables: each says where, which chain, and when."""

import itertools
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from bulletins import figures, recount, services
from bulletins.indicators import CATALOGUE
from bulletins.models import Snapshot, StatValue
from enterprises.models import Bureau, IndustryChain, Organization
from projects.models import (
    Beneficiary,
    Bottleneck,
    ChainProject,
    Consortium,
    Evidence,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
    Transition,
)
from tests import factories

_number = itertools.count(1)
S = Bottleneck.Status
SPRING = date(2024, 3, 20)


class Tree:
    """A nation with a province of two cities, one of a planned city, a municipality and the corps."""

    def __init__(self) -> None:
        make = factories.bureau
        self.nation = make("000000", "全国")
        self.jiangsu = make("320000", "江苏省", self.nation)
        self.suzhou = make("320500", "苏州市", self.jiangsu)
        self.huqiu = make("320505", "虎丘区", self.suzhou)
        self.wujiang = make("320509", "吴江区", self.suzhou)
        self.wuxi = make("320200", "无锡市", self.jiangsu)
        self.binhu = make("320211", "滨湖区", self.wuxi)
        self.liaoning = make("210000", "辽宁省", self.nation)
        self.dalian = make("210200", "大连市", self.liaoning, is_separately_planned=True)
        self.beijing = make("110000", "北京市", self.nation)
        self.dongcheng = make("110101", "东城区", self.beijing, level=3)
        self.xinjiang = make("650000", "新疆维吾尔自治区", self.nation)
        self.corps = make("660000", "新疆生产建设兵团", self.nation)


def firm(**fields: Any) -> Organization:
    return factories.organization(**fields)


def project(at: Bureau, chain: IndustryChain | None = None, **fields: Any) -> ChainProject:
    regions: Sequence[Bureau] = fields.pop("regions", ())
    number = next(_number)
    row = ChainProject.objects.create(
        **{
            "code": f"ZLQL-{number}",
            "name": f"项目{number}",
            "chain": chain or factories.chain(),
            "tier": "city",
            "bureau": at,
            "status": "executing",
            "start_on": SPRING,
            "end_on": date(2027, 12, 31),
            "is_cross_region": bool(regions),
        }
        | fields
    )
    ProjectRegion.objects.bulk_create([ProjectRegion(project=row, bureau=unit) for unit in regions])
    return row


def takes_part(
    organization: Organization, in_project: ChainProject, role: str = "member", **fields: Any
) -> Participation:
    return Participation.objects.create(
        **{
            "project": in_project,
            "organization": organization,
            "role": role,
            "bureau": in_project.bureau,
            "joined_on": in_project.start_on,
        }
        | fields
    )


def consortium(at: Bureau, founded_on: date = SPRING, **fields: Any) -> Consortium:
    number = next(_number)
    return Consortium.objects.create(
        **{
            "code": f"LHT-{number}",
            "name": f"联合体{number}",
            "chain": factories.chain(),
            "bureau": at,
            "lead": factories.organization(),
            "founded_on": founded_on,
            "status": "active",
        }
        | fields
    )


def key_project(of: ChainProject, contract_on: date | None = SPRING, **fields: Any) -> KeyProject:
    number = next(_number)
    return KeyProject.objects.create(
        **{
            "code": f"GG-{number}",
            "name": f"攻关{number}",
            "project": of,
            "route": "own",
            "lead": factories.organization(),
            "nqi_elements": ("MET",),
            "contract_on": contract_on,
            "start_on": contract_on or SPRING,
            "end_on": date(2027, 12, 31),
            "status": "accepted" if fields.get("accepted_on") else "running",
        }
        | fields
    )


def noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))


def problem(at: Bureau, *events: tuple[str, date], proved: bool = True, **fields: Any) -> Bottleneck:
    """A problem that went through these states on these days; `dues` are the days its clocks ran out."""
    dues: dict[str, date] = fields.pop("dues", {})
    handlers: dict[str, Bureau] = fields.pop("handlers", {})
    moments: dict[str, datetime] = fields.pop("moments", {})
    when = {status: moments.get(status) or noon(day) for status, day in reversed(events)}
    number, chain = next(_number), fields.pop("chain", None) or factories.chain()
    listed = when.get(S.LISTED) or when.get(S.RESOLVED)
    last = events[-1][0]
    row = Bottleneck.objects.create(
        **{
            "code": f"DK-{number}",
            "status": last,
            "organization": fields.pop("organization", None) or factories.organization(),
            "bureau": at,
            "handler": handlers.get(last, at),
            "chain": chain,
            "segment": chain.segments.first(),
            "product": "轴承",
            "title": f"问题{number}",
            "symptom": "现象",
            "effect": "影响",
            "cause": "TECH",
            "choke": "BLOCK",
            "urgency": "normal",
            "help_wanted": ("OWN",),
            "grade": "CITY",
            "route": "DISP",
            "list_owner": at if listed else None,
            "assigned_to": factories.institution(),
            "due_on": date(2027, 12, 31),
            "result": "bottleneck_solved" if S.RESOLVED in when else "",
            "submitted_at": when.get(S.SUBMITTED) or noon(events[0][1]),
            "accepted_at": when.get(S.ACCEPTED),
            "listed_at": listed,
            "resolved_at": when.get(S.RESOLVED),
            "status_changed_at": when[last],
        }
        | fields
    )
    verifier = factories.user()
    for sequence, (status, day) in enumerate(events, 1):
        add_event(
            row,
            sequence,
            status,
            at=moments.get(status) or noon(day),
            actor=verifier,
            handler=handlers.get(status, at),
            clock_due_on=dues.get(status),
        )
    if S.RESOLVED in when and proved:
        prove(row)
    return row


def add_event(row: Bottleneck, sequence: int, status: str, **fields: Any) -> Transition:
    """The next event of a problem; its source is where the last one led."""
    last = row.transitions.order_by("sequence").last()
    source = last.target if last else S.DRAFT
    return Transition.objects.create(
        **{"bottleneck": row, "sequence": sequence, "move": "move", "source": source, "target": status}
        | fields
    )


def add_events(row: Bottleneck, *events: tuple[str, date]) -> None:
    """What became of a problem afterwards; its state is the last one."""
    begun = row.transitions.count()
    for sequence, (status, day) in enumerate(events, begun + 1):
        add_event(row, sequence, status, at=noon(day), actor=factories.user(), handler=row.handler)
    Bottleneck.objects.filter(pk=row.pk).update(status=events[-1][0])


def prove(row: Bottleneck, **fields: Any) -> Evidence:
    return Evidence.objects.create(
        **{
            "bottleneck": row,
            "element": "TST",
            "title": "报告",
            "number": f"W{next(_number)}",
            "issuer": "演示检测中心",
            "issued_on": SPRING,
        }
        | fields
    )


def solved(at: Bureau, on: date = SPRING, **fields: Any) -> Bottleneck:
    """A problem filed, accepted, listed and resolved, the last on the given day."""
    path = [
        (S.SUBMITTED, on - timedelta(20)),
        (S.ACCEPTED, on - timedelta(18)),
        (S.LISTED, on - timedelta(15)),
        (S.RESOLVED, on),
    ]
    return problem(at, *path, **fields)


def challenge(at: Bureau, *days: date, **fields: Any) -> Bottleneck:
    """A problem posted, taken and solved, as many of these as there are days; filed and listed before."""
    filed = days[0] - timedelta(30)
    path = zip((S.POSTED, S.AWARDED, S.RESOLVED), days, strict=False)
    return problem(
        at, (S.SUBMITTED, filed), (S.ACCEPTED, filed), (S.LISTED, filed), *path, **{"route": "CHAL"} | fields
    )


def produced(by: ChainProject, number: str, on: date = SPRING, **fields: Any) -> ProjectResult:
    return ProjectResult.objects.create(
        **{"project": by, "kind": "standard", "title": "方法", "number": number, "published_on": on} | fields
    )


def invested(into: KeyProject, amount: str, on: date = SPRING, **fields: Any) -> Investment:
    organization = fields.pop("organization", None) or into.lead
    return Investment.objects.create(
        **{
            "key_project": into,
            "organization": organization,
            "amount": Decimal(amount),
            "booked_on": on,
            "voucher": f"记-{next(_number)}",
        }
        | fields
    )


def benefits(organization: Organization, of: Bottleneck) -> Beneficiary:
    return Beneficiary.objects.create(bottleneck=of, organization=organization, agreed_on=SPRING)


def quality_map(at: Bureau, on: date = SPRING, **fields: Any) -> QualityMap:
    """A published map; another one of the same unit and chain is superseded."""
    officers = [factories.user(), factories.user()]
    return QualityMap.objects.create(
        **{
            "chain": factories.chain(),
            "bureau": at,
            "version": next(_number),
            "status": "superseded",
            "drawn_on": on,
            "drawn_by": factories.institution(),
            "nodes": [],
            "red_below": 30,
            "green_from": 70,
            "drafted_at": noon(on),
            "drafted_by": officers[0],
            "approved_at": noon(on),
            "approved_by": officers[1],
            "published_at": noon(on),
            "published_by": officers[1],
            "superseded_at": noon(on),
        }
        | fields
    )


class Figures:
    """The figures of a period after a roll-up, agreed at three levels with a recount row by row."""

    def __init__(self, code: str = "2024", snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or services.rollup_now(services.get_period(code))
        if snapshot is None:
            for bureau in Bureau.objects.filter(code__in=["000000", "320000", "320505"]):
                assert recount.differences(self.snapshot, bureau) == [], bureau

    def __call__(self, code: str, bureau: Bureau, chain: IndustryChain | None = None) -> int | None:
        row = StatValue.objects.filter(snapshot=self.snapshot, indicator=code, bureau=bureau, chain=chain)
        return row.get().value if chain is None else (row.first() or StatValue()).value

    def stored(self, code: str, bureau: Bureau, chain: IndustryChain | None = None) -> figures.Value:
        rows = figures.values(self.snapshot, [bureau], [code], chain)
        return rows[bureau.pk].get(code, figures.NOT_REPORTED)

    def text(self, code: str, bureau: Bureau) -> str:
        """As it is printed beside its unit."""
        indicator = CATALOGUE[code]
        return figures.text(indicator, figures.number(indicator, self.stored(code, bureau)))

    def late(self, code: str, bureau: Bureau) -> int:
        return StatValue.objects.get(snapshot=self.snapshot, indicator=code, bureau=bureau, chain=None).late
