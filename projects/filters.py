"""Filters of the ledger, the same in the address of a page and of the API."""

from datetime import date
from functools import reduce
from operator import or_

import django_filters as df
from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from common.filters import (
    AnyCodeFilter,
    CodeFilter,
    DayFilter,
    HasCodeFilter,
    ListFilterSet,
    MomentFilter,
    TextFilter,
    YesFilter,
)
from enterprises.filters import BureauFilter, ChainFilter, SegmentFilter
from enterprises.models import BoundaryChange, Bureau, IndustryChain, NqiElement
from projects.field_classes import FieldClass, is_open
from projects.maps import OPEN, SOLVED
from projects.models import (
    Bottleneck,
    ChainProject,
    Consortium,
    InspectionReport,
    KeyProject,
    Participation,
    PolicyInstrument,
    ProjectGoal,
    QualityList,
    QualityMap,
    SpecDemand,
    SpecKind,
    SpecWait,
)
from projects.querysets import (
    SEARCHED,
    BottleneckQuerySet,
    ChainProjectQuerySet,
    PolicyInstrumentQuerySet,
)
from projects.workflow import Party, statuses_of


def _search_box(reader: FieldClass) -> df.CharFilter:
    words = _("编号、题目、产品、企业、信用代码") if is_open(SEARCHED, reader) else _("题目")
    widget = forms.SearchInput(attrs={"placeholder": words})
    return df.CharFilter(method="search", label=_("搜索"), max_length=100, widget=widget)


class BottleneckFilter(ListFilterSet):
    """Which problems: shared by the desk, the list and the API."""

    q = _search_box(FieldClass.PARTIES)
    clock = CodeFilter(
        method="by_clock",
        label=_("时限"),
        choices=[("overdue", _("已超期")), ("soon", _("即将到期")), ("paused", _("暂停计时"))],
    )
    chain = ChainFilter("chain", label=_("产业链"))
    segment = SegmentFilter("segment", label=_("产业链环节"))
    bureau = BureauFilter("bureau", label=_("受理单位（含下级）"))
    handler = BureauFilter("handler", label=_("办理单位（含下级）"))
    element = HasCodeFilter("nqi_elements", choices=NqiElement.choices, label=_("所缺要素"))
    stage = AnyCodeFilter(
        method="by_stage", choices=[("open", _("在办")), ("solved", _("已解决"))], label=_("阶段")
    )
    status = AnyCodeFilter("status", choices=Bottleneck.Status.choices[1:], label=_("状态"))
    turn = AnyCodeFilter(method="by_turn", choices=Party.choices[:4], label=_("轮到"))
    urgency = AnyCodeFilter("urgency", choices=Bottleneck.Urgency.choices, label=_("紧急程度"))
    grade = AnyCodeFilter("grade", choices=Bottleneck.Grade.choices, label=_("级别"))
    cause = AnyCodeFilter("cause", choices=Bottleneck.Cause.choices, label=_("问题类别"))
    route = AnyCodeFilter("route", choices=Bottleneck.Route.choices, label=_("解决路径"))
    result = AnyCodeFilter("result", choices=Bottleneck.Result.choices, label=_("解决类型"))
    submitted_from = MomentFilter("submitted_at", "gte", label=_("提交日期从"))
    submitted_to = MomentFilter("submitted_at", "lt", label=_("提交日期到"))
    accepted_from = MomentFilter("accepted_at", "gte", label=_("受理日期从"))
    accepted_to = MomentFilter("accepted_at", "lt", label=_("受理日期到"))
    listed_from = MomentFilter("listed_at", "gte", label=_("列入清单日期从"))
    listed_to = MomentFilter("listed_at", "lt", label=_("列入清单日期到"))
    resolved_from = MomentFilter("resolved_at", "gte", label=_("解决日期从"))
    resolved_to = MomentFilter("resolved_at", "lt", label=_("解决日期到"))
    overdue_on = DayFilter(method="by_overdue", label=_("在该日已超期"))
    in_time = YesFilter(method="by_in_time", label=_("按期解决"))
    proved = YesFilter(method="by_proved", label=_("解决后实测达标"))
    challenged = YesFilter(method="by_challenged", label=_("由揭榜单位承担"))
    organization = df.CharFilter("organization__uscc", "iexact", label=_("企业信用代码"))
    institution = df.CharFilter("assigned_to__uscc", "iexact", label=_("承担机构信用代码"))
    project = df.CharFilter("project__code", "iexact", label=_("项目编号"))
    masters = YesFilter(method="by_masters", label=_("不含已归并的问题"))

    class Meta:
        model = Bottleneck
        fields: list[str] = []

    def by_clock(self, qs: BottleneckQuerySet, _name: str, value: str) -> BottleneckQuerySet:
        today = timezone.localdate()
        match value:
            case "overdue":
                return qs.overdue_on(today)
            case "soon":
                return qs.due_soon_on(today)
        return qs.filter(status__in=Bottleneck.PAUSED)

    def by_stage(self, qs: BottleneckQuerySet, _name: str, value: list[str]) -> BottleneckQuerySet:
        wanted = reduce(or_, (OPEN if stage == "open" else SOLVED for stage in value), Q())
        return qs.filter(wanted)

    def by_turn(self, qs: BottleneckQuerySet, _name: str, value: list[str]) -> BottleneckQuerySet:
        return qs.filter(status__in=statuses_of(*value))

    def by_overdue(self, qs: BottleneckQuerySet, _name: str, value: date) -> BottleneckQuerySet:
        return qs.overdue_on(value)

    def by_in_time(self, qs: BottleneckQuerySet, _name: str, value: bool) -> BottleneckQuerySet:
        return qs.solved_in_time() if value else qs

    def by_proved(self, qs: BottleneckQuerySet, _name: str, value: bool) -> BottleneckQuerySet:
        return qs.proved() if value else qs

    def by_challenged(self, qs: BottleneckQuerySet, _name: str, value: bool) -> BottleneckQuerySet:
        return qs.challenged() if value else qs

    def by_masters(self, qs: BottleneckQuerySet, _name: str, value: bool) -> BottleneckQuerySet:
        return qs.masters() if value else qs


