"""Chain projects, consortia, key projects and problems: the lists, and the pages of the first three."""

from collections.abc import Iterable
from copy import copy
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, pgettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from common import formats
from common.listing import (
    CodeWords,
    Column,
    Day,
    ListPage,
    Number,
    Row,
    State,
    Title,
    TwoEndedPaginator,
    Wan,
    Words,
    Write,
)
from common.templatetags import portal_ui
from enterprises.models import NqiElement, Organization
from projects import services
from projects.clock import clock_of
from projects.field_classes import FieldClass, is_open
from projects.filters import (
    BottleneckFilter,
    ConsortiumFilter,
    GoalFilter,
    KeyProjectFilter,
    ProjectFilter,
    PublishedFilter,
    SharedFilter,
)
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    ConsortiumMembership,
    KeyProject,
    Milestone,
    Participation,
    ProjectGoal,
)
from projects.now import Now
from projects.querysets import GOAL_STATE

# Rows of each part of a page; beyond them a link leads to the list.
SHOWN = 10
Role = Participation.Role


class LedgerList(ListPage):
    """Rows that count, neither void nor test (`domain.md` 5.4 rule 9), so that lists agree with figures."""

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().counted()


def _code(label: Any) -> Column:
    return Column("code", label, "code", css="code")


def _parties(name: str, label: Any, role: str) -> Column:
    path = f"{name}_total"
    counted = Count("participations", filter=Q(participations__role=role, participations__left_on=None))
    return Number(name, label, path, annotations={path: counted})


class ProjectTabs(ListPage):
    """The projects, and what they set out to reach."""

    def tabs(self) -> list[dict[str, Any]]:
        lists = (("project_list", ProjectList), ("goal_list", GoalList))
        return [
            {"label": page.heading, "href": reverse(f"projects:{name}"), "current": isinstance(self, page)}
            for name, page in lists
        ]


