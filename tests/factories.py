"""Rows for tests: plain functions, each with defaults that make the smallest row that may exist."""

import io
import itertools
import threading
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from accounts.models import BUREAU_ROLES, FILING_ROLES, Grant, Role, User
from common import uscc
from enterprises.models import (
    Bureau,
    ChainSegment,
    IndustryChain,
    InstitutionProfile,
    Organization,
    OrganizationContact,
)
from projects import opinions, services
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    ExpertOpinion,
    InspectionReport,
    KeyProject,
    Participation,
    PolicyInstrument,
    QualityList,
    QualityMap,
    SpecDemand,
    TechnicalCommittee,
    Transition,
)

S = Bottleneck.Status
PASSWORD = "a-password-of-tests"
_number = itertools.count(1)

PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


def bureau(code: str = "000000", name: str = "", parent: Bureau | None = None, **fields: Any) -> Bureau:
    """The bureau with this code; its level follows from its parent's unless given."""
    level = fields.pop("level", parent.level + 1 if parent else 0)
    row, _created = Bureau.objects.get_or_create(
        code=code,
        defaults={
            "name": name or f"{code} 市场监督管理局",
            "short_name": fields.pop("short_name", name or code),
            "level": level,
            "parent": parent,
            **fields,
        },
    )
    return row


def county() -> Bureau:
    """A county with its city, province and nation above it."""
    nation = bureau("000000", "国家市场监督管理总局")
    province = bureau("320000", "江苏省市场监督管理局", nation)
    city = bureau("320500", "苏州市市场监督管理局", province)
    return bureau("320509", "吴江区市场监督管理局", city)


def chain(code: str = "C01", name: str = "工业机器人", **fields: Any) -> IndustryChain:
    """A national chain with a segment of each stream."""
    row, created = IndustryChain.objects.get_or_create(
        code=code,
        defaults={
            "name": name,
            "bureau": bureau(),
            "klass": IndustryChain.Klass.STRATEGIC,
            "valid_from": date(2020, 1, 1),
            **fields,
        },
    )
    if created:
        for position, (stream, segment) in enumerate(
            [("up", f"{name}核心零部件"), ("mid", f"{name}本体制造"), ("down", f"{name}系统集成")]
        ):
            ChainSegment.objects.create(chain=row, stream=stream, name=segment, position=position)
    return row


def credit_code() -> str:
    first = f"91320500MA{next(_number):07d}"
    return first + uscc.check_character(first)


def organization(name: str = "", at: Bureau | None = None, **fields: Any) -> Organization:
    code = credit_code()
    row = Organization.objects.create(
        uscc=code, name=name or f"演示企业{code[-5:]}有限公司", bureau=at or county(), **fields
    )
    OrganizationContact.objects.create(organization=row, contact_name="王敏", contact_phone="13800000001")
    return row


def institution(name: str = "", **fields: Any) -> Organization:
    row = organization(name or f"演示计量检测院{next(_number)}", **fields)
    InstitutionProfile.objects.create(
        organization=row, kinds=("METR",), nqi_elements=("MET", "TST"), cma_no="210000000001"
    )
    return row


def user(role: str = "", at: Bureau | Organization | None = None, **fields: Any) -> User:
    """A person with one grant, if a role is given."""
    name = fields.pop("username", f"user{next(_number)}")
    row = User(username=name, name=fields.pop("name", name), **fields)
    row.set_password(PASSWORD)
    row.save()
    if role:
        grant(row, role, at)
    return row


def grant(to: User, role: str, at: Bureau | Organization | None = None, **fields: Any) -> Grant:
    if role in BUREAU_ROLES:
        fields["bureau"] = at or county()
    else:
        fields["organization"] = at or organization()
    to.__dict__.pop("grants_in_force", None)
    to.__dict__.pop("scope", None)
    fields.setdefault("starts_on", date(2020, 1, 1))
    return Grant.objects.create(user=to, role=role, **fields)


