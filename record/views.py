"""The search of the record, one event in full, and who looked at a firm's detail."""

from functools import cached_property

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from common import formats
from common.listing import Column, ListPage, Title, Write
from record import access, names
from record.filters import EventFilter, LookerFilter
from record.models import Event
from record.services import event_looked_at
from record.telling import lines, sentence, word_for, words_for


class Moment(Column):
    numeric = True

    def writer(self) -> Write:
        path = self.path
        return lambda row: formats.moment(row[path])


class Told(Column):
    """The event in a sentence."""

    @property
    def paths(self) -> tuple[str, ...]:
        return ("kind", "entity", "label")

    def writer(self) -> Write:
        return lambda row: sentence(row["kind"], row["entity"], row["label"])


class ToldTitle(Told, Title):
    """The same, linked to the event in full."""


class Who(Column):
    """The person; of work that nobody asked for, the job."""

    @property
    def paths(self) -> tuple[str, ...]:
        return ("actor__name", "job")

    def writer(self) -> Write:
        return lambda row: row["actor__name"] or row["job"]


class Fields(Column):
    """Which fields an event speaks of."""

    @property
    def paths(self) -> tuple[str, ...]:
        return ("entity", "before", "after")

    def writer(self) -> Write:
        return lambda row: words_for(row["entity"], row["before"], row["after"])


def office() -> Column:
    return Column(
        "office",
        gettext_lazy("所代表的单位"),
        "office_name",
        annotations={"office_name": names.office_name()},
    )


class EventList(ListPage):
    """The record, for auditors and administrators."""

    model = Event
    filterset_class = EventFilter
    heading = gettext_lazy("操作记录")
    default_sort = "-at"
    filter_lead = "q,entity,day_from,day_to"
    empty_title = gettext_lazy("这里将列出您范围内的操作记录")
    empty_text = gettext_lazy("每次修改、查看、登录和被拒绝的操作都会记在这里，不能改动。")
    empty_symbol = "clock"

    @cached_property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        # The names of offices are known when the apps have started.
        return (
            ToldTitle("what", gettext_lazy("操作"), "label", order=(), url="record:event_detail", key="pk"),
            Fields("fields", gettext_lazy("内容"), "after", order=()),
            Who("who", gettext_lazy("操作人"), "actor__name", order=()),
            Column("principal", gettext_lazy("被代理人"), "principal__name", order=(), shown=False),
            office(),
            Moment("at", gettext_lazy("时间"), "at", order=("at",)),
            Column("address", gettext_lazy("来源地址"), "address", order=(), css="code"),
            Column("reason", gettext_lazy("原因"), "reason", order=(), shown=False),
            Column("row", gettext_lazy("对象标识"), "row", order=(), css="code", shown=False),
        )

    def get_queryset(self) -> QuerySet:
        return access.searched_by(self.request.user)


@login_required
@require_safe
def event_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One event with all it holds, and its place in the chain."""
    rows = access.searched_by(request.user).with_people().select_related("seal")
    event = get_object_or_404(rows, pk=pk)
    event_looked_at(event, request.user)
    (line,) = lines([event])
    context = {
        "line": line,
        "facts": [
            (_("时间"), formats.moment(event.at)),
            (_("操作人"), line.who),
            (_("所代表的单位"), line.office),
            (_("来源地址"), event.address),
            (_("系统任务"), event.job),
            (_("对象类型"), word_for(event.entity)),
            (_("对象标识"), event.row),
            (_("原因"), event.reason),
        ],
        "seal": getattr(event, "seal", None),
        "topic": f"{event.topic_entity}:{event.topic_row}",
    }
    return render(request, "record/event_detail.html", context)


class LookerList(ListPage):
    """Who looked at the restricted detail of the reader's own organisation."""

    model = Event
    filterset_class = LookerFilter
    heading = gettext_lazy("谁看过")
    default_sort = "-at"
    filter_lead = "q,day_from,day_to"
    empty_title = gettext_lazy("还没有人看过")
    empty_text = gettext_lazy(
        "本组织以外的人查看您的问题、附件或联系方式，都会记在这里；同一人一小时记一次。"
    )
    empty_symbol = "verify"

    @cached_property
    def columns(self) -> tuple[Column, ...]:  # type: ignore[override]
        return (
            Told("what", gettext_lazy("看了什么"), "label", order=(), css="cell-title"),
            Column("who", gettext_lazy("查看人"), "actor__name", order=()),
            Column("principal", gettext_lazy("被代理人"), "principal__name", order=(), shown=False),
            office(),
            Moment("at", gettext_lazy("时间"), "at", order=("at",)),
        )

    def get_queryset(self) -> QuerySet:
        if not access.firms_of(self.request.user):
            raise PermissionDenied(_("这里由企业和机构查看谁看过自己的材料。"))
        return access.lookers_for(self.request.user)