class ProjectList(ProjectTabs, LedgerList):
    model = ChainProject
    filterset_class = ProjectFilter
    heading = gettext_lazy("质量强链项目")
    default_sort = "-start"
    filter_lead = "q,bureau,chain,tier"
    columns = (
        Title(
            "name",
            gettext_lazy("项目"),
            "name",
            url="projects:project_detail",
            key="code",
            sub=_code(gettext_lazy("项目编号")),
        ),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        Column("bureau", gettext_lazy("受理单位"), "bureau__short_name", order=("bureau__code",)),
        Words(
            "tier", pgettext_lazy("project", "层级"), "tier", choices=ChainProject.Tier.choices, css="tight"
        ),
        State("status", gettext_lazy("状态"), "status", model=ChainProject),
        _parties("leaders", gettext_lazy("链主"), Role.LEADER),
        _parties("members", gettext_lazy("链员"), Role.MEMBER),
        _parties("enablers", gettext_lazy("赋能机构"), Role.ENABLER),
        Day("start", gettext_lazy("开始"), "start_on"),
        Day("end", gettext_lazy("结束"), "end_on", shown=False),
        Wan("gov", gettext_lazy("财政投入（万元）"), "budget_gov", shown=False),
        Wan("own", gettext_lazy("自筹投入（万元）"), "budget_own", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的质量强链项目")
    empty_text = gettext_lazy("项目由市场监管部门受理后登记。")
    empty_symbol = "project"


class Measured(Column):
    """A measured value, with as many decimals as it has."""

    numeric = True

    def writer(self) -> Write:
        path = self.path
        return lambda row: "" if row[path] is None else f"{row[path].normalize():f}"


class GoalList(ProjectTabs):
    """What the projects that count set out to reach."""

    model = ProjectGoal
    filterset_class = GoalFilter
    heading = gettext_lazy("项目目标")
    default_sort = "due"
    filter_lead = "q,bureau,chain,state"
    columns = (
        Title(
            "project",
            gettext_lazy("项目"),
            "project__name",
            url="projects:project_detail",
            key="project__code",
            sub=Column("code", gettext_lazy("项目编号"), "project__code", css="code"),
        ),
        Column("goal", gettext_lazy("目标"), "indicator"),
        Measured("base", gettext_lazy("基期值"), "base"),
        Measured("reached", gettext_lazy("现值"), "reached"),
        Measured("target", gettext_lazy("目标值"), "target"),
        Column("unit", gettext_lazy("计量单位"), "unit", css="tight"),
        Words(
            "state",
            gettext_lazy("完成情况"),
            "state",
            choices=ProjectGoal.State.choices,
            css="tight",
            annotations={"state": GOAL_STATE},
        ),
        Day("due", gettext_lazy("完成期限"), "due_on"),
        Column(
            "bureau",
            gettext_lazy("受理单位"),
            "project__bureau__short_name",
            order=("project__bureau__code",),
        ),
        Column("chain", gettext_lazy("产业链"), "project__chain__name", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的项目目标")
    empty_text = gettext_lazy("项目登记时填写可测量的目标和期限，之后填写现值。")
    empty_symbol = "target"

    def get_queryset(self) -> QuerySet:
        counted = ChainProject.objects.visible_to(self.request.user).counted()
        return super().get_queryset().filter(project__in=counted).with_state()


class ConsortiumList(LedgerList):
    model = Consortium
    filterset_class = ConsortiumFilter
    heading = gettext_lazy("质量技术创新联合体")
    default_sort = "-founded"
    filter_lead = "q,bureau,chain,type"
    columns = (
        Title(
            "name",
            gettext_lazy("联合体"),
            "name",
            url="projects:consortium_detail",
            key="code",
            sub=_code(gettext_lazy("联合体编号")),
        ),
        Column("lead", gettext_lazy("牵头单位"), "lead__name"),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        Column("bureau", gettext_lazy("受理单位"), "bureau__short_name", order=("bureau__code",)),
        State("status", gettext_lazy("状态"), "status", model=Consortium),
        Number(
            "members",
            gettext_lazy("成员"),
            "members_total",
            annotations={"members_total": Count("memberships", filter=Q(memberships__left_on=None))},
        ),
        Day("founded", gettext_lazy("组建"), "founded_on"),
        Words(
            "type", gettext_lazy("当地名称"), "local_type", choices=Consortium.LocalType.choices, shown=False
        ),
        Column("document", gettext_lazy("组建文号"), "founding_doc_no", shown=False),
        Day("dissolved", gettext_lazy("解散"), "dissolved_on", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的联合体")
    empty_text = gettext_lazy("联合体由链主企业或技术机构牵头组建，经市场监管部门登记。")
    empty_symbol = "consortium"


DONE = Sum("milestones__weight", filter=Q(milestones__done_on__isnull=False))


class Progress(Column):
    """The weight of the milestones that are done."""

    numeric = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, annotations={"weight_done": DONE, "weight_all": Sum("milestones__weight")})

    @property
    def paths(self) -> tuple[str, ...]:
        return ("weight_done", "weight_all")

    def writer(self) -> Write:
        return lambda row: formats.ratio(row["weight_done"] or 0, row["weight_all"], 0)


class KeyProjectList(LedgerList):
    model = KeyProject
    filterset_class = KeyProjectFilter
    heading = gettext_lazy("重点攻关项目")
    default_sort = "-contract"
    filter_lead = "q,bureau,chain,element"
    columns = (
        Title(
            "name",
            gettext_lazy("攻关项目"),
            "name",
            url="projects:key_project_detail",
            key="code",
            sub=_code(gettext_lazy("攻关编号")),
        ),
        Column("lead", gettext_lazy("牵头单位"), "lead__name"),
        Column("chain", gettext_lazy("产业链"), "project__chain__name"),
        Column(
            "bureau",
            gettext_lazy("受理单位"),
            "project__bureau__short_name",
            order=("project__bureau__code",),
        ),
        State("status", gettext_lazy("状态"), "status", model=KeyProject),
        Progress("progress", gettext_lazy("进度"), "weight_done"),
        Day("contract", gettext_lazy("签约"), "contract_on"),
        Day("accepted", gettext_lazy("验收"), "accepted_on"),
        Column("project", gettext_lazy("所属项目"), "project__name", shown=False),
        Words("kind", gettext_lazy("类别"), "kind", choices=KeyProject.Kind.choices, shown=False),
        Words("route", gettext_lazy("组织方式"), "route", choices=KeyProject.Route.choices, shown=False),
        Wan("gov", gettext_lazy("财政投入（万元）"), "budget_gov", shown=False),
        Wan("own", gettext_lazy("自筹投入（万元）"), "budget_own", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的重点攻关项目")
    empty_text = gettext_lazy("攻关项目为解决一个或几个堵点卡点问题而立项。")
    empty_symbol = "target"


CLOCK_COLUMNS = ("status", "clock_due_on", "clock_amber_on", "clock_started_on")


class Clock(Column):
    """The running limit as a bar and words."""

    @property
    def paths(self) -> tuple[str, ...]:
        return CLOCK_COLUMNS

    def writer(self) -> Write:
        def write(row: Row) -> str:
            remaining = _clock_of(row)["remaining"]
            return "" if remaining is None else formats.clock_words(remaining)

        return write

    def drawer(self) -> Write:
        language = get_language()
        return lambda row: _drawn(language, **_clock_of(row))


@lru_cache(maxsize=2048)
def _drawn(_language: str, **clock: Any) -> str:
    """Drawn once per limit and language: many rows of a list are equally far."""
    return render_to_string("partials/_clock.html", portal_ui.clock(**clock, compact=True))


def _clock_of(row: Row) -> dict[str, Any]:
    return clock_of(Bottleneck(**{name: row[name] for name in CLOCK_COLUMNS}))


class BottleneckList(LedgerList):
    model = Bottleneck
    filterset_class = BottleneckFilter
    heading = gettext_lazy("堵点卡点问题")
    tab: Any = gettext_lazy("我的范围")
    default_sort = "-submitted"
    filter_lead = "q,chain,clock"
    template_name = "projects/bottleneck_list.html"
    columns = (
        Title(
            "title",
            gettext_lazy("问题"),
            "title",
            url="projects:bottleneck_detail",
            key="public_id",
            blank=gettext_lazy("未命名的草稿"),
            sub=_code(gettext_lazy("问题编号")),
        ),
        Column("firm", gettext_lazy("提出企业"), "organization__name"),
        Column("chain", gettext_lazy("产业链"), "chain__name"),
        State("status", gettext_lazy("状态"), "status", model=Bottleneck),
        Clock("clock", gettext_lazy("时限"), "clock_due_on", css="tight"),
        Column("handler", gettext_lazy("办理单位"), "handler__short_name", order=("handler__code",)),
        Day("submitted", pgettext_lazy("column", "提交"), "submitted_at"),
        Column("institution", gettext_lazy("承担机构"), "assigned_to__name", shown=False),
        Words(
            "urgency", gettext_lazy("紧急程度"), "urgency", choices=Bottleneck.Urgency.choices, shown=False
        ),
        Words("grade", gettext_lazy("级别"), "grade", choices=Bottleneck.Grade.choices, shown=False),
        Words("cause", gettext_lazy("问题类别"), "cause", choices=Bottleneck.Cause.choices, shown=False),
        Day("due", gettext_lazy("解决期限"), "due_on", shown=False),
        Day("resolved", gettext_lazy("解决"), "resolved_at", shown=False),
    )
    empty_title = gettext_lazy("这里将列出您范围内的问题")
    empty_text = gettext_lazy("企业填报并提交后，问题会出现在这里。")
    empty_symbol = "problem"

    def tabs(self) -> list[dict[str, Any]]:
        pages = [("bottleneck_list", BottleneckList), ("shared_list", SharedList)]
        if not self.request.user.scope.is_of_bureau:
            pages.pop()
        pages.append(("published_list", PublishedList))
        return [
            {
                "label": page.tab,
                "href": reverse(f"projects:{name}"),
                "current": type(self) is page,
            }
            for name, page in pages
        ]


def _columns_for(reader: FieldClass) -> tuple[Column, ...]:
    """The columns of the list that a reader of this class may see."""
    columns = []
    for column in BottleneckList.columns:
        if is_open(column.paths, reader):
            open_column = copy(column)
            if column.sub and not is_open(column.sub.paths, reader):
                open_column.sub = None
            columns.append(open_column)
    return tuple(columns)


class SharedList(BottleneckList):
    """Problems that firms anywhere opened to bureaus; a title leads to as much of one as may be read."""

    filterset_class = SharedFilter
    columns = _columns_for(FieldClass.GOVERNMENT)
    heading = gettext_lazy("系统内共享的问题")
    tab = gettext_lazy("系统内共享")
    default_sort = "-submitted"
    filter_lead = "q,chain,bureau"
    empty_title = gettext_lazy("还没有系统内共享的问题")
    empty_text = gettext_lazy("企业填报时选择“市场监管系统内”可见、并已受理的问题会列在这里。")

    def get_queryset(self) -> QuerySet:
        return services.shared_for(self.request.user)


class PublishedList(BottleneckList):
    """Solved problems that the firms agreed to publish, without the name of the firm."""

    filterset_class = PublishedFilter
    columns = (
        *_columns_for(FieldClass.PUBLIC),
        CodeWords("elements", gettext_lazy("质量基础设施要素"), "nqi_elements", choices=NqiElement.choices),
    )
    heading = gettext_lazy("已公开的问题")
    tab = gettext_lazy("已公开")
    default_sort = "-resolved"
    filter_lead = "q,chain,element"
    empty_title = gettext_lazy("还没有公开的问题")
    empty_text = gettext_lazy("企业同意公开题目和解决办法的问题，核验解决后会列在这里。")

    def get_queryset(self) -> QuerySet:
        return Bottleneck.objects.published()


# --- Pages of one thing --------------------------------------------------------------------------------


def _part(rows: QuerySet, href: str = "") -> dict[str, Any]:
    """The first rows of one part of a page, how many there are, and where all of them stand."""
    shown = list(rows[: SHOWN + 1])
    total = len(shown) if len(shown) <= SHOWN else rows.count()
    return {"rows": shown[:SHOWN], "total": total, "href": href if total > SHOWN else ""}


def _list_address(name: str, **parameters: str) -> str:
    return reverse(f"projects:{name}", query=parameters)


def _readable(user: User, organizations: Iterable[int]) -> set[int]:
    """Of these organisations, those whose page the reader may open; the others are shown without a link."""
    return set(
        Organization.objects.readable_by(user).filter(pk__in=set(organizations)).values_list("pk", flat=True)
    )


def _with_progress(rows: QuerySet) -> QuerySet:
    """Key projects with the weights of their milestones: those done, and all."""
    return rows.annotate(weight_done=DONE, weight_all=Sum("milestones__weight"))


def _roles_of(
    rows: QuerySet, roles: Iterable[tuple[str, str]], asked: str
) -> tuple[str, list[dict[str, Any]]]:
    """Tabs of the parties by role with their numbers; the first that is not empty stands open."""
    totals = dict(rows.values_list("role").annotate(total=Count("pk")).order_by())
    names = [role for role, _word in roles]
    current = asked if asked in names else next((role for role in names if totals.get(role)), names[0])
    tabs = [
        {
            "label": word,
            "href": f"?role={role}#parties",
            "current": role == current,
            "number": totals.get(role, 0),
        }
        for role, word in roles
    ]
    return current, tabs


def _parties_page(request: HttpRequest, rows: QuerySet, roles: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """One role's organisations, paged, with tabs for the other roles."""
    role, tabs = _roles_of(rows, roles, request.GET.get("role", ""))
    keys = rows.filter(role=role).order_by("joined_on", "pk").values_list("pk", flat=True)
    page = TwoEndedPaginator(keys, 20).get_page(request.GET.get("page"))
    members = rows.select_related("organization__bureau").in_bulk(list(page.object_list))
    page.object_list = [members[key] for key in page.object_list if key in members]
    return {
        "page": page,
        "tabs": tabs,
        "role": role,
        "linked": _readable(request.user, (row.organization_id for row in page.object_list)),
    }


@login_required
@require_safe
def project_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One chain project: goals, parties, key projects, problems, consortium and regions."""
    user = request.user
    project = get_object_or_404(
        ChainProject.objects.visible_to(user).select_related("chain", "bureau", "consortium"), code=code
    )
    problems = project.bottlenecks.visible_to(user).counted()
    context = {
        "project": project,
        "facts": _project_facts(project),
        "goals": [(goal, _share(goal)) for goal in project.goals.all()],
        "results": project.results.all(),
        "parties": _parties_page(request, project.participations.filter(left_on=None), Role.choices),
        "key_projects": _part(
            _with_progress(project.key_projects.visible_to(user).counted()).select_related("lead"),
            _list_address("key_project_list", project=code),
        ),
        "problems": _part(
            problems.select_related("organization").order_by("-submitted_at", "-pk"),
            _list_address("bottleneck_list", project=code),
        ),
        "solved": problems.filter(status__in=Bottleneck.SOLVED).count(),
        "now": Now.of_project(project, user),
        "consortium": _opened(Consortium, project.consortium, user),
        "regions": list(project.regions.order_by("code")),
    }
    return render(request, "projects/project_detail.html", context)


def _opened(model: type[Consortium], row: Consortium | None, user: User) -> Consortium | None:
    """The row if the reader may open it."""
    return row and model.objects.visible_to(user).filter(pk=row.pk).first()


def _share(goal: ProjectGoal) -> Decimal | None:
    """How far a goal is reached on the way from its base to its target, in per cent."""
    if goal.reached is None:
        return None
    base = goal.base or Decimal(0)
    if goal.target == base:
        return None
    return max(Decimal(0), min(Decimal(100), (goal.reached - base) * 100 / (goal.target - base)))


def _project_facts(project: ChainProject) -> list[tuple[Any, Any]]:
    return [
        (_("产业链"), project.chain.name),
        (_("项目层级"), project.get_tier_display()),
        (_("受理单位"), project.bureau.name),
        (_("起止日期"), _period(project.start_on, project.end_on)),
        (_("结项日期"), project.closed_on and formats.day(project.closed_on)),
        (_("财政投入"), formats.money(project.budget_gov)),
        (_("自筹投入"), formats.money(project.budget_own)),
    ]


def _period(start: date, end: date) -> str:
    return _("%(start)s 至 %(end)s") % {"start": formats.day(start), "end": formats.day(end)}


@login_required
@require_safe
def consortium_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One consortium: members by role, and the projects it serves."""
    user = request.user
    consortium = get_object_or_404(
        Consortium.objects.visible_to(user).select_related("chain", "bureau", "lead"), code=code
    )
    context = {
        "consortium": consortium,
        "facts": [
            (_("当地名称"), consortium.get_local_type_display()),
            (_("产业链"), consortium.chain.name),
            (_("受理单位"), consortium.bureau.name),
            (_("组建日期"), consortium.founded_on and formats.day(consortium.founded_on)),
            (_("组建文号"), consortium.founding_doc_no),
            (_("解散日期"), consortium.dissolved_on and formats.day(consortium.dissolved_on)),
        ],
        "parties": _parties_page(
            request, consortium.memberships.filter(left_on=None), ConsortiumMembership.Role.choices
        ),
        "lead_is_linked": bool(_readable(user, [consortium.lead_id])),
        "projects": _part(consortium.projects.visible_to(user).counted().select_related("bureau")),
    }
    return render(request, "projects/consortium_detail.html", context)


@login_required
@require_safe
def key_project_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One key project: milestones, technical path, the problems it is to solve."""
    user = request.user
    key_project = get_object_or_404(
        KeyProject.objects.visible_to(user).select_related("project__chain", "project__bureau", "lead"),
        code=code,
    )
    milestones = list(key_project.milestones.all())
    today = timezone.localdate()
    context = {
        "key_project": key_project,
        "facts": [
            (_("类别"), key_project.get_kind_display()),
            (_("组织方式"), key_project.get_route_display()),
            (_("质量基础设施要素"), key_project.get_nqi_elements_display()),
            (_("产业链"), key_project.project.chain.name),
            (_("受理单位"), key_project.project.bureau.name),
            (_("签约日期"), key_project.contract_on and formats.day(key_project.contract_on)),
            (_("起止日期"), _period(key_project.start_on, key_project.end_on)),
            (_("验收日期"), key_project.accepted_on and formats.day(key_project.accepted_on)),
            (_("财政投入"), formats.money(key_project.budget_gov)),
            (_("自筹投入"), formats.money(key_project.budget_own)),
            (_("已入账企业投入"), formats.money(key_project.investments.sum_for(user))),
        ],
        "milestones": [(row, *_milestone_state(row, today)) for row in milestones],
        "results": key_project.results.visible_to(user),
        "weight_done": sum(row.weight for row in milestones if row.done_on),
        "weight_all": sum(row.weight for row in milestones),
        "lead_is_linked": bool(_readable(user, [key_project.lead_id])),
        "project_is_linked": ChainProject.objects.visible_to(user).filter(pk=key_project.project_id).exists(),
        "problems": _part(
            key_project.bottlenecks.visible_to(user).counted().select_related("organization"),
        ),
    }
    return render(request, "projects/key_project_detail.html", context)


def _milestone_state(row: Milestone, today: date) -> tuple[str, str]:
    if row.done_on:
        return "done", _("已完成")
    if row.due_on < today:
        return "late", _("已逾期")
    return "planned", _("计划中")
