"""Filters of the ledger, the same in the address of a page and of the API."""

from datetime import date, datetime, time, timedelta
from typing import Any

import django_filters as df
from django import forms
from django.db.models import Case, F, IntegerField, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enterprises.models import Bureau, IndustryChain, NqiElement
from projects.models import Bottleneck
from projects.querysets import BottleneckQuerySet
from projects.workflow import STATES, Party


class SuggestedField(forms.ChoiceField):
    """A choice out of suggestions; any other code is taken too."""

    def valid_value(self, value: str) -> bool:
        return value.isalnum()


class SubtreeFilter(df.CharFilter):
    """Rows whose bureau is the one with this code or lies below it."""

    field_class = SuggestedField

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        if not value:
            return qs
        unit = Bureau.objects.filter(code=value).first()
        return qs.filter(**{f"{self.field_name}__path__startswith": unit.path}) if unit else qs.none()


class MomentFilter(df.DateFilter):
    """Moments from the beginning of a day (`gte`), or before the end of it (`lt`)."""

    def filter(self, qs: QuerySet, value: date | None) -> QuerySet:
        if value is None:
            return qs
        day = value + timedelta(days=1) if self.lookup_expr == "lt" else value
        return qs.filter(
            **{f"{self.field_name}__{self.lookup_expr}": timezone.make_aware(datetime.combine(day, time.min))}
        )


class SortFilter(df.OrderingFilter):
    """Sorts by one of the named ``orders`` (a field or an expression), with a minus the other way round.

    Blanks stand last in both directions, and the primary key makes the order total.
    """

    def __init__(self, orders: dict[str, Any], **kwargs: Any) -> None:
        self.orders = {name: F(o) if isinstance(o, str) else o for name, o in orders.items()}
        super().__init__(fields=[(name, name) for name in orders], **kwargs)

    def filter(self, qs: QuerySet, value: list[str] | None) -> QuerySet:
        if not value:
            return qs
        terms = [
            self.orders[term[1:]].desc(nulls_last=True)
            if term.startswith("-")
            else self.orders[term].asc(nulls_last=True)
            for term in value
        ]
        return qs.order_by(*terms, "pk")


def _day(label: Any, field: str, lookup: str) -> MomentFilter:
    return MomentFilter(
        field_name=field, lookup_expr=lookup, label=label, widget=forms.DateInput(attrs={"type": "date"})
    )


def _several(label: Any, field: str, choices: Any) -> df.MultipleChoiceFilter:
    return df.MultipleChoiceFilter(
        field_name=field,
        label=label,
        choices=choices,
        widget=forms.CheckboxSelectMultiple,
        distinct=False,
    )