def filing_values(**fields: Any) -> dict[str, Any]:
    """Everything that a filing has to say."""
    row = fields.pop("chain", None) or chain()
    values = {
        "chain": row,
        "segment": row.segments.first(),
        "product": "谐波减速器",
        "title": "柔轮热处理后疲劳寿命离散过大",
        "choke": Bottleneck.Choke.STUCK,
        "symptom": "同批柔轮台架寿命相差一倍。",
        "effect": "每批约三成返工。",
        "urgency": Bottleneck.Urgency.URGENT,
        "cause": Bottleneck.Cause.INFRASTRUCTURE,
        "nqi_elements": ("TST",),
        "help_wanted": ("DISP",),
    }
    return values | fields


MEASURE = {
    "metric": "台架寿命达标率",
    "unit": "%",
    "value_now": Decimal("68"),
    "comparison": "ge",
    "target": Decimal("95"),
}


def draft(filer: User | None = None, **fields: Any) -> Bottleneck:
    """A complete draft of the filer's organisation."""
    filer = filer or user(Role.FILER)
    firm = fields.pop("organization", None) or filer.grants_of(*FILING_ROLES)[0].organization
    row = services.draft_for(filer, firm, uuid.uuid4())
    return services.revise(
        row,
        by=filer,
        version=row.version,
        values=filing_values(**fields),
        measures=[MEASURE],
        contact={"name": "王敏", "phone": "13800000000"},
    )


class Cast:
    """The people around one problem, on related rows."""

    def __init__(self) -> None:
        self.county = county()
        self.city = self.county.parent
        self.firm = organization("演示减速器有限公司", at=self.county)
        self.lab = institution("演示检验检测院")
        self.filer = user(Role.FILER, self.firm, name="填报人")
        self.county_officer = user(Role.OFFICER, self.county, name="县局经办")
        self.city_officer = user(Role.OFFICER, self.city, name="市局经办")
        self.verifier = user(Role.OFFICER, self.county, name="核验人")
        self.engineer = user(Role.INSTITUTION, self.lab, name="机构经办")

    def filed(self, **fields: Any) -> Bottleneck:
        row = draft(self.filer, **fields)
        services.move(row, "submit", by=self.filer)
        return row

    def way(self, row: Bottleneck) -> dict[str, tuple[User, dict[str, Any]]]:
        """Who makes each move on the straight way, and with what."""
        due_on = timezone.localdate() + timedelta(days=90)
        return {
            "submit": (self.filer, {}),
            "accept": (self.county_officer, {}),
            "list": (
                self.city_officer,
                {"grade": "CITY", "route": "DISP", "due_on": due_on},
            ),
            "dispatch": (self.city_officer, {"assigned_to": self.lab}),
            "take": (self.engineer, {"reason": "由热处理实验室承接。"}),
            "file_solution": (self.engineer, solution(row)),
            "confirm": (self.filer, {}),
            "verify": (self.verifier, verification(row)),
        }

    def bring_to(self, status: str, at: datetime | None = None, **fields: Any) -> Bottleneck:
        """A problem of the firm in a state of the straight way, or in a state one step beside it."""
        if status in BESIDE:
            source, move, who, data = BESIDE[status]
            row = self.bring_to(source, at=at, **fields)
            if move in DAYS_LATER:
                at = (at or timezone.now()) + timedelta(days=DAYS_LATER[move])
            services.move(row, move, by=getattr(self, who) if who else None, data=data(self), at=at)
            return row
        row = draft(self.filer, **fields)
        for move in STRAIGHT[: STRAIGHT_STATES.index(status) + 1]:
            self.make(row, move, at=at)
        return row

    def make(self, row: Bottleneck, move: str, at: datetime | None = None, **data: Any) -> Transition:
        """Make a move of the straight way."""
        who, needs = self.way(row)[move]
        return services.move(row, move, by=who, data=needs | data, at=at)


