"""Inspection reports: the list, lodging, one report with its code to print, replacement and withdrawal."""

import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from common.listing import Column, Day, ListPage, State, Title
from common.qr import qr_code
from projects import reports
from projects.filters import ReportFilter
from projects.forms.reports import Faults, ReplaceForm, ReportForm, WithdrawForm
from projects.models import InspectionReport
from record.services import looked_at


class ReportList(ListPage):
    """For an institution its own, for bureaus those of the institutions below them."""

    model = InspectionReport
    filterset_class = ReportFilter
    heading = gettext_lazy("检验检测报告")
    default_sort = "-issued"
    filter_lead = "q,status"
    template_name = "projects/reports/list.html"
    columns = (
        Title(
            "number",
            gettext_lazy("报告编号"),
            "report_no",
            url="projects:report_detail",
            key="public_id",
            sub=Column("code", gettext_lazy("查验码"), "verification_code", css="code"),
        ),
        Column("sample", gettext_lazy("样品"), "sample"),
        Column("client", gettext_lazy("委托单位"), "client"),
        Column("institution", gettext_lazy("出具机构"), "institution__name"),
        State("status", gettext_lazy("状态"), "status", model=InspectionReport),
        Day("issued", gettext_lazy("签发"), "issued_on", order=("issued_on", "pk")),
        Day("lodged", pgettext_lazy("column", "登记"), "lodged_at", shown=False),
        Column("model", gettext_lazy("规格型号"), "model", shown=False),
        Column("batch", gettext_lazy("批号或编号"), "batch", shown=False),
    )
    empty_title = gettext_lazy("这里将列出登记的检验检测报告")
    empty_text = gettext_lazy(
        "机构登记报告的编号、样品、日期和文件摘要，取得查验码；拿到报告的人据此查真伪。"
    )
    empty_symbol = "verify"

    def more_context(self, context: dict[str, Any]) -> dict[str, Any]:
        return {"may_lodge": bool(reports.lodging_for(self.request.user))}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    institutions = reports.lodging_for(request.user)
    if not institutions:
        raise PermissionDenied(_("报告由出具机构的经办人登记、替换和撤回。"))
    given = (request.POST, request.FILES) if request.method == "POST" else ()
    form = ReportForm(*given, institutions=institutions)
    if request.method == "POST" and form.is_valid():
        try:
            report = reports.lodge(form.chosen, form.values(), by=request.user)
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            messages.success(request, _("已登记。请把查验码印在报告上，或连同报告交给客户。"))
            return redirect("projects:report_detail", report.public_id)
    return render(request, "projects/reports/new.html", {"form": form}, status=400 if form.errors else 200)


def _readable(request: HttpRequest, public_id: uuid.UUID) -> InspectionReport:
    """The report as the user may see it; 404 otherwise."""
    return get_object_or_404(
        InspectionReport.objects.visible_to(request.user).select_related(
            "institution__bureau", "institution__institution_profile", "replaced_by"
        ),
        public_id=public_id,
    )


@login_required
@require_safe
def detail(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    report = _readable(request, public_id)
    looked_at(report, report.institution_id, request.user)
    address = settings.PUBLIC_URL + reverse("bulletins:verify_code", args=[report.verification_code])
    valid = report.status == InspectionReport.Status.VALID
    context = {
        "report": report,
        "cma_no": getattr(getattr(report.institution, "institution_profile", None), "cma_no", ""),
        "address": address,
        "qr": qr_code(address),
        "rivals": reports.rivals_of(report),
        "replaces": report.replaces.judged("of the same institution"),
        "may_end": valid and reports.lodges_for(request.user, report.institution_id),
    }
    return render(request, "projects/reports/detail.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def replace(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _ended(request, public_id, ReplaceForm, "projects/reports/replace.html", reports.replace)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    return _ended(request, public_id, WithdrawForm, "projects/reports/withdraw.html", reports.withdraw)


def _ended(
    request: HttpRequest,
    public_id: uuid.UUID,
    form_class: type[Faults],
    template: str,
    step: Callable[..., InspectionReport],
) -> HttpResponse:
    report = _readable(request, public_id)
    reports.refuse_to_end(report, request.user)
    form = form_class(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            report = step(report, by=request.user, **form.cleaned_data)
        except ValidationError as fault:
            form.take_faults(fault)
        else:
            href = reverse("projects:report_detail", args=[report.public_id])
            done = _("报告 {} 的状态已改为“{}”，查验页随即显示。")
            link = format_html('<a href="{}">{}</a>', href, report.report_no)
            messages.success(request, format_html(done, link, report.get_status_display()))
            return redirect(href)
    context = {
        "report": report,
        "form": form,
        "danger": True,
        "cancel_url": reverse("projects:report_detail", args=[report.public_id]),
    }
    return render(request, template, context, status=400 if form.errors else 200)
