"""Filters of bulletins and of the rows behind a figure."""

import re
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from bulletins.models import Bulletin, Period
from common.filters import CodeFilter, DayFilter, Filter, ListFilterSet, RowField
from enterprises.filters import BureauFilter, ChainFilter
from enterprises.models import IndustryChain, Organization
from projects.models import (
    ChainProject,
    Investment,
    KeyProject,
    Participation,
    ProjectRegion,
    ProjectResult,
    QualityMap,
)

# 国质强链〔2025〕1号, 〔2025〕1, 2025-1
NUMBER = re.compile(r"(20\d\d)\D{1,3}(\d{1,6})")


class PeriodField(RowField):
    default_error_messages = {"unknown": _("没有代码为“%(value)s”的统计期，请从列表中选择。")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(queryset=Period.objects.all(), **kwargs)

    @property
    def choices(self) -> list[tuple[Any, Any]]:
        return [("", _("全部")), *((period.code, period.name) for period in self.queryset)]


class PeriodFilter(Filter):
    field_class = PeriodField


class BulletinFilter(ListFilterSet):
    """Bulletins by number or title, unit, period and state."""

    bureau = BureauFilter("bureau", label=_("印发单位（含下级）"))
    period = PeriodFilter("period", label=_("期间"))
    status = CodeFilter("status", choices=Bulletin.Status.choices, label=_("状态"))
    kind = CodeFilter("kind", choices=Bulletin.Kind.choices, label=_("文种"))
    issued_from = DayFilter("issued_on", "gte", label=_("印发日期从"))
    issued_to = DayFilter("issued_on", "lte", label=_("印发日期到"))

    class Meta:
        model = Bulletin
        fields: list[str] = []

    def search(self, queryset: QuerySet, _name: str, text: str) -> QuerySet:
        """Part of the title or of the unit's name, or a document number however it is typed."""
        text = text.strip()
        found = Q(title__contains=text) | Q(bureau__name__contains=text)
        if number := NUMBER.search(text):
            found |= Q(doc_year=int(number[1]), doc_seq=int(number[2]))
        return queryset.filter(found)


class CountedFilter(ListFilterSet):
    """The rows behind a figure; ``of_chain`` gives the keys of those that were counted for a chain."""

    chain = ChainFilter(label=_("产业链"), method="counted_for")

    def __init__(self, *args: Any, of_chain: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of_chain = of_chain

    def counted_for(self, queryset: QuerySet, _name: str, chain: IndustryChain) -> QuerySet:
        return queryset.filter(pk__in=self.of_chain(chain))

    def search(self, queryset: QuerySet, name: str, text: str) -> QuerySet:
        if queryset.model is Participation:
            return queryset.filter(organization__in=Organization.objects.search(text))
        if queryset.model is ProjectRegion:
            return queryset.filter(project__in=ChainProject.objects.search(text))
        if queryset.model is ProjectResult:
            named = Q(title__contains=text.strip()) | Q(number__contains=text.strip())
            return queryset.filter(named | Q(project__in=ChainProject.objects.search(text)))
        if queryset.model is Investment:
            return queryset.filter(
                Q(key_project__in=KeyProject.objects.search(text))
                | Q(organization__in=Organization.objects.search(text))
                | Q(voucher=text.strip())
            )
        if queryset.model is QualityMap:
            return queryset.filter(chain__name__contains=text.strip())
        return super().search(queryset, name, text)