STRAIGHT = ("submit", "accept", "list", "dispatch", "take", "file_solution", "confirm", "verify")
STRAIGHT_STATES = (
    S.SUBMITTED,
    S.ACCEPTED,
    S.LISTED,
    S.DISPATCHED,
    S.IN_PROGRESS,
    S.SOLUTION_FILED,
    S.VERIFICATION,
    S.RESOLVED,
)
# What only time allows.
DAYS_LATER = {"lapse": 400, "archive": 400, "award": 31}
BESIDE: dict[str, tuple[str, str, str, Callable[[Cast], dict[str, Any]]]] = {
    S.RETURNED: (
        S.SUBMITTED,
        "return",
        "county_officer",
        lambda cast: {
            "gaps": [
                {"field": "symptom", "text": "请写明从什么时候开始。"},
                {"field": "", "text": "请附检测报告。"},
            ]
        },
    ),
    S.REJECTED: (
        S.SUBMITTED,
        "reject",
        "county_officer",
        lambda cast: {"reason_code": "dispute", "reason": "属合同纠纷。", "turn_to": "当地人民法院"},
    ),
    S.WITHDRAWN: (S.SUBMITTED, "withdraw", "filer", lambda cast: {"reason": "已自行解决。"}),
    S.SUSPENDED: (S.IN_PROGRESS, "suspend", "city_officer", lambda cast: {"reason": "等待设备到位。"}),
    S.PARTLY: (S.VERIFICATION, "verify_partly", "verifier", lambda cast: {"reason": "还差一批数据。"}),
    S.REOPENED: (S.RESOLVED, "reopen", "filer", lambda cast: {"reason": "新批次又出现。"}),
    S.TERMINATED: (S.LISTED, "terminate", "city_officer", lambda cast: {"reason": "产品停产。"}),
    S.POSTED: (
        S.LISTED,
        "post",
        "city_officer",
        lambda cast: {"closes_on": timezone.localdate() + timedelta(days=30), "reason": "征集热处理工艺。"},
    ),
    S.AWARDED: (
        S.POSTED,
        "award",
        "city_officer",
        lambda cast: {"assigned_to": cast.lab, "reason": "评审第一名。"},
    ),
    S.UNSOLVABLE: (
        S.IN_PROGRESS,
        "give_up",
        "city_officer",
        lambda cast: {"opinion": "专家组认为材料尚不具备。", "reason": "两种工艺都已试过。"},
    ),
    S.LAPSED: (S.RETURNED, "lapse", "", lambda cast: {}),
    S.ARCHIVED: (S.RESOLVED, "archive", "", lambda cast: {}),
}


def solution(row: Bottleneck, after: str = "96") -> dict[str, Any]:
    """What the institution files: text, every metric measured again, one proof."""
    today = timezone.localdate()
    return {
        "solution": "调整渗碳工艺窗口，增加残余应力检测。",
        "after": [
            {"measure": measure.pk, "value_after": Decimal(after), "measured_after_on": today}
            for measure in row.measures.all()
        ],
        "evidence": [
            {
                "kind": "test_report",
                "element": "TST",
                "title": "寿命试验报告",
                "sample": "谐波减速器柔轮",
                "holder": "演示减速器有限公司",
                "number": "W2026-0001",
                "issuer": "演示检验检测院",
                "issued_on": today,
            }
        ],
    }


def opinion(row: Bottleneck, by: User, answer: str = "yes", expert: User | None = None) -> ExpertOpinion:
    """What an expert of the nation says of a problem, asked by an officer who may verify it."""
    asked = opinions.ask(row, expert or user(Role.EXPERT, bureau()), by=by)
    person = User.objects.get(pk=asked.expert_id)
    free = answer != "recused"
    return opinions.answer(asked, by=person, answer=answer, no_conflict=free, text="看了试验记录。")