class _SharedFilter(BottleneckFilter):
    """Which problems of others: by fields that the reader may see, or a filter would tell the rest."""

    reader: FieldClass

    def search(self, queryset: BottleneckQuerySet, _name: str, text: str) -> BottleneckQuerySet:
        return queryset.search(text, [path for path in SEARCHED if is_open([path], self.reader)])


class MapFilter(ListFilterSet):
    """Which problems a live map counts; named as in the list, so that a node leads to the same rows."""

    q = None
    bureau = BureauFilter("bureau", label=_("受理单位（含下级）"))
    element = BottleneckFilter.base_filters["element"]
    grade = BottleneckFilter.base_filters["grade"]
    cause = BottleneckFilter.base_filters["cause"]
    urgency = BottleneckFilter.base_filters["urgency"]
    submitted_from = BottleneckFilter.base_filters["submitted_from"]
    submitted_to = BottleneckFilter.base_filters["submitted_to"]

    class Meta:
        model = Bottleneck
        fields: list[str] = []


class InstitutionFilter(MapFilter):
    """Which problems the board of an institution counts; named as in the list, as those of a map.

    Not by element: a problem lacks several, and the list finds those that lack one.
    """

    chain = ChainFilter("chain", label=_("产业链"))
    element = None


def _for(reader: FieldClass) -> type[_SharedFilter]:
    closed = {
        name: None
        for name, one in BottleneckFilter.base_filters.items()
        if name != "q" and (one.method is not None or not is_open([one.field_name], reader))
    }
    name = f"{reader.name.title()}BottleneckFilter"
    return type(name, (_SharedFilter,), {**closed, "q": _search_box(reader), "reader": reader})


SharedFilter, PublishedFilter = _for(FieldClass.GOVERNMENT), _for(FieldClass.PUBLIC)


class QualityMapFilter(ListFilterSet):
    """Which versions of maps."""

    q = None
    chain = ChainFilter("chain", label=_("产业链"))
    bureau = BureauFilter("bureau", label=_("编制单位（含下级）"))
    status = AnyCodeFilter("status", choices=QualityMap.Status.choices, label=_("状态"))

    class Meta:
        model = QualityMap
        fields: list[str] = []


