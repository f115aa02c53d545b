"""Which events: what stands in the address of the search."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from common.filters import (
    AnyCodeFilter,
    CodeFilter,
    ListFilterSet,
    MomentFilter,
    SearchInput,
    TextFilter,
)
from record.models import Event
from record.recording import WATCHED


class EntityFilter(CodeFilter):
    """A kind of rows, told on their own page or on that of the row to which they belong."""

    @property
    def field(self) -> Any:
        # The models are known when the apps have started, after this module.
        self.extra["choices"] = sorted(
            (watched.entity, watched.called or watched.model._meta.verbose_name)
            for watched in WATCHED.values()
            if not watched.topic
        )
        return super().field


class TopicFilter(TextFilter):
    """All that happened to one row: ``projects.bottleneck:17``."""

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        if not value:
            return qs
        entity, _colon, row = value.rpartition(":")
        return qs.filter(topic_entity=entity, topic_row=row)


class EventFilter(ListFilterSet):
    q = TextFilter(
        method="search",
        label=_("搜索"),
        max_length=100,
        widget=SearchInput({"placeholder": _("人员姓名、对象名称")}),
    )
    kind = AnyCodeFilter("kind", choices=Event.Kind.choices, label=_("操作"))
    entity = EntityFilter("topic_entity", choices=[], label=_("对象类型"))
    topic = TopicFilter(label=_("一个对象的全部记录"), max_length=90)
    office = TextFilter("office", "iexact", label=_("单位代码或信用代码"), max_length=18)
    day_from = MomentFilter("at", "gte", label=_("日期从"))
    day_to = MomentFilter("at", "lt", label=_("日期到"))

    class Meta:
        model = Event
        fields: list[str] = []


class LookerFilter(ListFilterSet):
    q = TextFilter(
        method="search",
        label=_("搜索"),
        max_length=100,
        widget=SearchInput({"placeholder": _("人员姓名、问题题目")}),
    )
    topic = TopicFilter(label=_("一个对象的全部记录"), max_length=90)
    day_from = MomentFilter("at", "gte", label=_("日期从"))
    day_to = MomentFilter("at", "lt", label=_("日期到"))

    class Meta:
        model = Event
        fields: list[str] = []