def verification(row: Bottleneck) -> dict[str, Any]:
    """What the verifier says: all evidence matched, and the problem is solved."""
    checked = [proof.pk for proof in row.evidence.all()]
    return {"checked": checked, "result": "bottleneck_solved", "reason": "现场核对。"}


def png(name: str = "照片.png", salt: bytes = b"") -> SimpleUploadedFile:
    """A picture; ``salt`` makes its content another one."""
    return SimpleUploadedFile(name, PNG + salt, content_type="image/png")


def pdf(name: str = "报告.pdf", salt: str = "") -> SimpleUploadedFile:
    stream = io.BytesIO(f"%PDF-1.4\n%{salt}\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n".encode())
    return SimpleUploadedFile(name, stream.getvalue(), content_type="application/pdf")


def project(at: Bureau | None = None, **fields: Any) -> ChainProject:
    """A project under way at a bureau."""
    number = next(_number)
    at = at or county()
    defaults: dict[str, Any] = {
        "code": f"ZLQL-2024-{at.code}-{number:04d}",
        "name": f"演示质量强链项目{number}",
        "chain": fields.pop("chain", None) or chain(),
        "tier": ChainProject.Tier.CITY,
        "status": ChainProject.Status.EXECUTING,
        "start_on": date(2024, 3, 1),
        "end_on": date(2026, 3, 1),
    }
    return ChainProject.objects.create(bureau=at, **(defaults | fields))


def participation(of: Organization, on: ChainProject, role: str = "member", **fields: Any) -> Participation:
    defaults: dict[str, Any] = {"bureau": on.bureau, "joined_on": date(2024, 4, 1)}
    return Participation.objects.create(organization=of, project=on, role=role, **(defaults | fields))


def consortium(lead: Organization | None = None, **fields: Any) -> Consortium:
    """A consortium with its lead as a member."""
    lead = lead or organization()
    number = next(_number)
    defaults: dict[str, Any] = {
        "code": f"LHT-2024-{lead.bureau.code}-{number:04d}",
        "name": f"演示创新联合体{number}",
        "chain": fields.pop("chain", None) or chain(),
        "bureau": lead.bureau,
        "status": Consortium.Status.ACTIVE,
        "founded_on": date(2024, 5, 1),
    }
    row = Consortium.objects.create(lead=lead, **(defaults | fields))
    row.memberships.create(organization=lead, role="lead", joined_on=row.founded_on or date(2024, 5, 1))
    return row


def key_project(on: ChainProject | None = None, **fields: Any) -> KeyProject:
    """A key project with two milestones, the first of them done."""
    on = on or project()
    number = next(_number)
    defaults: dict[str, Any] = {
        "code": f"GG-2024-{on.bureau.code}-{number:04d}",
        "name": f"演示攻关项目{number}",
        "route": KeyProject.Route.OWN,
        "lead": fields.pop("lead", None) or organization(at=on.bureau),
        "nqi_elements": ("MET",),
        "contract_on": date(2024, 6, 1),
        "start_on": date(2024, 6, 1),
        "end_on": date(2025, 6, 1),
        "status": KeyProject.Status.RUNNING,
    }
    row = KeyProject.objects.create(project=on, **(defaults | fields))
    row.milestones.create(title="方案", due_on=date(2024, 9, 1), weight=40, done_on=date(2024, 8, 20))
    row.milestones.create(title="验证", due_on=date(2025, 5, 1), weight=60)
    return row


def instrument(at: Bureau | None = None, **fields: Any) -> PolicyInstrument:
    """A policy in force for every chain."""
    number = next(_number)
    chains = fields.pop("chains", ())
    defaults: dict[str, Any] = {
        "title": f"演示质量贷款{number}",
        "kind": PolicyInstrument.Kind.LOAN,
        "department": "市场监管局、人民银行",
        "target": "产业链上的中小企业，用于质量技术改造。",
        "valid_from": date(2024, 1, 1),
    }
    row = PolicyInstrument.objects.create(bureau=at or county(), **(defaults | fields))
    row.chains.set(chains)
    return row