class ProjectFilter(ListFilterSet):
    """Which chain projects."""

    bureau = BureauFilter("bureau", label=_("受理单位（含下级）"))
    chain = ChainFilter("chain", label=_("产业链"))
    tier = CodeFilter("tier", choices=ChainProject.Tier.choices, label=_("项目层级"))
    status = AnyCodeFilter("status", choices=ChainProject.Status.choices, label=_("状态"))
    cross_region = YesFilter("is_cross_region", label=_("跨区域项目"))
    joined_by = BureauFilter("regions", label=_("参与单位（含下级）"), method="by_region")
    begun = YesFilter(label=_("已实施"), method="by_begun")
    in_hand_on = DayFilter(label=_("在该日实施中"), method="by_day")
    started_from = DayFilter("start_on", "gte", label=_("开始日期从"))
    started_to = DayFilter("start_on", "lte", label=_("开始日期到"))

    class Meta:
        model = ChainProject
        fields: list[str] = []

    def by_region(self, qs: ChainProjectQuerySet, _name: str, unit: Bureau) -> ChainProjectQuerySet:
        return qs.filter(qs.related_to(regions__path__startswith=unit.path))

    def by_begun(self, qs: ChainProjectQuerySet, _name: str, value: bool) -> ChainProjectQuerySet:
        return qs.filter(status__in=ChainProject.BEGUN) if value else qs

    def by_day(self, qs: ChainProjectQuerySet, _name: str, day: date) -> ChainProjectQuerySet:
        return qs.executing_at(day)


class GoalFilter(ListFilterSet):
    """Which goals of projects."""

    bureau = BureauFilter("project__bureau", label=_("受理单位（含下级）"))
    chain = ChainFilter("project__chain", label=_("产业链"))
    state = CodeFilter("state", choices=ProjectGoal.State.choices, label=_("完成情况"))
    project = TextFilter("project__code", "iexact", label=_("项目编号"))
    due_from = DayFilter("due_on", "gte", label=_("完成期限从"))
    due_to = DayFilter("due_on", "lte", label=_("完成期限到"))

    class Meta:
        model = ProjectGoal
        fields: list[str] = []


class ConsortiumFilter(ListFilterSet):
    """Which consortia."""

    bureau = BureauFilter("bureau", label=_("受理单位（含下级）"))
    chain = ChainFilter("chain", label=_("产业链"))
    type = CodeFilter("local_type", choices=Consortium.LocalType.choices, label=_("当地名称"))
    status = AnyCodeFilter("status", choices=Consortium.Status.choices, label=_("状态"))
    founded_from = DayFilter("founded_on", "gte", label=_("组建日期从"))
    founded_to = DayFilter("founded_on", "lte", label=_("组建日期到"))
    dissolved_from = DayFilter("dissolved_on", "gte", label=_("解散日期从"))
    dissolved_to = DayFilter("dissolved_on", "lte", label=_("解散日期到"))

    class Meta:
        model = Consortium
        fields: list[str] = []


class KeyProjectFilter(ListFilterSet):
    """Which key projects."""

    bureau = BureauFilter("project__bureau", label=_("受理单位（含下级）"))
    chain = ChainFilter("project__chain", label=_("产业链"))
    element = HasCodeFilter("nqi_elements", choices=NqiElement.choices, label=_("质量基础设施要素"))
    status = AnyCodeFilter("status", choices=KeyProject.Status.choices, label=_("状态"))
    kind = CodeFilter("kind", choices=KeyProject.Kind.choices, label=_("类别"))
    route = CodeFilter("route", choices=KeyProject.Route.choices, label=_("组织方式"))
    project = TextFilter("project__code", "iexact", label=_("项目编号"))
    contract_from = DayFilter("contract_on", "gte", label=_("签约日期从"))
    contract_to = DayFilter("contract_on", "lte", label=_("签约日期到"))
    accepted_from = DayFilter("accepted_on", "gte", label=_("验收日期从"))
    accepted_to = DayFilter("accepted_on", "lte", label=_("验收日期到"))

    class Meta:
        model = KeyProject
        fields: list[str] = []


class ParticipationFilter(df.FilterSet):
    """Which participations."""

    project = TextFilter("project__code", "iexact", label=_("项目编号"))
    organization = TextFilter("organization__uscc", "iexact", label=_("企业信用代码"))
    role = CodeFilter("role", choices=Participation.Role.choices, label=_("角色"))
    bureau = BureauFilter("bureau", label=_("接纳单位（含下级）"))
    chain = ChainFilter("project__chain", label=_("产业链"))
    joined_from = DayFilter("joined_on", "gte", label=_("加入日期从"))
    joined_to = DayFilter("joined_on", "lte", label=_("加入日期到"))

    class Meta:
        model = Participation
        fields: list[str] = []