class BottleneckFilter(df.FilterSet):
    """Which problems: shared by the desk, the list and the API."""

    q = df.CharFilter(
        method="search",
        label=_("关键词"),
        widget=forms.SearchInput(attrs={"placeholder": _("编号、题目、产品、企业、信用代码")}),
    )
    clock = df.ChoiceFilter(
        method="by_clock",
        label=_("时限"),
        empty_label=_("全部"),
        choices=[("overdue", _("已超期")), ("soon", _("即将到期")), ("paused", _("暂停计时"))],
    )
    chain = df.ModelChoiceFilter(
        label=_("产业链"), queryset=IndustryChain.objects.all(), to_field_name="code", empty_label=_("全部")
    )
    bureau = SubtreeFilter(field_name="bureau", label=_("受理单位（含下级）"))
    handler = SubtreeFilter(field_name="handler", label=_("办理单位（含下级）"))
    status = _several(_("状态"), "status", Bottleneck.Status.choices[1:])
    turn = df.MultipleChoiceFilter(
        method="by_turn", label=_("轮到"), choices=Party.choices[:4], widget=forms.CheckboxSelectMultiple
    )
    urgency = _several(_("紧急程度"), "urgency", Bottleneck.Urgency.choices)
    grade = _several(_("级别"), "grade", Bottleneck.Grade.choices)
    cause = _several(_("问题类别"), "cause", Bottleneck.Cause.choices)
    element = df.ChoiceFilter(
        field_name="nqi_elements",
        lookup_expr="contains",
        label=_("所缺要素"),
        choices=NqiElement.choices,
        empty_label=_("全部"),
    )
    result = _several(_("解决类型"), "result", Bottleneck.Result.choices)
    submitted_from = _day(_("提交日期从"), "submitted_at", "gte")
    submitted_to = _day(_("提交日期到"), "submitted_at", "lt")
    accepted_from = _day(_("受理日期从"), "accepted_at", "gte")
    accepted_to = _day(_("受理日期到"), "accepted_at", "lt")
    listed_from = _day(_("列入清单日期从"), "listed_at", "gte")
    listed_to = _day(_("列入清单日期到"), "listed_at", "lt")
    resolved_from = _day(_("解决日期从"), "resolved_at", "gte")
    resolved_to = _day(_("解决日期到"), "resolved_at", "lt")
    overdue_on = df.DateFilter(
        method="by_overdue", label=_("在该日已超期"), widget=forms.DateInput(attrs={"type": "date"})
    )
    organization = df.CharFilter(
        field_name="organization__uscc", lookup_expr="iexact", label=_("企业信用代码")
    )
    institution = df.CharFilter(
        field_name="assigned_to__uscc", lookup_expr="iexact", label=_("承担机构信用代码")
    )
    project = df.CharFilter(field_name="project__code", lookup_expr="iexact", label=_("项目编号"))
    masters = df.BooleanFilter(method="by_masters", label=_("不含已归并的问题"), widget=forms.CheckboxInput)
    sort = SortFilter(
        {
            "clock": "clock_due_on",
            "code": "code",
            "title": "title",
            "firm": "organization__name",
            "chain": "chain__name",
            "status": Case(
                *(When(status=status, then=Value(n)) for n, status in enumerate(Bottleneck.Status)),
                output_field=IntegerField(),
            ),
            "handler": "handler__code",
            "submitted": "submitted_at",
        }
    )

    class Meta:
        model = Bottleneck
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.request is not None:
            self._suggest_units()

    def _suggest_units(self) -> None:
        """Offer the units next below the desk of the reader, and the one that the address names."""
        grant = getattr(self.request, "grant", None)
        top = grant.bureau if grant else None
        named = {self.data.get(name) for name in ("bureau", "handler")} - {None, ""}
        units = Bureau.objects.filter(parent=top) if top else Bureau.objects.none()
        if named:
            units |= Bureau.objects.filter(code__in=named)
        choices = [("", _("全部")), *((unit.code, unit.name) for unit in units.order_by("code"))]
        for name in ("bureau", "handler"):
            self.form.fields[name].choices = choices

    def search(self, qs: BottleneckQuerySet, _name: str, value: str) -> BottleneckQuerySet:
        return qs.search(value)

    def by_clock(self, qs: BottleneckQuerySet, _name: str, value: str) -> BottleneckQuerySet:
        today = timezone.localdate()
        match value:
            case "overdue":
                return qs.overdue_on(today)
            case "soon":
                return qs.due_soon_on(today)
        return qs.filter(status__in=Bottleneck.PAUSED)

    def by_turn(self, qs: BottleneckQuerySet, _name: str, value: list[str]) -> BottleneckQuerySet:
        return qs.filter(status__in=statuses_of(*value)) if value else qs

    def by_overdue(self, qs: BottleneckQuerySet, _name: str, value: date) -> BottleneckQuerySet:
        return qs.overdue_on(value)

    def by_masters(self, qs: BottleneckQuerySet, _name: str, value: bool) -> BottleneckQuerySet:
        return qs.masters() if value else qs


def statuses_of(*parties: str) -> list[str]:
    """The statuses in which it is the turn of one of the parties."""
    return [status for status, state in STATES.items() if state.turn in parties]