def quality_list(at: Bureau | None = None, **fields: Any) -> QualityList:
    """A draft without rows."""
    defaults: dict[str, Any] = {
        "kind": QualityList.Kind.PROBLEMS,
        "version": 1,
        "effective_on": date(2026, 1, 1),
        "chain": fields.pop("chain", None) or chain(),
        "drafted_by": fields.pop("drafted_by", None) or user(),
    }
    return QualityList.objects.create(bureau=at or county(), **(defaults | fields))


def report(by: Organization | None = None, **fields: Any) -> InspectionReport:
    """A report of an institution, as it was lodged."""
    number = next(_number)
    defaults: dict[str, Any] = {
        "report_no": f"W2026-{number:04d}",
        "client": "演示减速器有限公司",
        "sample": "谐波减速器柔轮",
        "method": "GB/T 30819-2014",
        "conclusion": "所检项目符合要求。",
        "issued_on": date(2026, 3, 2),
        "sha256": f"{number:064x}",
    }
    return InspectionReport.objects.create(institution=by or institution(), **(defaults | fields))


def quality_map(of: IndustryChain | None = None, at: Bureau | None = None, **fields: Any) -> QualityMap:
    """A draft of the chain's first map; one that is published when ``status`` says so, with what it needs."""
    of, at = of or chain(), at or county()
    drafter = fields.pop("drafted_by", None) or user(Role.OFFICER, at)
    defaults: dict[str, Any] = {
        "version": 1,
        "drawn_on": date(2026, 6, 1),
        "drawn_by": fields.pop("drawn_by", None) or institution(at=at),
        "nodes": [],
        "red_below": 60,
        "green_from": 90,
        "drafted_at": timezone.now(),
    }
    status = fields.get("status", QualityMap.Status.DRAFT)
    if status != QualityMap.Status.DRAFT:
        defaults |= {"approved_by": user(Role.OFFICER, at), "approved_at": timezone.now()}
    if status in QualityMap.FROZEN:
        defaults |= {"published_by": drafter, "published_at": timezone.now()}
    return QualityMap.objects.create(chain=of, bureau=at, drafted_by=drafter, **(defaults | fields))


def committee(kind: str = "metrology", **fields: Any) -> TechnicalCommittee:
    number = next(_number)
    defaults: dict[str, Any] = {
        "code": f"YS/TC {number}",
        "name": f"演示技术委员会{number}",
        "domain": "传动部件",
        "contact_email": "secretary@example.org",
    }
    return TechnicalCommittee.objects.create(kind=kind, **(defaults | fields))


def spec_demand(*problems: Bottleneck, **fields: Any) -> SpecDemand:
    """A proposed demand of a bureau, for which the problems wait."""
    number = next(_number)
    kind = fields.pop("kind", "metrology")
    defaults: dict[str, Any] = {
        "code": f"GFXQ-2026-000000-{number:04d}",
        "title": f"演示柔轮疲劳寿命试验台校准规范{number}",
        "quantity": "扭矩",
        "range": "(1~500) N·m",
        "uncertainty": "Urel=0.5 %（k=2）",
        "object": "柔轮疲劳寿命试验台",
        "users": "减速器企业和检测机构",
        "urgency": "urgent",
        "committee": fields.pop("committee", None) or committee(kind),
        "chain": problems[0].chain if problems else chain(),
        "bureau": problems[0].bureau if problems else county(),
        "status_changed_at": timezone.now(),
    }
    row = SpecDemand.objects.create(kind=kind, **(defaults | fields))
    for problem in problems:
        row.waits.create(bottleneck=problem, since=timezone.localdate())
    return row


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads of their own, all started together; results or exceptions in order."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(index: int) -> None:
        start.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