class QualityListFilter(ListFilterSet):
    """Which of the three lists."""

    chain = ChainFilter("chain", label=_("产业链"))
    kind = CodeFilter("kind", choices=QualityList.Kind.choices, label=_("清单"))
    bureau = BureauFilter("bureau", label=_("清单单位（含下级）"))
    status = CodeFilter("status", choices=QualityList.Status.choices, label=_("状态"))
    effective_from = DayFilter("effective_on", "gte", label=_("实施日期从"))
    effective_to = DayFilter("effective_on", "lte", label=_("实施日期到"))

    class Meta:
        model = QualityList
        fields: list[str] = []


class InstrumentFilter(ListFilterSet):
    """Which policy instruments."""

    chain = ChainFilter(label=_("适用产业链"), method="by_chain")
    kind = CodeFilter(
        "kind", choices=PolicyInstrument.Kind.choices, label=pgettext_lazy("policy instrument", "类型")
    )
    bureau = BureauFilter("bureau", label=_("维护单位（含下级）"))
    in_force = YesFilter(label=_("现在有效"), method="by_in_force")

    class Meta:
        model = PolicyInstrument
        fields: list[str] = []

    def by_chain(
        self, qs: PolicyInstrumentQuerySet, _name: str, chain: IndustryChain
    ) -> PolicyInstrumentQuerySet:
        return qs.for_chain(chain)

    def by_in_force(self, qs: PolicyInstrumentQuerySet, _name: str, value: bool) -> PolicyInstrumentQuerySet:
        return qs.valid_on(timezone.localdate()) if value else qs


class ReportFilter(ListFilterSet):
    """Which inspection reports."""

    bureau = BureauFilter("institution__bureau", label=_("机构所属单位（含下级）"))
    institution = df.CharFilter("institution__uscc", "iexact", label=_("机构信用代码"))
    status = CodeFilter("status", choices=InspectionReport.Status.choices, label=_("状态"))
    issued_from = DayFilter("issued_on", "gte", label=_("签发日期从"))
    issued_to = DayFilter("issued_on", "lte", label=_("签发日期到"))

    class Meta:
        model = InspectionReport
        fields: list[str] = []


class DemandFilter(ListFilterSet):
    """Which demands for standards and metrology specifications."""

    kind = CodeFilter("kind", choices=SpecKind.choices, label=_("类别"))
    status = AnyCodeFilter("status", choices=SpecDemand.Status.choices, label=_("状态"))
    bureau = BureauFilter("bureau", label=_("提出单位（含下级）"))
    chain = ChainFilter("chain", label=_("产业链"))
    urgency = AnyCodeFilter("urgency", choices=Bottleneck.Urgency.choices, label=_("紧急程度"))
    committee = TextFilter("committee__code", "iexact", label=_("委员会编号"))
    plan = TextFilter("plan_no", "iexact", label=_("计划号"))
    published_from = DayFilter("published_on", "gte", label=_("发布日期从"))
    published_to = DayFilter("published_on", "lte", label=_("发布日期到"))

    class Meta:
        model = SpecDemand
        fields: list[str] = []


class BoundaryFilter(ListFilterSet):
    """Which changes of boundaries."""

    kind = CodeFilter("kind", choices=BoundaryChange.Kind.choices, label=_("类型"))
    state = CodeFilter("state", choices=BoundaryChange.State.choices, label=_("状态"))
    bureau = BureauFilter(label=_("单位（含下级）"), method="touching")
    effective_from = DayFilter("effective_on", "gte", label=_("生效日期从"))
    effective_to = DayFilter("effective_on", "lte", label=_("生效日期到"))

    class Meta:
        model = BoundaryChange
        fields: list[str] = []

    def touching(self, rows, _name, unit):
        return rows.of(Bureau.objects.within(unit))


class WaitFilter(ListFilterSet):
    """Which problems that wait for a demand."""

    kind = CodeFilter("demand__kind", choices=SpecKind.choices, label=_("类别"))
    status = AnyCodeFilter(
        "demand__status",
        choices=[(code.value, code.label) for code in SpecDemand.OPEN],
        label=_("状态"),
    )
    bureau = BureauFilter("bottleneck__bureau", label=_("受理单位（含下级）"))
    chain = ChainFilter("bottleneck__chain", label=_("产业链"))
    plan = TextFilter("demand__plan_no", "iexact", label=_("计划号"))
    since_from = DayFilter("since", "gte", label=_("开始等待从"))
    since_to = DayFilter("since", "lte", label=_("开始等待到"))

    class Meta:
        model = SpecWait
        fields: list[str] = []
