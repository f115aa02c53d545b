"""The indicator catalogue: what each figure counts, declared once (`domain.md` 5.4, design decision 6).

A **base** is a set of ledger rows: which rows, in which period, for which unit and chain, and the key under
which a thing is counted once. An **indicator** is a number made of a base: its rows or its distinct keys. The
compiler in `bulletins.rollup` turns both into SQL for all units at once; `bulletins.recount` counts the same
in plain Python.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from django.db import models
from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bulletins import periods
from bulletins.models import CountedRow, Period
from enterprises.models import Organization
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    KeyProject,
    Participation,
    ProjectRegion,
    Transition,
)

Rows: TypeAlias = QuerySet[Any, Any]
Words: TypeAlias = str | Promise

# Changes when any rule below changes, so that series across versions are never compared silently.
DEFINITION_VERSION = "2024.1"


@dataclass(frozen=True)
class Span:
    """The days of a period, and what its frozen neighbours of the same kind have counted already (rule 6).

    ``late`` are the days of earlier frozen periods: an event there that none of the ``counted``
    snapshots knows is counted now, as 补报. ``taken`` are snapshots of later periods, which may hold late
    events of this one.
    """

    start_on: date
    end_on: date
    late: tuple[tuple[date, date], ...] = ()
    counted: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()

    @classmethod
    def of(cls, period: Period) -> "Span":
        frozen = [
            (other, snapshot)
            for other in Period.objects.filter(kind=period.kind).exclude(pk=period.pk).order_by("start_on")
            if other.is_frozen and (snapshot := other.snapshots.readable().first())
        ]
        before = [(other, snapshot) for other, snapshot in frozen if other.end_on < period.start_on]
        return cls(
            period.start_on,
            period.end_on,
            tuple((other.start_on, other.end_on) for other, _snapshot in before),
            tuple(snapshot.pk for _other, snapshot in before),
            tuple(snapshot.pk for other, snapshot in frozen if other.start_on > period.end_on),
        )


@dataclass(frozen=True)
class Base:
    """A set of ledger rows to count.

    ``rows`` gives the candidates, ``event`` the condition that their date lies between two days; rows with an
    event enter the next period when theirs is frozen (rule 6). ``bureau``, ``chain`` and ``key`` are field
    paths. ``entity`` names the ledger whose rows tell a unit that reports from one that does not (rule 11).
    """

    name: str
    entity: str
    rows: Callable[[Span], Rows]
    event: Callable[[date, date], Q] | None = None
    bureau: str = "bureau"
    chain: str = "chain"
    key: str = "pk"

    def counted(self, span: Span) -> Rows:
        """The counted rows as tuples (row, bureau, chain, key, late)."""
        rows = self.rows(span)
        late: Any = Value(0)
        if self.event:
            inside = self.event(span.start_on, span.end_on)
            if span.taken:
                elsewhere = CountedRow.objects.filter(snapshot__in=span.taken, base=self.name, late=1)
                inside &= ~Q(pk__in=elsewhere.values("row_id"))
            condition = inside
            if span.late:
                known = CountedRow.objects.filter(snapshot__in=span.counted, base=self.name)
                before = Q()
                for start, end in span.late:
                    before |= self.event(start, end)
                condition = inside | before & ~Q(pk__in=known.values("row_id"))
                late = Case(When(inside, then=0), default=1, output_field=IntegerField())
            rows = rows.filter(condition)
        return rows.order_by().values_list(
            F("pk"), F(self.bureau), F(self.chain), F(self.key), late, named=False
        )


def _on(field: str) -> Callable[[date, date], Q]:
    """The event is the day in a date field."""
    return lambda start, end: Q(**{f"{field}__gte": start, f"{field}__lte": end})


def _at(field: str) -> Callable[[date, date], Q]:
    """The event is the moment in a time field; days begin and end in Asia/Shanghai."""
    return lambda start, end: Q(
        **{f"{field}__gte": periods.midnight(start), f"{field}__lt": periods.cut_off(end)}
    )


def _moved_to(status: str) -> Callable[[date, date], Q]:
    """The event is a move of the problem into a state; twice in one period is once, and a step that stays in
    the state is none."""

    def between(start: date, end: date) -> Q:
        moves = Transition.objects.filter(_at("at")(start, end), target=status).exclude(source=status)
        return Q(pk__in=moves.values("bottleneck"))

    return between


def _begun_projects(span: Span) -> Rows:
    return ChainProject.objects.counted().filter(status__in=ChainProject.BEGUN)


def _led_projects(span: Span) -> Rows:
    return _begun_projects(span).filter(is_cross_region=True)


def _joined_projects(span: Span) -> Rows:
    led = Q(bureau=F("project__bureau"))
    return ProjectRegion.objects.filter(project__in=_led_projects(span)).exclude(led)


def _executing_projects(span: Span) -> Rows:
    return ChainProject.objects.counted().executing_at(span.end_on)


def _formed_consortia(span: Span) -> Rows:
    return Consortium.objects.counted().exclude(status=Consortium.Status.PREPARING)


# "2024年以来": where the cumulative figures begin (rule 7).
CUMULATIVE_SINCE = date(2024, 1, 1)


def _consortia_since(span: Span) -> Rows:
    return _formed_consortia(span).filter(founded_on__gte=CUMULATIVE_SINCE, founded_on__lte=span.end_on)


def _standing_consortia(span: Span) -> Rows:
    standing = Q(dissolved_on__isnull=True) | Q(dissolved_on__gt=span.end_on)
    return _consortia_since(span).filter(standing)


def _dissolved_consortia(span: Span) -> Rows:
    return _consortia_since(span).filter(dissolved_on__lte=span.end_on)


def _participations(span: Span, role: str) -> Rows:
    """Rows in force on any day of the period on projects under way on any day of it (rules 9 and 10)."""
    under_way = Q(project__closed_on__isnull=True) | Q(project__closed_on__gte=span.start_on)
    return (
        Participation.objects.active_between(span.start_on, span.end_on)
        .filter(
            under_way,
            role=role,
            project__status__in=ChainProject.BEGUN,
            project__start_on__lte=span.end_on,
            project__is_test=False,
            project__voided_at__isnull=True,
        )
        .exclude(organization__in=Organization.objects.filter(is_test=True))
    )


def _leaders(span: Span) -> Rows:
    return _participations(span, Participation.Role.LEADER)


def _members(span: Span) -> Rows:
    """Members that do not lead the same project (rule 2)."""
    leaders = Participation.objects.active_between(span.start_on, span.end_on).filter(
        role=Participation.Role.LEADER
    )
    same_project = leaders.filter(organization=OuterRef("organization"), project=OuterRef("project"))
    # Few firms lead anything: the first condition spares the second for nearly all rows.
    leads_it = Q(organization__in=leaders.values("organization")) & Exists(same_project)
    return _participations(span, Participation.Role.MEMBER).exclude(leads_it)


def _enablers(span: Span) -> Rows:
    return _participations(span, Participation.Role.ENABLER)


def _key_projects(span: Span) -> Rows:
    """The tasks of landmark projects are counted apart by the nation (`domain.md` 9 Q3)."""
    rows = KeyProject.objects.counted().exclude(kind=KeyProject.Kind.LANDMARK_TASK)
    return rows.filter(project__is_test=False, project__voided_at__isnull=True)


def _problems(span: Span) -> Rows:
    test = Organization.objects.filter(is_test=True)
    return Bottleneck.objects.counted().exclude(organization__in=test)


def _masters(span: Span) -> Rows:
    """A merged child is counted with its master (rule 8)."""
    return _problems(span).filter(merged_into__isnull=True)


def _solved(span: Span) -> Rows:
    return _masters(span).filter(result=Bottleneck.Result.SOLVED)


def _solved_from_list(span: Span) -> Rows:
    return _solved(span).filter(listed_at__isnull=False)


ON_LIST = (
    Bottleneck.Status.LISTED,
    Bottleneck.Status.DISPATCHED,
    Bottleneck.Status.POSTED,
    Bottleneck.Status.AWARDED,
    Bottleneck.Status.IN_PROGRESS,
    Bottleneck.Status.SUSPENDED,
    Bottleneck.Status.UNSOLVABLE,
    Bottleneck.Status.SOLUTION_FILED,
    Bottleneck.Status.VERIFICATION,
    Bottleneck.Status.PARTLY,
    Bottleneck.Status.REOPENED,
)
WITH_CLOCK = tuple(
    status
    for status in Bottleneck.Status
    if status not in (Bottleneck.Status.DRAFT, *Bottleneck.ENDED, *Bottleneck.PAUSED)
)


def _at_cut_off(span: Span, field: str) -> Subquery:
    """What the last event of a problem before the cut-off says: how it stood at that moment."""
    before = Transition.objects.filter(bottleneck=OuterRef("pk"), at__lt=periods.cut_off(span.end_on))
    return Subquery(before.order_by("-sequence").values(field)[:1])


def _filed_before_cut_off(span: Span) -> Rows:
    return _problems(span).filter(submitted_at__lt=periods.cut_off(span.end_on))


def _listed(span: Span) -> Rows:
    return (
        _filed_before_cut_off(span)
        .filter(list_owner__isnull=False)
        .alias(state=_at_cut_off(span, "target"))
        .filter(state__in=ON_LIST)
    )


def _overdue(span: Span) -> Rows:
    return (
        _filed_before_cut_off(span)
        .alias(state=_at_cut_off(span, "target"), due_on_then=_at_cut_off(span, "clock_due_on"))
        .filter(state__in=WITH_CLOCK, due_on_then__lt=span.end_on)
        .annotate(handler_then=_at_cut_off(span, "handler"))
    )


BASES: dict[str, Base] = {
    base.name: base
    for base in (
        Base("projects", "projects", _begun_projects, _on("start_on")),
        Base("led", "projects", _led_projects, _on("start_on")),
        Base(
            "joined",
            "projects",
            _joined_projects,
            _on("project__start_on"),
            chain="project__chain",
            key="project",
        ),
        Base("in_hand", "projects", _executing_projects),
        Base("consortia", "consortia", _formed_consortia, _on("founded_on")),
        Base("standing", "consortia", _standing_consortia),
        Base("dissolved", "consortia", _dissolved_consortia),
        Base("leaders", "participations", _leaders, chain="project__chain", key="organization"),
        Base("members", "participations", _members, chain="project__chain", key="organization"),
        Base("enablers", "participations", _enablers, chain="project__chain", key="organization"),
        Base(
            "key_projects",
            "key_projects",
            _key_projects,
            _on("contract_on"),
            bureau="project__bureau",
            chain="project__chain",
        ),
        Base(
            "key_accepted",
            "key_projects",
            _key_projects,
            _on("accepted_on"),
            bureau="project__bureau",
            chain="project__chain",
        ),
        Base("filed", "problems", _problems, _at("submitted_at")),
        Base("accepted", "problems", _masters, _at("accepted_at")),
        Base("listed", "problems", _listed, bureau="list_owner"),
        Base("solved", "problems", _solved, _moved_to(Bottleneck.Status.RESOLVED)),
        Base("solved_listed", "problems", _solved_from_list, _moved_to(Bottleneck.Status.RESOLVED)),
        Base("reopened", "problems", _masters, _moved_to(Bottleneck.Status.REOPENED)),
        Base("overdue", "problems", _overdue, bureau="handler_then"),
    )
}


def reporting(entity: str, span: Span) -> Rows:
    """Rows with a `bureau` that show that a unit keeps this ledger, up to the cut-off (rule 11)."""
    match entity:
        case "projects":
            return ChainProject.objects.counted().filter(start_on__lte=span.end_on)
        case "consortia":
            return Consortium.objects.counted().filter(founded_on__lte=span.end_on)
        case "participations":
            return Participation.objects.filter(
                joined_on__lte=span.end_on, project__is_test=False, project__voided_at__isnull=True
            ).exclude(organization__in=Organization.objects.filter(is_test=True))
        case "key_projects":
            rows = _key_projects(span).filter(start_on__lte=span.end_on)
            return rows.annotate(bureau=F("project__bureau"))
        case "problems":
            return _filed_before_cut_off(span)
    raise LookupError(entity)


class Nature(models.TextChoices):
    """Whether values of several periods may be added (flow) or not."""

    FLOW = "flow", pgettext_lazy("nature of an indicator", "期间数")
    STOCK = "stock", pgettext_lazy("nature of an indicator", "时点数")
    ACTIVE = "active", pgettext_lazy("nature of an indicator", "期间在册数")
    CUMULATIVE = "cumulative", pgettext_lazy("nature of an indicator", "累计数")


@dataclass(frozen=True)
class Indicator:
    """One figure: the rows of its bases, or their distinct keys."""

    code: str
    name: Words
    unit: Words
    nature: Nature
    counted: Words
    key: Words
    time_rule: Words
    place_rule: Words
    bases: tuple[str, ...]
    distinct: bool = False
    # Where a cumulative figure begins; periods that end before have none (rule 7).
    since: date | None = None
    note: Words = ""
    version: str = "1"

    def applies_to(self, end_on: date) -> bool:
        return self.since is None or end_on >= self.since

    @property
    def entity(self) -> str:
        return BASES[self.bases[0]].entity


_ITEM = pgettext_lazy("unit of count", "个")
_FIRM = pgettext_lazy("unit of count", "家")
_FIRM_TIMES = pgettext_lazy("unit of count", "家次")

_BY_PROJECT = _("项目受理单位；跨区域项目计入牵头单位")
_BY_ADMISSION = _("接纳企业的单位；一家企业在每一级只计一次")
_BY_ADMISSION_ROWS = _("接纳企业的单位")
_BY_KEY_PROJECT = _("所属项目的受理单位")
_BY_ACCEPTANCE = _("受理单位")
_BY_CONSORTIUM = _("牵头单位所在地的受理单位")
_ANY_DAY = _("期间内任一天在册")
_AT_CUT_OFF = _("截止时点")
_PROJECT_NO = _("项目编号")
_CONSORTIUM_NO = _("联合体编号")
_KEY_NO = _("攻关编号")
_PROBLEM_NO = _("问题编号")
_MASTER_NO = _("主问题编号")
_USCC = _("统一社会信用代码")
_EACH_ROW = _("每条参与记录")

_DECLARED: Iterable[Indicator] = (
    Indicator(
        "I01",
        _("实施质量强链项目"),
        _ITEM,
        Nature.FLOW,
        _("已立项并开始实施的质量强链项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _BY_PROJECT,
        ("projects",),
    ),
    Indicator(
        "I01L",
        _("其中：牵头跨区域项目"),
        _ITEM,
        Nature.FLOW,
        _("开始实施的跨区域项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _BY_PROJECT,
        ("led",),
    ),
    Indicator(
        "I01P",
        _("参与跨区域项目"),
        _ITEM,
        Nature.FLOW,
        _("由其他单位牵头、本地区参与的跨区域项目"),
        _PROJECT_NO,
        _("开始日期在期间内"),
        _("参与单位"),
        ("joined",),
        distinct=True,
        note=_("在本地区项目总数之外另列，不重复计入。"),
    ),
    Indicator(
        "I02",
        _("在施质量强链项目"),
        _ITEM,
        Nature.STOCK,
        _("已开始、尚未结项的项目"),
        _PROJECT_NO,
        _AT_CUT_OFF,
        _BY_PROJECT,
        ("in_hand",),
    ),
    Indicator(
        "I03",
        _("组建质量技术创新联合体"),
        _ITEM,
        Nature.FLOW,
        _("已组建的联合体"),
        _CONSORTIUM_NO,
        _("组建日期在期间内"),
        _BY_CONSORTIUM,
        ("consortia",),
    ),
    Indicator(
        "I04",
        _("2024年以来组建联合体"),
        _ITEM,
        Nature.CUMULATIVE,
        _("2024年1月1日以来组建、截止时点未解散的联合体"),
        _CONSORTIUM_NO,
        _("组建日期不晚于截止日"),
        _BY_CONSORTIUM,
        ("standing",),
        since=CUMULATIVE_SINCE,
    ),
    Indicator(
        "I04D",
        _("2024年以来解散联合体"),
        _ITEM,
        Nature.CUMULATIVE,
        _("2024年1月1日以来组建、截止时点已解散的联合体"),
        _CONSORTIUM_NO,
        _("解散日期不晚于截止日"),
        _BY_CONSORTIUM,
        ("dissolved",),
        since=CUMULATIVE_SINCE,
    ),
    Indicator(
        "I05",
        _("链主企业"),
        _FIRM,
        Nature.ACTIVE,
        _("以链主身份参与项目的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("leaders",),
        distinct=True,
    ),
    Indicator(
        "I06",
        _("链主企业参与"),
        _FIRM_TIMES,
        Nature.ACTIVE,
        _("链主企业的参与记录"),
        _EACH_ROW,
        _ANY_DAY,
        _BY_ADMISSION_ROWS,
        ("leaders",),
    ),
    Indicator(
        "I07",
        _("链员企业"),
        _FIRM,
        Nature.ACTIVE,
        _("以链员身份参与项目、且不是同一项目链主的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("members",),
        distinct=True,
    ),
    Indicator(
        "I07U",
        _("参与企业（去重）"),
        _FIRM,
        Nature.ACTIVE,
        _("以链主或链员身份参与项目的企业"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("leaders", "members"),
        distinct=True,
        note=_("同时是链主和链员的企业只计一次。"),
    ),
    Indicator(
        "I08",
        _("链员企业参与"),
        _FIRM_TIMES,
        Nature.ACTIVE,
        _("链员企业的参与记录"),
        _EACH_ROW,
        _ANY_DAY,
        _BY_ADMISSION_ROWS,
        ("members",),
    ),
    Indicator(
        "I09",
        _("赋能机构"),
        _FIRM,
        Nature.ACTIVE,
        _("以赋能机构身份参与项目的组织"),
        _USCC,
        _ANY_DAY,
        _BY_ADMISSION,
        ("enablers",),
        distinct=True,
    ),
    Indicator(
        "I10",
        _("实施重点攻关项目"),
        _ITEM,
        Nature.FLOW,
        _("已签约的重点攻关项目，不含标志性项目的攻关任务"),
        _KEY_NO,
        _("签约日期在期间内"),
        _BY_KEY_PROJECT,
        ("key_projects",),
    ),
    Indicator(
        "I11",
        _("完成重点攻关项目"),
        _ITEM,
        Nature.FLOW,
        _("通过验收的重点攻关项目，不含标志性项目的攻关任务"),
        _KEY_NO,
        _("验收日期在期间内"),
        _BY_KEY_PROJECT,
        ("key_accepted",),
    ),
    Indicator(
        "I12",
        _("提出问题"),
        _ITEM,
        Nature.FLOW,
        _("首次提交的堵点卡点问题"),
        _PROBLEM_NO,
        _("首次提交时间在期间内"),
        _("填报企业所在地的受理单位"),
        ("filed",),
    ),
    Indicator(
        "I13",
        _("受理问题"),
        _ITEM,
        Nature.FLOW,
        _("已受理的问题，归并的只计主问题"),
        _MASTER_NO,
        _("受理时间在期间内"),
        _BY_ACCEPTANCE,
        ("accepted",),
    ),
    Indicator(
        "I14",
        _("在清单问题"),
        _ITEM,
        Nature.STOCK,
        _("截止时点列在清单上、尚未销号的问题"),
        _MASTER_NO,
        _AT_CUT_OFF,
        _("清单单位"),
        ("listed",),
    ),
    Indicator(
        "I15",
        _("解决质量堵点卡点问题"),
        _ITEM,
        Nature.FLOW,
        _("核验为“堵点卡点已解决”的问题，归并的只计主问题；一次服务和解答咨询不计"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_ACCEPTANCE,
        ("solved",),
        note=_("为总数；另列扣除反弹重开后的净数。"),
    ),
    Indicator(
        "I16",
        _("其中：清单内解决"),
        _ITEM,
        Nature.FLOW,
        _("解决的问题中曾列入清单的"),
        _MASTER_NO,
        _("核验时间在期间内"),
        _BY_ACCEPTANCE,
        ("solved_listed",),
    ),
    Indicator(
        "I17",
        _("反弹重开"),
        _ITEM,
        Nature.FLOW,
        _("核验解决后重开的问题"),
        _MASTER_NO,
        _("重开时间在期间内"),
        _BY_ACCEPTANCE,
        ("reopened",),
    ),
    Indicator(
        "I18",
        _("逾期未办"),
        _ITEM,
        Nature.STOCK,
        _("截止时点办理时限已过、时限未暂停的问题"),
        _MASTER_NO,
        _AT_CUT_OFF,
        _("当时的办理单位"),
        ("overdue",),
    ),
)

CATALOGUE: dict[str, Indicator] = {indicator.code: indicator for indicator in _DECLARED}

# The seven figures in the order in which they are published (`domain.md` 6.2).
HEADLINES = ("I01", "I03", "I05", "I07", "I09", "I10", "I15")
