from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateFilter
from unfold.decorators import action

from accounts.models import Role
from bulletins import services
from bulletins.models import Bulletin, Excuse, Period, Snapshot, StatValue, Submission
from common.admin import BigTable, PortalAdmin, ReadOnlyAdmin


def for_each(request: HttpRequest, rows: QuerySet, service: Callable[[Any], Any], done: Any) -> None:
    """Call a service for each row and say, row by row, what was done or why not."""
    for row in rows:
        try:
            service(row)
        except PermissionDenied as refusal:
            messages.error(request, _("%(label)s：%(why)s") % {"label": row, "why": refusal})
        except ValidationError as refusal:
            why = " ".join(refusal.messages)
            messages.error(request, _("%(label)s：%(why)s") % {"label": row, "why": why})
        else:
            messages.success(request, _("%(label)s：%(why)s") % {"label": row, "why": done})


@admin.register(Period)
class PeriodAdmin(PortalAdmin):
    """Periods are rolled up and frozen in the background; progress stands in the list of snapshots."""

    list_display = ["code", "kind", "start_on", "end_on", "status", "is_collected", "frozen_at", "frozen_by"]
    list_filter = ["kind", "status", "is_collected"]
    list_select_related = ["frozen_by"]
    search_fields = ["code"]
    readonly_fields = ["status", "is_collected", "follows", "freeze_on", "frozen_at", "frozen_by"]
    actions = ["roll_up", "freeze", "publish", "draft_bulletin"]

    def get_readonly_fields(self, request, obj=None):
        return [*self.readonly_fields, "code", "kind", "start_on", "end_on"] if obj else self.readonly_fields

    def get_fields(self, request, obj=None):
        """A new period is its code; the rest follows from it."""
        return super().get_fields(request, obj) if obj else ["code"]

    @admin.action(description=gettext_lazy("汇总"), permissions=["change"])
    def roll_up(self, request: HttpRequest, queryset: QuerySet) -> None:
        for_each(
            request,
            queryset,
            lambda period: services.request_rollup(period, request.user),
            _("已开始汇总，进度见统计快照。"),
        )

    @admin.action(description=gettext_lazy("冻结"), permissions=["change"])
    def freeze(self, request: HttpRequest, queryset: QuerySet) -> None:
        for_each(
            request,
            queryset,
            lambda period: services.request_freeze(period, request.user),
            _("已开始冻结，进度见统计快照。"),
        )

    @admin.action(description=gettext_lazy("发布"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet) -> None:
        for_each(request, queryset, lambda period: services.publish(period, request.user), _("已发布。"))

    @admin.action(description=gettext_lazy("起草本单位的通报"), permissions=["view"])
    def draft_bulletin(self, request: HttpRequest, queryset: QuerySet) -> None:
        grants = request.user.grants_of(Role.ADMINISTRATOR)
        if not grants:
            messages.error(request, _("您没有单位管理员的授权，不能起草通报。"))
            return
        for_each(
            request,
            queryset,
            lambda period: services.draft_bulletin(period, grants[0].bureau, request.user),
            _("已起草，PDF 正在生成，见通报。"),
        )


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = [
        "period",
        "version",
        "job_state",
        "progress",
        "definition_version",
        "finished_at",
        "reason",
    ]
    list_filter = ["job_state", "period"]
    list_select_related = ["period"]
    search_fields = ["period__code"]


@admin.register(StatValue)
class StatValueAdmin(BigTable, ReadOnlyAdmin):
    list_display = ["snapshot", "indicator", "bureau", "chain", "value", "numerator", "denominator", "late"]
    list_filter = [
        "indicator",
        ["snapshot", AutocompleteSelectFilter],
        ["bureau", AutocompleteSelectFilter],
        ["chain", AutocompleteSelectFilter],
    ]
    list_filter_submit = True
    list_select_related = ["snapshot__period", "bureau", "chain"]
    search_fields = ["bureau__code__exact", "indicator__exact"]
    ordering = ["-id"]

    def in_scope(self, rows, administrator):
        return (
            rows
            if administrator.scope.everything
            else rows.filter(administrator.scope.within("bureau__path"))
        )


class OfUnit(ReadOnlyAdmin):
    """What units do with their figures; the pages of a period do it, here one looks it up."""

    list_filter_submit = True
    search_fields = ["bureau__code__exact", "bureau__name", "period__code__exact"]

    def in_scope(self, rows, administrator):
        if not administrator.scope.everything:
            rows = rows.filter(administrator.scope.within("bureau__path"))
        return rows.judged("the administrator of the unit")


@admin.register(Submission)
class SubmissionAdmin(OfUnit):
    list_display = ["period", "bureau", "status", "round", "submitted_at", "decided_at"]
    list_filter = ["status", "period", ["bureau", AutocompleteSelectFilter]]
    list_select_related = ["period", "bureau"]


@admin.register(Excuse)
class ExcuseAdmin(OfUnit):
    list_display = ["bureau", "period", "until", "reason", "given_at", "lifted_at"]
    list_filter = ["period", ["bureau", AutocompleteSelectFilter]]
    list_select_related = ["period", "bureau"]


@admin.register(Bulletin)
class BulletinAdmin(ReadOnlyAdmin):
    """Services draft, issue, replace and withdraw; here one starts that and fetches the PDF."""

    list_display = ["title", "bureau", "period", "status", "issued_on", "job_state", "progress", "document"]
    list_filter = [
        "status",
        "job_state",
        ["bureau", AutocompleteSelectFilter],
        "period",
        ["issued_on", RangeDateFilter],
    ]
    list_filter_submit = True
    list_select_related = ["bureau", "period"]
    search_fields = ["title", "bureau__name", "verification_code"]
    exclude = ["pdf"]
    actions = ["issue", "retry"]
    actions_list = ["draft"]

    def in_scope(self, rows, administrator):
        """Drafts too, of the units under this administration."""
        if not administrator.scope.everything:
            rows = rows.filter(administrator.scope.within("bureau__path"))
        return rows.judged("the administrator of the unit")

    @admin.display(description=gettext_lazy("PDF"))
    def document(self, row: Bulletin) -> str:
        if row.job_state != Bulletin.State.DONE:
            return "—"
        return format_html(
            '<a class="text-primary-600 underline" href="{}">{}</a>',
            reverse("bulletins:bulletin_pdf", args=[row.public_id]),
            _("下载"),
        )

    @action(description=gettext_lazy("起草通报"), icon="add")
    def draft(self, request: HttpRequest) -> HttpResponse:
        return redirect("bulletins:bulletin_new")

    @admin.action(description=gettext_lazy("签发所选通报"), permissions=["view"])
    def issue(self, request: HttpRequest, queryset: QuerySet) -> None:
        for_each(
            request,
            queryset,
            lambda bulletin: services.issue(bulletin, request.user),
            _("已印发，PDF 正在生成。"),
        )

    @admin.action(description=gettext_lazy("重新生成失败的 PDF"), permissions=["view"])
    def retry(self, request: HttpRequest, queryset: QuerySet) -> None:
        for_each(
            request, queryset, lambda bulletin: services.retry(bulletin, request.user), _("已重新开始生成。")
        )
